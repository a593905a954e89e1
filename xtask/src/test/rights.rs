//! Whether the rights that `deploy/` gives the operator are those that it has used, by the API server's audit log.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use controlplane::{ControlPlane, StartError};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use serde::de::DeserializeOwned;
use testkit::audit::{By, Mark, Request, requests};
use testkit::service_account::USER;

/// The name of the operator's `ClusterRole`, and the beginning of those of its Roles.
const NAME: &str = "webhook-operator";
/// The verb that no request has: admission policies ask whether somebody has it.
const OPERATE: &str = "operate";

/// Why rights and use can't be compared, or differ.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RightsError {
    #[error(transparent)]
    ControlPlane(#[from] StartError),
    #[error("the audit log can't be read: {0}")]
    Log(#[from] io::Error),
    #[error("the operator's roles can't be read: {0}")]
    Roles(#[from] serde_json::Error),
    #[error("the operator's rights are not those that it uses:\n  {}", .0.join("\n  "))]
    Differ(Vec<String>),
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Right {
    verb: String,
    group: String,
    resource: String,
    /// Where, if not in the whole cluster.
    namespace: Option<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, group, resource, namespace } = self;
        write!(f, "{verb} {resource} of {group:?}")?;
        namespace.as_ref().map_or(Ok(()), |namespace| write!(f, " in namespace {namespace}"))
    }
}

impl Right {
    fn covers(&self, request: &Request) -> bool {
        self.verb == request.verb
            && self.group == request.group
            && self.resource == request.resource
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
    }
}

/// Compares what the operators of a whole run were allowed with what they have asked for.
pub(super) fn check(plane: &ControlPlane) -> Result<(), RightsError> {
    let role = get::<ClusterRole>(plane, "clusterrole")?;
    let mut granted = rights(role.rules.unwrap_or_default(), None);
    let role = get::<Role>(plane, "role")?;
    granted.extend(rights(role.rules.unwrap_or_default(), role.metadata.namespace.as_deref()));
    let asked = requests(plane.audit_log(), Mark::default(), By::User(USER))?;
    let findings = findings(&granted, &asked);
    if findings.is_empty() { Ok(()) } else { Err(RightsError::Differ(findings)) }
}

fn findings(granted: &BTreeSet<Right>, asked: &[Request]) -> Vec<String> {
    let unused = granted.iter().filter(|right| right.verb != OPERATE);
    let unused = unused.filter(|right| !asked.iter().any(|request| right.covers(request)));
    let refused = asked.iter().filter(|request| !request.is_allowed);
    let refused = refused.map(|request| Right {
        verb: request.verb.clone(),
        group: request.group.clone(),
        resource: request.resource.clone(),
        namespace: None,
    });
    let unused = unused.map(|right| format!("never used: {right}"));
    let refused = refused.collect::<BTreeSet<_>>().into_iter().map(|right| format!("refused: {right}"));
    unused.chain(refused).collect()
}

fn rights(rules: Vec<PolicyRule>, namespace: Option<&str>) -> BTreeSet<Right> {
    let rights = rules.into_iter().flat_map(|rule| {
        let (groups, resources) = (rule.api_groups.unwrap_or_default(), rule.resources.unwrap_or_default());
        let mut rights = Vec::new();
        for group in groups {
            for resource in &resources {
                rights.extend(rule.verbs.iter().map(|verb| Right {
                    verb: verb.clone(),
                    group: group.clone(),
                    resource: resource.clone(),
                    namespace: namespace.map(str::to_owned),
                }));
            }
        }
        rights
    });
    rights.collect()
}

fn get<K: DeserializeOwned>(plane: &ControlPlane, kind: &str) -> Result<K, RightsError> {
    let name = if kind == "role" { format!("{NAME}-lease") } else { NAME.to_owned() };
    let mut command = plane.kubectl_command();
    let output = command.args(["--namespace", NAME, "get", kind, &name, "--output", "json"]).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(resource: &str, verbs: &[&str]) -> PolicyRule {
        let rule = json!({ "apiGroups": ["g"], "resources": [resource], "verbs": verbs });
        serde_json::from_value(rule).expect("a rule")
    }

    fn request(verb: &str, resource: &str, namespace: &str, is_allowed: bool) -> Request {
        Request {
            verb: verb.to_owned(),
            group: "g".to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: String::new(),
            uri: String::new(),
            dry_run: false,
            is_allowed,
        }
    }

    #[test]
    fn what_is_granted_and_never_used_and_what_is_asked_and_refused_are_told() {
        let mut granted = rights(vec![rule("hooks", &["get", "list", OPERATE])], None);
        granted.extend(rights(vec![rule("leases", &["get"])], Some("own")));
        let asked = [request("get", "hooks", "any", true), request("get", "leases", "other", true)];
        let told = [
            "never used: get leases of \"g\" in namespace own",
            "never used: list hooks of \"g\"",
            "refused: delete hooks of \"g\"",
        ];
        let more = [request("delete", "hooks", "any", false), request("delete", "hooks", "other", false)];
        assert_eq!(findings(&granted, &[asked.as_slice(), more.as_slice()].concat()), told);
        let all = [
            request("get", "hooks", "any", true),
            request("list", "hooks", "", true),
            request("get", "leases", "own", true),
        ];
        assert_eq!(findings(&granted, &all), [""; 0]);
    }
}
