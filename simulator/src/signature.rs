//! The signature of a delivery.
//!
//! `X-Webhook-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "{t}.{raw body}")>`; the key is
//! the secret's text as the API showed it, prefix included.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Carries the time and the signature.
pub const SIGNATURE_HEADER: &str = "X-Webhook-Signature";

/// Carries the time alone, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "X-Webhook-Timestamp";

/// Carries the id of the delivery, the same for each of its attempts.
pub const DELIVERY_ID_HEADER: &str = "X-Webhook-Delivery-Id";

/// The signature header's value for a body sent at `timestamp` (Unix seconds).
#[must_use]
pub fn sign(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    let digest = base16ct::lower::encode_string(&mac(secret, timestamp, body).finalize().into_bytes());
    format!("t={timestamp},v1={digest}")
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
