//! What a test makes goes when it ends.

use k8s_openapi::api::core::v1::Namespace;
use serde_json::json;
use testkit::World;
use webhook_operator::resources::ClusterWebhookNetwork;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_test_makes_goes_also_when_it_panics() {
    let story = async {
        let world = World::without_operator("panics").await;
        world.add_network(json!({})).await;
        world.endpoint("held", json!({})).await;
        let finalizer = json!({ "metadata": { "finalizers": ["test.webhookoperator.dev/held"] } });
        world.change("held", finalizer).await;
        std::panic::panic_any(world.namespace.clone());
    };
    let panic = tokio::spawn(story).await.expect_err("it panics").into_panic();
    let name = panic.downcast::<String>().expect("the name of its namespace");
    let witness = World::without_operator("witness").await;
    witness.until_gone(witness.cluster_api::<Namespace>(), &name).await;
    witness.until_gone(witness.cluster_api::<ClusterWebhookNetwork>(), &name).await;
    witness.until_gone(witness.operators_secrets(), &name).await;
}
