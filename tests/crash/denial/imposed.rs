//! The ways in which Kubernetes, or somebody who was there first, keeps the operator from its Secrets.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::{ResourceQuota, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use serde_json::json;
use testkit::{World, delete};

use super::rights::{self, Double, TRIED, WRITERS};

/// What keeps the operator from writing a Secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denial {
    /// It has no right to.
    Rbac,
    /// The namespace may hold no more.
    Quota,
    /// A `ValidatingAdmissionPolicy` says no, and quotes the value that it refuses.
    Policy,
    /// Somebody else's Secret has the name.
    Foreign,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rbac => "RBAC",
            Self::Quota => "ResourceQuota",
            Self::Policy => "admission policy",
            Self::Foreign => "foreign owner",
        })
    }
}

/// A denial that is in force.
pub struct Imposed {
    denial: Denial,
    /// Somebody else's Secret.
    foreign: Option<Secret>,
}

impl Denial {
    /// What the resource says.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Rbac | Self::Quota | Self::Policy => "SecretRefused",
            Self::Foreign => "SecretNotOurs",
        }
    }

    /// Keeps the operator from writing Secret `name`, and waits until that is in force.
    pub async fn impose(self, world: &World, double: &Double, name: &str) -> Imposed {
        let mut foreign = None;
        match self {
            Self::Rbac => {
                delete(&world.api::<RoleBinding>(), WRITERS).await;
            }
            Self::Quota => impose_quota(world).await,
            Self::Policy => impose_policy(world).await,
            Self::Foreign => {
                let theirs = json!({ "metadata": { "name": name }, "stringData": { "secret": "theirs" } });
                foreign = Some(world.create::<Secret>(theirs).await);
            }
        }
        if self != Self::Foreign {
            let refusal = double.until_refused().await;
            let quotes = refusal.contains(TRIED) || refusal.contains(&STANDARD.encode(TRIED));
            assert_eq!(quotes, self == Self::Policy, "whether {self} quotes the value: {refusal}");
        }
        Imposed { denial: self, foreign }
    }
}

async fn impose_quota(world: &World) {
    let hard = world.all::<Secret>().await.len();
    let quota = json!({
        "metadata": { "name": "no-more" },
        "spec": { "hard": { "count/secrets": hard.to_string() } },
    });
    world.create::<ResourceQuota>(quota).await;
    let counted = |found: Option<&ResourceQuota>| {
        let status = found.and_then(|quota| quota.status.as_ref());
        let has = |amounts: Option<&std::collections::BTreeMap<String, _>>| {
            amounts.is_some_and(|amounts| amounts.contains_key("count/secrets"))
        };
        status.is_some_and(|status| has(status.hard.as_ref()) && has(status.used.as_ref()))
    };
    world.until::<ResourceQuota>("no-more", "counted", counted).await;
}

async fn impose_policy(world: &World) {
    let validation = json!({
        "expression": "false",
        "message": "no Secrets",
        "messageExpression": "'no Secrets, not even ' + string(object.data.secret)",
    });
    world.deny_secrets(validation).await;
}

impl Imposed {
    /// Checks that somebody else's Secret is as it was.
    pub async fn check(&self, world: &World) -> Result<(), String> {
        let Some(before) = &self.foreign else { return Ok(()) };
        let name = before.metadata.name.as_deref().unwrap_or_default();
        match world.api::<Secret>().get(name).await {
            Ok(after) if after == *before => Ok(()),
            Ok(_) => Err("the foreign Secret was written".to_owned()),
            Err(error) => Err(format!("the foreign Secret is gone: {error}")),
        }
    }

    /// Ends the denial, and waits until it is ended.
    pub async fn lift(&self, world: &World, double: &Double) {
        match self.denial {
            Denial::Rbac => rights::let_write(world).await,
            Denial::Quota => {
                delete(&world.api::<ResourceQuota>(), "no-more").await;
            }
            Denial::Policy => {
                let name = &world.namespace;
                delete(&world.cluster_api::<ValidatingAdmissionPolicyBinding>(), name).await;
                delete(&world.cluster_api::<ValidatingAdmissionPolicy>(), name).await;
            }
            Denial::Foreign => {
                let name = self.foreign.as_ref().and_then(|secret| secret.metadata.name.as_deref());
                delete(&world.api::<Secret>(), name.expect("it has one")).await;
            }
        }
        double.until_let().await;
    }
}
