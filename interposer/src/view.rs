//! Old views: lists as of an earlier resourceVersion, and watches that deliver nothing.
//!
//! The API server itself keeps the old view: a list is asked for with `resourceVersion=…` and
//! `resourceVersionMatch=Exact`, so pages, selectors and metadata-only lists are what the server would
//! have answered then. That lasts until etcd is compacted: five minutes by the API server's defaults.
//! See <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>.

use http::Uri;
use http::uri::PathAndQuery;
use tokio::sync::watch;
use url::form_urlencoded;

use crate::call::Call;
use crate::classify::parameter;
use crate::target::{Kind, ResourceRef};

/// Some or all collections of an API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Group and plural name; all if `None`.
    resource: Option<(String, String)>,
    /// Namespace; all, and the lists across namespaces, if `None`.
    namespace: Option<String>,
}

impl Collection {
    /// All collections.
    #[must_use]
    pub fn all() -> Self {
        Self { resource: None, namespace: None }
    }

    /// All collections of a resource, of every namespace and across namespaces. The core group is `""`.
    #[must_use]
    pub fn of(group: &str, plural: &str) -> Self {
        Self { resource: Some((group.to_owned(), plural.to_owned())), namespace: None }
    }

    /// Only what is asked for in this namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Whether a resource, or a list or watch of it, is of this collection.
    #[must_use]
    pub fn contains(&self, resource: &ResourceRef) -> bool {
        self.resource
            .as_ref()
            .is_none_or(|(group, plural)| *group == resource.group && *plural == resource.resource)
            && (self.namespace.is_none() || self.namespace == resource.namespace)
    }
}

/// The old views that are served.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// Collections and the resourceVersions to serve them at.
    held: watch::Sender<Vec<(Collection, String)>>,
}

impl Views {
    pub(crate) fn hold(&self, collection: Collection, version: String) {
        self.held.send_modify(|held| {
            held.retain(|(other, _)| *other != collection);
            held.push((collection, version));
        });
    }

    pub(crate) fn release(&self, collection: &Collection) {
        self.held.send_modify(|held| held.retain(|(other, _)| other != collection));
    }

    /// The resourceVersion that this collection is served at, if it is an old one.
    pub(crate) fn version_of(&self, resource: &ResourceRef) -> Option<String> {
        let held = self.held.borrow();
        held.iter().find(|(collection, _)| collection.contains(resource)).map(|(_, old)| old.clone())
    }

    /// Waits until the collection is served as it is.
    pub(crate) async fn released(&self, resource: &ResourceRef) {
        let now = |held: &Vec<(Collection, String)>| {
            !held.iter().any(|(collection, _)| collection.contains(resource))
        };
        // The sender is in `self`, so the wait can only end well.
        let _ = self.held.subscribe().wait_for(now).await;
    }
}

/// The collection that a call lists or watches, if it does.
pub(crate) fn collection_of(call: &Call) -> Option<&ResourceRef> {
    let resource = call.resource()?;
    let reads = matches!(call.kind, Kind::Read | Kind::Watch) && call.method == http::Method::GET;
    (reads && resource.name.is_none()).then_some(resource)
}

/// The URI of a list as of an old version. A further page carries its version in the token.
pub(crate) fn list_uri(call: &Call, version: &str) -> Uri {
    let query = call.query.as_deref().unwrap_or_default();
    if parameter(query, "continue").is_some_and(|token| !token.is_empty()) {
        return with_query(&call.path, query);
    }
    let version = [("resourceVersion", version), ("resourceVersionMatch", "Exact")];
    with_query(&call.path, &edited(query, &["resourceVersion", "resourceVersionMatch"], &version))
}

/// Whether a watch goes on from a version that the server may have forgotten. One that starts with the
/// present state cannot be too late.
pub(crate) fn resumes(call: &Call) -> bool {
    let query = call.query.as_deref().unwrap_or_default();
    parameter(query, "resourceVersion").is_some_and(|version| !version.is_empty() && version != "0")
}

fn edited(query: &str, without: &[&str], with: &[(&str, &str)]) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| !without.contains(&key.as_ref()));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).extend_pairs(with).finish()
}

fn with_query(path: &str, query: &str) -> Uri {
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    // Both parts come from a URI, or from the serialiser.
    PathAndQuery::try_from(text).map(Uri::from).unwrap_or_default()
}
