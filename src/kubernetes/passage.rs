//! What every request to the API server passes on its way out and back.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tower::{BoxError, Layer, Service};

use crate::provider::{Clock, Fence};

/// What is counted of the calls to the API server. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct KubernetesMetrics {
    requests: Family<Asked, Counter>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Asked {
    method: String,
    /// The status of the answer; 0 where there was none.
    code: u16,
}

impl KubernetesMetrics {
    /// Has them shown.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "kubernetes_requests",
            "Requests to the API server by method and status, which is 0 where there was no answer",
            self.requests.clone(),
        );
    }
}

/// Why a write did not leave.
#[derive(Debug, thiserror::Error)]
#[error("this process may not act now, so nothing is written to Kubernetes")]
struct NotLeading;

/// What every request to the API server passes: it is counted, tells the cluster's time by its answer, and does not leave
/// if it is a write while the fence is shut.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    pub(super) fence: Fence,
    pub(super) clock: Arc<Clock>,
    pub(super) metrics: KubernetesMetrics,
}

impl<S> Layer<S> for Passage {
    type Service = Passing<S>;

    fn layer(&self, inner: S) -> Passing<S> {
        Passing { inner, passage: self.clone() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Passing<S> {
    inner: S,
    passage: Passage,
}

impl<S, B> Service<Request<Body>> for Passing<S>
where
    B: Send + 'static,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Passage { fence, clock, metrics } = &self.passage;
        if !fence.is_open() && !request.method().is_safe() {
            return std::future::ready(Err(BoxError::from(NotLeading))).boxed();
        }
        let (clock, metrics) = (Arc::clone(clock), metrics.clone());
        let method = request.method().to_string();
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await.map_err(Into::into);
            let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            metrics.requests.get_or_create(&Asked { method, code }).inc();
            clock.learn(answer.as_ref().map_or(&http::HeaderMap::new(), Response::headers), Instant::now());
            answer
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use tower::ServiceExt as _;

    use super::*;

    fn passage() -> Passage {
        Passage {
            fence: Fence::default(),
            clock: Arc::new(Clock::local()),
            metrics: KubernetesMetrics::default(),
        }
    }

    async fn ask(passage: &Passage, method: Method) -> Result<Response<()>, BoxError> {
        let answer = |_| async {
            let answer = Response::builder().header("Date", "Tue, 01 Jan 2041 00:00:00 GMT");
            Ok::<_, BoxError>(answer.body(()).unwrap())
        };
        let request = Request::builder().method(method).uri("/api").body(Body::empty()).unwrap();
        passage.layer(tower::service_fn(answer)).oneshot(request).await
    }

    #[tokio::test]
    async fn the_clusters_clock_is_the_api_servers_whatever_the_machines_shows() {
        let passage = passage();
        ask(&passage, Method::GET).await.unwrap();
        let ahead = passage.clock.now().duration_since("2041-01-01T00:00:00Z".parse().unwrap());
        assert!(ahead.as_secs() < 60, "{ahead}");
    }

    #[tokio::test]
    async fn nothing_is_written_while_the_fence_is_shut() {
        let passage = passage();
        let writes = [Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
        for method in writes.clone() {
            ask(&passage, method).await.unwrap();
        }
        passage.fence.close();
        for method in writes {
            assert!(ask(&passage, method).await.is_err());
        }
        ask(&passage, Method::GET).await.unwrap();
        let counted = |method: &str| {
            passage
                .metrics
                .requests
                .get(&Asked { method: method.to_owned(), code: 200 })
                .map(|count| count.get())
        };
        assert_eq!((counted("POST"), counted("GET"), counted("HEAD")), (Some(1), Some(1), None));
    }
}
