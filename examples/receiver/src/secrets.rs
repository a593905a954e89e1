//! The signing secrets in a mounted Secret.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use secrecy::{ExposeSecret as _, SecretString};

use crate::Options;

/// What the folder holds, and held before.
pub(crate) struct Secrets {
    options: Options,
    known: Vec<Known>,
    /// The URL that the Secret told of last.
    url: Option<String>,
}

struct Known {
    key: String,
    value: SecretString,
    last_seen: Instant,
}

impl Secrets {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, known: Vec::new(), url: None }
    }

    /// Reads the folder, as it is now. What can't be read leaves everything as it was.
    pub(crate) fn read(&mut self) -> &Self {
        let now = Instant::now();
        for (key, value) in keys(&self.options.secret_dir).unwrap_or_default() {
            if key == "url" {
                self.url = Some(value);
            } else {
                self.known.retain(|known| known.value.expose_secret() != value);
                self.known.push(Known { key, value: value.into(), last_seen: now });
            }
        }
        self.known.retain(|known| now.duration_since(known.last_seen) < self.options.remember);
        self
    }

    /// Whether there was a Secret yet.
    pub(crate) fn is_ready(&self) -> bool {
        !self.known.is_empty()
    }

    /// Whether the Secret tells of another URL than this receiver's.
    pub(crate) fn are_of_another_url(&self) -> bool {
        self.options.url.is_some() && self.options.url != self.url
    }

    /// The keys and values that are believed.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        self.known.iter().map(|known| (known.key.as_str(), &known.value))
    }
}

/// The `url`, and every key that holds a signing secret.
fn keys(folder: &Path) -> io::Result<Vec<(String, String)>> {
    // The kubelet puts a new folder behind `..data` when the Secret has changed: all files of one and the same.
    let folder = fs::canonicalize(folder.join("..data")).unwrap_or_else(|_| folder.to_owned());
    let mut keys = Vec::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        let Ok(key) = file.file_name().into_string() else { continue };
        if key == "url" || key == "secret" || key.starts_with("previousSecret") {
            keys.push((key, fs::read_to_string(file.path())?));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A folder as the kubelet makes it, with these files.
    fn mount(folder: &Path, version: &str, files: &[(&str, &str)]) {
        fs::create_dir(folder.join(version)).unwrap();
        for (key, value) in files {
            fs::write(folder.join(version).join(key), value).unwrap();
        }
        std::os::unix::fs::symlink(version, folder.join("..new")).unwrap();
        fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    }

    fn known(secrets: &Secrets) -> Vec<(&str, &str)> {
        let mut known = secrets.known().map(|(key, value)| (key, value.expose_secret())).collect::<Vec<_>>();
        known.sort_unstable();
        known
    }

    #[test]
    fn what_is_mounted_is_known_and_remembered_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let options = |remember| Options { secret_dir: folder.path().to_owned(), url: None, remember };
        let mut secrets = Secrets::new(options(Duration::from_hours(1)));
        assert!(!secrets.read().is_ready(), "there is no Secret yet");

        mount(folder.path(), "..1", &[("secret", "a"), ("url", "https://a"), ("endpointId", "wh_1")]);
        assert!(secrets.read().is_ready());
        assert_eq!(known(&secrets), [("secret", "a")]);
        mount(folder.path(), "..2", &[("secret", "b"), ("previousSecret", "a"), ("previousSecret2", "c")]);
        assert_eq!(
            known(secrets.read()),
            [("previousSecret", "a"), ("previousSecret2", "c"), ("secret", "b")]
        );
        mount(folder.path(), "..3", &[("secret", "d")]);
        assert_eq!(
            known(secrets.read()),
            [("previousSecret", "a"), ("previousSecret2", "c"), ("secret", "b"), ("secret", "d")]
        );

        let mut forgetful = Secrets::new(options(Duration::from_millis(1)));
        assert_eq!(known(forgetful.read()), [("secret", "d")]);
        mount(folder.path(), "..4", &[("secret", "e")]);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(known(forgetful.read()), [("secret", "e")]);
    }

    #[test]
    fn the_secret_tells_of_a_url() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            |url| Options { secret_dir: folder.path().to_owned(), url, remember: Duration::from_hours(1) };
        let mut moved = Secrets::new(options(Some("https://b".to_owned())));
        let mut careless = Secrets::new(options(None));
        for (version, url, is_another) in
            [("..1", "https://a", true), ("..2", "https://b", false), ("..3", "https://c", true)]
        {
            mount(folder.path(), version, &[("secret", version), ("url", url)]);
            assert_eq!(moved.read().are_of_another_url(), is_another, "{url}");
            assert!(!careless.read().are_of_another_url());
        }
    }
}
