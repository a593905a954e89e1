//! From which commit an image is.

use std::process::{Command, Stdio};

use crate::cargo;

/// The commit that is checked out, if all that git knows is as committed.
pub(super) fn revision() -> Option<String> {
    let changed = git(&["status", "--porcelain"])?;
    if !changed.is_empty() {
        return None;
    }
    git(&["rev-parse", "--verify", "HEAD"])
}

/// What git says; nothing where there is no git, or no repository, as in an unpacked source archive.
fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let output = command.current_dir(cargo::root()).args(arguments).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
