//! Who the operator is, and what somebody with the same rights is answered.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{DeleteParams, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::operator::control_plane;
use crate::support::{SOON, World};

/// The name of the role that lets Secrets of the world's namespace be written, and of its binding.
pub const WRITERS: &str = "write-secrets";
/// What the Secret holds that is tried, and never stored.
pub const TRIED: &str = "tried-and-not-stored";
/// How often is asked whether a denial is in force.
const ASKED: Duration = Duration::from_millis(100);

/// Gives the operator a `ServiceAccount` of its own, whose right to write Secrets can be taken away.
pub async fn narrow(scene: &mut Scene) {
    let world = &scene.world;
    let namespace = &world.namespace;
    let subjects = json!([{ "kind": "ServiceAccount", "name": "operator", "namespace": namespace }]);
    world.create::<ServiceAccount>(json!({ "metadata": { "name": "operator" } })).await;
    let roles = Api::<ClusterRole>::all(world.client.clone());
    let mut rules = roles.get("webhook-operator").await.expect("deploy/ has it").rules.unwrap_or_default();
    for rule in &mut rules {
        if rule.resources.as_deref() == Some(&["secrets".to_owned()]) {
            rule.verbs.retain(|verb| matches!(verb.as_str(), "get" | "list" | "watch"));
        }
    }
    let role = ClusterRole {
        metadata: kube::core::ObjectMeta { name: Some(namespace.clone()), ..Default::default() },
        rules: Some(rules),
        ..ClusterRole::default()
    };
    roles.create(&PostParams::default(), &role).await.expect("the role is created");
    let binding = json!({
        "metadata": { "name": namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace },
        "subjects": subjects,
    });
    create::<ClusterRoleBinding>(world, binding).await;
    world
        .create::<Role>(json!({
            "metadata": { "name": WRITERS },
            "rules": [{
                "apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch", "update", "delete"],
            }],
        }))
        .await;
    let token = world.kubectl(&["create", "token", "operator", "--duration=4h"], "");
    assert!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
    scene.show_token(String::from_utf8_lossy(&token.stdout).trim());
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

/// Removes what [`narrow`] left outside the namespace. What is not there is as good.
pub async fn clear(world: &World) {
    let delete = DeleteParams::default();
    let _ = Api::<ClusterRoleBinding>::all(world.client.clone()).delete(&world.namespace, &delete).await;
    let _ = Api::<ClusterRole>::all(world.client.clone()).delete(&world.namespace, &delete).await;
}

/// Creates an object of the whole cluster.
pub async fn create<K>(world: &World, object: Value)
where
    K: kube::Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + serde::Serialize,
{
    let object = serde_json::from_value::<K>(object).expect("an object");
    let api = Api::<K>::all(world.client.clone());
    api.create(&PostParams::default(), &object).await.expect("the object is created");
}

/// Somebody with the operator's rights, who goes to the API server directly.
pub struct Double(Api<Secret>);

impl Double {
    /// The double of a scene's operator.
    pub async fn of(scene: &Scene) -> Self {
        let plane = control_plane();
        let mut kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).expect("the kubeconfig can be read");
        let token = Some(scene.token().to_owned().into());
        for user in &mut kubeconfig.auth_infos {
            user.auth_info = Some(AuthInfo { token: token.clone(), ..AuthInfo::default() });
        }
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("the kubeconfig is complete")).expect("a client");
        Self(Api::namespaced(client, &scene.world.namespace))
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
        self.until("no Secret could be written", |refusal| refusal).await
    }

    /// Waits until Secrets may be written.
    pub async fn until_let(&self) {
        self.until("a Secret could be written", |refusal| refusal.is_none().then_some(())).await;
    }

    async fn until<T>(&self, what: &str, found: impl Fn(Option<String>) -> Option<T>) -> T {
        let mut times = tokio::time::interval(ASKED);
        let asked = async {
            loop {
                times.tick().await;
                if let Some(found) = found(self.refusal().await) {
                    return found;
                }
            }
        };
        let asked = tokio::time::timeout(SOON, asked).await;
        asked.unwrap_or_else(|_| panic!("waited {SOON:?} until {what}"))
    }
}
