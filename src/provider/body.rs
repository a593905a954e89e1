//! Reading answers: as they come, up to a cap.

use reqwest::Response;

/// The longest list page that is read, in bytes: 100 endpoints with URLs of 2048 characters take a
/// tenth of it.
pub(super) const LIST_BYTES: usize = 4 * 1024 * 1024;
/// The longest single endpoint, or token, that is read, in bytes.
pub(super) const SINGLE_BYTES: usize = 256 * 1024;
/// How much of an error's body is looked at, in bytes.
pub(super) const ERROR_BYTES: usize = 16 * 1024;

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error(transparent)]
    Lost(#[from] reqwest::Error),
}

/// The whole body, if it is no longer than `cap` bytes.
pub(super) async fn read(mut response: Response, cap: usize) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > cap) {
        return Err(BodyError::TooLong(cap));
    }
    let mut body = Vec::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = response.chunk().await? {
        let length = body.len() + chunk.len();
        if length > cap {
            return Err(BodyError::TooLong(cap));
        }
        if length > body.capacity() {
            body.reserve_exact(length.max(body.capacity() * 2).min(cap) - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What can be had of the body's beginning, for a message.
pub(super) async fn beginning(mut response: Response, cap: usize) -> String {
    let mut body = Vec::new();
    while body.len() < cap
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(cap - body.len())]);
    }
    String::from_utf8_lossy(&body).into_owned()
}
