//! The signature of a delivery, for those who send and those who receive.
//!
//! `X-Webhook-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "{t}.{raw body}")>`; the key is
//! the secret's text as the API showed it, prefix included.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Carries the time and the signature.
pub const SIGNATURE_HEADER: &str = "X-Webhook-Signature";

/// Carries the time alone, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "X-Webhook-Timestamp";

/// Carries the id of the delivery, the same for each of its attempts.
pub const DELIVERY_ID_HEADER: &str = "X-Webhook-Delivery-Id";

/// How far apart the sender's and the receiver's clocks may be.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// Why a delivery was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not of the documented form.
    #[error("the signature header must read `t=<unix seconds>,v1=<64 hex digits>`")]
    Malformed,
    /// The header's time is too far from the receiver's.
    #[error("the signature's time is {seconds} s away from this clock; at most 300 s are accepted")]
    Stale {
        /// The distance in seconds.
        seconds: u64,
    },
    /// No secret at hand makes this signature.
    #[error("none of the known secrets makes this signature; the body or the secret is another one")]
    Mismatch,
}

/// What a believed signature tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which of the given secrets made it, counted from 0.
    pub secret_index: usize,
    /// When it was made, in Unix seconds by the sender's clock.
    pub timestamp: i64,
}

/// The signature header's value for a body sent at `timestamp` (Unix seconds).
#[must_use]
pub fn sign(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    let digest = base16ct::lower::encode_string(&mac(secret, timestamp, body).finalize().into_bytes());
    format!("t={timestamp},v1={digest}")
}

/// Believes or refuses a delivery. Each of `secrets` is tried, so that a receiver can accept the old
/// and the new one while a secret is replaced.
///
/// # Errors
///
/// When the header is malformed, its time is more than [`TOLERANCE`] from `now`, or no secret fits.
pub fn verify<'a>(
    header: &str,
    body: &[u8],
    secrets: impl IntoIterator<Item = &'a SecretString>,
    now: Timestamp,
) -> Result<Verified, SignatureError> {
    let (timestamp, digest) = parse(header).ok_or(SignatureError::Malformed)?;
    let seconds = now.as_second().abs_diff(timestamp);
    if seconds > TOLERANCE.as_secs() {
        return Err(SignatureError::Stale { seconds });
    }
    let secret_index = secrets
        .into_iter()
        .position(|secret| mac(secret, timestamp, body).verify_slice(&digest).is_ok())
        .ok_or(SignatureError::Mismatch)?;
    Ok(Verified { secret_index, timestamp })
}

fn parse(header: &str) -> Option<(i64, Vec<u8>)> {
    let (timestamp, digest) = header.split_once(',')?;
    let timestamp = timestamp.strip_prefix("t=")?.parse().ok()?;
    let digest = base16ct::lower::decode_vec(digest.strip_prefix("v1=")?).ok()?;
    (digest.len() == 32).then_some((timestamp, digest))
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length: it hashes the long, pads the short")]
fn mac(secret: &SecretString, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    let key = secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}
