//! What a program consists of, as a CycloneDX bill of materials: <https://cyclonedx.org/docs/1.6/json/>.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};
use serde::Serialize;

/// A program, and what is linked into it.
#[derive(Debug)]
pub(super) struct Linked<'a> {
    /// The package that it is built from.
    pub(super) package: &'a Package,
    /// The SHA-256 sum of the executable.
    pub(super) sha256: &'a str,
    /// The packages of the libraries in it, and possibly its own.
    pub(super) packages: &'a BTreeSet<PackageId>,
    /// The version of Rust's standard library.
    pub(super) rust: &'a str,
    /// The version of the C library.
    pub(super) glibc: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill {
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: About,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct About {
    component: Component,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    r#type: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
}

#[derive(Clone, Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Clone, Serialize)]
struct License {
    expression: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    depends_on: BTreeSet<String>,
}

/// The bill of materials. The same input makes the same bytes.
pub(super) fn sbom(metadata: &Metadata, linked: &Linked<'_>) -> serde_json::Result<Vec<u8>> {
    let Linked { package, sha256, packages, rust, glibc } = *linked;
    let root = Component {
        r#type: "application",
        hashes: vec![Hash { alg: "SHA-256", content: sha256.to_owned() }],
        ..of_package(package)
    };
    let libraries: BTreeMap<&PackageId, Component> = metadata
        .packages
        .iter()
        .filter(|library| packages.contains(&library.id) && library.id != package.id)
        .map(|library| (&library.id, of_package(library)))
        .collect();
    let system = [
        library("rust-std", rust, "MIT OR Apache-2.0", None),
        library("glibc", glibc, "LGPL-2.1-or-later", Some(format!("pkg:generic/glibc@{glibc}"))),
    ];
    let mut dependencies = dependencies(metadata, package, &libraries);
    let direct = dependencies.entry(root.reference.clone()).or_default();
    direct.extend(system.iter().map(|component| component.reference.clone()));
    for component in &system {
        dependencies.entry(component.reference.clone()).or_default();
    }
    let mut components: Vec<Component> = libraries.into_values().chain(system).collect();
    components.sort_by(|one, two| one.reference.cmp(&two.reference));
    let bill = Bill {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        metadata: About { component: root },
        components,
        dependencies: dependencies
            .into_iter()
            .map(|(r#ref, depends_on)| Dependency { r#ref, depends_on })
            .collect(),
    };
    let mut text = serde_json::to_vec_pretty(&bill)?;
    text.push(b'\n');
    Ok(text)
}

fn of_package(package: &Package) -> Component {
    let (name, version) = (package.name.as_str(), package.version.to_string());
    // Crates of this repository are in no registry, and have no address there.
    let purl = package.source.as_ref().map(|_| format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")));
    // The old way to write `OR`, which some packages keep.
    let license = package.license.as_deref().unwrap_or_default();
    let license = license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ");
    library(name, &version, &license, purl)
}

fn library(name: &str, version: &str, license: &str, purl: Option<String>) -> Component {
    let licenses = if license.is_empty() { vec![] } else { vec![License { expression: license.to_owned() }] };
    Component {
        r#type: "library",
        reference: purl.clone().unwrap_or_else(|| format!("{name}@{version}")),
        name: name.to_owned(),
        version: version.to_owned(),
        hashes: vec![],
        licenses,
        purl,
    }
}

/// Which of the libraries each package needs, of the libraries and of the program's own package.
fn dependencies(
    metadata: &Metadata,
    root: &Package,
    libraries: &BTreeMap<&PackageId, Component>,
) -> BTreeMap<String, BTreeSet<String>> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let reference = |id: &PackageId| libraries.get(id).map(|component| component.reference.clone());
    let mut dependencies = BTreeMap::new();
    for node in nodes {
        let own = (node.id == root.id).then(|| of_package(root).reference);
        let Some(of) = own.or_else(|| reference(&node.id)) else { continue };
        let normal = node
            .deps
            .iter()
            .filter(|needed| needed.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        dependencies.insert(of, normal.filter_map(|needed| reference(&needed.pkg)).collect());
    }
    dependencies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::metadata;
    use serde_json::{Value, json};

    fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
        metadata.packages.iter().find(|package| package.name == name).unwrap()
    }

    #[test]
    fn crates_are_named_with_versions_licences_and_what_they_need() {
        let metadata = metadata("x86_64-unknown-linux-gnu").unwrap();
        let named = ["webhook-operator", "kube", "kube-client", "tokio"].map(|name| package(&metadata, name));
        let [operator, kube, kube_client, tokio] = named;
        let linked = Linked {
            package: operator,
            sha256: "abba",
            packages: &named.map(|package| package.id.clone()).into(),
            rust: "1.95.0",
            glibc: "2.36",
        };
        let text = sbom(&metadata, &linked).unwrap();
        assert_eq!(text, sbom(&metadata, &linked).unwrap());
        let bom: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(bom["metadata"]["component"]["name"], "webhook-operator");
        assert_eq!(bom["metadata"]["component"]["hashes"], json!([{ "alg": "SHA-256", "content": "abba" }]));
        let purl = |package: &Package| format!("pkg:cargo/{}@{}", package.name, package.version);
        let components = bom["components"].as_array().unwrap();
        let named: Vec<_> =
            components.iter().map(|component| component["bom-ref"].as_str().unwrap()).collect();
        let expected =
            [&*purl(kube_client), &purl(kube), &purl(tokio), "pkg:generic/glibc@2.36", "rust-std@1.95.0"];
        assert_eq!(named, expected);
        assert_eq!(components[2]["licenses"], json!([{ "expression": "MIT" }]));
        let needs = |name: &str| {
            let mut all = bom["dependencies"].as_array().unwrap().iter();
            all.find(|dependency| dependency["ref"] == name).unwrap()["dependsOn"].clone()
        };
        assert_eq!(needs(&purl(kube)), json!([purl(kube_client)]));
        assert_eq!(needs(&purl(kube_client)), json!([purl(tokio)]));
        let direct = json!([purl(kube), purl(tokio), "pkg:generic/glibc@2.36", "rust-std@1.95.0"]);
        assert_eq!(needs("webhook-operator@0.1.0"), direct);
    }
}
