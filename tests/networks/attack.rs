//! What a tenant may try with every reference of every resource, put to the test across namespaces.

use std::collections::BTreeMap;

use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use simulator::{NetworkConfig, NewEndpoint, Operation, Simulator};
use testkit::audit::Mark;
use testkit::{OperatorOptions, World, control_plane, merge};
use webhook_operator::resources::WebhookNetwork;

use crate::fields::{FIELDS, Field};
use crate::user::{User, everything_of_ours_and_secrets, of_kind, refusal, resource};

/// A victim and an attacker, each in a namespace of their own, and the same operator for both.
struct Scene {
    victim: World,
    attacker: World,
    tenant: User,
    /// The attacker's own API, which would know the victim's credentials if they were sent to it.
    evil: Simulator,
    /// The ids of the victim's endpoints: by its own network and by the one that both may use.
    ids: [String; 2],
    /// An endpoint in the evil network, which is the tenant's to adopt.
    own: String,
}

const VICTIMS: &str = "n_victim";

impl Scene {
    async fn prepare() -> Self {
        let victim = World::with_operator("victim", OperatorOptions::default()).await;
        let mut attacker = World::without_operator("attacker").await;
        attacker.labels = victim.labels.clone();
        for (name, allowed) in
            [("shared", vec![&victim.namespace]), ("common", vec![&victim.namespace, &attacker.namespace])]
        {
            let allowed = json!({ "allowedNamespaces": { "names": allowed } });
            victim.add_good_cluster_network(name, allowed).await;
        }
        victim.add_credentials().await;
        victim.add_team_network("default", json!({ "resyncInterval": "1h" })).await;
        victim
            .endpoint("own", json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } }))
            .await;
        victim.endpoint_of("common", "common", json!({})).await;
        let mut ids = Vec::new();
        for name in ["own", "common"] {
            let status = victim.ready(name).await.status;
            ids.push(status.and_then(|status| status.endpoint).expect("an endpoint").id);
        }

        let evil = simulator::Config::default()
            .network(NetworkConfig::new("n_evil").client("evil-id", "evil-secret").bearer_token("evil-token"))
            .network(
                NetworkConfig::new(VICTIMS)
                    .client("client-id", "client-secret")
                    .bearer_token("client-secret"),
            )
            .tls();
        let evil = Simulator::start(evil).await.expect("it starts");
        let tenant = User::in_namespace(&attacker, "tenant", everything_of_ours_and_secrets()).await;
        let values = json!({ "clientId": "evil-id", "clientSecret": "evil-secret", "token": "evil-token" });
        let secret = json!({ "metadata": { "name": "evil" }, "stringData": values });
        tenant.create("Secret", &secret).await.expect("the tenant's own Secret");
        let ids = ids.try_into().expect("two ids");
        let own = NewEndpoint::new("https://evil.example.com").events(["ocpp.message"]);
        let own = evil.insert("n_evil", own).as_str().to_owned();
        let scene = Self { victim, attacker, tenant, evil, ids, own };
        let network = scene.base("WebhookNetwork");
        scene
            .tenant
            .create("WebhookNetwork", &scene.named("evil", network))
            .await
            .expect("the tenant's own network");
        scene
    }

    /// A spec with nothing wrong in it.
    fn base(&self, kind: &str) -> Value {
        let https = self.evil.https().expect("it serves https");
        let reference = |key: &str| {
            let mut reference = json!({ "name": "evil", "key": key });
            if kind == "ClusterWebhookNetwork" {
                reference["namespace"] = self.attacker.namespace.clone().into();
            }
            json!({ "secretKeyRef": reference })
        };
        match kind {
            "WebhookEndpoint" => json!({
                "networkRef": { "kind": "WebhookNetwork", "name": "evil" },
                "url": "https://evil.example.com",
                "enabledEvents": ["ocpp.message"],
            }),
            _ => json!({
                "apiUrl": https.base_url,
                "caBundle": https.ca_pem,
                "resyncInterval": "1h",
                "auth": { "oauth2ClientCredentials": {
                    "tokenUrl": https.token_url,
                    "audience": "https://api.lynkwell.com",
                    "clientId": reference("clientId"),
                    "clientSecret": reference("clientSecret"),
                }},
            }),
        }
    }

    fn named(&self, name: &str, spec: Value) -> Value {
        json!({ "metadata": { "name": name, "labels": self.attacker.labels }, "spec": spec })
    }

    /// The spellings by which a name might be taken for one of the victim's namespace.
    fn spellings(&self, name: &str) -> Vec<Value> {
        let victim = &self.victim.namespace;
        let spellings = [
            name.to_owned(),
            format!("{victim}/{name}"),
            format!("../{victim}/{name}"),
            format!("{victim}.{name}"),
            format!("{name}.{victim}"),
            format!("{victim}%2F{name}"),
        ];
        spellings.map(Value::from).into()
    }

    /// The specs to try for a field that refers to something.
    fn attempts(&self, kind: &str, path: &str) -> Vec<Value> {
        let with = |values: Vec<Value>, beside: Value| {
            let specs = values.into_iter().map(move |value| {
                let mut spec = self.base(kind);
                merge(&mut spec, beside.clone());
                put(&mut spec, path, value);
                spec
            });
            specs.collect::<Vec<_>>()
        };
        let victim = Value::from(self.victim.namespace.clone());
        let (shared, common) = (self.victim.named("shared"), self.victim.named("common"));
        let network = |kind: &str, name: &str| json!({ "networkRef": { "kind": kind, "name": name } });
        let token = json!({ "auth": { "oauth2ClientCredentials": null, "bearerToken": { "secretKeyRef": { "name": "evil", "key": "token" }}}});
        let api = self.victim.simulator.https().expect("it serves https");
        match (kind, path) {
            ("WebhookEndpoint", "networkRef.kind") => {
                let kinds = [
                    "WebhookNetwork",
                    "ClusterWebhookNetwork",
                    "Secret",
                    "webhookoperator.dev/WebhookNetwork",
                ];
                let mut specs = with(kinds.map(Value::from).into(), network("", "default"));
                specs.extend(with(kinds.map(Value::from).into(), network("", &shared)));
                specs
            }
            ("WebhookEndpoint", "networkRef.name") => {
                let mut specs = with(self.spellings("default"), network("WebhookNetwork", ""));
                specs.extend(with(vec![shared.into()], network("ClusterWebhookNetwork", "")));
                specs
            }
            ("WebhookEndpoint", "networkRef.namespace") => {
                with(vec![victim], network("WebhookNetwork", "default"))
            }
            ("WebhookEndpoint", "secret.namespace") => {
                with(vec![victim], json!({ "secret": { "name": "own" } }))
            }
            ("WebhookEndpoint", "secret.name") => {
                let mut specs = with(self.spellings("own"), json!({}));
                specs.extend(with(self.spellings("credentials"), json!({})));
                specs
            }
            ("WebhookEndpoint", "secret.annotations{}" | "secret.labels{}") => {
                let [own, common] = &self.ids;
                let own = json!({ "webhookoperator.dev/endpoint-id": own });
                let common =
                    json!({ "webhookoperator.dev/endpoint-id": common, "webhookoperator.dev/attempt": "99" });
                let other = json!({ "kubernetes.io/service-account.name": "default" });
                with(vec![own, common, other], json!({}))
            }
            ("WebhookEndpoint", "adopt.secretRef.name") => {
                let adopt = json!({ "endpointId": self.own, "secretRef": { "key": "clientSecret" } });
                with(self.spellings("credentials"), json!({ "adopt": adopt }))
            }
            ("WebhookEndpoint", "adopt.secretRef.key") => {
                let adopt = json!({ "endpointId": self.own, "secretRef": { "name": "credentials" } });
                with(self.spellings("clientSecret"), json!({ "adopt": adopt }))
            }
            ("WebhookEndpoint", "adopt.endpointId") => {
                let ids = self.ids.clone().map(Value::from);
                let mut specs = with(ids.clone().into(), json!({}));
                for name in [&common, &shared] {
                    specs.extend(with(ids.clone().into(), network("ClusterWebhookNetwork", name)));
                }
                specs.extend(with(vec![json!("../webhook-endpoints"), json!("..")], json!({})));
                specs
            }
            ("WebhookEndpoint", "url") => {
                let urls = [
                    "https://hooks.example.com/common",
                    "https://127.0.0.1:1",
                    "https://169.254.169.254/latest",
                ];
                let mut specs = with(urls.map(Value::from).into(), network("ClusterWebhookNetwork", &common));
                specs.extend(with(urls.map(Value::from).into(), json!({})));
                specs
            }
            ("WebhookNetwork", "apiUrl") => {
                let urls =
                    [api.base_url, control_plane().server().to_owned(), "https://169.254.169.254".to_owned()];
                with(urls.map(Value::from).into(), token)
            }
            ("WebhookNetwork", "auth.oauth2ClientCredentials.tokenUrl") => {
                with(vec![api.token_url.into(), control_plane().server().into()], json!({}))
            }
            ("WebhookNetwork", "auth.bearerToken.secretKeyRef.namespace") => with(
                vec![victim],
                json!({ "auth": { "oauth2ClientCredentials": null, "bearerToken": { "secretKeyRef": { "name": "credentials", "key": "clientSecret" }}}}),
            ),
            ("WebhookNetwork", "auth.bearerToken.secretKeyRef.name") => {
                let key = json!({ "auth": { "oauth2ClientCredentials": null, "bearerToken": { "secretKeyRef": { "name": "evil", "key": "clientSecret" }}}});
                with(self.spellings("credentials"), key)
            }
            ("WebhookNetwork", "auth.bearerToken.secretKeyRef.key") => {
                with(self.spellings("credentials/clientSecret"), token)
            }
            ("WebhookNetwork", path) if path.ends_with("secretKeyRef.name") => {
                with(self.spellings("credentials"), json!({}))
            }
            ("WebhookNetwork", path) if path.ends_with("secretKeyRef.key") => {
                with(self.spellings("credentials/clientSecret"), json!({}))
            }
            // Not for a tenant to create at all; one value for each field shows it.
            ("ClusterWebhookNetwork", _) => with(vec![json!("credentials")], json!({})),
            _ => panic!("nobody has thought of how to attack {kind} {path}: add it"),
        }
    }

    /// All that is the victim's, in both places.
    async fn belongings(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let client = &self.victim.client;
        for kind in ["Secret", "WebhookEndpoint", "WebhookNetwork"] {
            let api = Api::<DynamicObject>::namespaced_with(
                client.clone(),
                &self.victim.namespace,
                &resource(kind),
            );
            for object in api.list(&ListParams::default()).await.expect("they can be listed") {
                all.insert(
                    format!("{kind} {}", object.name_any()),
                    serde_json::to_value(object).expect("JSON"),
                );
            }
        }
        for name in ["shared", "common"] {
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource("ClusterWebhookNetwork"));
            let object = api.get(&self.victim.named(name)).await.expect("it is there");
            let kept = (object.metadata.uid, object.metadata.generation, object.metadata.deletion_timestamp);
            all.insert(format!("network {name}"), json!([kept.0, kept.1, kept.2, object.data["spec"]]));
        }
        for id in &self.ids {
            let endpoint = self.victim.simulator.endpoint(&id.as_str().into());
            all.insert(format!("endpoint {id}"), serde_json::to_value(endpoint).expect("JSON"));
        }
        all
    }
}

/// Puts a value at a path, as the table writes it, and makes what is missing above it.
fn put(spec: &mut Value, path: &str, value: Value) {
    let mut at = spec;
    for part in path.split('.') {
        let name = part.trim_end_matches("[]").trim_end_matches("{}");
        let lists = part.matches("[]").count();
        at = &mut at[name];
        for _ in 0..lists {
            if !at.is_array() {
                *at = json!([{}]);
            }
            at = &mut at[0];
        }
    }
    *at = value;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reference_leads_out_of_the_tenants_namespace() {
    let scene = Scene::prepare().await;
    let before = scene.belongings().await;
    let mark = Mark::now();
    let writes = scene.victim.simulator.ledger().last_sequence();

    let references = FIELDS.iter().filter(|(_, _, field)| *field == Field::Reference);
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for (index, (kind, path, _)) in references.enumerate() {
        let attempts = scene.attempts(kind, path);
        assert!(!attempts.is_empty(), "{kind} {path} was not tried");
        for (number, spec) in attempts.into_iter().enumerate() {
            let name = format!("attack-{index}-{number}");
            let object = scene.named(&name, spec);
            let cluster = *kind == "ClusterWebhookNetwork";
            let api = if cluster { scene.tenant.cluster_api(kind) } else { scene.tenant.api(kind) };
            let outcome = api.create(&kube::api::PostParams::default(), &of_kind(kind, &object)).await;
            match (&outcome, refusal(&outcome)) {
                (Ok(_), _) if !cluster => accepted.push((*kind, name, *path)),
                (Err(_), Some(status)) if cluster => {
                    assert_eq!(status.code, 403, "{kind} {path}: {status:?}");
                }
                (Err(_), Some(status)) if matches!(status.code, 400 | 403 | 422) => refused += 1,
                _ => panic!("{kind} {path}: {outcome:?}"),
            }
        }
    }
    assert!(accepted.len() >= 30 && refused >= 10, "{} were accepted, {refused} refused", accepted.len());
    // Nor do the tenant's rights reach there directly.
    for kind in ["Secret", "WebhookEndpoint", "WebhookNetwork"] {
        let api = scene.tenant.api_in(kind, &scene.victim.namespace);
        let outcome = api.list(&ListParams::default()).await;
        assert_eq!(refusal(&outcome).map(|status| status.code), Some(403), "{kind}");
    }

    // Each is looked at by the operator, and found wanting or harmless.
    for (kind, name, path) in &accepted {
        let api = Api::<DynamicObject>::namespaced_with(
            scene.attacker.client.clone(),
            &scene.attacker.namespace,
            &resource(kind),
        );
        let told = |object: Option<&DynamicObject>| {
            object.is_some_and(|object| {
                object.data["status"]["observedGeneration"] == json!(object.metadata.generation)
            })
        };
        scene.victim.until_in(api, name, &format!("looked at ({kind} {path})"), told).await;
    }
    assert_eq!(scene.belongings().await, before, "while the attacks stand");

    // And when they go, they take nothing of the victim's along.
    for (kind, name, _) in accepted.iter().rev() {
        scene.tenant.api(kind).delete(name, &DeleteParams::default()).await.expect("the tenant deletes it");
    }
    for (kind, name, _) in &accepted {
        match *kind {
            "WebhookEndpoint" => scene.attacker.until_deleted(name).await,
            _ => scene.attacker.until_gone(scene.attacker.api::<WebhookNetwork>(), name).await,
        }
    }
    assert_eq!(scene.belongings().await, before, "after the attacks");

    // The operator asked nothing about the victim's namespace, and nobody was sent the victim's credentials.
    let operator = scene.victim.operator();
    let asked = mark.requests(operator);
    let about =
        asked.iter().filter(|request| request.namespace == scene.victim.namespace).collect::<Vec<_>>();
    assert!(about.is_empty(), "{about:#?}");
    assert!(asked.iter().any(|request| request.namespace == scene.attacker.namespace), "the log is read");
    let stolen = scene.evil.ledger().of_network(&VICTIMS.into());
    assert!(stolen.entries().is_empty(), "{stolen:?}");
    let changed = scene.victim.simulator.ledger().since(writes);
    let changed = changed.calls(Operation::Patch).filter_map(|entry| entry.id.as_ref()).collect::<Vec<_>>();
    assert!(changed.is_empty(), "{changed:?}");
}
