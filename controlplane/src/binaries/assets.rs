//! Executables in a folder that the user names in `KUBEBUILDER_ASSETS`.

use std::path::{Path, PathBuf};

use crate::version::Binary;

/// The binary in `folder`, if it is there.
pub(super) fn find(folder: &Path, binary: Binary) -> Option<PathBuf> {
    let path = folder.join(binary.name());
    path.is_file().then_some(path)
}
