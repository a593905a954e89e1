//! Executables that were built or downloaded before.
//!
//! `<cache>/<product>-<version>-<os>-<arch>/<binary>`: a file appears there by a rename, so it is whole.
//! Work in progress lives in `.staging…` beside it, under the lock file `.lock`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::progress::Progress;
use crate::stop::Stop;
use crate::version::{Binary, Platform, Product};

const STAGING: &str = ".staging";
/// How often a process that waits for another one's lock looks again.
const RETRY: Duration = Duration::from_millis(200);

/// Why the cache is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file operation failed.
    #[error("the cache {path} can't be used, make it writable or set XDG_CACHE_HOME: {source}")]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody asked to stop while this process waited for another one.
    #[error("stopped while another process was filling the cache")]
    Stopped,
}

impl CacheError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// The binary in the cache, if it is there.
pub(super) fn find(cache: &Path, binary: Binary) -> Option<PathBuf> {
    let path = folder(cache, binary.product()).join(binary.name());
    path.is_file().then_some(path)
}

fn folder(cache: &Path, product: Product) -> PathBuf {
    cache.join(format!("{}-{}-{}", product.name(), product.version(), Platform::current()))
}

/// One product's folder, held by this process alone.
#[derive(Debug)]
pub(super) struct Slot {
    folder: PathBuf,
    /// Holds the lock until it is closed; the system closes it for a process that dies.
    _lock: File,
}

impl Slot {
    /// Waits for the product's folder and takes it.
    pub(super) fn lock(cache: &Path, product: Product, stop: &Stop) -> Result<Self, CacheError> {
        let folder = folder(cache, product);
        fs::create_dir_all(&folder).map_err(CacheError::at(&folder))?;
        let path = folder.join(".lock");
        let lock = File::create(&path).map_err(CacheError::at(&path))?;
        let mut waiting = None;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(CacheError::Io { path, source }),
                Err(TryLockError::WouldBlock) if stop.requested() => return Err(CacheError::Stopped),
                Err(TryLockError::WouldBlock) => {
                    waiting.get_or_insert_with(|| {
                        Progress::begin(format!("waiting for another process that prepares {product}"))
                    });
                    std::thread::sleep(RETRY);
                }
            }
        }
        let slot = Self { folder, _lock: lock };
        slot.sweep()?;
        Ok(slot)
    }

    /// Removes what an interrupted process left.
    fn sweep(&self) -> Result<(), CacheError> {
        let entries = fs::read_dir(&self.folder).map_err(CacheError::at(&self.folder))?;
        for entry in entries {
            let entry = entry.map_err(CacheError::at(&self.folder))?;
            if entry.file_name().to_string_lossy().starts_with(STAGING) {
                fs::remove_dir_all(entry.path()).map_err(CacheError::at(&entry.path()))?;
            }
        }
        Ok(())
    }

    /// The binary in this slot, if it is there.
    pub(super) fn find(&self, binary: Binary) -> Option<PathBuf> {
        let path = self.folder.join(binary.name());
        path.is_file().then_some(path)
    }

    /// An empty folder in the cache's own file system, removed when dropped.
    pub(super) fn staging(&self) -> Result<TempDir, CacheError> {
        tempfile::Builder::new()
            .prefix(STAGING)
            .tempdir_in(&self.folder)
            .map_err(CacheError::at(&self.folder))
    }

    /// Moves finished binaries from `staging` into the cache.
    pub(super) fn admit(&self, staging: &TempDir, binaries: &[Binary]) -> Result<(), CacheError> {
        for binary in binaries {
            let made = staging.path().join(binary.name());
            // Without this, a power cut after the rename could leave an empty file under the final name.
            File::open(&made).and_then(|file| file.sync_all()).map_err(CacheError::at(&made))?;
            let kept = self.folder.join(binary.name());
            fs::rename(&made, &kept).map_err(CacheError::at(&kept))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn an_interrupted_fill_leaves_no_binary_and_is_swept_by_the_next() {
        let cache = tempfile::tempdir().unwrap();
        let slot = Slot::lock(cache.path(), Product::Etcd, &Stop::new()).unwrap();
        let staging = slot.staging().unwrap();
        fs::write(staging.path().join("etcd"), "half of it").unwrap();
        // As after SIGKILL: nothing is cleaned up, but the system releases the lock.
        let left = staging.keep();
        drop(slot);

        assert_eq!(find(cache.path(), Binary::Etcd), None);
        let slot = Slot::lock(cache.path(), Product::Etcd, &Stop::new()).unwrap();
        assert!(!left.exists());
        assert_eq!(slot.find(Binary::Etcd), None);
    }

    #[test]
    fn an_admitted_binary_is_found() {
        let cache = tempfile::tempdir().unwrap();
        let slot = Slot::lock(cache.path(), Product::Etcd, &Stop::new()).unwrap();
        let staging = slot.staging().unwrap();
        fs::write(staging.path().join("etcd"), "all of it").unwrap();
        slot.admit(&staging, &[Binary::Etcd]).unwrap();
        let path = find(cache.path(), Binary::Etcd).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "all of it");
    }

    #[test]
    fn a_second_holder_waits_for_the_first() {
        let cache = tempfile::tempdir().unwrap();
        let first = Slot::lock(cache.path(), Product::Etcd, &Stop::new()).unwrap();
        let (told, tells) = mpsc::channel();
        let path = cache.path().to_owned();
        let second = std::thread::spawn(move || {
            let slot = Slot::lock(&path, Product::Etcd, &Stop::new()).unwrap();
            told.send(slot.find(Binary::Etcd).is_some()).unwrap();
        });
        assert!(
            tells.recv_timeout(RETRY * 3).is_err(),
            "the second must not get in while the first is there"
        );
        fs::write(first.folder.join("etcd"), "all of it").unwrap();
        drop(first);
        assert!(tells.recv_timeout(Duration::from_secs(30)).unwrap(), "and then it sees what the first made");
        second.join().unwrap();
    }

    #[test]
    fn a_waiting_holder_can_be_stopped() {
        let cache = tempfile::tempdir().unwrap();
        let _first = Slot::lock(cache.path(), Product::Etcd, &Stop::new()).unwrap();
        let stop = Stop::new();
        stop.request();
        assert!(matches!(Slot::lock(cache.path(), Product::Etcd, &stop), Err(CacheError::Stopped)));
    }
}
