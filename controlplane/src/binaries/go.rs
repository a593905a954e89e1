//! Builds executables from the public Go modules that `kubernetes/`, `etcd/`, `oidc/`, `kstatus/` and `helm/` pin.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::Sources;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::supervisor;
use crate::version::{Binary, Product};

/// How often a running build is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Why a build brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum GoError {
    /// There is no `go` command.
    #[error("there is no Go here to build it ({0})")]
    Missing(io::Error),
    /// The sources of this repository are not where they were when this program was compiled.
    #[error("its Go module is not here to build it from")]
    NoSources,
    /// The build ended badly.
    #[error("building it with Go failed ({0})")]
    Failed(String),
    /// Somebody asked to stop.
    #[error("the build was stopped")]
    Stopped,
}

/// Builds `binaries`, all of `product`, into the folder `out`.
pub(super) fn build(
    sources: &Sources,
    product: Product,
    binaries: &[Binary],
    out: &Path,
    stop: &Stop,
) -> Result<(), GoError> {
    let module = sources.go_modules.join(product.name());
    if !module.join("go.mod").is_file() {
        return Err(GoError::NoSources);
    }
    let version = Command::new(&sources.go).arg("version").stdin(Stdio::null()).output();
    version.map_err(GoError::Missing)?;
    let names: Vec<&str> = binaries.iter().map(|binary| binary.name()).collect();
    let child = tethered(sources)
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .args(["build", "-v", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags"])
        .arg(linker_flags(product))
        .args(packages(product, binaries, out))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A group of its own, so that its compilers can be stopped with it.
        .process_group(0)
        .spawn()
        .map_err(|error| GoError::Failed(error.to_string()))?;
    let progress = Progress::begin(format!(
        "building {} {} with Go (only once; takes minutes)",
        names.join(", "),
        product.version()
    ));
    wait(child, &progress, stop)
}

/// The `go` command, tied to this process if possible.
fn tethered(sources: &Sources) -> Command {
    match &sources.tether {
        Some(tether) => supervisor::tethered(tether, &sources.go),
        None => Command::new(&sources.go),
    }
}

fn linker_flags(product: Product) -> String {
    let strip = "-s -w";
    match product {
        Product::Etcd | Product::Oidc | Product::Kstatus | Product::Helm => strip.to_owned(),
        Product::Kubernetes => {
            let version = product.version();
            let mut parts = version.split('.');
            let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let package = "k8s.io/component-base/version";
            format!(
                "{strip} -X {package}.gitVersion=v{version} -X {package}.gitMajor={major} -X \
                 {package}.gitMinor={minor}"
            )
        }
    }
}

fn packages(product: Product, binaries: &[Binary], out: &Path) -> Vec<OsString> {
    let one =
        |binary: Binary, package: &str| vec!["-o".into(), out.join(binary.name()).into(), package.into()];
    match product {
        Product::Etcd => one(Binary::Etcd, "."),
        Product::Kstatus => one(Binary::Kstatus, "."),
        Product::Helm => one(Binary::Helm, "helm.sh/helm/v4/cmd/helm"),
        Product::Oidc => one(Binary::OidcServer, "github.com/zitadel/oidc/v3/example/server"),
        Product::Kubernetes => {
            // With the trailing slash, go takes it for a folder.
            let mut arguments = vec!["-o".into(), out.join("").into()];
            arguments.extend(binaries.iter().map(|binary| format!("k8s.io/kubernetes/cmd/{binary}").into()));
            arguments
        }
    }
}

fn wait(mut child: Child, progress: &Progress, stop: &Stop) -> Result<(), GoError> {
    let output = Arc::new(Mutex::new(Output::default()));
    let reader = child.stderr.take().map(|stderr| {
        let output = Arc::clone(&output);
        std::thread::spawn(move || read(stderr, &output))
    });
    let status = loop {
        if stop.requested() {
            kill_group(&child);
            let _ = child.wait();
            return Err(GoError::Stopped);
        }
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => return Err(GoError::Failed(error.to_string())),
        }
        progress.detail(output.lock().unwrap_or_else(PoisonError::into_inner).detail());
        std::thread::sleep(POLL);
    };
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    if status.success() {
        return Ok(());
    }
    let output = output.lock().unwrap_or_else(PoisonError::into_inner);
    Err(GoError::Failed(output.complaint.clone().unwrap_or_else(|| status.to_string())))
}

fn kill_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A group that is gone already is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// What `go build -v` has said so far.
#[derive(Debug, Default)]
struct Output {
    /// Packages compiled: with `-v`, each one's import path is a line.
    packages: usize,
    /// Modules downloaded.
    modules: usize,
    /// The last line that is neither.
    complaint: Option<String>,
}

impl Output {
    fn take(&mut self, line: &str) {
        if line.starts_with("go: downloading ") {
            self.modules += 1;
        } else if line.contains(char::is_whitespace) {
            self.complaint = Some(line.trim().to_owned());
        } else {
            self.packages += 1;
        }
    }

    fn detail(&self) -> String {
        match (self.packages, self.modules) {
            (0, 0) => String::new(),
            (0, modules) => format!("{modules} modules downloaded"),
            (packages, _) => format!("{packages} packages compiled"),
        }
    }
}

fn read(stderr: ChildStderr, output: &Mutex<Output>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        output.lock().unwrap_or_else(PoisonError::into_inner).take(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_is_stamped_with_its_version() {
        assert_eq!(
            linker_flags(Product::Kubernetes),
            "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X \
             k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
        );
    }

    #[test]
    fn output_is_told_apart() {
        let mut output = Output::default();
        output.take("go: downloading k8s.io/api v0.36.3");
        assert_eq!(output.detail(), "1 modules downloaded");
        output.take("k8s.io/api/core/v1");
        output.take("k8s.io/api/apps/v1");
        assert_eq!(output.detail(), "2 packages compiled");
        output.take("go: go.mod requires go >= 1.26.0 (running go 1.22)");
        assert_eq!(output.complaint.as_deref(), Some("go: go.mod requires go >= 1.26.0 (running go 1.22)"));
    }
}
