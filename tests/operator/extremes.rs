//! What the schemas admit is harmless: their extremes go through the types.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::Resource;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use testkit::World;
use webhook_operator::network::NetworkResource as _;
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint, WebhookNetwork, crds};

/// Texts at the edge of what somebody takes for a duration, a URL, a name, a host or anything else.
const TEXTS: [&str; 44] = [
    "",
    " ",
    "0",
    "a",
    "-",
    "0s",
    "0ms",
    "1ms",
    "10s",
    "60s",
    "60000ms",
    "87600h",
    "87601h",
    "99999h",
    "5256000m",
    "9999999m",
    "315360000s",
    "315360000000ms",
    "0h0m0s0ms",
    "87599h60m0s",
    "000000010s",
    "99999h9999999m999999999s999999999999ms",
    "-1s",
    "1.5h",
    "1d",
    "https://a",
    "HTTPS://A.EXAMPLE/",
    "https://a.example:0/",
    "https://a.example:65535/",
    "https://a.example:65536/",
    "https://a.example:/",
    "https://a.example./",
    "https://[::1]/",
    "https://1.2.3.4/",
    "https://256.256.256.256/",
    "https://0x7f.1/",
    "https://a_b.example/",
    "https://-a.example/",
    "https://xn--a/",
    "https://b\u{fc}cher.example/\u{2603}?q=%zz&\u{0}",
    "https://a.example/%",
    "*.example.com",
    "a.example.com",
    "-----BEGIN CERTIFICATE-----",
];

/// A field, or an item of a list or map, as the keys and indices that lead to it.
type Path = Vec<String>;

/// Values at the edges of a schema, and beyond, by the path of what they are for.
fn extremes(schema: &Value, path: &Path, found: &mut BTreeMap<Path, Vec<Value>>) {
    let mut values = vec![Value::Null];
    match schema["type"].as_str().unwrap_or_default() {
        "object" => {
            values.push(json!({}));
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                extremes(inner, &[path.as_slice(), std::slice::from_ref(name)].concat(), found);
            }
            if let Some(inner) = schema.get("additionalProperties") {
                let many = (0..schema["maxProperties"].as_u64().unwrap_or(100))
                    .map(|number| (format!("k{number}"), json!("v")));
                values.push(Value::Object(many.collect::<Map<_, _>>()));
                let keys = ["k", "example.com/k", "", "/", "webhookoperator.dev/k"].map(str::to_owned);
                for key in keys.into_iter().chain([long("k", 63), long("k", 254)]) {
                    extremes(inner, &[path.as_slice(), &[key]].concat(), found);
                }
            }
        }
        "array" => {
            values.push(json!([]));
            let mut items = BTreeMap::new();
            extremes(&schema["items"], &Vec::new(), &mut items);
            values.extend(items.remove(&Vec::new()).into_iter().flatten().map(|item| json!([item])));
            let most = schema["maxItems"].as_u64().unwrap_or(1000);
            values.push((0..most).map(|number| json!(format!("a{number}"))).collect());
        }
        "integer" => {
            let bounds = ["minimum", "maximum"].iter().filter_map(|bound| schema[*bound].as_i64());
            let edges =
                [i64::from(i32::MIN), -1, 0, 1, i64::from(i32::MAX), i64::from(u32::MAX) + 1, i64::MAX];
            let near = bounds.flat_map(|bound| [bound - 1, bound, bound + 1]);
            values.extend(near.chain(edges).map(Value::from));
            values.extend([json!(1.5), json!(1.0), json!(1e300)]);
        }
        "boolean" => values.extend([json!(true), json!(false)]),
        _ => {
            values.extend(schema["enum"].as_array().into_iter().flatten().cloned());
            values.extend(TEXTS.map(Value::from));
            for length in [schema["minLength"].as_u64(), schema["maxLength"].as_u64()].into_iter().flatten() {
                let length = usize::try_from(length).unwrap();
                values.extend(["a", "\u{1d51e}"].map(|text| json!(long(text, length))));
                values.push(json!(format!("https://a.example/{}", long("a", length.saturating_sub(18)))));
            }
        }
    }
    found.insert(path.clone(), values);
}

fn long(text: &str, length: usize) -> String {
    text.repeat(length)
}

fn set(object: &mut Value, path: &[String], value: Value) {
    match path {
        [] => *object = value,
        [name, rest @ ..] => {
            if !object.is_object() {
                *object = json!({});
            }
            set(&mut object[name.as_str()], rest, value);
        }
    }
}

/// Asks the API server of each value whether it admits it, without storing it, and reads what it admits; gives the
/// paths for which something was admitted.
async fn check<K>(world: &World, base: &Value, read: fn(&K)) -> BTreeSet<Path>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let kind = ApiResource::erase::<K>(&());
    let api = match base["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::<DynamicObject>::namespaced_with(world.client.clone(), namespace, &kind),
        None => Api::all_with(world.client.clone(), &kind),
    };
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == kind.kind).expect("its definition");
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let mut values = BTreeMap::new();
    extremes(&schema["openAPIV3Schema"]["properties"]["spec"], &vec!["spec".to_owned()], &mut values);
    let values =
        values.into_iter().flat_map(|(path, values)| values.into_iter().map(move |v| (path.clone(), v)));
    let asked = values.map(|(path, value)| {
        let (mut object, api) = (base.clone(), api.clone());
        set(&mut object, &path, value.clone());
        async move {
            let object = serde_json::from_value(object).expect("an object");
            let admitted = api.create(&PostParams { dry_run: true, field_manager: None }, &object).await;
            let admitted = match admitted {
                Ok(admitted) => serde_json::to_value(admitted).unwrap(),
                Err(kube::Error::Api(refused)) if refused.code < 500 => return None,
                Err(error) => panic!("{path:?}: {error}"),
            };
            match serde_json::from_value::<K>(admitted) {
                Ok(typed) => read(&typed),
                Err(error) => panic!("{} is admitted as {value} and can't be read: {error}", path.join(".")),
            }
            Some(path)
        }
    });
    futures::stream::iter(asked).buffer_unordered(16).filter_map(std::future::ready).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoints_schema_admits_can_be_read() {
    let world = World::without_operator("extreme-endpoints").await;
    let admitted = check::<WebhookEndpoint>(&world, &world.manifest("hook", json!({})), |endpoint| {
        let resource = webhook_operator::index::Resource::of(endpoint);
        assert_eq!(resource.url.as_str(), endpoint.spec.url);
    })
    .await;
    check_covered(&admitted, 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_networks_schema_admits_can_be_read() {
    let world = World::without_operator("extreme-networks").await;
    let mut admitted = BTreeSet::new();
    let reference = json!({ "secretKeyRef": { "namespace": "default", "name": "net", "key": "k" } });
    let oauth2 = json!({
        "tokenUrl": "https://auth.example.com/token", "audience": "a", "clientId": reference, "clientSecret": reference,
    });
    for auth in [json!({ "oauth2ClientCredentials": oauth2 }), json!({ "bearerToken": reference })] {
        let mut manifest = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "ClusterWebhookNetwork",
            "metadata": { "name": world.namespace },
            "spec": { "apiUrl": "https://api.example.com", "auth": auth },
        });
        admitted.extend(
            check::<ClusterWebhookNetwork>(&world, &manifest, |network| {
                let _ = network.declared().api();
            })
            .await,
        );
        manifest["kind"] = "WebhookNetwork".into();
        manifest["metadata"]["namespace"] = world.namespace.as_str().into();
        admitted.extend(
            check::<WebhookNetwork>(&world, &manifest, |network| {
                let _ = network.declared().api();
            })
            .await,
        );
    }
    check_covered(&admitted, 30);
}

/// That something was admitted for so many fields: else nothing was tried.
fn check_covered(admitted: &BTreeSet<Path>, fields: usize) {
    let paths = admitted.iter().map(|path| path.join(".")).collect::<Vec<_>>();
    assert!(paths.len() >= fields, "{}: {paths:#?}", paths.len());
}
