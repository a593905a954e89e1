//! Who the operator is, and what somebody with the same rights is answered.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use testkit::service_account::kubeconfig;
use testkit::{World, client_of, control_plane, eventually};

use crate::scene::Scene;

/// The name of the role that lets Secrets of the world's namespace be written, and of its binding.
pub const WRITERS: &str = "write-secrets";
/// What the Secret holds that is tried, and never stored.
pub const TRIED: &str = "tried-and-not-stored";

/// Gives the operator a `ServiceAccount` of its own, whose right to write Secrets can be taken away.
pub async fn narrow(scene: &mut Scene) {
    let world = &scene.world;
    let namespace = &world.namespace;
    let subjects = json!([{ "kind": "ServiceAccount", "name": "operator", "namespace": namespace }]);
    world.create::<ServiceAccount>(json!({ "metadata": { "name": "operator" } })).await;
    let role = world.cluster_api::<ClusterRole>().get("webhook-operator").await.expect("deploy/ has it");
    let mut rules = role.rules.unwrap_or_default();
    for rule in &mut rules {
        if rule.resources.as_deref() == Some(&["secrets".to_owned()]) {
            rule.verbs.retain(|verb| matches!(verb.as_str(), "get" | "list" | "watch"));
        }
    }
    world
        .create_in_cluster::<ClusterRole>(json!({ "metadata": { "name": namespace }, "rules": rules }))
        .await;
    let binding = json!({
        "metadata": { "name": namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace },
        "subjects": subjects,
    });
    world.create_in_cluster::<ClusterRoleBinding>(binding).await;
    world
        .create::<Role>(json!({
            "metadata": { "name": WRITERS },
            "rules": [{
                "apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch", "delete"],
            }],
        }))
        .await;
    let token = world.kubectl_says(&["create", "token", "operator", "--duration=4h"]);
    scene.show_token(token.trim());
}

/// Binds the role that lets Secrets be written.
pub async fn let_write(world: &World) {
    world
        .create::<RoleBinding>(json!({
            "metadata": { "name": WRITERS },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": WRITERS },
            "subjects": [{ "kind": "ServiceAccount", "name": "operator", "namespace": world.namespace }],
        }))
        .await;
}

/// Somebody with the operator's rights, who goes to the API server directly.
pub struct Double(Api<Secret>);

impl Double {
    /// The double of a scene's operator.
    pub async fn of(scene: &Scene) -> Self {
        let kubeconfig = kubeconfig(control_plane(), scene.token()).expect("the CA can be read");
        Self(Api::namespaced(client_of(&kubeconfig).await, &scene.world.namespace))
    }

    /// Why a Secret may not be written now, if so.
    async fn refusal(&self) -> Option<String> {
        let secret = json!({ "metadata": { "name": "tried" }, "stringData": { "secret": TRIED } });
        let secret = serde_json::from_value(secret).expect("a Secret");
        let params = PostParams { dry_run: true, field_manager: None };
        self.0.create(&params, &secret).await.err().map(|error| error.to_string())
    }

    /// Waits until Secrets may not be written, and says why not.
    pub async fn until_refused(&self) -> String {
        eventually("a refusal of Secrets", || self.refusal()).await
    }

    /// Waits until Secrets may be written.
    pub async fn until_let(&self) {
        let is_let = async || self.refusal().await.is_none().then_some(());
        eventually("the right to write Secrets", is_let).await;
    }
}
