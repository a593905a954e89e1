//! A client that says exactly what it got.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use simulator::{Config, Handle, NetworkConfig, Simulator};

/// The longest that anything is waited for.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// The network that [`start`] sets up.
pub(crate) const NETWORK: &str = "n_abc123";

/// Its static bearer token.
pub(crate) const TOKEN: &str = "static-token";

/// Starts a simulator with one network.
pub(crate) async fn start() -> Simulator {
    start_with(Config::default()).await
}

/// Starts a simulator with one network more than `config` has.
pub(crate) async fn start_with(config: Config) -> Simulator {
    let network = NetworkConfig::new(NETWORK).client("client-1", "client-1-secret").bearer_token(TOKEN);
    Simulator::start(config.network(network)).await.unwrap()
}

/// Calls a simulator's API with a token.
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The `id` of the one endpoint shown.
    pub(crate) fn id(&self) -> simulator::EndpointId {
        self.json()["data"]["id"].as_str().unwrap().into()
    }

    /// The ids of a page.
    pub(crate) fn ids(&self) -> Vec<String> {
        let json = self.json();
        let items = json["data"]["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Client {
    pub(crate) fn new(simulator: &Handle) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { http, base: simulator.base_url(), token: TOKEN.to_owned() }
    }

    pub(crate) fn with_token(simulator: &Handle, token: impl Into<String>) -> Self {
        Self { token: token.into(), ..Self::new(simulator) }
    }

    /// Sends a call; gives the answer's head.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await
    }

    /// Sends a call and reads the answer to its end.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Answer> {
        let response = self.send(method, path, body).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    pub(crate) async fn create(&self, url: &str) -> reqwest::Result<Answer> {
        let body = json!({ "url": url, "enabledEvents": ["ocpp.message"], "status": "active" });
        self.call(Method::POST, "/webhook-endpoints", Some(body)).await
    }

    pub(crate) async fn list(&self, query: &str) -> reqwest::Result<Answer> {
        self.call(Method::GET, &format!("/webhook-endpoints{query}"), None).await
    }

    pub(crate) async fn get(&self, id: impl AsRef<str>) -> reqwest::Result<Answer> {
        self.call(Method::GET, &format!("/webhook-endpoints/{}", id.as_ref()), None).await
    }

    pub(crate) async fn patch(&self, id: impl AsRef<str>, body: Value) -> reqwest::Result<Answer> {
        self.call(Method::PATCH, &format!("/webhook-endpoints/{}", id.as_ref()), Some(body)).await
    }

    pub(crate) async fn delete(&self, id: impl AsRef<str>) -> reqwest::Result<Answer> {
        self.call(Method::DELETE, &format!("/webhook-endpoints/{}", id.as_ref()), None).await
    }

    /// Every id, page by page, and how many pages it took.
    pub(crate) async fn list_all(&self, limit: usize) -> (Vec<String>, usize) {
        let (mut ids, mut pages) = (Vec::new(), 0);
        loop {
            let cursor = ids.last().map(|id| format!("&startingAfter={id}")).unwrap_or_default();
            let page = self.list(&format!("?limit={limit}{cursor}")).await.unwrap();
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            pages += 1;
            let page_ids = page.ids();
            assert!(page_ids.len() <= limit);
            ids.extend(page_ids);
            if page.json()["data"]["hasMore"] == json!(false) {
                return (ids, pages);
            }
        }
    }
}

/// Asks for an OAuth token.
pub(crate) async fn token(simulator: &Handle, client_id: &str, client_secret: &str) -> Answer {
    let body = json!({
        "client_id": client_id, "client_secret": client_secret,
        "audience": "https://api.lynkwell.com", "grant_type": "client_credentials",
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http.post(simulator.token_url()).json(&body).send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}
