//! A test's own namespace, network and simulator.

use std::io::Write as _;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use simulator::{NetworkConfig, Simulator};
use webhook_operator::resources::WebhookEndpoint;

use crate::object::{self, Object};
use crate::operator::{Operator, OperatorOptions, labels};
use crate::plane::{administrator, control_plane, kubectl};
use crate::teardown::{Leftovers, tear_down};

/// The simulator's name of the network of every test.
pub const NETWORK: &str = "n_1";

/// The operator's own namespace.
pub const OPERATORS: &str = "webhook-operator";

/// A test's own namespace, network and simulator, and the operator that looks after them.
///
/// Dropping it ends its own operator and removes all that it made, also when the test panics.
pub struct World {
    /// A client with all rights.
    pub client: Client,
    /// The test's namespace.
    pub namespace: String,
    /// The test's simulator.
    pub simulator: Simulator,
    /// The operator of this test alone, if it has one.
    pub own: Option<Operator>,
    /// How that one is started.
    pub options: OperatorOptions,
    /// The labels by which this world's operator finds what it looks after.
    pub labels: Value,
    /// What it made outside its namespace.
    leftovers: Leftovers,
}

impl World {
    /// A world that the shared operator looks after.
    pub async fn new(name: &str) -> Self {
        let world = Self::without_network(name).await;
        world.add_network(json!({})).await;
        world.network_ready().await;
        world
    }

    /// A world without a network, which the shared operator looks after.
    pub async fn without_network(name: &str) -> Self {
        let mut world = Self::without_operator(name).await;
        world.labels = labels(&Operator::shared_name());
        Operator::shared();
        world
    }

    /// A world with an operator of its own.
    pub async fn with_own_operator(name: &str) -> Self {
        let world = Self::with_operator(name, OperatorOptions::default()).await;
        world.add_network(json!({})).await;
        world.network_ready().await;
        world
    }

    /// A world without a network, and with an operator of its own that is started as `options` say.
    pub async fn with_operator(name: &str, options: OperatorOptions) -> Self {
        let mut world = Self::without_operator(name).await;
        world.options = options;
        world.start_operator();
        world
    }

    /// A namespace and a simulator, and nobody who looks after them until an operator of its own is started.
    pub async fn without_operator(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let client = administrator().await;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{name}-{}-{number}", std::process::id());
        let network = NetworkConfig::new(NETWORK).client("client-id", "client-secret");
        let simulator = Simulator::start(simulator::Config::default().network(network).tls()).await;
        let simulator = simulator.expect("the simulator starts");
        let labels = labels(&namespace);
        let options = OperatorOptions::default();
        let leftovers = Leftovers::default();
        let world = Self { client, namespace, simulator, own: None, options, labels, leftovers };
        world.create_in_cluster::<Namespace>(json!({ "metadata": { "name": world.namespace } })).await;
        world
    }

    /// A world without an operator, whose operators agree by a Lease on the one that acts.
    pub async fn of_replicas(name: &str) -> Self {
        let mut world = Self::without_operator(name).await;
        world.leftovers.add::<Lease>(Some(OPERATORS), &json!({ "metadata": { "name": world.namespace } }));
        let lease = ["--leader-elect", "--lease-namespace", OPERATORS, "--lease-name", &world.namespace];
        world.options.arguments.extend(lease.map(str::to_owned));
        world.add_network(json!({})).await;
        world
    }

    /// Starts one more operator of this world.
    pub fn start_replica(&self) -> Operator {
        Operator::start(&self.namespace, &self.options)
    }

    /// The Lease by which this world's operators agree.
    pub async fn lease(&self) -> Option<Lease> {
        let leases = Api::<Lease>::namespaced(self.client.clone(), OPERATORS);
        leases.get_opt(&self.namespace).await.expect("Leases can be read")
    }

    /// Starts the test's own operator, again if it was stopped.
    pub fn start_operator(&mut self) {
        self.own = Some(self.start_replica());
    }

    /// The operator that looks after this world.
    pub fn operator(&self) -> &Operator {
        self.own.as_ref().unwrap_or_else(|| Operator::shared())
    }

    /// The API for a namespaced kind, in the test's namespace.
    pub fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The API for a kind of the whole cluster.
    pub fn cluster_api<K: Resource<Scope = ClusterResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// Creates an object in the test's namespace.
    pub async fn create<K: Object<Scope = NamespaceResourceScope>>(&self, object: Value) -> K {
        object::create(&self.api(), object).await
    }

    /// Creates an object of the whole cluster, which goes with the world.
    pub async fn create_in_cluster<K: Object<Scope = ClusterResourceScope>>(&self, object: Value) -> K {
        self.leftovers.add::<K>(None, &object);
        object::create(&self.cluster_api(), object).await
    }

    /// Creates a Secret in the operator's namespace, which goes with the world.
    pub(crate) async fn create_operators_secret(&self, object: Value) {
        self.leftovers.add::<Secret>(Some(OPERATORS), &object);
        object::create(&self.operators_secrets(), object).await;
    }

    /// The Secrets of the operator's namespace.
    pub fn operators_secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), OPERATORS)
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

    /// Creates a `WebhookEndpoint` with what is given in `spec`, and waits until it is Ready.
    pub async fn ready_endpoint(&self, name: &str, spec: Value) -> WebhookEndpoint {
        self.endpoint(name, spec).await;
        self.ready(name).await
    }

    /// Creates many `WebhookEndpoint`s at once.
    pub async fn endpoints_named(&self, names: impl IntoIterator<Item = String>, spec: &Value) {
        let creates = names.into_iter().map(|name| async move { self.endpoint(&name, spec.clone()).await });
        futures::stream::iter(creates).buffer_unordered(16).for_each(|_| std::future::ready(())).await;
    }

    /// Changes a `WebhookEndpoint` by a merge patch.
    pub async fn change(&self, name: &str, patch: Value) -> WebhookEndpoint {
        object::patch(&self.api(), name, patch).await
    }

    /// Deletes a `WebhookEndpoint` and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        self.ask_to_delete(name).await;
        self.until_deleted(name).await;
    }

    /// Deletes a `WebhookEndpoint`, which stays as long as its finalizer does.
    pub async fn ask_to_delete(&self, name: &str) {
        object::delete(&self.api::<WebhookEndpoint>(), name).await;
    }

    /// All objects of a namespaced kind.
    pub async fn all<K: Object<Scope = NamespaceResourceScope>>(&self) -> Vec<K> {
        self.api::<K>().list(&ListParams::default()).await.expect("the objects can be listed").items
    }

    /// What kubectl prints, with all rights, in the test's namespace.
    pub fn kubectl_says(&self, arguments: &[&str]) -> String {
        let arguments = [&["--namespace", &self.namespace], arguments].concat();
        kubectl(control_plane(), &arguments)
    }

    /// Runs kubectl with all rights, in the test's namespace; `input` is its standard input.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = control_plane()
            .kubectl_command()
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("kubectl reads");
        child.wait_with_output().expect("kubectl ends")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // First of all: it would put back what goes.
        self.own = None;
        tear_down(&self.namespace, &self.leftovers.take());
    }
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
