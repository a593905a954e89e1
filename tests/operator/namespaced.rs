//! An operator for a few namespaces, which has no right elsewhere.

use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::Api;
use serde_json::{Value, json};
use simulator::Operation;
use testkit::audit::{By, Mark, requests};
use testkit::{Object, World, control_plane, endpoint_id, eventually, service_account};
use webhook_operator::resources::{WebhookEndpoint, WebhookNetwork};

async fn create<K: Object<Scope = k8s_openapi::NamespaceResourceScope>>(
    world: &World,
    namespace: &str,
    object: Value,
) {
    let api = Api::<K>::namespaced(world.client.clone(), namespace);
    api.create(&kube::api::PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// Gives the operator what `deploy/` gives it in the whole cluster, in these namespaces only; and its kubeconfig.
async fn confined_to(world: &World, namespaces: &[&str]) -> Value {
    let name = &world.namespace;
    world.create::<ServiceAccount>(json!({ "metadata": { "name": "operator" } })).await;
    let subjects = json!([{ "kind": "ServiceAccount", "name": "operator", "namespace": name }]);
    let rules = world.cluster_api::<ClusterRole>().get("webhook-operator").await.unwrap().rules.unwrap();
    let rules = rules.into_iter().filter(|rule| {
        let of_cluster = ["namespaces"].map(str::to_owned);
        rule.resources.as_deref() != Some(&of_cluster) && rule.verbs != ["operate"]
    });
    let rules = rules.collect::<Vec<_>>();
    for namespace in namespaces {
        create::<Role>(world, namespace, json!({ "metadata": { "name": name }, "rules": rules })).await;
        let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name });
        let binding = json!({ "metadata": { "name": name }, "roleRef": role, "subjects": subjects });
        create::<RoleBinding>(world, namespace, binding).await;
    }
    // Where the admission policies are, as in the control plane of the tests, an administrator gives it this.
    let operate = json!([{ "apiGroups": ["webhookoperator.dev"], "resources": ["webhookendpoints"], "verbs": ["operate"] }]);
    world.create_in_cluster::<ClusterRole>(json!({ "metadata": { "name": name }, "rules": operate })).await;
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name });
    let binding = json!({ "metadata": { "name": name }, "roleRef": role, "subjects": subjects });
    world.create_in_cluster::<ClusterRoleBinding>(binding).await;
    let token = world.kubectl_says(&["create", "token", "operator", "--duration=4h"]);
    service_account::kubeconfig(control_plane(), token.trim()).unwrap()
}

fn resource(world: &World, namespace: &str, name: &str) -> Value {
    let mut manifest =
        world.manifest(name, json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } }));
    manifest["metadata"]["namespace"] = namespace.into();
    manifest["spec"]["url"] = format!("https://hooks.example.com/{namespace}/{name}").into();
    manifest
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_for_a_few_namespaces_asks_for_nothing_elsewhere() {
    let mut world = World::without_operator("confined").await;
    let first = world.namespace.clone();
    let (second, other) = (format!("{first}-second"), format!("{first}-other"));
    for namespace in [&second, &other] {
        world.create_in_cluster::<Namespace>(json!({ "metadata": { "name": namespace } })).await;
    }
    world.options.kubeconfig = Some(confined_to(&world, &[&first, &second]).await);
    world.options.arguments =
        ["--watch-namespace", &first, "--watch-namespace", &second].map(str::to_owned).to_vec();
    let mark = Mark::now();
    world.add_namespaced_network().await;
    let credentials = world.api::<Secret>().list(&kube::api::ListParams::default()).await.unwrap();
    let credentials =
        credentials.items.into_iter().find(|secret| secret.type_.as_deref() == Some("Opaque")).unwrap();
    let network = world.api::<WebhookNetwork>().get("default").await.unwrap();
    let copy = |namespace: &str, meta: &kube::core::ObjectMeta| {
        json!({
            "name": meta.name, "namespace": namespace, "labels": meta.labels,
        })
    };
    for namespace in [&second, &other] {
        let data = json!({ "metadata": copy(namespace, &credentials.metadata), "data": credentials.data });
        create::<Secret>(&world, namespace, data).await;
        let spec = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookNetwork",
            "metadata": copy(namespace, &network.metadata), "spec": network.spec,
        });
        create::<WebhookNetwork>(&world, namespace, spec).await;
    }
    for namespace in [&first, &second, &other] {
        create::<WebhookEndpoint>(&world, namespace, resource(&world, namespace, "hook")).await;
    }
    world.endpoint("of-the-cluster", json!({ "networkRef": { "name": "default" } })).await;

    world.start_operator();
    let hook = world.ready("hook").await;
    let of_second = Api::<WebhookEndpoint>::namespaced(world.client.clone(), &second);
    world.condition_in(of_second.clone(), "hook", "Ready", "True", "Available").await;
    world.condition("of-the-cluster", "Ready", "False", "NetworkNotFound").await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 2);
    let of_other = Api::<WebhookEndpoint>::namespaced(world.client.clone(), &other);
    let unseen = of_other.get("hook").await.unwrap();
    assert_eq!(unseen.metadata.finalizers, None, "it is nobody's");

    // Again from the beginning, and with what happens while it watches.
    assert!(world.operator().stop());
    of_second.delete("hook", &kube::api::DeleteParams::default()).await.unwrap();
    world.start_operator();
    eventually("the end of the one in the second namespace", async || {
        of_second.get_opt("hook").await.unwrap().is_none().then_some(())
    })
    .await;
    world.change("hook", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    world.ready("hook").await;
    let left = world.endpoints();
    assert_eq!(left.iter().map(|endpoint| &endpoint.id).collect::<Vec<_>>(), [&endpoint_id(&hook)]);
    assert_eq!(left[0].enabled_events, ["asset.connectivity"]);

    let asked =
        requests(control_plane().audit_log(), mark, By::Credential(world.operator().credential())).unwrap();
    assert!(asked.len() > 20, "{}", asked.len());
    for request in asked {
        assert!(request.is_allowed, "{request:?}");
        assert!([&first, &second].contains(&&request.namespace), "{request:?}");
    }
}
