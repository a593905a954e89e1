//! The five operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::body::{LIST_BYTES, SINGLE_BYTES};
use super::config::{ClientConfig, ConfigError, Priority};
use super::endpoint::{CreatedEndpoint, Endpoint, EndpointPatch, NewEndpoint, Page};
use super::error::{Error, Failure};
use super::exchange::{Call, Exchange};
use super::ids::EndpointId;
use super::meter::Meter;
use super::operation::Operation;
use super::wire;

/// What a path segment keeps as it is: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The number of items asked for in a page: the API's maximum.
const PAGE_ITEMS: &str = "100";

/// A client for one network. Clones share its connections, token, budget and clock.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("collection", &self.inner.collection.as_str()).finish_non_exhaustive()
    }
}

struct Inner {
    /// `…/webhook-endpoints`, without a slash at the end.
    collection: Url,
    /// Everything between a request and the body of its answer.
    exchange: Exchange,
}

impl Client {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work, whatever the network does.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        Self::succeeding(config, None)
    }

    /// Makes a client in the place of `before`. One of the same API goes on with its clock, its budget and what
    /// it asked for: a pause is the API's wish, whoever asks and with whatever credentials.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work, whatever the network does.
    pub fn succeeding(config: ClientConfig, before: Option<&Self>) -> Result<Self, ConfigError> {
        config.check()?;
        let collection = collection(&config.api_url);
        let before = before.map(|before| &before.inner).filter(|before| before.collection == collection);
        let exchange = Exchange::new(config, before.map(|before| &before.exchange))?;
        Ok(Self { inner: Arc::new(Inner { collection, exchange }) })
    }

    /// Creates an endpoint. The answer is the only one that ever shows its secret.
    ///
    /// The request is sent by `no_later_than`, by the API's clock ([`Self::now`]), or not at all, however
    /// long it has to wait for a token or for its turn; it is answered within the timeout after that.
    ///
    /// # Errors
    ///
    /// See [`Error::class`]; after an `Ambiguous` one the endpoint may exist, with a secret that
    /// nobody knows. See [`Error::is_held_back`] for one that was too late.
    pub async fn create(
        &self,
        new: &NewEndpoint,
        no_later_than: Timestamp,
    ) -> Result<CreatedEndpoint, Error> {
        let operation = Operation::Create;
        let call = Call { no_later_than: Some(no_later_than), ..change(operation) };
        let request = |http: &reqwest::Client| http.post(self.inner.collection.clone()).json(new);
        self.exchange().run(&call, request, |body| wire::created(body, new)).await
    }

    /// What counts what is asked.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        self.exchange().meter()
    }

    /// Waits until this process may act: what is asked before is held back.
    pub async fn may_act(&self) {
        self.exchange().may_act().await;
    }

    /// Reads an endpoint.
    ///
    /// # Errors
    ///
    /// See [`Error::class`].
    pub async fn get(&self, id: &EndpointId, priority: Priority) -> Result<Endpoint, Error> {
        let operation = Operation::Get;
        let url = self.item(operation, id)?;
        let call = Call { operation, priority, cap: Some(SINGLE_BYTES), no_later_than: None };
        self.exchange().run(&call, |http| http.get(url.clone()), |body| wire::endpoint(body, id)).await
    }

    /// Updates an endpoint and returns it as it is then, if the answer shows it: its status says that the update
    /// was accepted, whatever its body.
    ///
    /// # Errors
    ///
    /// See [`Error::class`].
    pub async fn patch(&self, id: &EndpointId, patch: &EndpointPatch) -> Result<Option<Endpoint>, Error> {
        let operation = Operation::Patch;
        let url = self.item(operation, id)?;
        let request = |http: &reqwest::Client| http.patch(url.clone()).json(patch);
        self.exchange().run(&change(operation), request, |body| wire::patched(body, id)).await
    }

    /// Deletes an endpoint. The status of the answer says it all; its body does not matter.
    ///
    /// # Errors
    ///
    /// See [`Error::class`]; `NotFound` means that there is nothing left to delete.
    pub async fn delete(&self, id: &EndpointId) -> Result<(), Error> {
        let operation = Operation::Delete;
        let url = self.item(operation, id)?;
        let call = Call { cap: None, ..change(operation) };
        self.exchange().run(&call, |http| http.delete(url.clone()), |_| Ok(())).await
    }

    /// Reads one page of the list, of at most 100 endpoints, beginning after the endpoint `after`.
    ///
    /// # Errors
    ///
    /// See [`Error::class`].
    pub async fn list_page(&self, after: Option<&EndpointId>, priority: Priority) -> Result<Page, Error> {
        let operation = Operation::List;
        let mut url = self.inner.collection.clone();
        url.query_pairs_mut().append_pair("limit", PAGE_ITEMS);
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("startingAfter", after.as_str());
        }
        let call = Call { operation, priority, cap: Some(LIST_BYTES), no_later_than: None };
        let page = self.exchange().run(&call, |http| http.get(url.clone()), wire::page).await;
        page.map_err(|error| if after.is_some() { error.about_cursor() } else { error })
    }

    /// The time by the API's clock: that of its latest answer, carried on by the local monotonic
    /// clock. It is up to about a second behind. Before any answer it is the local time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.exchange().now()
    }

    /// How long the API is left in peace from now on, if it is down: nothing when it is time for a list to
    /// find out whether it is back.
    #[must_use]
    pub fn outage_pause(&self) -> Option<Duration> {
        self.exchange().limiter.outage_pause()
    }

    /// Waits until the API goes down, or has gone down since the last time that one waited for it. From
    /// then on all calls are refused, but for a list after each [`Self::outage_pause`]; the first one that
    /// is answered ends the outage. For one task, which lists.
    pub async fn outage_began(&self) {
        self.exchange().limiter.outage_began().await;
    }

    /// Obtains a token if there is none that is valid. The API itself is not called.
    ///
    /// # Errors
    ///
    /// When the token URL refuses the credentials or gives no token.
    pub async fn authenticate(&self) -> Result<(), Error> {
        self.exchange().authenticate().await
    }

    fn exchange(&self) -> &Exchange {
        &self.inner.exchange
    }

    fn item(&self, operation: Operation, id: &EndpointId) -> Result<Url, Error> {
        item(&self.inner.collection, id).ok_or_else(|| Error::new(operation, Failure::InvalidId))
    }
}

/// A change, of one endpoint.
fn change(operation: Operation) -> Call {
    Call { operation, priority: Priority::Change, cap: Some(SINGLE_BYTES), no_later_than: None }
}

/// The collection's URL below the base URL, which may end in a slash.
fn collection(api_url: &Url) -> Url {
    let mut url = api_url.clone();
    let path = format!("{}/webhook-endpoints", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// The URL of one endpoint, if there is one: an empty id would name the collection, and dots would be
/// resolved away, up to it or beyond.
fn item(collection: &Url, id: &EndpointId) -> Option<Url> {
    let id = id.as_str();
    if matches!(id, "" | "." | "..") {
        return None;
    }
    let mut url = collection.clone();
    let path = format!("{}/{}", collection.path(), utf8_percent_encode(id, SEGMENT));
    url.set_path(&path);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection_of(api_url: &str) -> Url {
        collection(&api_url.parse().unwrap())
    }

    #[test]
    fn the_collection_is_below_the_base_url() {
        for base in ["https://api.example.com/webhooks/v1", "https://api.example.com/webhooks/v1/"] {
            assert_eq!(collection_of(base).as_str(), "https://api.example.com/webhooks/v1/webhook-endpoints");
        }
        assert_eq!(
            collection_of("https://api.example.com").as_str(),
            "https://api.example.com/webhook-endpoints"
        );
    }

    #[test]
    fn an_id_never_leaves_the_collection() {
        let collection = collection_of("https://api.example.com/v1");
        for (id, expected) in [
            ("wh_abc123", Some("wh_abc123")),
            ("we-1.2~3", Some("we-1.2~3")),
            ("a/b", Some("a%2Fb")),
            ("../other", Some("..%2Fother")),
            ("a\\..\\b", Some("a%5C..%5Cb")),
            ("%2e%2e", Some("%252e%252e")),
            (".\t.", Some(".%09.")),
            ("a?b#c", Some("a%3Fb%23c")),
            ("…", Some("%E2%80%A6")),
            ("", None),
            (".", None),
            ("..", None),
        ] {
            let expected =
                expected.map(|segment| format!("https://api.example.com/v1/webhook-endpoints/{segment}"));
            assert_eq!(item(&collection, &id.into()).map(String::from), expected, "{id:?}");
        }
    }
}
