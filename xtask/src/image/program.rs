//! The programs that there are images of.

use clap::ValueEnum;

/// Where images have their names.
const REGISTRY: &str = "ghcr.io/webhookoperator";

/// What `--program` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wanted {
    /// The operator
    Operator,
    /// The stand-in for the remote API, for tests in a cluster
    Simulator,
    /// An image of each
    All,
}

impl Wanted {
    pub(super) fn programs(self) -> &'static [Program] {
        match self {
            Self::Operator => &[Program::Operator],
            Self::Simulator => &[Program::Simulator],
            Self::All => &[Program::Operator, Program::Simulator],
        }
    }
}

/// A program that there is an image of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Operator,
    Simulator,
}

impl Program {
    /// The name of its package, which is that of its executable, too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Operator => "webhook-operator",
            Self::Simulator => "simulator",
        }
    }

    /// The name of its image, without a tag.
    pub(super) fn image(self) -> String {
        format!("{REGISTRY}/{}", self.name())
    }

    /// The arguments it is started with when a Pod gives none.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Operator => &["run"],
            // It can do nothing before it is told its networks.
            Self::Simulator => &["--help"],
        }
    }

    /// Where it listens without being told so.
    pub(super) fn ports(self) -> &'static [&'static str] {
        match self {
            Self::Operator => &["8080/tcp"],
            // On loopback only, unless its arguments say otherwise.
            Self::Simulator => &[],
        }
    }
}
