//! The folder that holds one control plane's data, credentials and logs.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Folders of control planes; they are locked as long as their process lives.
const PREFIX: &str = "webhook-operator-controlplane-";
/// Folders that are not locked yet, so that a sweep leaves them alone.
const NEW_PREFIX: &str = ".new-controlplane-";
const LOCK: &str = "lock";

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Somebody's files are there.
    #[error("the state directory {0} is not empty; name a new or an empty one")]
    NotEmpty(PathBuf),
    /// A file operation failed.
    #[error("the state directory {path} can't be used: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What happens to the folder at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Afterwards {
    /// The user named it, and may want to look at the logs.
    Keep,
    /// Nobody knows of it.
    Remove,
}

/// The folder of one running control plane.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    afterwards: Afterwards,
    /// Tells others that a process uses the folder; the system releases it when the process dies.
    _lock: File,
}

impl StateDir {
    /// The folder that the user named: new or empty.
    pub(crate) fn named(path: &Path) -> Result<Self, StateDirError> {
        let error = |source| StateDirError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(error)?;
        let path = path.canonicalize().map_err(error)?;
        if fs::read_dir(&path).map_err(error)?.next().is_some() {
            return Err(StateDirError::NotEmpty(path));
        }
        let lock = lock(&path).map_err(error)?;
        Ok(Self { path, afterwards: Afterwards::Keep, _lock: lock })
    }

    /// A new folder in the system's temporary folder, removed when dropped.
    ///
    /// Also removes the folders of control planes that were killed.
    pub(crate) fn temporary() -> Result<Self, StateDirError> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        Self::temporary_in(&parent).map_err(|source| StateDirError::Io { path: parent, source })
    }

    fn temporary_in(parent: &Path) -> io::Result<Self> {
        let new = tempfile::Builder::new().prefix(NEW_PREFIX).tempdir_in(parent.canonicalize()?)?;
        let lock = lock(new.path())?;
        let name = new.path().file_name().unwrap_or_default().to_string_lossy().replace(NEW_PREFIX, PREFIX);
        let path = new.path().with_file_name(name);
        fs::rename(new.keep(), &path)?;
        Ok(Self { path, afterwards: Afterwards::Remove, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if self.afterwards == Afterwards::Remove {
            // What can't be removed now is swept by the next control plane.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn lock(folder: &Path) -> io::Result<File> {
    let file = File::create(folder.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

/// Removes folders in `parent` whose control plane is dead.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // A folder that can't be opened or removed belongs to another user.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_removes_the_dead_and_spares_the_living() {
        let parent = tempfile::tempdir().unwrap();
        let living = StateDir::temporary_in(parent.path()).unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        sweep(parent.path());
        assert!(!dead.exists());
        assert!(living.path().exists());
    }

    #[test]
    fn a_temporary_folder_goes_and_a_named_one_stays() {
        let parent = tempfile::tempdir().unwrap();
        let temporary = StateDir::temporary_in(parent.path()).unwrap();
        let path = temporary.path().to_owned();
        assert!(path.exists());
        drop(temporary);
        assert!(!path.exists());

        let path = parent.path().join("named");
        drop(StateDir::named(&path).unwrap());
        assert!(path.exists());
    }

    #[test]
    fn a_folder_with_files_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("diary"), "").unwrap();
        assert!(matches!(StateDir::named(parent.path()), Err(StateDirError::NotEmpty(_))));
    }
}
