//! Finds the control plane's executables, or makes them.
//!
//! In this order: `KUBEBUILDER_ASSETS`, the user's cache, a build with Go, a download.

mod assets;
mod cache;
mod download;
mod go;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::progress;
use crate::stop::Stop;
use crate::version::{Binary, Platform, Product};

pub use cache::CacheError;
pub use download::DownloadError;
pub use go::GoError;

/// Where executables may come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// A folder that somebody filled by hand or with `setup-envtest`; it may lack some executables.
    pub assets: Option<PathBuf>,
    /// The folder that keeps what was built or downloaded.
    pub cache: PathBuf,
    /// The folder that holds the Go modules `kubernetes/`, `etcd/`, `oidc/`, `kstatus/` and
    /// `helm/`.
    pub go_modules: PathBuf,
    /// The `go` command.
    pub go: OsString,
    /// The `controlplane` program, by which a build dies with the thread that started it; without it, a build
    /// outlives this process when that is killed.
    pub tether: Option<PathBuf>,
    /// Where Kubernetes publishes its releases: a URL that `/v1.36.3/bin/…` can be added to.
    pub kubernetes_releases: String,
    /// Where etcd publishes its releases: a URL that `/v3.6.16/…` can be added to.
    pub etcd_releases: String,
}

impl Sources {
    /// The sources of this user on this machine.
    ///
    /// Reads `KUBEBUILDER_ASSETS`, `XDG_CACHE_HOME`, `HOME` and, for a mirror of the official release
    /// locations, `WEBHOOK_OPERATOR_KUBERNETES_RELEASES` and `WEBHOOK_OPERATOR_ETCD_RELEASES`.
    ///
    /// # Errors
    ///
    /// When neither `XDG_CACHE_HOME` nor `HOME` is an absolute path.
    pub fn from_env() -> Result<Self, BinariesError> {
        let text = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        Ok(Self {
            assets: path_from_env("KUBEBUILDER_ASSETS"),
            cache: cache_dir()?.join("controlplane"),
            go_modules: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            go: OsString::from("go"),
            tether: None,
            kubernetes_releases: text("WEBHOOK_OPERATOR_KUBERNETES_RELEASES", "https://dl.k8s.io/release"),
            etcd_releases: text(
                "WEBHOOK_OPERATOR_ETCD_RELEASES",
                "https://github.com/etcd-io/etcd/releases/download",
            ),
        })
    }
}

/// The folder in which this project keeps what is costly to make again, for this user.
///
/// # Errors
///
/// When neither `XDG_CACHE_HOME` nor `HOME` is an absolute path.
pub fn cache_dir() -> Result<PathBuf, BinariesError> {
    path_from_env("XDG_CACHE_HOME")
        .or_else(|| path_from_env("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("webhook-operator"))
        .ok_or(BinariesError::NoHome)
}

fn path_from_env(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The executables of one control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// `etcd`
    pub etcd: PathBuf,
    /// `kube-apiserver`
    pub kube_apiserver: PathBuf,
    /// `kube-controller-manager`
    pub kube_controller_manager: PathBuf,
    /// `kubectl`
    pub kubectl: PathBuf,
}

impl Binaries {
    fn complete(mut found: BTreeMap<Binary, PathBuf>) -> Option<Self> {
        Some(Self {
            etcd: found.remove(&Binary::Etcd)?,
            kube_apiserver: found.remove(&Binary::KubeApiserver)?,
            kube_controller_manager: found.remove(&Binary::KubeControllerManager)?,
            kubectl: found.remove(&Binary::Kubectl)?,
        })
    }

    /// Every executable with its path.
    #[must_use]
    pub fn all(&self) -> [(Binary, &Path); 4] {
        [
            (Binary::Etcd, &self.etcd),
            (Binary::KubeApiserver, &self.kube_apiserver),
            (Binary::KubeControllerManager, &self.kube_controller_manager),
            (Binary::Kubectl, &self.kubectl),
        ]
    }
}

/// Why an executable is not there.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// No place for the cache.
    #[error("neither XDG_CACHE_HOME nor HOME is set to an absolute path, so there is no place for a cache")]
    NoHome,
    /// The cache can't be read or written.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Both ways to make the executables failed.
    #[error(
        "{product} is needed and can't be had: {go}, and {download}; install Go 1.26 or newer, or set \
         KUBEBUILDER_ASSETS to a folder with the binaries"
    )]
    Unavailable {
        /// What is missing.
        product: Product,
        /// Why it was not built.
        go: GoError,
        /// Why it was not downloaded.
        download: DownloadError,
    },
    /// Somebody removed an executable meanwhile.
    #[error("a binary of the control plane was removed while the others were prepared, try again")]
    Removed,
    /// Somebody asked to stop meanwhile.
    #[error("stopped before the control plane's binaries were ready")]
    Stopped,
}

/// The executables that are there already, without building or downloading any.
#[must_use]
pub fn find(sources: &Sources) -> BTreeMap<Binary, PathBuf> {
    let mut found = BTreeMap::new();
    for binary in Binary::ALL {
        if let Some(path) = find_one(sources, binary) {
            found.insert(binary, path);
        }
    }
    found
}

fn find_one(sources: &Sources, binary: Binary) -> Option<PathBuf> {
    let assets = sources.assets.as_deref().and_then(|folder| assets::find(folder, binary));
    assets.or_else(|| cache::find(&sources.cache, binary))
}

/// Makes sure that every executable is there, and says where.
///
/// Takes minutes when something has to be built; reports that on stderr. Two processes at once share the
/// work: one does it, the other waits.
///
/// # Errors
///
/// When an executable can be neither built nor downloaded, when the cache can't be written, or when `stop`
/// is requested meanwhile.
pub fn ensure(sources: &Sources, stop: &Stop) -> Result<Binaries, BinariesError> {
    let mut found = find(sources);
    for product in Product::ALL {
        let missing: Vec<Binary> = missing(&found, product);
        if !missing.is_empty() {
            fill(sources, product, missing, stop)?;
            found = find(sources);
        }
    }
    Binaries::complete(found).ok_or(BinariesError::Removed)
}

/// Makes sure that one executable is there, such as one that no control plane needs, and says where.
///
/// # Errors
///
/// As [`ensure`].
pub fn ensure_one(sources: &Sources, binary: Binary, stop: &Stop) -> Result<PathBuf, BinariesError> {
    if find_one(sources, binary).is_none() {
        fill(sources, binary.product(), vec![binary], stop)?;
    }
    find_one(sources, binary).ok_or(BinariesError::Removed)
}

/// Makes what is missing, unless another process does so meanwhile.
fn fill(sources: &Sources, product: Product, missing: Vec<Binary>, stop: &Stop) -> Result<(), BinariesError> {
    let slot = match cache::Slot::lock(&sources.cache, product, stop) {
        Err(CacheError::Stopped) => return Err(BinariesError::Stopped),
        slot => slot?,
    };
    // Another process may have filled the slot while this one waited for the lock.
    let missing: Vec<Binary> = missing.into_iter().filter(|binary| slot.find(*binary).is_none()).collect();
    if missing.is_empty() { Ok(()) } else { make(sources, product, &missing, &slot, stop) }
}

fn missing(found: &BTreeMap<Binary, PathBuf>, product: Product) -> Vec<Binary> {
    Binary::ALL
        .into_iter()
        .filter(|binary| binary.product() == product && !found.contains_key(binary))
        .collect()
}

fn make(
    sources: &Sources,
    product: Product,
    missing: &[Binary],
    slot: &cache::Slot,
    stop: &Stop,
) -> Result<(), BinariesError> {
    let staging = slot.staging()?;
    let go = match go::build(sources, product, missing, staging.path(), stop) {
        Ok(()) => return Ok(slot.admit(&staging, missing)?),
        Err(GoError::Stopped) => return Err(BinariesError::Stopped),
        Err(error) => error,
    };
    progress::note(&format!("{product} is downloaded instead of built, since {go}"));
    let staging = slot.staging()?;
    match download::fetch(sources, Platform::current(), missing, staging.path(), stop) {
        Ok(()) => Ok(slot.admit(&staging, missing)?),
        Err(DownloadError::Stopped) => Err(BinariesError::Stopped),
        Err(download) => Err(BinariesError::Unavailable { product, go, download }),
    }
}
