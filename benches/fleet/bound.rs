//! The bound: a bare client that makes the same writes, to the same custom resource, and the same POST.

use std::time::Instant;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use simulator::{NetworkConfig, Operation};
use testkit::{World, client_of};
use webhook_operator::resources::{ATTEMPT_ANNOTATION, WebhookEndpoint};

use crate::measure::Figures;
use crate::options::Options;

/// What the bare client makes is in a network of its own, so that the operator does not see it.
const NETWORK: &str = "n_bound";
/// The simulator takes it from the bare client.
const TOKEN: &str = "bound";

/// What the operator has written of one resource.
pub struct Bodies {
    attempt: Value,
    secret: Value,
    status: Value,
    event: Value,
}

impl Bodies {
    /// As it wrote them.
    pub async fn of(world: &World, name: &str) -> Self {
        let resource = world.api::<WebhookEndpoint>().get(name).await.expect("it is there");
        let secret = world.api::<Secret>().get(name).await.expect("it is there");
        let events = world.api::<Event>().list(&ListParams::default().limit(1)).await.expect("Events");
        let [event] = &events.items[..] else { panic!("there is an Event") };
        let bare = |mut object: Value| {
            let metadata = object["metadata"].as_object_mut().expect("an object");
            for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "namespace", "name"]
            {
                metadata.remove(field);
            }
            object
        };
        let annotation = resource.annotations()[ATTEMPT_ANNOTATION].clone();
        let mut secret = bare(json!(secret));
        // The operator does not watch those of another type.
        secret["type"] = json!("example.com/bound-secret-of-a-bare-client");
        Self {
            attempt: json!({ "metadata": {
                "finalizers": resource.finalizers(), "annotations": { ATTEMPT_ANNOTATION: annotation },
            } }),
            secret,
            status: json!({ "status": resource.status }),
            event: bare(json!(event)),
        }
    }
}

/// Writes all that for so many resources, and takes the figures.
pub async fn bound(
    world: &World,
    bodies: &Bodies,
    kubeconfig: &Value,
    names: &[String],
    options: &Options,
) -> Figures {
    world.simulator.set_network(NetworkConfig::new(NETWORK).bearer_token(TOKEN));
    let client = client_of(kubeconfig).await;
    let resources = Api::<WebhookEndpoint>::namespaced(client.clone(), &world.namespace);
    let secrets = Api::<Secret>::namespaced(client.clone(), &world.namespace);
    let events = Api::<Event>::namespaced(client, &world.namespace);
    let http = reqwest::Client::new();
    let began = Instant::now();
    let work = names.iter().map(async |name| {
        let patched = resources.patch(name, &PatchParams::default(), &Patch::Merge(&bodies.attempt)).await;
        let uid = patched.expect("it is patched").uid().expect("it has a uid");
        let body =
            json!({ "url": format!("https://hooks.example.com/{name}"), "enabledEvents": ["ocpp.message"] });
        let post = http.post(format!("{}/webhook-endpoints", world.simulator.base_url()));
        let answer = post.bearer_auth(TOKEN).json(&body).send().await.expect("the API answers");
        answer.error_for_status().expect("it is created").bytes().await.expect("with a body");
        let mut secret = bodies.secret.clone();
        secret["metadata"]["name"] = json!(name);
        secret["metadata"]["ownerReferences"][0]["uid"] = json!(uid);
        secret["metadata"]["ownerReferences"][0]["name"] = json!(name);
        let secret = serde_json::from_value(secret).expect("a Secret");
        secrets.create(&PostParams::default(), &secret).await.expect("it is stored");
        let status = Patch::Merge(&bodies.status);
        resources.patch_status(name, &PatchParams::default(), &status).await.expect("it is reported");
        let mut event = bodies.event.clone();
        event["metadata"]["generateName"] = json!("bound-");
        let event = serde_json::from_value(event).expect("an Event");
        events.create(&PostParams::default(), &event).await.expect("it is told");
    });
    stream::iter(work)
        .buffer_unordered(options.concurrency.into())
        .for_each(|()| std::future::ready(()))
        .await;
    Figures {
        phase: "bound of create".to_owned(),
        size: names.len(),
        seconds: began.elapsed().as_secs_f64(),
        cpu_seconds: 0.0,
        kubernetes: [
            ("patch webhookendpoints", 1),
            ("create secrets", 1),
            ("patch webhookendpoints/status", 1),
            ("create events", 1),
        ]
        .map(|(what, each)| (what.to_owned(), each * names.len()))
        .into(),
        remote: [(Operation::Create.to_string(), names.len())].into(),
        bytes_sent: 0,
        bytes_received: 0,
        memory: 0,
        peak_memory: 0,
    }
}
