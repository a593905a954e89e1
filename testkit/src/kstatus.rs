//! Health as kstatus computes it, and so Flux.

use std::fmt::Debug;
use std::io::Write as _;
use std::process::{Command, Stdio};

use controlplane::version::Binary;
use serde::{Deserialize, Serialize};

use crate::plane::program;

/// What kstatus says of a resource.
#[derive(Clone, Debug, Deserialize)]
pub struct Kstatus {
    /// The resource's health.
    pub status: Health,
    /// Why.
    pub message: String,
}

/// The statuses of kstatus.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Health {
    /// It is not as declared yet.
    InProgress,
    /// It will not be as declared by itself.
    Failed,
    /// It is as declared.
    Current,
    /// It is being deleted.
    Terminating,
}

/// Asks `sigs.k8s.io/cli-utils/pkg/kstatus`, which is built if need be, for the status of a resource.
#[must_use]
pub fn kstatus(resource: &(impl Debug + Serialize)) -> Kstatus {
    let mut command = Command::new(program(Binary::Kstatus));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let object = serde_json::to_vec(resource).expect("JSON");
    let written = process.stdin.take().expect("a pipe").write_all(&object);
    let output = process.wait_with_output().expect("it ends");
    assert!(written.is_ok() && output.status.success(), "kstatus can't read {resource:?}");
    serde_json::from_slice(&output.stdout).expect("a status and a message")
}
