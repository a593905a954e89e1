//! Whether a program needs anything of the system to start.

use object::Endianness;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// Why a program would not start in an image that holds nothing else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStatic {
    #[error("it is no ELF file for 64 bits ({0})")]
    Unreadable(object::Error),
    #[error("it asks for the loader {0}")]
    Loader(String),
}

/// Checks that a program is static: it names no loader.
pub(super) fn check_static(program: &[u8]) -> Result<(), NotStatic> {
    match loader(program).map_err(NotStatic::Unreadable)? {
        None => Ok(()),
        Some(loader) => Err(NotStatic::Loader(loader)),
    }
}

fn loader(program: &[u8]) -> object::Result<Option<String>> {
    let header = FileHeader64::<Endianness>::parse(program)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, program)?;
    let loaders = segments.iter().filter(|segment| segment.p_type(endian) == PT_INTERP);
    let names = loaders.map(|segment| segment.interpreter(endian, program));
    let name = names.collect::<object::Result<Vec<_>>>()?.into_iter().flatten().next();
    Ok(name.map(|name| String::from_utf8_lossy(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_a_loader_is_not_static() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let said = check_static(&this).unwrap_err().to_string();
        assert!(said.starts_with("it asks for the loader /"), "{said}");
        let said = check_static(b"#!/bin/sh").unwrap_err().to_string();
        assert!(said.starts_with("it is no ELF file"), "{said}");
    }
}
