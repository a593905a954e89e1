//! `cargo xtask codegen`: files that follow from the source code and are committed all the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cargo::root;

/// What to do about a file that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write it.
    Write,
    /// Fail.
    Check,
}

/// A file and what it should hold.
#[derive(Debug)]
struct Generated {
    /// Relative to the repository's top folder.
    path: PathBuf,
    content: String,
}

/// Why the generated files are not right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodegenError {
    #[error("{} not up to date; run `cargo xtask codegen`", stale(.0))]
    Stale(Vec<PathBuf>),
    #[error("{path} can't be written: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// Writes or checks every generated file.
pub(crate) fn run(mode: Mode) -> Result<(), CodegenError> {
    bring_about(&root(), files(), mode)
}

/// Every generated file of the repository.
fn files() -> Vec<Generated> {
    Vec::new()
}

fn bring_about(root: &Path, files: Vec<Generated>, mode: Mode) -> Result<(), CodegenError> {
    let differs = |file: &Generated| {
        !fs::read_to_string(root.join(&file.path)).is_ok_and(|content| content == file.content)
    };
    let differing: Vec<Generated> = files.into_iter().filter(differs).collect();
    match mode {
        Mode::Check if differing.is_empty() => Ok(()),
        Mode::Check => Err(CodegenError::Stale(differing.into_iter().map(|file| file.path).collect())),
        Mode::Write => differing.iter().try_for_each(|file| write(root, file)),
    }
}

fn write(root: &Path, file: &Generated) -> Result<(), CodegenError> {
    let path = root.join(&file.path);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, &file.content))
        .map_err(|source| CodegenError::Write { path: file.path.clone(), source })
}

fn stale(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    match names.as_slice() {
        [name] => format!("{name} is"),
        names => format!("{} are", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(path: &str) -> Generated {
        Generated { path: path.into(), content: format!("the content of {path}") }
    }

    #[test]
    fn stale_files_are_named_and_then_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old"), "the content of last year").unwrap();
        let files = || vec![generated("old"), generated("new/one")];
        let error = bring_about(folder.path(), files(), Mode::Check).unwrap_err();
        assert_eq!(error.to_string(), "old, new/one are not up to date; run `cargo xtask codegen`");
        bring_about(folder.path(), files(), Mode::Write).unwrap();
        bring_about(folder.path(), files(), Mode::Check).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("new/one")).unwrap(), "the content of new/one");
    }
}
