//! What the operator asked of Kubernetes, from the API server's audit log.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::error::Problem;
use super::operator::USER;

/// The API server's audit log: one line for each answered request.
#[derive(Clone, Debug)]
pub(crate) struct Audit(PathBuf);

/// How much the operator wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes {
    /// Of resources and Secrets.
    pub(crate) objects: usize,
    /// Of Events.
    pub(crate) events: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    #[serde(default)]
    object_ref: Option<Object>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    namespace: Option<String>,
}

impl Audit {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// What the operator wrote in a namespace so far. A dry run writes nothing.
    pub(crate) fn writes(&self, namespace: &str) -> Result<Writes, Problem> {
        let log = fs::read_to_string(&self.0)
            .map_err(|source| Problem::Io { what: "reading the audit log", source })?;
        Ok(count(&log, namespace))
    }
}

fn count(log: &str, namespace: &str) -> Writes {
    let mut writes = Writes::default();
    for entry in log.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()) {
        let Some(object) = entry.object_ref else { continue };
        let written =
            matches!(entry.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
        let here = object.namespace.as_deref() == Some(namespace);
        if !written || !here || entry.user.username != USER || entry.request_uri.contains("dryRun=All") {
            continue;
        }
        if object.resource == "events" { writes.events += 1 } else { writes.objects += 1 }
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user: &str, verb: &str, resource: &str, uri: &str) -> String {
        format!(
            r#"{{"verb":"{verb}","requestURI":"{uri}","user":{{"username":"{user}"}},
            "objectRef":{{"resource":"{resource}","namespace":"billing"}}}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn only_what_the_operator_wrote_counts() {
        let log = [
            line(USER, "patch", "webhookendpoints", "/a"),
            line(USER, "create", "secrets", "/b"),
            line(USER, "create", "secrets", "/b?dryRun=All"),
            line(USER, "create", "events", "/c"),
            line(USER, "watch", "secrets", "/d"),
            line("admin", "create", "secrets", "/e"),
            r#"{"verb":"get","requestURI":"/readyz","user":{"username":"admin"}}"#.to_owned(),
        ]
        .join("\n");
        assert_eq!(count(&log, "billing"), Writes { objects: 2, events: 1 });
        assert_eq!(count(&log, "default"), Writes::default());
    }
}
