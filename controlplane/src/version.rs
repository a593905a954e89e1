//! Which releases, and which of their binaries, make up the control plane.

use std::fmt;

/// The Kubernetes release of the control plane, without the leading `v`.
///
/// A new release also changes the `require` and `replace` lines of `kubernetes/go.mod`.
pub const KUBERNETES_VERSION: &str = "1.36.3";

/// The etcd release of the control plane, without the leading `v`.
///
/// A new release also changes `etcd/go.mod`.
pub const ETCD_VERSION: &str = "3.6.16";

/// The release of the OAuth server that tests get tokens from, without the leading `v`.
///
/// A new release also changes `oidc/go.mod`.
pub const OIDC_VERSION: &str = "3.52.0";

/// The release of kstatus that tests ask for a resource's health, without the leading `v`.
///
/// A new release also changes `kstatus/go.mod`.
pub const KSTATUS_VERSION: &str = "0.37.2";

/// The release of Helm that tests install the chart with, without the leading `v`.
///
/// A new release also changes `helm/go.mod`.
pub const HELM_VERSION: &str = "4.3.1";

/// Something that is released, built and cached as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Product {
    /// The control plane's own components and `kubectl`.
    Kubernetes,
    /// The store behind `kube-apiserver`.
    Etcd,
    /// An OAuth server.
    Oidc,
    /// What Flux reads a resource's health with.
    Kstatus,
    /// What charts are installed with.
    Helm,
}

impl Product {
    /// Every product of a control plane, the one that takes longest first.
    pub const ALL: [Self; 2] = [Self::Kubernetes, Self::Etcd];

    /// The name that its files, folders and messages carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Etcd => "etcd",
            Self::Oidc => "oidc",
            Self::Kstatus => "kstatus",
            Self::Helm => "helm",
        }
    }

    /// The pinned release, without the leading `v`.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Kubernetes => KUBERNETES_VERSION,
            Self::Etcd => ETCD_VERSION,
            Self::Oidc => OIDC_VERSION,
            Self::Kstatus => KSTATUS_VERSION,
            Self::Helm => HELM_VERSION,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.version())
    }
}

/// An executable of the control plane, or one that tests need beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binary {
    /// `etcd`
    Etcd,
    /// `kube-apiserver`
    KubeApiserver,
    /// `kube-controller-manager`
    KubeControllerManager,
    /// `kubectl`
    Kubectl,
    /// The example server of `github.com/zitadel/oidc` (Apache-2.0), which issues tokens to the client `sid1` with the
    /// secret `verysecret`.
    OidcServer,
    /// `sigs.k8s.io/cli-utils/pkg/kstatus` (Apache-2.0) as a program, which reads objects and tells their health.
    Kstatus,
    /// `helm` (Apache-2.0)
    Helm,
}

impl Binary {
    /// Every executable that a control plane needs.
    pub const ALL: [Self; 4] = [Self::Etcd, Self::KubeApiserver, Self::KubeControllerManager, Self::Kubectl];

    /// Its file name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::OidcServer => "oidc-server",
            Self::Kstatus => "kstatus",
            Self::Helm => "helm",
        }
    }

    /// The product that it belongs to.
    #[must_use]
    pub const fn product(self) -> Product {
        match self {
            Self::Etcd => Product::Etcd,
            Self::OidcServer => Product::Oidc,
            Self::Kstatus => Product::Kstatus,
            Self::Helm => Product::Helm,
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl => Product::Kubernetes,
        }
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// This machine in Go's words, which are also those of the release files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `GOOS`, for example `linux`.
    pub os: &'static str,
    /// `GOARCH`, for example `amd64`.
    pub arch: &'static str,
}

impl Platform {
    /// The platform that this program was compiled for.
    #[must_use]
    pub const fn current() -> Self {
        let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
        let arch = if cfg!(target_arch = "x86_64") {
            "amd64"
        } else if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            std::env::consts::ARCH
        };
        Self { os, arch }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)
    }
}
