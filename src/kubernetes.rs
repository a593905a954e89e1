//! What is asked of Kubernetes in the same way everywhere: the clients, and lists.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use kube::api::ListParams;
use kube::client::{Body, ClientBuilder};
use kube::core::ObjectList;
use kube::{Client, Config};
use tower::BoxError;
use tower::filter::FilterLayer;
use tower::util::MapResponseLayer;

use crate::provider::{Clock, Fence};

/// The clients of one term of leadership.
pub(crate) struct Clients {
    /// For reads and writes.
    pub(crate) calls: Client,
    /// For watches.
    pub(crate) watches: Client,
    /// The cluster's clock, as the API server's answers tell it: the machine's may be wrong.
    pub(crate) clock: Arc<Clock>,
}

/// Why a write did not leave.
#[derive(Debug, thiserror::Error)]
#[error("this process may not act now, so nothing is written to Kubernetes")]
struct NotLeading;

impl Clients {
    /// Makes the clients. This is the one place through which every write to Kubernetes leaves: none does while
    /// the fence is shut.
    pub(crate) fn new(config: &Config, fence: &Fence) -> kube::Result<Self> {
        let clock = Arc::new(Clock::local());
        let guard = FilterLayer::new(guard(fence));
        let calls = ClientBuilder::try_from(for_calls(config.clone()))?;
        let calls = calls.with_layer(&guard).with_layer(&reads_the_clock(&clock)).build();
        let watches = ClientBuilder::try_from(for_watches(config.clone()))?;
        let watches = watches.with_layer(&reads_the_clock(&clock)).build();
        Ok(Self { calls, watches, clock })
    }
}

/// The client by which replicas agree on the one that acts.
pub(crate) fn election_client(config: &Config) -> kube::Result<Client> {
    Ok(ClientBuilder::try_from(for_calls(config.clone()))?.build())
}

/// Has `clock` go by the answers that pass.
fn reads_the_clock<B>(
    clock: &Arc<Clock>,
) -> MapResponseLayer<impl FnOnce(Response<B>) -> Response<B> + Clone + use<B>> {
    let clock = Arc::clone(clock);
    MapResponseLayer::new(move |response: Response<B>| {
        clock.learn(response.headers(), Instant::now());
        response
    })
}

/// Lets reads pass, and writes while the fence is open.
fn guard(fence: &Fence) -> impl Fn(Request<Body>) -> Result<Request<Body>, BoxError> + Clone + use<> {
    let fence = fence.clone();
    move |request| {
        if !fence.is_open() && !request.method().is_safe() {
            Err(BoxError::from(NotLeading))
        } else {
            Ok(request)
        }
    }
}

/// The client retries on its own by default; retries are ours.
fn for_calls(mut config: Config) -> Config {
    let timeout = Some(Duration::from_secs(15));
    config.default_retry = false;
    // What has passed the fence leaves soon.
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = timeout;
    config.write_timeout = timeout;
    config
}

/// A watch is silent for up to its own timeout of 290 s.
fn for_watches(config: Config) -> Config {
    let mut config = for_calls(config);
    config.read_timeout = Some(Duration::from_mins(5));
    config
}

/// The pages of a consistent list.
pub(crate) fn pages<K, F, R>(list: F) -> impl futures::Stream<Item = kube::Result<Vec<K>>>
where
    K: Clone,
    F: Fn(ListParams) -> R,
    R: Future<Output = kube::Result<ObjectList<K>>>,
{
    futures::stream::try_unfold((list, Some(String::new())), |(list, token)| async move {
        let Some(token) = token else { return Ok(None) };
        let params = ListParams::default().limit(500);
        let params = if token.is_empty() { params } else { params.continue_token(&token) };
        let page = list(params).await?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        Ok(Some((page.items, (list, next))))
    })
}

#[cfg(test)]
mod tests {
    use http::Method;
    use tower::{Layer as _, ServiceExt as _};

    use super::*;

    #[tokio::test]
    async fn the_clusters_clock_is_the_api_servers_whatever_the_machines_shows() {
        let clock = Arc::new(Clock::local());
        let answer = |()| async {
            Ok::<_, BoxError>(
                Response::builder().header("Date", "Tue, 01 Jan 2041 00:00:00 GMT").body(()).unwrap(),
            )
        };
        let service = reads_the_clock(&clock).layer(tower::service_fn(answer));
        service.oneshot(()).await.unwrap();
        let ahead = clock.now().duration_since("2041-01-01T00:00:00Z".parse().unwrap());
        assert!(ahead.as_secs() < 60, "{ahead}");
    }

    #[test]
    fn nothing_is_written_while_the_fence_is_shut() {
        let fence = Fence::default();
        let guard = guard(&fence);
        let passes = |method: Method| {
            let request = Request::builder().method(method).uri("/api").body(Body::empty()).unwrap();
            guard(request).is_ok()
        };
        let writes = [Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
        assert!(writes.iter().all(|method| passes(method.clone())));
        fence.close();
        assert!(!writes.iter().any(|method| passes(method.clone())));
        assert!(passes(Method::GET));
    }
}
