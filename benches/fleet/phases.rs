//! The life of a fleet, phase by phase.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Hold, NetworkConfig, Operation, Times};
use testkit::{NETWORK, World, service_account_kubeconfig};
use webhook_operator::resources::WebhookEndpoint;

use crate::bound::{Bodies, bound};
use crate::measure::{Figures, Measure};
use crate::meter::Meter;
use crate::options::Options;

/// A fleet, and who looks after it.
pub struct Fleet<'a> {
    options: &'a Options,
    size: usize,
    world: World,
    measure: Measure,
    /// The bare client reaches the API server through it.
    kubeconfig: Value,
}

impl<'a> Fleet<'a> {
    /// Declares so many resources, which nobody looks after yet.
    pub async fn declare(size: usize, options: &'a Options) -> Self {
        let mut world = World::without_operator(&format!("fleet-{size}")).await;
        let mut kubeconfig = service_account_kubeconfig();
        let server = &mut kubeconfig["clusters"][0]["cluster"]["server"];
        let url = server.as_str().expect("a URL").to_owned();
        let kubernetes = Meter::before(&url).await;
        *server = kubernetes.instead(&url).into();
        let remote = Meter::before(&world.simulator.base_url()).await;
        world.options.kubeconfig = Some(kubeconfig.clone());
        world.options.log_filter = Some("warn".to_owned());
        let concurrency = options.concurrency.to_string();
        world.options.arguments.extend(["--concurrency".to_owned(), concurrency]);
        let limits = json!({ "requestsPerSecond": 1000, "burst": 1000, "inFlight": 100 });
        let settings = json!({
            "apiUrl": remote.instead(&world.simulator.base_url()),
            "auth": { "oauth2ClientCredentials": { "tokenUrl": remote.instead(&world.simulator.token_url()) } },
            "limits": limits, "resyncInterval": "24h", "timeout": "20s",
        });
        world.add_network(settings).await;
        let rotation = json!({ "activateAfter": "0s", "retireAfter": "0s" });
        world.endpoints_named(names("e", size), &json!({ "rotation": rotation })).await;
        let hold = Hold::For(options.latency());
        for operation in
            [Operation::List, Operation::Get, Operation::Create, Operation::Patch, Operation::Delete]
        {
            let late = Fault::on(operation, FaultKind::Latency { hold });
            world.simulator.inject(Fault { times: Times::UntilCleared, ..late });
        }
        Self { options, size, measure: Measure::new([kubernetes, remote]), world, kubeconfig }
    }

    /// From the operator's start until all have an endpoint, a Secret and a status.
    pub async fn create(&mut self) -> Figures {
        let failures = self.size * self.options.errors / 100;
        for failure in 0..failures {
            let every = 100 / self.options.errors as u64;
            let fault = Fault::on(Operation::Create, FaultKind::status(503, ""));
            // The first of those that fit is met: the latest comes first.
            self.world.simulator.inject(Fault { after: every * failure as u64, ..fault });
        }
        self.measure.begin(&self.world).await;
        self.world.start_operator();
        let size = self.size;
        let figures = self.end("create", |figures| statuses(figures) >= size).await;
        self.check().await;
        figures
    }

    /// What a bare client needs for the same.
    pub async fn bound(&self) -> Figures {
        let world = &self.world;
        let bodies = Bodies::of(world, &names("e", 1).next().expect("one")).await;
        let names = names("b", self.size).collect::<Vec<_>>();
        // Nobody looks after these.
        let bare = json!({ "networkRef": { "name": "nobody" } });
        let unlabelled = names.iter().map(async |name| {
            let mut manifest = world.manifest(name, bare.clone());
            manifest["metadata"]["labels"] = Value::Null;
            world.create::<WebhookEndpoint>(manifest).await;
        });
        several_at_once(unlabelled).await;
        bound(world, &bodies, &self.kubeconfig, &names, self.options).await
    }

    /// All declare other events.
    pub async fn change(&mut self) -> Figures {
        let spec = json!({ "spec": { "enabledEvents": ["asset.connectivity"] } });
        self.measure.begin(&self.world).await;
        self.patch_all(&spec).await;
        let size = self.size;
        self.end("change of all", |figures| statuses(figures) >= size).await
    }

    /// Somebody changes one of a hundred remotely, until a list shows it and it is undone, and the next list shows that.
    pub async fn drift(&mut self) -> Figures {
        let drifted = self.size.div_ceil(100);
        for endpoint in self.world.endpoints().iter().take(drifted) {
            self.world.simulator.edit(&endpoint.id, |endpoint| {
                endpoint.enabled_events = vec!["ocpp.message".to_owned()];
            });
        }
        self.measure.begin(&self.world).await;
        self.world.change_network(json!({ "resyncInterval": "5s" })).await;
        let pages = 2 * self.world.endpoints().len().div_ceil(100);
        let is_over = |figures: &Figures| {
            figures.calls(Operation::Patch) >= drifted && figures.calls(Operation::List) >= pages
        };
        self.end("drift of 1 %", is_over).await
    }

    /// Three lists of the network, in which all is as it was.
    pub async fn converged(&mut self) -> Figures {
        self.measure.begin(&self.world).await;
        let pages = 3 * self.world.endpoints().len().div_ceil(100);
        let figures = self.end_when_listed("converged, 3 lists", pages).await;
        self.world.change_network(json!({ "resyncInterval": "24h" })).await;
        figures
    }

    async fn end_when_listed(&mut self, phase: &str, pages: usize) -> Figures {
        self.measure
            .end(&self.world, phase, self.size, |figures| figures.calls(Operation::List) >= pages)
            .await
    }

    /// The operator is stopped, and another one started, until that has listed all.
    pub async fn restart(&mut self) -> Figures {
        self.start_again("restart").await
    }

    async fn start_again(&mut self, phase: &str) -> Figures {
        // What was declared before is done with first.
        self.measure.begin(&self.world).await;
        self.world.operator().stop();
        self.world.own = None;
        self.measure.begin(&self.world).await;
        self.world.start_operator();
        let pages = self.world.endpoints().len().div_ceil(100);
        self.end_when_listed(phase, pages).await
    }

    /// As many Secrets of 32 KiB come that are not ours, and the operator is started again.
    pub async fn strangers(&mut self) -> Figures {
        let secrets = self.world.api::<Secret>();
        let value = "x".repeat(32 * 1024);
        let strangers = names("stranger", self.size).map(|name| {
            let (secrets, data) = (secrets.clone(), BTreeMap::from([("value".to_owned(), value.clone())]));
            async move {
                let metadata = ObjectMeta { name: Some(name), ..ObjectMeta::default() };
                let secret = Secret { metadata, string_data: Some(data), ..Secret::default() };
                secrets.create(&PostParams::default(), &secret).await.expect("it is stored");
            }
        });
        several_at_once(strangers).await;
        let figures = self.start_again("restart among others' Secrets").await;
        let deleted = names("stranger", self.size);
        let deleted = deleted.map(|name| {
            let secrets = secrets.clone();
            async move { testkit::delete(&secrets, &name).await }
        });
        several_at_once(deleted).await;
        figures
    }

    /// The network's credentials are renewed.
    pub async fn renewal(&mut self) -> Figures {
        self.measure.begin(&self.world).await;
        let network = NetworkConfig::new(NETWORK).client("client-id", "renewed");
        self.world.simulator.set_network(network);
        let renewed = json!({ "stringData": { "clientSecret": "renewed" } });
        testkit::patch(&self.world.operators_secrets(), &self.world.namespace, renewed).await;
        let pages = self.world.endpoints().len().div_ceil(100);
        self.end_when_listed("credentials renewed", pages).await
    }

    /// The API refuses connections for so long; it would have been listed every five seconds.
    pub async fn outage(&mut self, lasts: Duration) -> Figures {
        self.world.change_network(json!({ "resyncInterval": "5s" })).await;
        self.measure.begin(&self.world).await;
        self.world.simulator.suspend().await.expect("it runs");
        tokio::time::sleep(lasts).await;
        self.world.simulator.resume().await.expect("it runs");
        let pages = self.world.endpoints().len().div_ceil(100);
        let figures = self.end_when_listed("API away", pages).await;
        self.world.change_network(json!({ "resyncInterval": "24h" })).await;
        figures
    }

    /// Somebody asks for another secret of all.
    pub async fn rotation(&mut self) -> Figures {
        let annotations = json!({ "webhookoperator.dev/rotate": "1" });
        self.measure.begin(&self.world).await;
        self.patch_all(&json!({ "metadata": { "annotations": annotations } })).await;
        let size = self.size;
        let figures = self.end("rotation of all", |figures| figures.calls(Operation::Delete) >= size).await;
        self.check().await;
        figures
    }

    /// All are deleted.
    pub async fn deletion(&mut self) -> Figures {
        self.measure.begin(&self.world).await;
        let world = &self.world;
        let asked = names("e", self.size).map(async |name| world.ask_to_delete(&name).await);
        several_at_once(asked).await;
        let size = self.size;
        self.end("deletion of all", |figures| figures.calls(Operation::Delete) >= size).await
    }

    async fn end(&mut self, phase: &str, is_over: impl Fn(&Figures) -> bool) -> Figures {
        self.measure.end(&self.world, phase, self.size, is_over).await
    }

    async fn patch_all(&self, patch: &Value) {
        let resources = self.world.api::<WebhookEndpoint>();
        let patched =
            names("e", self.size).map(|name| {
                let (resources, patch) = (resources.clone(), Patch::Merge(patch.clone()));
                async move {
                    resources.patch(&name, &PatchParams::default(), &patch).await.expect("it is patched")
                }
            });
        several_at_once(patched).await;
    }

    /// Each is as declared, and there is an endpoint for each.
    async fn check(&self) {
        let resources = self.world.all::<WebhookEndpoint>().await;
        // The bare client's have no operator.
        let ours = resources.iter().filter(|resource| resource.metadata.labels.is_some());
        let ready = ours.filter(|resource| testkit::has_condition(*resource, "Ready", "True", "Available"));
        assert_eq!(ready.count(), self.size, "all are ready");
        assert_eq!(self.world.endpoints().len(), self.size);
    }
}

/// Does all this, some of it at a time.
async fn several_at_once<F: Future>(work: impl Iterator<Item = F>) {
    stream::iter(work).buffer_unordered(16).for_each(|_| std::future::ready(())).await;
}

fn names(prefix: &str, size: usize) -> impl Iterator<Item = String> + use<> {
    let prefix = prefix.to_owned();
    (0..size).map(move |number| format!("{prefix}{number:05}"))
}

fn statuses(figures: &Figures) -> usize {
    figures.kubernetes.get("patch webhookendpoints/status").copied().unwrap_or(0)
}
