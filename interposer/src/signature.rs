//! A name for a call that is the same in every run of a scenario.

use std::fmt;

use http::Method;

use crate::target::{RemoteOp, Side, Target};

/// What a call does, with everything taken out that differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(String);

impl Shape {
    /// `aliases` are pairs of a literal path segment and what to call it.
    pub(crate) fn of(
        side: Side,
        method: &Method,
        path: &str,
        target: &Target,
        dry_run: bool,
        aliases: &[(String, String)],
    ) -> Self {
        let stable = |segment: &str| -> String {
            if let Some((_, placeholder)) = aliases.iter().find(|(literal, _)| literal == segment) {
                return placeholder.clone();
            }
            if is_uuid(segment) { "{uuid}".to_owned() } else { segment.to_owned() }
        };
        let subject = match target {
            Target::Kubernetes(resource) => {
                let mut subject = resource.resource.clone();
                if !resource.group.is_empty() {
                    subject = format!("{subject}.{}", resource.group);
                }
                let place = [&resource.namespace, &resource.name, &resource.subresource];
                let place: Vec<String> = place.into_iter().flatten().map(|segment| stable(segment)).collect();
                if !place.is_empty() {
                    subject = format!("{subject} {}", place.join("/"));
                }
                subject
            }
            Target::Remote(RemoteOp::List | RemoteOp::Create) => "webhook-endpoints".to_owned(),
            Target::Remote(RemoteOp::Get(_) | RemoteOp::Update(_) | RemoteOp::Delete(_)) => {
                "webhook-endpoints/{id}".to_owned()
            }
            Target::Remote(RemoteOp::Token | RemoteOp::Other) | Target::Other => {
                path.split('/').map(stable).collect::<Vec<_>>().join("/")
            }
        };
        let suffix = if dry_run { " (dry run)" } else { "" };
        Self(format!("{side} {method} {subject}{suffix}"))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A [`Shape`] and its ordinal among the equal ones of one life of the operator, from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// What the call does.
    pub shape: Shape,
    /// The how-manieth such call of this life.
    pub ordinal: u32,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.shape, self.ordinal)
    }
}

fn is_uuid(segment: &str) -> bool {
    segment.len() == 36
        && segment.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify;

    fn shape(side: Side, method: &Method, path: &str, query: Option<&str>) -> String {
        let reading = classify::read(side, method, path, query, None);
        let aliases = [("crash-7f3a".to_owned(), "{namespace}".to_owned())];
        Shape::of(side, method, path, &reading.target, reading.dry_run, &aliases).to_string()
    }

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        let status = "/apis/g.dev/v1/namespaces/crash-7f3a/webhookendpoints/hook/status";
        assert_eq!(
            shape(Side::Kubernetes, &Method::PATCH, status, Some("dryRun=All")),
            "kubernetes PATCH webhookendpoints.g.dev {namespace}/hook/status (dry run)"
        );
        assert_eq!(shape(Side::Kubernetes, &Method::GET, "/api/v1/secrets", None), "kubernetes GET secrets");
        let one = shape(Side::Remote, &Method::DELETE, "/v1/webhook-endpoints/wh_1", None);
        let two = shape(Side::Remote, &Method::DELETE, "/v1/webhook-endpoints/wh_2", None);
        assert_eq!(one, "remote DELETE webhook-endpoints/{id}");
        assert_eq!(one, two);
        assert_eq!(
            shape(Side::Remote, &Method::PUT, "/x/0f3a0b9e-8c3f-4c1e-9d7a-5b1c2d3e4f50", None),
            "remote PUT /x/{uuid}"
        );
    }
}
