//! The `helm` command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use controlplane::Stop;
use controlplane::binaries::{Sources, ensure_one};
use controlplane::version::Binary;
use serde::Deserialize as _;
use serde_json::Value;
use tempfile::TempDir;

pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/chart");

/// A `helm` that knows no cluster, and nothing of who runs these tests.
pub fn helm(arguments: &[&str]) -> Command {
    static HELM: OnceLock<(PathBuf, TempDir)> = OnceLock::new();
    let (program, home) = HELM.get_or_init(|| {
        let program = ensure_one(&Sources::from_env().unwrap(), Binary::Helm, &Stop::new());
        (program.unwrap_or_else(|error| panic!("{error}")), tempfile::tempdir().unwrap())
    });
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HELM_")) {
        command.env_remove(variable);
    }
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(variable, home.path().join(variable));
    }
    command.env("KUBECONFIG", "/dev/null").args(arguments);
    command
}

/// What a command prints. It must succeed, and say nothing on stderr, which is where warnings of the API server go.
pub fn quiet(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says on stderr; it must fail.
pub fn complaint(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?} succeeds");
    String::from_utf8(output.stderr).unwrap()
}

/// The objects of a manifest.
pub fn objects(manifest: &str) -> Vec<Value> {
    let documents =
        serde_yaml::Deserializer::from_str(manifest).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|object| !object.is_null()).collect()
}

/// A copy of the chart, to be changed.
pub fn copy_of_chart() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new(CHART), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&source, &target);
        } else {
            std::fs::copy(&source, &target).unwrap();
        }
    }
}
