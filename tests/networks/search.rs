//! Looks for secrets where none should be.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, verbs};
use kube::{Client, ResourceExt as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// What to look for: each spelling of each secret, with the secret's name.
pub struct Canaries {
    spellings: BTreeMap<String, String>,
}

impl Canaries {
    /// Names and secrets.
    pub fn new(secrets: impl IntoIterator<Item = (String, SecretString)>) -> Self {
        let mut spellings = BTreeMap::new();
        for (name, secret) in secrets {
            let secret = secret.expose_secret();
            assert!(secret.len() >= 12, "{name} is too short to be told from other text");
            for (how, spelling) in spellings_of(secret) {
                // Some are spelt alike in several ways, beginning with the secret itself.
                spellings.entry(spelling).or_insert_with(|| format!("{name} ({how})"));
            }
        }
        Self { spellings }
    }

    /// How many secrets, each in several spellings, are looked for.
    pub fn len(&self) -> usize {
        self.spellings.values().filter(|what| what.ends_with("(raw)")).count()
    }

    /// The names of the secrets that a text holds.
    pub fn in_text(&self, text: &str) -> Vec<&str> {
        let found = self.spellings.iter().filter(|(spelling, _)| text.contains(spelling.as_str()));
        found.map(|(_, what)| what.as_str()).collect()
    }

    /// Where in the cluster a secret is, other than in the data of a Secret for which `is_intended`.
    ///
    /// Reads every object of every kind that the API server serves; that is what etcd holds.
    pub async fn in_cluster(&self, client: &Client, is_intended: impl Fn(&DynamicObject) -> bool) -> Hits {
        let discovery = Discovery::new(client.clone()).run().await.expect("the API can be discovered");
        let mut hits = Hits::default();
        for group in discovery.groups() {
            for (resource, capabilities) in group.resources_by_stability() {
                if !capabilities.supports_operation(verbs::LIST) {
                    continue;
                }
                let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
                let objects = api.list(&ListParams::default()).await.expect("everything can be listed").items;
                *hits.looked_at.entry(resource.kind.clone()).or_default() += objects.len();
                for mut object in objects {
                    let is_secret = resource.kind == "Secret" && resource.group.is_empty();
                    if is_secret && is_intended(&object) {
                        object.data["data"] = Value::Null;
                    }
                    let place = format!("{} {:?} {}", resource.kind, object.namespace(), object.name_any());
                    let text = serde_json::to_string(&object).expect("JSON");
                    hits.found
                        .extend(self.in_text(&text).into_iter().map(|what| format!("{what} in {place}")));
                }
            }
        }
        hits
    }
}

/// What a search of the cluster found.
#[derive(Debug, Default)]
pub struct Hits {
    /// Which secret is where.
    pub found: Vec<String>,
    /// How many objects of each kind were looked at.
    pub looked_at: BTreeMap<String, usize>,
}

fn spellings_of(secret: &str) -> Vec<(String, String)> {
    let form = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let json = serde_json::to_string(secret).expect("JSON");
    let mut spellings = vec![
        ("raw".to_owned(), secret.to_owned()),
        ("as a form has it".to_owned(), form),
        ("URL-encoded".to_owned(), utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()),
        ("as JSON has it".to_owned(), json.trim_matches('"').to_owned()),
        ("hexadecimal".to_owned(), secret.bytes().map(|byte| format!("{byte:02x}")).collect()),
        (
            "as a list of bytes".to_owned(),
            format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned(),
        ),
    ];
    // Within a longer text, for each of the three places at which it may begin: what depends on nothing
    // before or after it.
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(secret.bytes());
        let from = before.div_ceil(3) * 4;
        let to = bytes.len() / 3 * 4;
        for (name, engine) in [("base64", STANDARD_NO_PAD), ("base64 for URLs", URL_SAFE_NO_PAD)] {
            spellings.push((format!("{name}, {before}"), engine.encode(&bytes)[from..to].to_owned()));
        }
    }
    spellings
}

#[test]
fn every_spelling_is_found() {
    let secret = "canary: a b/c+d=e&f%g\"h?~";
    let canaries = Canaries::new([("it".to_owned(), SecretString::from(secret))]);
    assert_eq!(canaries.len(), 1);
    let encoded =
        |engine: &dyn Fn(&str) -> String, before: &str| engine(&format!("{before}{secret} and more"));
    let standard = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let for_urls = |text: &str| base64::engine::general_purpose::URL_SAFE.encode(text);
    for text in [
        format!("Authorization: Bearer {secret}"),
        format!("{{:?}} {:?}", secret.as_bytes()),
        format!("x={}", utf8_percent_encode(secret, NON_ALPHANUMERIC)),
        url::form_urlencoded::Serializer::new(String::new()).append_pair("x", secret).finish(),
        serde_json::json!({ "x": secret }).to_string(),
        encoded(&standard, ""),
        encoded(&standard, "a"),
        encoded(&standard, "ab"),
        encoded(&standard, "abc"),
        encoded(&for_urls, "a"),
    ] {
        assert!(!canaries.in_text(&text).is_empty(), "{text}");
    }
    assert!(canaries.in_text("canary: a b/c").is_empty());
}
