//! What was asked of the API server, from its audit log.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use crate::{Operator, control_plane};

/// Under which the API server tells apart the tokens of one user.
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// What the API server's authorizers have decided.
const DECISION: &str = "authorization.k8s.io/decision";

/// A place in the audit log: reading begins there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(u64);

/// Whose requests.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// A user's, by name.
    User(&'a str),
    /// Those made with one token, by its id.
    Credential(&'a str),
}

/// One answered request.
///
/// It reads `verb resource/name`, and `(dry run)` after it where nothing was stored.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Request {
    /// Such as `patch`.
    pub verb: String,
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, and its subresource after a slash.
    pub resource: String,
    /// Empty where there is none.
    pub namespace: String,
    /// Empty where there is none.
    pub name: String,
    /// With the query.
    pub uri: String,
    /// Whether nothing was to be stored.
    pub dry_run: bool,
    /// Whether who asked may do that.
    pub is_allowed: bool,
}

impl Request {
    /// Whether it could have changed something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, name, dry_run, .. } = self;
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
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    username: String,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

impl Mark {
    /// The present end of the log. The API server writes a request down before it answers.
    #[must_use]
    pub fn now() -> Self {
        let length = std::fs::metadata(control_plane().audit_log()).expect("there is an audit log").len();
        Self(length)
    }

    /// What `operator` has asked since, in the order of the answers; watches are left out, since they end
    /// whenever they do.
    #[must_use]
    pub fn requests(self, operator: &Operator) -> Vec<Request> {
        let by = By::Credential(operator.credential());
        let mut requests =
            requests(control_plane().audit_log(), self, by).expect("the audit log can be read");
        requests.retain(|request| request.verb != "watch");
        requests
    }
}

/// Reads the audit log as it grows.
#[derive(Clone, Copy, Debug)]
pub struct Tail(Mark);

impl Tail {
    /// From the present end of the log on.
    #[must_use]
    pub fn begin() -> Self {
        Self(Mark::now())
    }

    /// What was asked with one token since the last time, watches left out.
    pub fn next(&mut self, credential: &str) -> Vec<Request> {
        let log = control_plane().audit_log();
        let (mut requests, end) =
            read(log, self.0, By::Credential(credential)).expect("the audit log can be read");
        self.0 = end;
        requests.retain(|request| request.verb != "watch");
        requests
    }
}

/// What somebody asked about objects since, in the order of the answers.
///
/// # Errors
///
/// When the log can't be read, or is none.
pub fn requests(log: &Path, since: Mark, by: By<'_>) -> io::Result<Vec<Request>> {
    read(log, since, by).map(|(requests, _)| requests)
}

/// The same, with the place where the next ones will be.
fn read(log: &Path, since: Mark, by: By<'_>) -> io::Result<(Vec<Request>, Mark)> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(since.0))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    // The last line may be half written: it is about a request without an answer yet.
    let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
    let end = Mark(since.0 + complete.len() as u64);
    let (By::User(who) | By::Credential(who)) = by;
    // Most lines are somebody else's, and not worth taking apart.
    let lines = complete.lines().filter(|line| line.contains(who));
    let parsed = lines.map(|line| serde_json::from_str::<Line>(line).map_err(io::Error::from));
    let requests = parsed.filter_map(|line| line.map(|line| line.request(by)).transpose());
    Ok((requests.collect::<io::Result<_>>()?, end))
}

impl Line {
    fn request(self, by: By<'_>) -> Option<Request> {
        let Self { verb, request_uri: uri, user, object_ref, annotations } = self;
        let own = match by {
            By::User(name) => user.username == name,
            By::Credential(id) => {
                user.extra.get(CREDENTIAL).is_some_and(|ids| ids.iter().any(|own| own == id))
            }
        };
        let ObjectRef { api_group: group, mut resource, subresource, namespace, name } =
            object_ref.filter(|_| own)?;
        if !subresource.is_empty() {
            resource = format!("{resource}/{subresource}");
        }
        let dry_run = uri.contains("dryRun=All");
        let is_allowed = annotations.get(DECISION).is_none_or(|decision| decision == "allow");
        Some(Request { verb, group, resource, namespace, name, uri, dry_run, is_allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user: &str, verb: &str, resource: &str, uri: &str) -> String {
        let user = format!(r#"{{"username":"{user}","extra":{{"{CREDENTIAL}":["JTI={user}"]}}}}"#);
        let object =
            format!(r#"{{"resource":"{resource}","subresource":"status","namespace":"n","name":"o"}}"#);
        format!(r#"{{"verb":"{verb}","requestURI":"{uri}","user":{user},"objectRef":{object}}}"#)
    }

    #[test]
    fn only_what_was_asked_about_objects_by_whom_is_meant_counts() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let log = [
            line("me", "patch", "webhookendpoints", "/a"),
            line("me", "create", "secrets", "/b?dryRun=All"),
            line("you", "create", "secrets", "/me"),
            r#"{"verb":"get","requestURI":"/readyz","user":{"username":"me"}}"#.to_owned(),
            line("me", "list", "events", "/c"),
            r#"{"verb":"get","requestURI":"/half","user":{"username":"me"}"#.to_owned(),
        ];
        std::fs::write(file.path(), log.join("\n")).expect("it can be written");
        let texts = |since, by| {
            let found = requests(file.path(), since, by).expect("a log");
            found.iter().map(|request| (request.to_string(), request.is_write())).collect::<Vec<_>>()
        };
        let all = [
            ("patch webhookendpoints/status o".to_owned(), true),
            ("create secrets/status o (dry run)".to_owned(), true),
            ("list events/status o".to_owned(), false),
        ];
        assert_eq!(texts(Mark::default(), By::User("me")), all);
        assert_eq!(texts(Mark::default(), By::Credential("JTI=me")), all);
        let first = u64::try_from(log[0].len()).expect("a short line") + 1;
        assert_eq!(texts(Mark(first), By::User("me")), all[1..]);
    }
}
