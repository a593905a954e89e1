//! The files of an image: the program, and what a program needs that is alone.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::{Compression, GzBuilder};
use oci_spec::OciSpecError;
use oci_spec::image::Digest;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::blob::{Blob, digest};
use super::tarball::{File, Files, tarball};

/// Where the certificate authorities are.
pub(super) const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// As whom the program runs: the user and group `nonroot`, by number, so that Kubernetes can tell it is not root.
pub(super) const USER: &str = "65532:65532";

const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\n";

/// `hostAliases` of a Pod are in `/etc/hosts`. Without this, glibc before 2.35 asks DNS first.
const NSSWITCH: &str = "hosts: files dns\n";

/// The one layer of an image.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) blob: Blob,
    /// The digest before compression, by which a configuration names it.
    pub(super) diff_id: Digest,
}

/// A layer with this program in its top folder.
pub(super) fn layer(name: &str, executable: &[u8], time: u64) -> Result<Layer, OciSpecError> {
    let certificates = certificates();
    let file = |path: &str, mode, content| (path.trim_start_matches('/').to_owned(), File { mode, content });
    let files = Files::from([
        file(name, 0o755, executable),
        file(CERTIFICATES, 0o644, certificates.as_bytes()),
        file("/etc/group", 0o644, GROUP.as_bytes()),
        file("/etc/nsswitch.conf", 0o644, NSSWITCH.as_bytes()),
        file("/etc/passwd", 0o644, PASSWD.as_bytes()),
    ]);
    let tar = tarball(&files, time)?;
    // Its header has no time and no name.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    gzip.write_all(&tar)?;
    Ok(Layer { blob: Blob::new(gzip.finish()?)?, diff_id: digest(&tar)? })
}

/// Mozilla's certificate authorities, as PEM.
fn certificates() -> String {
    let mut pem = String::new();
    for certificate in TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = BASE64_STANDARD.encode(certificate);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}
