//! What an operator asked of the API server, from its audit log.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use serde::Deserialize;

use super::operator::{Operator, control_plane};

/// The user that every operator of these tests is.
const USER: &str = "system:serviceaccount:webhook-operator:webhook-operator";
/// Under which the API server tells apart the tokens of one user.
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// A place in the audit log: reading begins there.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// One answered request; watches are left out, since they end whenever they do.
///
/// It reads `verb resource/name`, and `(dry run)` after it where nothing was stored.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Request {
    pub verb: String,
    /// The resource, and its subresource after a slash.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub dry_run: bool,
    /// The status of the answer.
    pub code: u16,
}

impl Request {
    /// Whether it could have changed something.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, namespace: _, name, dry_run, code: _ } = self;
        // The names of Events are made up.
        match resource.as_str() {
            "events" => write!(f, "{verb} events")?,
            _ => write!(f, "{verb} {resource} {name}")?,
        }
        if *dry_run { f.write_str(" (dry run)") } else { Ok(()) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
}

#[derive(Deserialize)]
struct User {
    username: String,
    #[serde(default)]
    extra: std::collections::BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct ObjectRef {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    code: u16,
}

impl Mark {
    /// The present end of the log. The API server writes a request down before it answers.
    pub fn now() -> Self {
        let length = std::fs::metadata(control_plane().audit_log()).expect("there is an audit log").len();
        Self(length)
    }

    /// What `operator` has asked since, in the order of the answers.
    pub fn requests(self, operator: &Operator) -> Vec<Request> {
        let mut file = File::open(control_plane().audit_log()).expect("the audit log can be read");
        file.seek(SeekFrom::Start(self.0)).expect("the audit log does not shrink");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("the audit log is text");
        // The last line may be half written: it is about a request without an answer yet.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = complete.lines().filter(|line| line.contains(operator.credential()));
        lines
            .filter_map(|line| request(serde_json::from_str(line).expect("an audit event"), operator))
            .collect()
    }
}

fn request(line: Line, operator: &Operator) -> Option<Request> {
    let Line { verb, request_uri, user, object_ref, response_status } = line;
    let own = user.extra.get(CREDENTIAL).is_some_and(|ids| ids.iter().any(|id| id == operator.credential()));
    if user.username != USER || !own || verb == "watch" {
        return None;
    }
    let ObjectRef { mut resource, subresource, namespace, name } = object_ref?;
    if !subresource.is_empty() {
        resource = format!("{resource}/{subresource}");
    }
    let dry_run = request_uri.contains("dryRun=All");
    let code = response_status.map_or(0, |status| status.code);
    Some(Request { verb, resource, namespace, name, dry_run, code })
}
