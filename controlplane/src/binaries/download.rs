//! Downloads executables from the official release locations, and verifies their published checksums.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::Sources;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::version::{Binary, Platform, Product};

/// A checksum file is small; more than this is something else, such as a sign-in page.
const CHECKSUMS_LIMIT: u64 = 64 * 1024;

/// Why a download brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The release has no files for this machine.
    #[error("there is no release of it for {0} to download")]
    Platform(Platform),
    /// It is had from its sources only.
    #[error("no release of it is downloaded")]
    Unpublished,
    /// The server did not answer as hoped.
    #[error("downloading {url} failed ({source})")]
    Http {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The published checksums lack the file.
    #[error("{url} has no SHA-256 checksum of {file}")]
    NoChecksum {
        /// Where checksums are published.
        url: String,
        /// The file that is missing there.
        file: String,
    },
    /// The file is not the published one.
    #[error("the download of {url} does not match its checksum (SHA-256 {actual} instead of {expected})")]
    Checksum {
        /// What was downloaded.
        url: String,
        /// Published, in hexadecimal.
        expected: String,
        /// Received, in hexadecimal.
        actual: String,
    },
    /// The archive lacks the binary.
    #[error("the archive {url} does not contain {member}")]
    NotInArchive {
        /// What was downloaded.
        url: String,
        /// The file that was looked for.
        member: String,
    },
    /// A file operation, or the connection, failed midway.
    #[error("saving {path} failed ({source})")]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error("the download was stopped")]
    Stopped,
}

impl DownloadError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Downloads `binaries` into the folder `out`.
pub(super) fn fetch(
    sources: &Sources,
    platform: Platform,
    binaries: &[Binary],
    out: &Path,
    stop: &Stop,
) -> Result<(), DownloadError> {
    // Neither project publishes the servers for another system in the form expected here.
    if platform.os != "linux" {
        return Err(DownloadError::Platform(platform));
    }
    let client = Client { agent: agent(), stop };
    for binary in binaries {
        match binary.product() {
            Product::Kubernetes => client.kubernetes(&sources.kubernetes_releases, platform, *binary, out)?,
            Product::Etcd => client.etcd(&sources.etcd_releases, platform, out)?,
            Product::Oidc | Product::Kstatus | Product::Helm => return Err(DownloadError::Unpublished),
        }
    }
    Ok(())
}

/// An HTTP client that trusts what the system trusts, with the proxies of the environment.
fn agent() -> Agent {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .build()
        .into()
}

struct Client<'a> {
    agent: Agent,
    stop: &'a Stop,
}

impl Client<'_> {
    fn kubernetes(
        &self,
        releases: &str,
        platform: Platform,
        binary: Binary,
        out: &Path,
    ) -> Result<(), DownloadError> {
        let Platform { os, arch } = platform;
        let url = format!("{releases}/v{}/bin/{os}/{arch}/{binary}", binary.product().version());
        let sums_url = format!("{url}.sha256");
        let sums = self.text(&sums_url)?;
        let expected = sums.split_whitespace().next().filter(|sum| is_sha256(sum)).ok_or_else(|| {
            DownloadError::NoChecksum { url: sums_url.clone(), file: binary.name().to_owned() }
        })?;
        let path = out.join(binary.name());
        self.verified(&url, expected, &path)?;
        make_executable(&path)
    }

    fn etcd(&self, releases: &str, platform: Platform, out: &Path) -> Result<(), DownloadError> {
        let version = Product::Etcd.version();
        let stem = format!("etcd-v{version}-{platform}");
        let file = format!("{stem}.tar.gz");
        let url = format!("{releases}/v{version}/{file}");
        let sums_url = format!("{releases}/v{version}/SHA256SUMS");
        let sums = self.text(&sums_url)?;
        let expected = published(&sums, &file)
            .ok_or_else(|| DownloadError::NoChecksum { url: sums_url.clone(), file: file.clone() })?;
        let archive = out.join(&file);
        self.verified(&url, expected, &archive)?;
        let path = out.join(Binary::Etcd.name());
        let member = format!("{stem}/{}", Binary::Etcd);
        if !extract(&archive, &member, &path).map_err(DownloadError::at(&path))? {
            return Err(DownloadError::NotInArchive { url, member });
        }
        make_executable(&path)
    }

    fn get(&self, url: &str) -> Result<ureq::Body, DownloadError> {
        self.agent
            .get(url)
            .call()
            .map(ureq::http::Response::into_body)
            .map_err(|source| DownloadError::Http { url: url.to_owned(), source: Box::new(source) })
    }

    fn text(&self, url: &str) -> Result<String, DownloadError> {
        self.get(url)?
            .with_config()
            .limit(CHECKSUMS_LIMIT)
            .read_to_string()
            .map_err(|source| DownloadError::Http { url: url.to_owned(), source: Box::new(source) })
    }

    /// Saves `url` as `path`, and checks what arrived against `expected`.
    fn verified(&self, url: &str, expected: &str, path: &Path) -> Result<(), DownloadError> {
        let progress = Progress::begin(format!("downloading {url}"));
        let body = self.get(url)?;
        let total = body.content_length();
        let mut reader = body.into_reader();
        let mut file = File::create(path).map_err(DownloadError::at(path))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        let mut received: u64 = 0;
        loop {
            if self.stop.requested() {
                return Err(DownloadError::Stopped);
            }
            let count = reader.read(&mut buffer).map_err(DownloadError::at(path))?;
            let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
            hash.update(chunk);
            file.write_all(chunk).map_err(DownloadError::at(path))?;
            received += count as u64;
            progress.detail(amount(received, total));
        }
        let actual = hexadecimal(&hash.finalize());
        if actual.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(DownloadError::Checksum { url: url.to_owned(), expected: expected.to_owned(), actual })
    }
}

/// The checksum of `file` in the lines `<sum>  <file>` that sha256sum writes.
fn published<'a>(sums: &'a str, file: &str) -> Option<&'a str> {
    sums.lines().find_map(|line| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        (name.trim_start_matches([' ', '*']) == file && is_sha256(sum)).then_some(sum)
    })
}

fn is_sha256(sum: &str) -> bool {
    sum.len() == 64 && sum.chars().all(|digit| digit.is_ascii_hexdigit())
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16));
    bytes.iter().flat_map(digits).flatten().collect()
}

fn amount(received: u64, total: Option<u64>) -> String {
    let mebibytes = |bytes: u64| bytes / (1024 * 1024);
    match total {
        Some(total) => format!("{} of {} MiB", mebibytes(received), mebibytes(total)),
        None => format!("{} MiB", mebibytes(received)),
    }
}

/// Writes the archive's file `member` to `path`; `false` when there is none.
fn extract(archive: &Path, member: &str, path: &Path) -> io::Result<bool> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(member) {
            io::copy(&mut entry, &mut File::create(path)?)?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn make_executable(path: &Path) -> Result<(), DownloadError> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(DownloadError::at(path))
}
