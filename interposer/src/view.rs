//! Old views: lists as of an earlier resourceVersion, and watches that deliver nothing.
//!
//! The API server itself keeps the old view: a list is asked for with `resourceVersion=…` and
//! `resourceVersionMatch=Exact`, so pages, selectors and metadata-only lists are what the server would
//! have answered then. That lasts until etcd is compacted: five minutes by the API server's defaults.
//! See <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::watch;
use url::form_urlencoded;

use crate::call::{Call, Kind, ResourceRef};
use crate::upstream::Upstream;

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

/// Why a collection's present resourceVersion is not known.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Nobody has listed it here.
    #[error("no list or watch of this collection came by, so its path and credentials are not known")]
    NeverListed,
    /// The server did not answer.
    #[error("the API server did not answer the list: {0}")]
    Server(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered something else.
    #[error("the API server answered the list with {0} and without a resourceVersion")]
    NotAList(StatusCode),
}

/// Where and with which credentials a collection was listed or watched.
#[derive(Debug)]
struct Listed {
    resource: ResourceRef,
    path: String,
    authorization: Option<HeaderValue>,
}

/// The old views that are served.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// Collections and the resourceVersions to serve them at.
    held: watch::Sender<Vec<(Collection, String)>>,
    /// What was listed, the latest last, one for each path.
    listed: Mutex<Vec<Listed>>,
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

    /// Remembers how a collection is listed.
    pub(crate) fn remember(&self, call: &Call, headers: &HeaderMap) {
        let Some(resource) = collection_of(call) else { return };
        let mut listed = self.listed();
        listed.retain(|other| other.path != call.path);
        listed.push(Listed {
            resource: resource.clone(),
            path: call.path.clone(),
            authorization: headers.get(AUTHORIZATION).cloned(),
        });
    }

    /// Asks the server for the collection's present resourceVersion, with the credentials that were last
    /// used to list it.
    pub(crate) async fn present(
        &self,
        collection: &Collection,
        upstream: &Upstream,
    ) -> Result<String, ViewError> {
        let request = self.list_request(collection)?;
        let response = upstream.send(request).await.map_err(|error| ViewError::Server(error.into()))?;
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| ViewError::Server(error.into()))?.to_bytes();
        serde_json::from_slice::<Value>(&body)
            .ok()
            .as_ref()
            .and_then(|list| list.pointer("/metadata/resourceVersion")?.as_str())
            .filter(|version| status.is_success() && !version.is_empty())
            .map(str::to_owned)
            .ok_or(ViewError::NotAList(status))
    }

    fn list_request(&self, collection: &Collection) -> Result<Request<Full<Bytes>>, ViewError> {
        let listed = self.listed();
        let found = listed.iter().rev().find(|listed| collection.contains(&listed.resource));
        let found = found.ok_or(ViewError::NeverListed)?;
        let mut request = Request::new(Full::default());
        *request.uri_mut() = with_query(&found.path, "limit=1");
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &found.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }

    fn listed(&self) -> MutexGuard<'_, Vec<Listed>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The list that gives a streaming list (`sendInitialEvents=true`) as of an old version, if the watch
/// asks for one.
pub(crate) fn initial_list(call: &Call, headers: &HeaderMap, version: &str) -> Option<Request<Full<Bytes>>> {
    let query = call.query.as_deref().unwrap_or_default();
    if parameter(query, "sendInitialEvents")? != "true" {
        return None;
    }
    let of_watches = [
        "watch",
        "sendInitialEvents",
        "allowWatchBookmarks",
        "timeoutSeconds",
        "resourceVersion",
        "resourceVersionMatch",
    ];
    let version = [("resourceVersion", version), ("resourceVersionMatch", "Exact")];
    let mut request = Request::new(Full::default());
    *request.uri_mut() = with_query(&call.path, &edited(query, &of_watches, &version));
    *request.headers_mut() = headers.clone();
    request.headers_mut().remove(ACCEPT_ENCODING);
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("application/json");
    let of_lists = accept.replace("as=PartialObjectMetadata;", "as=PartialObjectMetadataList;");
    if let Ok(of_lists) = HeaderValue::from_str(&of_lists) {
        request.headers_mut().insert(ACCEPT, of_lists);
    }
    Some(request)
}

/// The URI of the watch that goes on after an old view. A streaming list goes on from its version.
pub(crate) fn watch_uri(call: &Call, version: &str) -> Uri {
    let query = call.query.as_deref().unwrap_or_default();
    if parameter(query, "sendInitialEvents").is_none_or(|wanted| wanted != "true") {
        return with_query(&call.path, query);
    }
    let replaced = ["sendInitialEvents", "resourceVersion", "resourceVersionMatch"];
    with_query(&call.path, &edited(query, &replaced, &[("resourceVersion", version)]))
}

/// Whether a watch goes on from a version that the server may have forgotten. One that starts with the
/// present state, as a streaming list does, cannot be too late.
pub(crate) fn resumes(call: &Call) -> bool {
    let query = call.query.as_deref().unwrap_or_default();
    parameter(query, "resourceVersion").is_some_and(|version| !version.is_empty() && version != "0")
        && parameter(query, "sendInitialEvents").is_none_or(|wanted| wanted != "true")
}

/// A list as the events of a streaming list: every item, then the bookmark that ends the initial events.
pub(crate) fn as_events(list: &Value) -> Vec<Bytes> {
    let text = |pointer: &str| list.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let api_version = text("/apiVersion");
    let kind = text("/kind").trim_end_matches("List");
    let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
    let added = items.map(|item| {
        // Typed lists leave out what their kind says already.
        let mut object = json!({"apiVersion": api_version, "kind": kind});
        if let (Some(object), Some(item)) = (object.as_object_mut(), item.as_object()) {
            object.extend(item.clone());
        }
        json!({"type": "ADDED", "object": object})
    });
    let end = json!({"type": "BOOKMARK", "object": {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "resourceVersion": text("/metadata/resourceVersion"),
            "annotations": {"k8s.io/initial-events-end": "true"},
        },
    }});
    added.chain([end]).map(|event| Bytes::from(format!("{event}\n"))).collect()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
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
