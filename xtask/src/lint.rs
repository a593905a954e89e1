//! `cargo xtask lint`: everything that is checked without running the code.

use controlplane::note;

use crate::cargo::{self, CargoError, cargo};
use crate::codegen::{self, CodegenError, Mode};
use crate::deny::{self, DenyError};
use crate::tidy::{self, TidyError};

/// What the checks found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LintError {
    #[error("{}", sentence(.0))]
    Findings(Vec<Finding>),
}

/// Why one check did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Finding {
    #[error("the format is not rustfmt's, `cargo fmt --all` mends it")]
    Format(#[source] CargoError),
    #[error("clippy has complaints")]
    Clippy(#[source] CargoError),
    #[error(transparent)]
    Deny(#[from] DenyError),
    #[error(transparent)]
    Codegen(#[from] CodegenError),
    #[error(transparent)]
    Tidy(#[from] TidyError),
}

type Check = fn() -> Result<(), Finding>;

/// Runs every check, also after one has failed.
pub(crate) fn run() -> Result<(), LintError> {
    let checks: [(&str, Check); 5] = [
        ("format", format),
        ("clippy", clippy),
        ("licences, sources and bans", || Ok(deny::policies()?)),
        ("generated files", || Ok(codegen::run(Mode::Check)?)),
        ("tidiness", || Ok(tidy::run(&cargo::root())?)),
    ];
    let mut findings = Vec::new();
    for (name, check) in checks {
        note(&format!("lint: {name}"));
        findings.extend(check().err());
    }
    if findings.is_empty() { Ok(()) } else { Err(LintError::Findings(findings)) }
}

fn format() -> Result<(), Finding> {
    cargo::run(cargo().args(["fmt", "--all", "--check"])).map_err(Finding::Format)
}

fn clippy() -> Result<(), Finding> {
    let arguments = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    cargo::run(cargo().args(arguments)).map_err(Finding::Clippy)
}

fn sentence(findings: &[Finding]) -> String {
    let reasons: Vec<String> = findings.iter().map(ToString::to_string).collect();
    format!("lint failed: {}", reasons.join("; "))
}
