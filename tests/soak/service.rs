//! A `WebhookEndpoint`, and the receivers that its URLs lead to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use secrecy::ExposeSecret as _;
use serde_json::json;
use simulator::{ACTIVE, Handle};
use tempfile::TempDir;
use testkit::{Mount, NETWORK, World, has_condition, patch};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use webhook_operator::resources::{ROTATE_ANNOTATION, WebhookEndpoint};
use webhook_receiver::{Options, serve};

use crate::account::Account;
use crate::scale;

/// How many URLs a service may move to.
const URLS: usize = 3;
/// How long it may take until all is as declared: the vendor's disablement alone is met with a minute of patience.
const SETTLING: Duration = Duration::from_mins(4);

/// A resource, its Secret and its receivers.
pub struct Service {
    name: String,
    receivers: Vec<Receiver>,
    was_disabled: AtomicBool,
    resources: Api<WebhookEndpoint>,
    secrets: Api<Secret>,
    simulator: Handle,
}

/// A receiver, in a Pod on a node of its own.
struct Receiver {
    url: String,
    mount: Mount,
    _folder: TempDir,
}

impl Receiver {
    async fn start(world: &World, account: &Arc<Account>, name: &str, number: usize, seed: u64) -> Self {
        let listener = TcpListener::bind(simulator::loopback()).await.expect("a port");
        let url = format!("http://{}/{name}/{number}", listener.local_addr().expect("it has an address"));
        let folder = tempfile::tempdir().expect("a folder");
        let mut rng = StdRng::seed_from_u64(seed);
        let next_look = move || scale::kubelet().mul_f64(rng.random());
        let mount = Mount::new(folder.path(), world.api(), name, next_look);
        let options = Options {
            secret_dir: folder.path().to_owned(),
            url: Some(url.clone()),
            remember: scale::hours(96) + scale::minutes(10),
        };
        let (sender, mut receipts) = mpsc::channel(10_000);
        tokio::spawn(serve(listener, options, sender));
        let (account, name) = (Arc::clone(account), name.to_owned());
        tokio::spawn(async move {
            while let Some(receipt) = receipts.recv().await {
                account.received(&name, &receipt);
            }
        });
        Self { url, mount, _folder: folder }
    }

    fn has(&self, data: &BTreeMap<String, ByteString>) -> bool {
        data.iter().all(|(key, value)| self.mount.value(key).is_some_and(|file| file.as_bytes() == value.0))
    }
}

impl Service {
    /// Declares the endpoint, and waits until it is ready.
    pub async fn begin(world: &World, account: &Arc<Account>, name: &str, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut receivers = Vec::new();
        for number in 0..URLS {
            receivers.push(Receiver::start(world, account, name, number, rng.random()).await);
        }
        let seconds = |duration: Duration| format!("{}s", duration.as_secs());
        let spec = json!({
            "url": receivers[0].url,
            // What they are by default.
            "rotation": {
                "activateAfter": seconds(scale::minutes(2)), "retireAfter": seconds(scale::hours(96)),
            },
        });
        world.ready_endpoint(name, spec).await;
        Self {
            name: name.to_owned(),
            receivers,
            was_disabled: AtomicBool::new(false),
            resources: world.api(),
            secrets: world.api(),
            simulator: (*world.simulator).clone(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a URL leads to one of its receivers.
    pub fn receives_at(&self, url: &str) -> bool {
        self.receivers.iter().any(|receiver| receiver.url == url)
    }

    /// Somebody asks for another secret.
    pub async fn rotate(&self, request: u32) {
        let annotations = json!({ ROTATE_ANNOTATION: request.to_string() });
        let asked = json!({ "metadata": { "annotations": annotations } });
        patch(&self.resources, &self.name, asked).await;
    }

    /// Somebody declares another of its URLs, unless a receiver has not seen yet what the Secret holds: one at a URL that
    /// was left and is returned to within the kubelet's delay would not know that there was anything in between.
    pub async fn move_on(&self, any: usize) -> bool {
        let secret = self.secrets.get_opt(&self.name).await.expect("Secrets can be read");
        let is_seen = |data| self.receivers.iter().all(|receiver| receiver.has(&data));
        if !secret.and_then(|secret| secret.data).is_some_and(is_seen) {
            return false;
        }
        let resource = self.resources.get(&self.name).await.expect("the resource is there");
        let others = self.receivers.iter().filter(|receiver| receiver.url != resource.spec.url);
        let others = others.collect::<Vec<_>>();
        let url = &others[any % others.len()].url;
        patch(&self.resources, &self.name, json!({ "spec": { "url": url } })).await;
        true
    }

    /// Somebody deletes the Secret, unless there is something in it that a receiver has not seen yet: nobody but the
    /// receivers has it then. Nor while another URL is under way: the endpoint that is made anew for it delivers at once,
    /// and its receiver can't tell that the Secret of that URL is not the one that it has.
    pub async fn lose_secret(&self) -> bool {
        let resource = self.resources.get(&self.name).await.expect("the resource is there");
        let current = resource.status.and_then(|status| status.endpoint);
        if current.is_none_or(|current| current.url != resource.spec.url) {
            return false;
        }
        let Some(Secret { metadata, data: Some(data), .. }) =
            self.secrets.get_opt(&self.name).await.expect("Secrets can be read")
        else {
            return false;
        };
        if !self.receivers.iter().all(|receiver| receiver.has(&data)) {
            return false;
        }
        // They look at the files every second.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let unchanged = Preconditions { resource_version: metadata.resource_version, uid: metadata.uid };
        let parameters = DeleteParams { preconditions: Some(unchanged), ..DeleteParams::default() };
        self.secrets.delete(&self.name, &parameters).await.is_ok()
    }

    /// The vendor sets the endpoint inactive: once, since the operator has more patience each time.
    pub fn be_disabled(&self, account: &Account) -> bool {
        let active = self.simulator.endpoints(NETWORK);
        let active =
            active.into_iter().find(|endpoint| endpoint.status == ACTIVE && self.receives_at(&endpoint.url));
        let Some(active) = active.filter(|_| !self.was_disabled.swap(true, Ordering::Relaxed)) else {
            return false;
        };
        account.disabled(&self.name, &active.id);
        self.simulator.disable(&active.id)
    }

    /// Waits until the resource is as declared, and takes down whether the Secret is the right one.
    pub async fn stands(&self, account: &Account) {
        let since = Instant::now();
        let id = loop {
            let resource = self.resources.get(&self.name).await.expect("the resource is there");
            let is_ready = has_condition(&resource, "Ready", "True", "Available");
            let status = resource.status.clone().unwrap_or_default();
            if let (true, None, Some(endpoint)) = (is_ready, &status.replacement, status.endpoint) {
                break endpoint.id;
            }
            assert!(since.elapsed() < SETTLING, "{} does not become as declared: {resource:#?}", self.name);
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        let truth = self.simulator.secret_of(&id.as_str().into()).expect("every endpoint had a secret");
        let stored = self.secrets.get_opt(&self.name).await.expect("Secrets can be read");
        let stored = stored.and_then(|secret| secret.data?.remove("secret"));
        if stored.is_none_or(|stored| stored.0 != truth.expose_secret().as_bytes()) {
            account.lost(&self.name);
        }
    }
}
