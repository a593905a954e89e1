//! What the API server says when it refuses to write a Secret, without the secret: an admission policy
//! or webhook may quote the object that it refuses, and the message ends up in conditions, events and logs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// What stands for removed text.
const REDACTED: &str = "[redacted]";
/// A run of letters and digits of at least this length, digits among them, is taken for a secret. Names of
/// Kubernetes' things have punctuation in between.
const OPAQUE_CHARS: usize = 32;
/// How signing secrets begin, as they are and in base64.
const BEGINNINGS: [&str; 2] = ["whsec", "d2hzZW"];

/// The error without each of the `known` secrets and what else looks like one.
pub(super) fn without_secrets(error: kube::Error, known: &[SecretString]) -> kube::Error {
    let kube::Error::Api(mut status) = error else { return error };
    status.message = redacted(&status.message, known);
    // The causes repeat the message.
    status.details = None;
    kube::Error::Api(status)
}

fn redacted(text: &str, known: &[SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in known.iter().map(SecretString::expose_secret).filter(|secret| !secret.is_empty()) {
        text = text.replace(&STANDARD.encode(secret), REDACTED).replace(secret, REDACTED);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        if !is_opaque(first) {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (run, after) = rest.split_at(rest.find(|c| !is_opaque(c)).unwrap_or(rest.len()));
        out.push_str(if looks_secret(run) { REDACTED } else { run });
        rest = after;
    }
    out
}

fn is_opaque(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '=')
}

fn looks_secret(run: &str) -> bool {
    BEGINNINGS.iter().any(|beginning| run.contains(beginning))
        || (run.len() >= OPAQUE_CHARS && run.contains(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_says_by_itself_stays() {
        for text in [
            r#"secrets is forbidden: User "system:serviceaccount:webhook-operator:webhook-operator" cannot create resource "secrets" in API group "" in the namespace "team-12-production-2026-berlin-north""#,
            "exceeded quota: secrets, requested: count/secrets=1, used: count/secrets=7, limited: count/secrets=7",
            "ValidatingAdmissionPolicy 'no-secrets.example.com' with binding 'no-secrets' denied request: no",
        ] {
            assert_eq!(redacted(text, &[]), text);
        }
    }

    #[test]
    fn a_known_secret_goes_as_it_is_and_in_base64() {
        let known = [SecretString::from("plain words")];
        assert_eq!(redacted("no 'plain words' here", &known), "no '[redacted]' here");
        assert_eq!(redacted("no cGxhaW4gd29yZHM= here", &known), "no [redacted] here");
    }

    #[test]
    fn what_looks_like_a_secret_goes_although_it_is_not_known() {
        for (text, expected) in [
            ("not whsec_abc, please", "not [redacted], please"),
            (r#"{"secret":"d2hzZWNfYWJj"}"#, r#"{"secret":"[redacted]"}"#),
            ("key 0123456789abcdef0123456789abcdef", "key [redacted]"),
        ] {
            assert_eq!(redacted(text, &[]), expected);
        }
    }

    #[test]
    fn the_causes_go_too() {
        let status = serde_json::json!({
            "code": 422,
            "message": "no: whsec_abc",
            "details": { "causes": [{ "message": "no: whsec_abc" }] },
        });
        let error = kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()));
        let error = without_secrets(error, &[]);
        assert!(!format!("{error} {error:?}").contains("whsec"), "{error}");
    }
}
