//! Sending and signing.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use secrecy::SecretString;

use super::log::{Attempt, DeliveryId, Outcome};
use crate::config::DeliveryConfig;
use crate::signature::{DELIVERY_ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};

/// Sends deliveries.
#[derive(Debug)]
pub(crate) struct Sender {
    client: reqwest::Client,
    /// The waits between attempts, by the API's clock.
    pub(crate) delays: Vec<Duration>,
}

/// What one attempt needs.
pub(crate) struct Letter<'a> {
    pub(crate) id: &'a DeliveryId,
    pub(crate) url: String,
    pub(crate) secret: SecretString,
    /// When the attempt begins, by the API's clock.
    pub(crate) time: Timestamp,
    pub(crate) body: Bytes,
}

impl Sender {
    pub(crate) fn new(config: &DeliveryConfig) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(config.timeout);
        let client = match &config.ca_pem {
            None => client,
            Some(pem) => client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem.as_bytes())?),
        };
        let divisor = config.time_divisor.max(1);
        let delays = config.retry_delays.iter().map(|delay| *delay / divisor).collect();
        Ok(Self { client: client.build()?, delays })
    }

    pub(crate) async fn send(&self, letter: Letter<'_>) -> Attempt {
        let Letter { id, url, secret, time, body } = letter;
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, sign(&secret, time.as_second(), &body))
            .header(TIMESTAMP_HEADER, time.as_second())
            .header(DELIVERY_ID_HEADER, id.as_str())
            .body(body);
        let outcome = match request.send().await {
            Ok(answer) => Outcome::Answered(answer.status().as_u16()),
            Err(error) => Outcome::Unanswered(error.without_url().to_string()),
        };
        Attempt { time, outcome }
    }
}
