//! A test's own namespace, network and simulator.

use std::fmt::Debug;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulator::{NetworkConfig, Simulator};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint, WebhookNetwork};

use super::operator::{OWN, Operator, control_plane};
use super::{OperatorOptions, SOON};

/// The simulator's name of the network of every test.
pub const NETWORK: &str = "n_1";

/// The operator's own namespace.
pub const OPERATORS: &str = "webhook-operator";

/// A test's own namespace, network and simulator, and the operator that looks after them.
pub struct World {
    /// A client with all rights.
    pub client: Client,
    /// The test's namespace.
    pub namespace: String,
    /// The test's simulator.
    pub simulator: Simulator,
    /// The operator of this test alone, if it has one.
    pub own: Option<Operator>,
    /// The labels by which this world's operator finds what it looks after.
    pub labels: Value,
}

impl World {
    /// A world that the shared operator looks after.
    pub async fn new(name: &str) -> Self {
        let world = Self::without_network(name).await;
        world.add_network(json!({})).await;
        world.network_ready().await;
        world
    }

    /// A world that the shared operator looks after, with a network that is not listed again by itself.
    pub async fn without_resync(name: &str) -> Self {
        let world = Self::without_network(name).await;
        world.add_network(json!({ "resyncInterval": "1h" })).await;
        world.network_ready().await;
        world
    }

    /// A world without a network, which the shared operator looks after.
    pub async fn without_network(name: &str) -> Self {
        let world = Self::without_operator(name, json!({})).await;
        Operator::shared();
        world
    }

    /// A world with an operator of its own.
    pub async fn with_own_operator(name: &str) -> Self {
        let mut world = Self::without_operator(name, json!({})).await;
        world.labels = json!({ OWN: world.namespace });
        world.start_operator();
        world.add_network(json!({})).await;
        world.network_ready().await;
        world
    }

    /// A world without a network, and with an operator of its own that is started as `options` say.
    pub async fn with_operator(name: &str, options: OperatorOptions) -> Self {
        let mut world = Self::without_operator(name, json!({})).await;
        world.labels = json!({ OWN: world.namespace });
        world.own = Some(Operator::start(OperatorOptions { own: Some(world.namespace.clone()), ..options }));
        world
    }

    /// A namespace and a simulator, and nobody who looks after them.
    pub async fn without_operator(name: &str, labels: Value) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let plane = control_plane();
        let kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).expect("the kubeconfig can be read");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("the kubeconfig is complete")).expect("a client");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{name}-{}-{number}", std::process::id());
        let object = Namespace {
            metadata: ObjectMeta { name: Some(namespace.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let namespaces = Api::<Namespace>::all(client.clone());
        namespaces.create(&PostParams::default(), &object).await.expect("the namespace is created");
        let network = NetworkConfig::new(NETWORK).client("client-id", "client-secret");
        let simulator = Simulator::start(simulator::Config::default().network(network).tls()).await;
        Self { client, namespace, simulator: simulator.expect("the simulator starts"), own: None, labels }
    }

    /// Starts the test's own operator, again if it was stopped.
    pub fn start_operator(&mut self) {
        let options = OperatorOptions { own: Some(self.namespace.clone()), ..OperatorOptions::default() };
        self.own = Some(Operator::start(options));
    }

    /// The test's cluster network, named like its namespace, as are its credentials in the operator's.
    pub async fn add_network(&self, settings: Value) {
        let secret = serde_json::from_value(credentials(&self.namespace)).expect("a Secret");
        let secrets = Api::<Secret>::namespaced(self.client.clone(), OPERATORS);
        secrets.create(&PostParams::default(), &secret).await.expect("the credentials are stored");
        let mut network = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "ClusterWebhookNetwork",
            "metadata": { "name": self.namespace, "labels": self.labels },
            "spec": self.network_spec(|key| json!({ "namespace": OPERATORS, "name": self.namespace, "key": key })),
        });
        merge(&mut network["spec"], settings);
        let api = Api::<ClusterWebhookNetwork>::all(self.client.clone());
        let network = serde_json::from_value(network).expect("a network");
        api.create(&PostParams::default(), &network).await.expect("the network is created");
    }

    /// A network of the test's namespace alone, `default`, with its credentials beside it.
    pub async fn add_namespaced_network(&self) {
        self.add_credentials().await;
        let mut spec = self.network_spec(|key| json!({ "name": "credentials", "key": key }));
        merge(&mut spec, self.https_only());
        self.create::<WebhookNetwork>(json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookNetwork",
            "metadata": { "name": "default", "labels": self.labels },
            "spec": spec,
        }))
        .await;
    }

    /// The credentials of the network of the test's namespace alone.
    pub async fn add_credentials(&self) {
        self.create::<Secret>(credentials("credentials")).await;
    }

    /// The spec of a network that leads to the simulator; `reference` names a key of the credentials.
    pub fn network_spec(&self, reference: impl Fn(&str) -> Value) -> Value {
        json!({
            "apiUrl": self.simulator.base_url(),
            "allowHttp": true,
            "resyncInterval": "1s",
            "timeout": "2s",
            "limits": { "requestsPerSecond": 200, "burst": 200, "inFlight": 16 },
            "auth": { "oauth2ClientCredentials": {
                "tokenUrl": self.simulator.token_url(),
                "audience": "https://api.lynkwell.com",
                "clientId": { "secretKeyRef": reference("clientId") },
                "clientSecret": { "secretKeyRef": reference("clientSecret") },
            }},
        })
    }

    /// The settings of a network that reaches the simulator by https and allows nothing else.
    pub fn https_only(&self) -> Value {
        let https = self.simulator.https().expect("the simulator serves https");
        json!({
            "apiUrl": https.base_url,
            "allowHttp": false,
            "caBundle": https.ca_pem,
            "auth": { "oauth2ClientCredentials": { "tokenUrl": https.token_url }},
        })
    }

    /// Changes the test's cluster network by a merge patch of its spec.
    pub async fn change_network(&self, spec: Value) {
        let api = Api::<ClusterWebhookNetwork>::all(self.client.clone());
        let patch = Patch::Merge(json!({ "spec": spec }));
        api.patch(&self.namespace, &PatchParams::default(), &patch).await.expect("the network is changed");
    }

    /// The API for a namespaced kind, in the test's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an object in the test's namespace.
    pub async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
    {
        let object = serde_json::from_value(object).expect("an object");
        self.api::<K>().create(&PostParams::default(), &object).await.expect("the object is created")
    }

    /// A `WebhookEndpoint` manifest with what is given in `spec`.
    pub fn manifest(&self, name: &str, spec: Value) -> Value {
        let mut manifest = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookEndpoint",
            "metadata": { "name": name, "namespace": self.namespace, "labels": self.labels },
            "spec": {
                "networkRef": { "name": self.namespace },
                "url": format!("https://hooks.example.com/{name}"),
                "enabledEvents": ["ocpp.message"],
            },
        });
        merge(&mut manifest["spec"], spec);
        manifest
    }

    /// Creates a `WebhookEndpoint` with what is given in `spec`.
    pub async fn endpoint(&self, name: &str, spec: Value) -> WebhookEndpoint {
        self.create(self.manifest(name, spec)).await
    }

    /// Changes a `WebhookEndpoint` by a merge patch.
    pub async fn change(&self, name: &str, patch: Value) -> WebhookEndpoint {
        let api = self.api::<WebhookEndpoint>();
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("the resource is changed")
    }

    /// Deletes a `WebhookEndpoint` and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        self.ask_to_delete(name).await;
        self.until_deleted(name).await;
    }

    /// Deletes a `WebhookEndpoint`, which stays as long as its finalizer does.
    pub async fn ask_to_delete(&self, name: &str) {
        let api = self.api::<WebhookEndpoint>();
        api.delete(name, &DeleteParams::default()).await.expect("the resource is deleted");
    }

    /// Waits until a `WebhookEndpoint` is gone.
    pub async fn until_deleted(&self, name: &str) {
        self.until::<WebhookEndpoint>(name, "gone", |found| found.is_none()).await;
    }

    /// Waits until an object is as `condition` says, and returns it.
    pub async fn until<K>(&self, name: &str, what: &str, condition: impl Fn(Option<&K>) -> bool) -> Option<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        self.until_in(self.api::<K>(), name, what, condition).await
    }

    /// Waits until an object of an API is as `condition` says, and returns it.
    pub async fn until_in<K>(
        &self,
        api: Api<K>,
        name: &str,
        what: &str,
        condition: impl Fn(Option<&K>) -> bool,
    ) -> Option<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let mut last = None;
        let stream = watcher::watch_object(api, name).default_backoff();
        let found = tokio::time::timeout(SOON, async {
            let mut stream = std::pin::pin!(stream);
            while let Some(object) = stream.next().await {
                let Ok(object) = object else { continue };
                if condition(object.as_ref()) {
                    return object;
                }
                last = object;
            }
            None
        });
        if let Ok(found) = found.await {
            return found;
        }
        let log = self.operator().log();
        let log = log.lines().filter(|line| line.contains(&self.namespace) || line.contains("WARN"));
        let log = log.collect::<Vec<_>>().join("\n");
        panic!("{name} never was {what}; it is {last:#?}\n--- the operator's log ---\n{log}")
    }

    /// Waits until a `WebhookEndpoint` has a condition, and returns it.
    pub async fn condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> WebhookEndpoint {
        let what = format!("{kind}={status} {reason}");
        let found = self.until::<WebhookEndpoint>(name, &what, |found| {
            found.is_some_and(|resource| has_condition(resource, kind, status, reason))
        });
        found.await.expect("it exists, since it has a condition")
    }

    /// Waits until a `WebhookEndpoint` is Ready for its latest generation, and returns it.
    pub async fn ready(&self, name: &str) -> WebhookEndpoint {
        self.condition(name, "Ready", "True", "Available").await
    }

    /// Waits until the simulator is as `condition` says.
    pub async fn remotely(&self, what: &str, condition: impl Fn(&simulator::View<'_>) -> bool) {
        if let Err(timeout) = self.simulator.wait_until(SOON, |view| condition(&view)).await {
            panic!("the remote API never showed {what}: {timeout}");
        }
    }

    /// Runs kubectl with all rights, in the test's namespace; `input` is its standard input.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        use std::io::Write as _;
        let mut child = control_plane()
            .kubectl_command()
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("kubectl reads");
        child.wait_with_output().expect("kubectl ends")
    }

    /// The value of a key of a Secret.
    pub async fn secret_value(&self, name: &str, key: &str) -> Option<String> {
        let secret = self.api::<Secret>().get_opt(name).await.expect("Secrets can be read")?;
        let value = secret.data?.remove(key)?;
        Some(String::from_utf8(value.0).expect("a text"))
    }

    /// All objects of a namespaced kind.
    pub async fn all<K>(&self) -> Vec<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let list = self.api::<K>().list(&kube::api::ListParams::default()).await;
        list.expect("the objects can be listed").items
    }
}

/// Whether a resource has a condition for its latest generation.
pub fn has_condition(resource: &WebhookEndpoint, kind: &str, status: &str, reason: &str) -> bool {
    let conditions = resource.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|condition| {
        condition.type_ == kind
            && condition.status == status
            && condition.reason == reason
            && condition.observed_generation == resource.metadata.generation
    })
}

fn credentials(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "stringData": { "clientId": "client-id", "clientSecret": "client-secret" },
    })
}

/// JSON merge of `with` into `target` (RFC 7396, without removal).
pub fn merge(target: &mut Value, with: Value) {
    match (target, with) {
        (Value::Object(target), Value::Object(with)) => {
            for (key, value) in with {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, with) => *target = with,
    }
}
