//! Answers whose bodies go wrong.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;

/// What fills an oversized body: white space, so that a reader without a cap goes on to its end.
const PADDING: &[u8] = &[b' '; 64 * 1024];

/// Any answer, as it is told.
pub(super) fn verbatim(
    status: StatusCode,
    headers: &[(String, String)],
    body: String,
    date: Option<&str>,
) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let date = date.map(|date| (DATE.as_str(), date));
    let defaults = [(CONTENT_TYPE.as_str(), "application/json")].into_iter().chain(date);
    let given = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in defaults.chain(given) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The body comes in drops of `size` bytes, one every `interval`.
pub(super) async fn drip(response: Response<Body>, size: usize, interval: Duration) -> Response<Body> {
    with_body(response, |body| {
        let drops = stream::unfold(body, move |mut rest| async move {
            if rest.is_empty() {
                return None;
            }
            tokio::time::sleep(interval).await;
            let drop = rest.split_to(size.clamp(1, rest.len()));
            Some((Ok::<_, Infallible>(drop), rest))
        });
        Body::from_stream(drops)
    })
    .await
}

/// The body is complete and is no JSON.
pub(super) async fn invalid_json(response: Response<Body>) -> Response<Body> {
    with_body(response, |body| {
        let half = body.slice(..body.len() / 2);
        Body::from([&half[..], b"<!-- "].concat())
    })
    .await
}

/// The body is padded to `bytes` bytes.
pub(super) async fn oversize(response: Response<Body>, bytes: u64) -> Response<Body> {
    with_body(response, |body| {
        let missing = bytes.saturating_sub(body.len() as u64);
        let padding = stream::unfold(missing, |missing| async move {
            let size = missing.min(PADDING.len() as u64);
            let piece = Bytes::from_static(PADDING).slice(..usize::try_from(size).unwrap_or(PADDING.len()));
            (size > 0).then_some((Ok::<_, Infallible>(piece), missing - size))
        });
        Body::from_stream(stream::iter([Ok(body)]).chain(padding))
    })
    .await
}

/// The body breaks off in the middle; `None` if there is none.
pub(super) async fn truncate(response: Response<Body>) -> Option<Response<Body>> {
    let mut full = 0;
    let mut response = with_body(response, |body| {
        full = body.len();
        let half = body.slice(..full / 2);
        let pieces = stream::once(async { Ok(half) }).chain(stream::once(async {
            // The first half must be on its way before the connection breaks.
            tokio::task::yield_now().await;
            Err(io::Error::from(io::ErrorKind::ConnectionAborted))
        }));
        Body::from_stream(pieces)
    })
    .await;
    if full == 0 {
        return None;
    }
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(full));
    Some(response)
}

async fn with_body(response: Response<Body>, change: impl FnOnce(Bytes) -> Body) -> Response<Body> {
    let (parts, body) = response.into_parts();
    // Answers are made of bytes in memory, which can always be collected.
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Response::from_parts(parts, change(body))
}
