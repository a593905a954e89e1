//! What the kubelet does for a Pod that mounts a Secret.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::task::JoinHandle;

/// A folder that a Secret is mounted at, for as long as this lives. It holds nothing while there never was a Secret, and
/// what it held last once the Secret is gone.
pub struct Mount {
    folder: PathBuf,
    task: JoinHandle<()>,
}

impl Mount {
    /// Mounts the Secret of this name at an empty folder. `next_look` says how long it takes until the kubelet looks at
    /// it again.
    pub fn new(
        folder: &Path,
        secrets: Api<Secret>,
        name: &str,
        mut next_look: impl FnMut() -> Duration + Send + 'static,
    ) -> Self {
        let (path, name) = (folder.to_owned(), name.to_owned());
        let task = tokio::spawn(async move {
            let mut shown = BTreeMap::new();
            for version in 1_u64.. {
                // As for the kubelet, what can't be read or written now is tried again at the next look.
                if let Ok(Some(Secret { data: Some(data), .. })) = secrets.get_opt(&name).await
                    && data != shown
                    && project(&path, version, &data).is_ok()
                {
                    shown = data;
                }
                tokio::time::sleep(next_look()).await;
            }
        });
        Self { folder: folder.to_owned(), task }
    }

    /// What a file holds.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(key)).ok()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Shows these files and no others, all at once: each is a link into `..data`, which is a link to a folder of this
/// version.
fn project(path: &Path, version: u64, data: &BTreeMap<String, ByteString>) -> io::Result<()> {
    let former = fs::read_link(path.join("..data")).ok();
    let (current, upcoming) = (PathBuf::from(format!("..{version}")), path.join("..data_tmp"));
    fs::create_dir(path.join(&current))?;
    for (key, value) in data {
        fs::write(path.join(&current).join(key), &value.0)?;
    }
    symlink(&current, &upcoming)?;
    fs::rename(&upcoming, path.join("..data"))?;
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let is_file = name.to_str().is_some_and(|name| !name.starts_with(".."));
        if is_file && !data.keys().any(|key| name == *key.as_str()) {
            fs::remove_file(path.join(name))?;
        }
    }
    for key in data.keys().filter(|key| !path.join(key).is_symlink()) {
        symlink(Path::new("..data").join(key), path.join(key))?;
    }
    former.map_or(Ok(()), |former| fs::remove_dir_all(path.join(former)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(path: &Path) -> Vec<(String, String)> {
        let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files = files
            .filter(|name| !name.starts_with(".."))
            .map(|name| (name.clone(), fs::read_to_string(path.join(name)).unwrap()))
            .collect::<Vec<_>>();
        files.sort_unstable();
        files
    }

    #[test]
    fn a_folder_shows_the_latest_version_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = |pairs: &[(&str, &str)]| {
            let bytes = |value: &str| ByteString(value.as_bytes().to_vec());
            pairs.iter().map(|(key, value)| ((*key).to_owned(), bytes(value))).collect::<BTreeMap<_, _>>()
        };
        for (version, pairs) in [
            (1, &[("secret", "a"), ("url", "u")][..]),
            (2, &[("previousSecret", "a"), ("secret", "b"), ("url", "u")]),
            (3, &[("secret", "b"), ("url", "v")]),
        ] {
            project(folder.path(), version, &data(pairs)).unwrap();
            let wanted = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            assert_eq!(shows(folder.path()), wanted.collect::<Vec<_>>());
        }
        // Files, `..data`, and the folder behind it.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2 + 2);
    }
}
