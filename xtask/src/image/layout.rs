//! An image layout in a tar archive: <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>.

use std::collections::HashMap;

use jiff::Timestamp;
use oci_spec::OciSpecError;
use oci_spec::image::{
    ANNOTATION_DESCRIPTION, ANNOTATION_LICENSES, ANNOTATION_REF_NAME, ANNOTATION_REVISION, ANNOTATION_SOURCE,
    ANNOTATION_TITLE, ANNOTATION_VERSION, Arch, Config, ConfigBuilder, Digest, ImageConfiguration,
    ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType, OciLayoutBuilder, Os,
    PlatformBuilder, RootFsBuilder, SCHEMA_VERSION,
};

use super::blob::{Blob, json};
use super::layer::{CERTIFICATES, Layer, USER, layer};
use super::program::Program;
use super::tarball::{File, Files, tarball};

/// By what containerd, and so kind and `ctr`, know the name of an image in an archive
/// (<https://pkg.go.dev/github.com/containerd/containerd/v2/core/images#pkg-constants>).
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Where the source code is. A registry may show an image beside it.
const SOURCE: &str = "https://github.com/webhookoperator/webhook-operator";

/// What an image is made of, and what it tells of itself.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    pub(super) program: Program,
    pub(super) executable: &'a [u8],
    /// What the executable runs on.
    pub(super) architecture: Arch,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
    /// An SPDX expression.
    pub(super) licenses: &'a str,
    /// The commit that it was built from, when it is one.
    pub(super) revision: Option<&'a str>,
    /// When it was made, in seconds since 1970; the time of each file.
    pub(super) time: u64,
}

/// A finished image.
#[derive(Debug)]
pub(super) struct Archive {
    /// That of the manifest, by which an image is pulled.
    pub(super) digest: Digest,
    /// Name and tag.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// Makes the archive. The same contents make the same bytes.
pub(super) fn archive(contents: &Contents<'_>) -> Result<Archive, OciSpecError> {
    let name = format!("{}:{}", contents.program.image(), contents.version);
    let layer = layer(contents.program.name(), contents.executable, contents.time)?;
    let configuration = Blob::json(&configuration(contents, &layer)?)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(configuration.descriptor(MediaType::ImageConfig))
        .layers([layer.blob.descriptor(MediaType::ImageLayerGzip)])
        .build()?;
    let manifest = Blob::json(&manifest)?;
    let index = index(contents, &name, &manifest)?;
    let marker = json(&OciLayoutBuilder::default().image_layout_version("1.0.0").build()?)?;
    let file = |content| File { mode: 0o644, content };
    let mut files =
        Files::from([("index.json".to_owned(), file(&*index)), ("oci-layout".to_owned(), file(&*marker))]);
    for blob in [&layer.blob, &configuration, &manifest] {
        files.insert(blob.path(), file(blob.content()));
    }
    let content = tarball(&files, contents.time)?;
    Ok(Archive { digest: manifest.digest().clone(), name, content })
}

fn configuration(contents: &Contents<'_>, layer: &Layer) -> Result<ImageConfiguration, OciSpecError> {
    let seconds = i64::try_from(contents.time).unwrap_or(i64::MAX);
    let created = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    let root = RootFsBuilder::default().diff_ids([layer.diff_id.to_string()]).build()?;
    ImageConfigurationBuilder::default()
        .created(created.to_string())
        .architecture(contents.architecture.clone())
        .os(Os::Linux)
        .config(execution(contents)?)
        .rootfs(root)
        .build()
}

/// How it is run, and its labels.
fn execution(contents: &Contents<'_>) -> Result<Config, OciSpecError> {
    let Contents { program, version, description, licenses, revision, .. } = *contents;
    let labels = [
        (ANNOTATION_TITLE, Some(program.name())),
        (ANNOTATION_DESCRIPTION, Some(description)),
        (ANNOTATION_VERSION, Some(version)),
        (ANNOTATION_LICENSES, Some(licenses)),
        (ANNOTATION_SOURCE, Some(SOURCE)),
        (ANNOTATION_REVISION, revision),
    ];
    let labels = labels.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    ConfigBuilder::default()
        .user(USER)
        .entrypoint([format!("/{}", program.name())])
        .cmd(owned(program.arguments()))
        .exposed_ports(owned(program.ports()))
        .env([format!("SSL_CERT_FILE={CERTIFICATES}")])
        .working_dir("/")
        .labels(labels.collect::<HashMap<_, _>>())
        .build()
}

fn index(contents: &Contents<'_>, name: &str, manifest: &Blob) -> Result<Vec<u8>, OciSpecError> {
    let platform =
        PlatformBuilder::default().architecture(contents.architecture.clone()).os(Os::Linux).build()?;
    let annotations = [(ANNOTATION_REF_NAME, contents.version), (CONTAINERD_NAME, name)];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut descriptor = manifest.descriptor(MediaType::ImageManifest);
    descriptor.set_platform(Some(platform)).set_annotations(Some(annotations.into()));
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests([descriptor])
        .build()?;
    Ok(json(&index)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
    use serde_json::{Value, json};

    use super::*;
    use crate::image::blob;

    const CONTENTS: Contents<'_> = Contents {
        program: Program::Operator,
        executable: b"a program",
        architecture: Arch::ARM64,
        version: "7.1.2",
        description: "It operates",
        licenses: "Apache-2.0 OR MIT",
        revision: Some("c0ffee"),
        time: 1_000_000_000,
    };

    /// The files of an archive, in its order.
    fn files(archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.mtime().unwrap(), CONTENTS.time);
            let (path, mode) = (entry.path().unwrap().display().to_string(), header.mode().unwrap());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (path, mode, content)
        });
        entries.collect()
    }

    /// An image, read from its archive, each blob of which was checked against what describes it.
    struct Read {
        index: Value,
        manifest: Value,
        configuration: Value,
        /// The layer, uncompressed.
        layer: Vec<u8>,
    }

    fn read(archive: &Archive) -> Read {
        let files = files(&archive.content);
        assert!(files.is_sorted_by_key(|(path, ..)| path), "{files:?}");
        let mut files: BTreeMap<_, _> = files.into_iter().map(|(path, _, content)| (path, content)).collect();
        let marker: Value = serde_json::from_slice(&files.remove("oci-layout").unwrap()).unwrap();
        assert_eq!(marker, json!({ "imageLayoutVersion": "1.0.0" }));
        let index = files.remove("index.json").unwrap();
        let mut take = |described: &Descriptor| {
            let content = files.remove(&format!("blobs/sha256/{}", described.digest().digest())).unwrap();
            assert_eq!(described.digest().to_string(), format!("sha256:{}", blob::sha256(&content)));
            assert_eq!(described.size(), content.len() as u64);
            content
        };
        let listed = ImageIndex::from_reader(&*index).unwrap();
        let [manifest] = &listed.manifests()[..] else { panic!("{listed:?}") };
        assert_eq!(*manifest.digest(), archive.digest);
        let manifest = take(manifest);
        let read = ImageManifest::from_reader(&*manifest).unwrap();
        let [layer] = &read.layers()[..] else { panic!("{read:?}") };
        let (configuration, gzip) = (take(read.config()), take(layer));
        // Neither a time nor a name, nor by what system.
        assert_eq!(gzip[3..10], [0, 0, 0, 0, 0, 0, 255]);
        let mut layer = Vec::new();
        GzDecoder::new(&*gzip).read_to_end(&mut layer).unwrap();
        let rest: Vec<_> = files.into_keys().collect();
        assert_eq!(rest, ["blobs/", "blobs/sha256/"]);
        let json = |text: &[u8]| serde_json::from_slice(text).unwrap();
        Read { index: json(&index), manifest: json(&manifest), configuration: json(&configuration), layer }
    }

    #[test]
    fn every_blob_is_what_describes_it() {
        let Read { index, manifest, configuration, layer } = read(&archive(&CONTENTS).unwrap());
        assert_eq!(index["schemaVersion"], 2);
        assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
        assert_eq!(index["manifests"][0]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(manifest["schemaVersion"], 2);
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
        assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        let diff_id = format!("sha256:{}", blob::sha256(&layer));
        assert_eq!(configuration["rootfs"], json!({ "type": "layers", "diff_ids": [diff_id] }));
    }

    #[test]
    fn an_image_tells_what_it_is_and_how_it_is_run() {
        let Read { index, configuration, .. } = read(&archive(&CONTENTS).unwrap());
        let platform = json!({ "architecture": "arm64", "os": "linux" });
        let annotations = json!({
            "org.opencontainers.image.ref.name": "7.1.2",
            "io.containerd.image.name": "ghcr.io/webhookoperator/webhook-operator:7.1.2",
        });
        assert_eq!(index["manifests"][0]["platform"], platform);
        assert_eq!(index["manifests"][0]["annotations"], annotations);
        let Value::Object(mut configuration) = configuration else { panic!("{configuration}") };
        configuration.remove("rootfs");
        let expected = json!({
            "architecture": "arm64",
            "os": "linux",
            "created": "2001-09-09T01:46:40Z",
            "config": {
                "User": "65532:65532",
                "Entrypoint": ["/webhook-operator"],
                "Cmd": ["run"],
                "WorkingDir": "/",
                "ExposedPorts": { "8080/tcp": {} },
                "Env": ["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
                "Labels": {
                    "org.opencontainers.image.title": "webhook-operator",
                    "org.opencontainers.image.description": "It operates",
                    "org.opencontainers.image.version": "7.1.2",
                    "org.opencontainers.image.licenses": "Apache-2.0 OR MIT",
                    "org.opencontainers.image.source": SOURCE,
                    "org.opencontainers.image.revision": "c0ffee",
                },
            },
        });
        assert_eq!(Value::Object(configuration), expected);
        let simulator = Contents { program: Program::Simulator, revision: None, ..CONTENTS };
        let config = read(&archive(&simulator).unwrap()).configuration["config"].take();
        assert_eq!(config["Entrypoint"], json!(["/simulator"]));
        assert_eq!(config["Cmd"], json!(["--help"]));
        assert_eq!(config["Labels"].get("org.opencontainers.image.revision"), None);
    }

    #[test]
    fn a_layer_holds_the_program_and_what_it_needs() {
        let files = files(&read(&archive(&CONTENTS).unwrap()).layer);
        let named: Vec<(&str, u32)> = files.iter().map(|(path, mode, _)| (path.as_str(), *mode)).collect();
        let expected = [
            ("etc/", 0o755),
            ("etc/group", 0o644),
            ("etc/nsswitch.conf", 0o644),
            ("etc/passwd", 0o644),
            ("etc/ssl/", 0o755),
            ("etc/ssl/certs/", 0o755),
            ("etc/ssl/certs/ca-certificates.crt", 0o644),
            ("webhook-operator", 0o755),
        ];
        assert_eq!(named, expected);
        let text = |at: usize| std::str::from_utf8(&files[at].2).unwrap();
        assert_eq!(text(7), "a program");
        assert!(text(1).contains("nonroot:x:65532:") && text(3).contains("nonroot:x:65532:65532:"));
        assert!(text(6).lines().all(|line| line.len() <= 64));
        let certificates = text(6).matches("-----BEGIN CERTIFICATE-----\nMII").count();
        assert_eq!(certificates, webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
    }

    #[test]
    fn the_same_contents_make_the_same_bytes() {
        // Maps have another order in each process, and already from one to the next.
        let first = archive(&CONTENTS).unwrap();
        for _ in 0..8 {
            assert!(archive(&CONTENTS).unwrap().content == first.content);
        }
        let other = Contents { executable: b"another program", ..CONTENTS };
        assert_ne!(archive(&other).unwrap().digest, first.digest);
    }
}
