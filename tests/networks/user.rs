//! People with rights in one namespace, or in all.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::discovery::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};
use testkit::{World, client_of_user, eventually, merge};
use tokio::sync::OnceCell;

/// All rights on our resources, statuses included, and on Secrets.
pub fn everything_of_ours_and_secrets() -> Value {
    json!([
        { "apiGroups": ["webhookoperator.dev"], "resources": ["*"], "verbs": ["*"] },
        { "apiGroups": [""], "resources": ["secrets"], "verbs": ["*"] },
    ])
}

/// All rights on our resources, and none on Secrets.
pub fn everything_of_ours() -> Value {
    json!([{ "apiGroups": ["webhookoperator.dev"], "resources": ["*"], "verbs": ["*"] }])
}

/// Somebody with RBAC rights of their own.
pub struct User {
    /// Acts as the user.
    pub client: Client,
    /// The namespace that the user works in.
    pub namespace: String,
}

impl User {
    /// A user with these rights in the world's namespace, and none elsewhere.
    pub async fn in_namespace(world: &World, name: &str, rules: Value) -> Self {
        admission_works(world).await;
        Self::without_policies(world, name, rules).await
    }

    async fn without_policies(world: &World, name: &str, rules: Value) -> Self {
        let user = format!("{name}@{}", world.namespace);
        let role = json!({ "metadata": { "name": name }, "rules": rules });
        world.create::<Role>(role).await;
        world.create::<RoleBinding>(binding("Role", name, &user)).await;
        Self::known_as(world, &user, &json!({ "namespace": world.namespace })).await
    }

    /// A user with these rights in the whole cluster.
    pub async fn in_cluster(world: &World, name: &str, rules: Value) -> Self {
        admission_works(world).await;
        let user = format!("{name}@{}", world.namespace);
        let object = json!({ "metadata": { "name": user }, "rules": rules });
        world.create_in_cluster::<ClusterRole>(object).await;
        world.create_in_cluster::<ClusterRoleBinding>(binding("ClusterRole", &user, &user)).await;
        Self::known_as(world, &user, &json!({})).await
    }

    /// Waits until the API server has taken in the rights.
    async fn known_as(world: &World, user: &str, place: &Value) -> Self {
        let client = client_of_user(user).await;
        let this = Self { client, namespace: world.namespace.clone() };
        let mut question =
            json!({ "verb": "patch", "group": "webhookoperator.dev", "resource": "webhooknetworks" });
        merge(&mut question, place.clone());
        eventually("the user's rights", || async {
            let review = json!({ "spec": { "resourceAttributes": question } });
            let review = serde_json::from_value(review).expect("a review");
            let reviews =
                Api::<k8s_openapi::api::authorization::v1::SelfSubjectAccessReview>::all(this.client.clone());
            let answer = reviews.create(&PostParams::default(), &review).await.expect("anybody may ask");
            answer.status.is_some_and(|status| status.allowed).then_some(())
        })
        .await;
        this
    }

    /// The namespaced API of one of our kinds, or of Secrets.
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        self.api_in(kind, &self.namespace)
    }

    /// The same in another namespace.
    pub fn api_in(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &resource(kind))
    }

    /// The API of a cluster-wide kind.
    pub fn cluster_api(&self, kind: &str) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource(kind))
    }

    /// Creates an object.
    pub async fn create(&self, kind: &str, object: &Value) -> kube::Result<DynamicObject> {
        self.api(kind).create(&PostParams::default(), &of_kind(kind, object)).await
    }

    /// Patches an object.
    pub async fn patch(&self, kind: &str, name: &str, patch: &Value) -> kube::Result<DynamicObject> {
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
    }
}

/// An object of a kind, from all but the kind.
pub fn of_kind(kind: &str, object: &Value) -> DynamicObject {
    let resource = resource(kind);
    let mut object = object.clone();
    object["apiVersion"] = resource.api_version.into();
    object["kind"] = resource.kind.into();
    serde_json::from_value(object).expect("an object")
}

/// One of our kinds, or Secrets.
pub fn resource(kind: &str) -> ApiResource {
    let (group, version) = if kind == "Secret" { ("", "v1") } else { ("webhookoperator.dev", "v1alpha1") };
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind))
}

fn binding(kind: &str, role: &str, user: &str) -> Value {
    json!({
        "metadata": { "name": role },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    })
}

/// Waits until every policy of `deploy/` refuses what it should: they take effect a moment after they are
/// created.
async fn admission_works(world: &World) {
    static WORKS: OnceCell<()> = OnceCell::const_new();
    let check = async || {
        let rules = json!([
            { "apiGroups": ["webhookoperator.dev"], "resources": ["*"], "verbs": ["*"] },
            { "apiGroups": [""], "resources": ["secrets"], "verbs": ["create"] },
        ]);
        let user = Box::pin(User::without_policies(world, "probe", rules)).await;
        let attempt = json!({ "webhookoperator.dev/create-attempt": "{}" });
        let secret = json!({ "webhookoperator.dev/endpoint-id": "wh_1" });
        let mut forged = world.manifest("probe", json!({}));
        forged["metadata"]["annotations"] = attempt;
        let network = json!({ "metadata": { "name": "probe" }, "spec": {
            "apiUrl": "https://api.example.com",
            "auth": { "bearerToken": { "secretKeyRef": { "name": "probe", "key": "token" }}},
        }});
        let secret = json!({
            "metadata": { "name": "probe", "annotations": secret },
            "type": "webhookoperator.dev/signing-secret",
        });
        for (kind, object) in [("WebhookEndpoint", forged), ("WebhookNetwork", network), ("Secret", secret)] {
            let params = PostParams { dry_run: true, ..PostParams::default() };
            let object = of_kind(kind, &object);
            eventually(&format!("the policy about every {kind}"), || async {
                let outcome = user.api(kind).create(&params, &object).await;
                refusal(&outcome).filter(|status| status.message.contains("ValidatingAdmissionPolicy"))
            })
            .await;
        }
    };
    WORKS.get_or_init(check).await;
}

/// The API server's refusal.
pub fn refusal<T>(outcome: &kube::Result<T>) -> Option<Box<Status>> {
    match outcome {
        Err(kube::Error::Api(status)) => Some(status.clone()),
        _ => None,
    }
}
