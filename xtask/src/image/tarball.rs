//! Tar archives in which nothing depends on the machine or the hour.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tar::{Builder, EntryType, Header};

/// The files of an archive by their paths, relative and with `/`.
pub(super) type Files<'a> = BTreeMap<String, File<'a>>;

/// A file of an archive.
#[derive(Debug)]
pub(super) struct File<'a> {
    /// Who may read, write and execute it, as chmod has it.
    pub(super) mode: u32,
    pub(super) content: &'a [u8],
}

/// An archive of these files and the folders that they are in: sorted by path, owned by root, and with this time,
/// in seconds since 1970, as that of each.
pub(super) fn tarball(files: &Files<'_>, time: u64) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for (path, file) in files {
        for (end, _) in path.match_indices('/') {
            let folder = &path[..=end];
            if folders.insert(folder) {
                append(&mut archive, EntryType::Directory, folder, 0o755, &[], time)?;
            }
        }
        append(&mut archive, EntryType::Regular, path, file.mode, file.content, time)?;
    }
    archive.into_inner()
}

fn append(
    archive: &mut Builder<Vec<u8>>,
    kind: EntryType,
    path: &str,
    mode: u32,
    content: &[u8],
    time: u64,
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(path)?;
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(content.len() as u64);
    header.set_cksum();
    archive.append(&header, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_is_in_them_and_once() {
        let file = |mode| File { mode, content: b"x" };
        let files = Files::from([
            ("etc/passwd".to_owned(), file(0o644)),
            ("program".to_owned(), file(0o755)),
            ("etc/ssl/certs".to_owned(), file(0o644)),
        ]);
        let bytes = tarball(&files, 77).unwrap();
        let mut archive = tar::Archive::new(&*bytes);
        let entries = archive.entries().unwrap().map(|entry| {
            let header = entry.unwrap().header().clone();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 77));
            (header.path().unwrap().to_str().unwrap().to_owned(), header.mode().unwrap())
        });
        let expected = [
            ("etc/", 0o755),
            ("etc/passwd", 0o644),
            ("etc/ssl/", 0o755),
            ("etc/ssl/certs", 0o644),
            ("program", 0o755),
        ];
        assert_eq!(entries.collect::<Vec<_>>(), expected.map(|(path, mode)| (path.to_owned(), mode)));
    }
}
