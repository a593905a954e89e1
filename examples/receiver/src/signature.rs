//! Who signed a delivery.
//!
//! `X-Webhook-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "{t}.{raw body}")>`; the key is the secret's text as
//! the API showed it, prefix included.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// Carries the time and the signature.
pub const SIGNATURE_HEADER: &str = "X-Webhook-Signature";

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
    #[error("none of the {known} known secrets makes this signature; the body or the secret is another one")]
    Mismatch {
        /// How many secrets were tried.
        known: usize,
    },
}

/// Which of the secrets, each with its key in the Secret, signed a delivery with this header and body.
///
/// # Errors
///
/// When the header is malformed, its time is more than [`TOLERANCE`] from `now`, or no secret fits.
pub fn verify<'a>(
    header: &str,
    body: &[u8],
    secrets: impl IntoIterator<Item = (&'a str, &'a SecretString)>,
    now: SystemTime,
) -> Result<&'a str, SignatureError> {
    let (timestamp, digest) = parse(header).ok_or(SignatureError::Malformed)?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs().abs_diff(timestamp);
    if seconds > TOLERANCE.as_secs() {
        return Err(SignatureError::Stale { seconds });
    }
    let mut known = 0;
    for (key, secret) in secrets {
        known += 1;
        // It takes as long whatever the difference is.
        if mac(secret, timestamp, body).is_some_and(|mac| mac.verify_slice(&digest).is_ok()) {
            return Ok(key);
        }
    }
    Err(SignatureError::Mismatch { known })
}

fn parse(header: &str) -> Option<(u64, Vec<u8>)> {
    let (timestamp, digest) = header.split_once(',')?;
    let timestamp = timestamp.strip_prefix("t=")?.parse().ok()?;
    let digest = base16ct::lower::decode_vec(digest.strip_prefix("v1=")?).ok()?;
    (digest.len() == 32).then_some((timestamp, digest))
}

fn mac(secret: &SecretString, timestamp: u64, body: &[u8]) -> Option<Hmac<Sha256>> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    // printf '%s' '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
    const HEADER: &str = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";

    fn verified(header: &str, body: &[u8], at: u64) -> Result<&'static str, SignatureError> {
        let (former, current) = (SecretString::from("whsec_former"), SecretString::from("whsec_test"));
        verify(
            header,
            body,
            [("previousSecret", &former), ("secret", &current)],
            UNIX_EPOCH + Duration::from_secs(at),
        )
        .map(|key| if key == "secret" { "secret" } else { "another" })
    }

    #[test]
    fn a_signature_is_believed_by_a_secret_and_for_five_minutes() {
        for (at, verdict) in [
            (1_700_000_000, Ok("secret")),
            (1_699_999_700, Ok("secret")),
            (1_700_000_300, Ok("secret")),
            (1_699_999_699, Err(SignatureError::Stale { seconds: 301 })),
            (1_700_000_301, Err(SignatureError::Stale { seconds: 301 })),
        ] {
            assert_eq!(verified(HEADER, BODY, at), verdict, "at {at}");
        }
        assert_eq!(verified(HEADER, b"{}", 1_700_000_000), Err(SignatureError::Mismatch { known: 2 }));
        for malformed in
            ["", "t=1,v1=", "t=x,v1=00", "v1=00,t=1", "t=1", "t=1,v1=zz", "t=1,v1=00", "t=-1,v1=00"]
        {
            assert_eq!(verified(malformed, BODY, 1), Err(SignatureError::Malformed), "{malformed}");
        }
    }
}
