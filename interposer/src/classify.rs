//! Reads a request: what it is about, and whether it changes anything.

use http::Method;
use serde_json::Value;
use url::form_urlencoded;

use crate::target::{Kind, RemoteOp, ResourceRef, Side, Target};

/// The groups whose POSTs only ask a question.
const REVIEW_GROUPS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];

/// A request as it was read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    pub(crate) dry_run: bool,
}

pub(crate) fn read(
    side: Side,
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: Option<&Value>,
) -> Reading {
    match side {
        Side::Kubernetes => read_kubernetes(method, path, query, body),
        Side::Remote => read_remote(method, path),
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn read_kubernetes(method: &Method, path: &str, query: Option<&str>, body: Option<&Value>) -> Reading {
    let parameter = |name: &str| parameter(query.unwrap_or_default(), name);
    let dry_run = !is_safe(method) && parameter("dryRun").is_some_and(|value| value == "All");
    let Some(mut resource) = resource_in(path) else {
        let kind = if is_safe(method) { Kind::Read } else { Kind::Mutation };
        return Reading { kind, target: Target::Other, dry_run };
    };
    if *method == Method::POST && resource.name.is_none() {
        resource.name = name_in(body);
    }
    let watches = || parameter("watch").is_some_and(|value| value == "true" || value == "1");
    let kind = if is_safe(method) {
        if *method == Method::GET && watches() { Kind::Watch } else { Kind::Read }
    } else if *method == Method::POST && REVIEW_GROUPS.contains(&resource.group.as_str()) {
        Kind::Read
    } else {
        Kind::Mutation
    };
    Reading { kind, target: Target::Kubernetes(resource), dry_run }
}

/// What a query says of this parameter first.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// `/api/v1/…` and `/apis/{group}/{version}/…`, then `[namespaces/{ns}/]resource[/name[/subresource]]`.
fn resource_in(path: &str) -> Option<ResourceRef> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (group, rest) = match segments.as_slice() {
        ["api", _version, rest @ ..] => ("", rest),
        ["apis", group, _version, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        // A namespace's own subresources share their place with the resources inside it.
        ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, inner @ ..] if !inner.is_empty() => (Some(*namespace), inner),
        _ => (None, rest),
    };
    let (resource, rest) = rest.split_first()?;
    let (name, subresource) = match rest {
        [] => (None, None),
        [name] => (Some(*name), None),
        [name, subresource @ ..] => (Some(*name), Some(subresource.join("/"))),
    };
    Some(ResourceRef {
        group: group.to_owned(),
        resource: (*resource).to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource,
    })
}

fn name_in(body: Option<&Value>) -> Option<String> {
    let metadata = body?.get("metadata")?;
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    match (text("name"), text("generateName")) {
        (Some(name), _) if !name.is_empty() => Some(name.to_owned()),
        (_, Some(prefix)) => Some(format!("{prefix}*")),
        _ => None,
    }
}

fn read_remote(method: &Method, path: &str) -> Reading {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let operation = match (method.as_str(), segments.as_slice()) {
        ("GET", [.., "webhook-endpoints"]) => RemoteOp::List,
        ("POST", [.., "webhook-endpoints"]) => RemoteOp::Create,
        ("GET", [.., "webhook-endpoints", id]) => RemoteOp::Get((*id).to_owned()),
        ("PATCH", [.., "webhook-endpoints", id]) => RemoteOp::Update((*id).to_owned()),
        ("DELETE", [.., "webhook-endpoints", id]) => RemoteOp::Delete((*id).to_owned()),
        ("POST", [.., "token"]) => RemoteOp::Token,
        _ => RemoteOp::Other,
    };
    let kind = if is_safe(method) || operation == RemoteOp::Token { Kind::Read } else { Kind::Mutation };
    Reading { kind, target: Target::Remote(operation), dry_run: false }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(path: &str) -> (String, String, String, String, String) {
        let found = resource_in(path).expect("names a resource");
        let text = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
        (found.group, found.resource, text(found.namespace), text(found.name), text(found.subresource))
    }

    #[test]
    fn resources_are_read_from_paths() {
        let table = [
            ("/api/v1/namespaces/a/secrets/b", ("", "secrets", "a", "b", "-")),
            ("/api/v1/namespaces/a", ("", "namespaces", "-", "a", "-")),
            ("/api/v1/namespaces", ("", "namespaces", "-", "-", "-")),
            ("/api/v1/namespaces/a/status", ("", "namespaces", "-", "a", "status")),
            ("/api/v1/namespaces/a/finalize", ("", "namespaces", "-", "a", "finalize")),
            ("/api/v1/secrets", ("", "secrets", "-", "-", "-")),
            ("/apis/g.dev/v1/webhookendpoints", ("g.dev", "webhookendpoints", "-", "-", "-")),
            (
                "/apis/g.dev/v1/namespaces/a/webhookendpoints/b/status",
                ("g.dev", "webhookendpoints", "a", "b", "status"),
            ),
        ];
        for (path, (group, plural, namespace, name, subresource)) in table {
            let want = [group, plural, namespace, name, subresource].map(str::to_owned);
            assert_eq!(<[String; 5]>::from(resource(path)), want, "{path}");
        }
        for path in ["/version", "/api", "/api/v1", "/apis/g.dev/v1", "/readyz"] {
            assert_eq!(resource_in(path), None, "{path}");
        }
    }

    #[test]
    fn kubernetes_calls_are_told_apart() {
        let secrets = "/api/v1/namespaces/a/secrets";
        let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let table = [
            (Method::GET, secrets, None, Kind::Read, false),
            (Method::GET, secrets, Some("watch=true&x=1"), Kind::Watch, false),
            (Method::GET, secrets, Some("watch=1"), Kind::Watch, false),
            (Method::GET, secrets, Some("watch=false"), Kind::Read, false),
            (Method::POST, secrets, None, Kind::Mutation, false),
            (Method::POST, secrets, Some("dryRun=All"), Kind::Mutation, true),
            (Method::PATCH, secrets, Some("force=true"), Kind::Mutation, false),
            (Method::PUT, secrets, None, Kind::Mutation, false),
            (Method::DELETE, secrets, None, Kind::Mutation, false),
            (Method::POST, review, None, Kind::Read, false),
            (Method::GET, "/version", None, Kind::Read, false),
        ];
        for (method, path, query, kind, dry_run) in table {
            let reading = read(Side::Kubernetes, &method, path, query, None);
            assert_eq!((reading.kind, reading.dry_run), (kind, dry_run), "{method} {path} {query:?}");
        }
    }

    #[test]
    fn a_create_is_named_by_its_body() {
        let named = |body: Value| {
            let path = "/api/v1/namespaces/a/secrets";
            match read(Side::Kubernetes, &Method::POST, path, None, Some(&body)).target {
                Target::Kubernetes(resource) => resource.name,
                other => panic!("not a resource: {other:?}"),
            }
        };
        assert_eq!(named(json!({"metadata": {"name": "b"}})), Some("b".to_owned()));
        assert_eq!(named(json!({"metadata": {"generateName": "b-"}})), Some("b-*".to_owned()));
        assert_eq!(named(json!({})), None);
    }

    #[test]
    fn remote_operations_are_told_apart() {
        let id = || "wh_1".to_owned();
        let table = [
            (Method::GET, "/webhooks/v1/webhook-endpoints", RemoteOp::List, Kind::Read),
            (Method::POST, "/webhooks/v1/webhook-endpoints", RemoteOp::Create, Kind::Mutation),
            (Method::GET, "/webhook-endpoints/wh_1", RemoteOp::Get(id()), Kind::Read),
            (Method::PATCH, "/webhook-endpoints/wh_1", RemoteOp::Update(id()), Kind::Mutation),
            (Method::DELETE, "/webhook-endpoints/wh_1", RemoteOp::Delete(id()), Kind::Mutation),
            (Method::POST, "/oauth/token", RemoteOp::Token, Kind::Read),
            (Method::PUT, "/webhook-endpoints/wh_1", RemoteOp::Other, Kind::Mutation),
        ];
        for (method, path, operation, kind) in table {
            let reading = read(Side::Remote, &method, path, None, None);
            assert_eq!(reading.kind, kind, "{method} {path}");
            assert_eq!(reading.target, Target::Remote(operation), "{method} {path}");
        }
    }
}
