//! Who may use a network, and for which URLs: pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt as _};
use url::Url;

use crate::planning::{Openness, Refusal};
use crate::resources::AllowedNamespaces;

/// Who may use a network, and for which URLs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// The namespaces; every one when `None`.
    pub namespaces: Option<AllowedNamespaces>,
    /// Whether http URLs are allowed.
    pub allow_http: bool,
    /// Host patterns; any host when empty.
    pub hosts: Vec<String>,
    /// Whether new endpoints are taken.
    pub openness: Openness,
}

impl Access {
    /// Why the network does not take an endpoint with this URL, in a namespace with these labels, if so.
    #[must_use]
    pub fn refusal(
        &self,
        namespace: &str,
        labels: Option<&BTreeMap<String, String>>,
        url: &str,
    ) -> Option<Refusal> {
        self.check_namespace(namespace, labels).and_then(|()| self.check_url(url)).err()
    }

    /// Checks that endpoints of a namespace, with these labels, may use the network.
    ///
    /// # Errors
    ///
    /// When the namespace is neither named nor selected, or its labels are not known yet and count.
    pub fn check_namespace(
        &self,
        namespace: &str,
        labels: Option<&BTreeMap<String, String>>,
    ) -> Result<(), Refusal> {
        let Some(allowed) = &self.namespaces else { return Ok(()) };
        if allowed.names.iter().any(|name| name == namespace) {
            return Ok(());
        }
        let namespace = namespace.to_owned();
        match (&allowed.selector, labels) {
            (Some(_), None) => Err(Refusal::UnknownNamespace { namespace }),
            (Some(selector), Some(labels)) if selects(selector, labels) => Ok(()),
            _ => Err(Refusal::Namespace { namespace }),
        }
    }

    /// Checks that the network takes endpoints with this URL.
    ///
    /// # Errors
    ///
    /// When the URL can't be read, is http, or leads to a host that is not allowed.
    pub fn check_url(&self, url: &str) -> Result<(), Refusal> {
        let parsed = Url::parse(url).map_err(|why| Refusal::Unreadable { url: url.to_owned(), why })?;
        if parsed.scheme() != "https" && !self.allow_http {
            return Err(Refusal::Http);
        }
        let host = parsed.host_str().unwrap_or_default().trim_end_matches('.');
        if self.hosts.is_empty() || self.hosts.iter().any(|pattern| matches(pattern, host)) {
            return Ok(());
        }
        Err(Refusal::Host { host: host.to_owned(), allowed: self.hosts.clone() })
    }
}

/// `*.example.com` stands for every subdomain of `example.com`, at any depth, and not for itself.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    }
}

/// Evaluates a label selector as Kubernetes does; one that says nothing valid selects nothing.
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let open = Access::default();
        let http = Access { allow_http: true, ..Access::default() };
        let hosts = Access {
            hosts: vec!["hooks.example.com".to_owned(), "*.example.org".to_owned()],
            ..Access::default()
        };
        for (access, url, allowed) in [
            (&open, "https://example.com/x", true),
            (&open, "http://example.com/x", false),
            (&http, "http://example.com/x", true),
            (&hosts, "https://hooks.example.com/x", true),
            (&hosts, "https://HOOKS.example.com:8443/x", true),
            (&hosts, "https://hooks.example.com./x", true),
            (&hosts, "https://example.com/x", false),
            (&hosts, "https://evil-hooks.example.com/x", false),
            (&hosts, "https://a.b.example.org/x", true),
            (&hosts, "https://example.org/x", false),
            (&hosts, "https://notexample.org/x", false),
            (&hosts, "https://example.org.evil.com/x", false),
        ] {
            assert_eq!(access.check_url(url).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn namespaces() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let selector: LabelSelector = serde_json::from_value(serde_json::json!({
            "matchLabels": {"team": "a"},
            "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["test"]}],
        }))
        .unwrap();
        let allowed = AllowedNamespaces { names: vec!["billing".to_owned()], selector: Some(selector) };
        let access = Access { namespaces: Some(allowed), ..Access::default() };
        for (namespace, its_labels, ok) in [
            ("billing", labels(&[]), true),
            ("other", labels(&[]), false),
            ("other", labels(&[("team", "a")]), true),
            ("other", labels(&[("team", "a"), ("tier", "test")]), false),
            ("other", labels(&[("team", "b")]), false),
        ] {
            assert_eq!(
                access.check_namespace(namespace, Some(&its_labels)).is_ok(),
                ok,
                "{namespace} {its_labels:?}"
            );
        }
        let none = Access { namespaces: Some(AllowedNamespaces::default()), ..Access::default() };
        assert!(none.check_namespace("billing", Some(&labels(&[]))).is_err(), "an empty list allows nobody");
    }
}
