//! Runs kubectl as a person would type it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use controlplane::ControlPlane;
use tokio::process::Command;
use tokio::time::timeout;

use super::error::Problem;

/// Longer than any wait that a command is told to make.
const LIMIT: Duration = Duration::from_secs(90);

/// kubectl, with all rights.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    /// Where the samples are.
    folder: PathBuf,
}

/// What kubectl said.
pub(crate) struct Answer {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) success: bool,
}

impl Kubectl {
    pub(crate) fn new(control_plane: &ControlPlane, folder: PathBuf) -> Self {
        Self { program: control_plane.kubectl(), kubeconfig: control_plane.kubeconfig().to_owned(), folder }
    }

    /// The executable.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a command to its end, well or badly.
    pub(crate) async fn answer(&self, arguments: &[&str]) -> Result<Answer, Problem> {
        let output = Command::new(&self.program)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            // What it knows of this cluster goes away with the cluster.
            .env("KUBECACHEDIR", self.folder.join(".kube"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = match timeout(LIMIT, output).await {
            Ok(output) => output.map_err(|source| Problem::Io { what: "running kubectl", source })?,
            Err(_) => return Err(failed(arguments, format!("it did not end within {} s", LIMIT.as_secs()))),
        };
        Ok(Answer {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        })
    }

    /// Runs a command that has to succeed, and gives what it printed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String, Problem> {
        let answer = self.answer(arguments).await?;
        if answer.success { Ok(answer.stdout) } else { Err(failed(arguments, answer.stderr)) }
    }
}

/// The failure of a command, with what it said as one line.
pub(crate) fn failed(arguments: &[&str], said: impl AsRef<str>) -> Problem {
    let words: Vec<&str> = said.as_ref().split_whitespace().collect();
    Problem::Command { command: typed(arguments), said: words.join(" ") }
}

/// The command line, with the quotes that a shell needs.
pub(crate) fn typed(arguments: &[&str]) -> String {
    let words = arguments.iter().map(|word| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=/.:,@".contains(c));
        if plain && !word.is_empty() { (*word).to_owned() } else { format!("'{word}'") }
    });
    std::iter::once("kubectl".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(typed(&["get", "whe", "-o", "wide"]), "kubectl get whe -o wide");
        assert_eq!(typed(&["-p", r#"{"spec":{}}"#]), r#"kubectl -p '{"spec":{}}'"#);
    }
}
