//! A service that receives the events of a `WebhookEndpoint`, as an example for yours.
//!
//! It mounts the endpoint's Secret as a folder, and believes a delivery that any of the secrets in it signed:
//! `secret`, and while an endpoint is replaced, `previousSecret…`. It answers before an event is dealt with, and
//! passes an event on once, however often it is delivered.

mod secrets;
mod seen;
pub mod signature;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use secrets::Secrets;
use seen::Seen;
use signature::{SIGNATURE_HEADER, SignatureError, verify};

/// How often the folder is read when no delivery is the reason to.
const READ_EVERY: Duration = Duration::from_secs(1);

/// What a receiver has to be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that the Secret is mounted at.
    pub secret_dir: PathBuf,
    /// The URL at which this receiver is reached, as the Secret's `url` has it. When it is a new one, deliveries may be
    /// here before the new Secret is: while the folder tells of another URL, what can't be verified is to come again,
    /// and not refused. `None` refuses it.
    pub url: Option<String>,
    /// How long a secret is believed that is not in the folder any more. Where somebody deleted the Secret, only the
    /// receivers have the value that signs until another endpoint takes over, and the API retries for 89 hours.
    pub remember: Duration,
}

/// An event, as far as every kind has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Event {
    /// The same in each delivery of the event, of whichever endpoint.
    pub id: String,
    /// Such as `ocpp.message`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What became of a delivery. Shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The event is to be dealt with; the key in the Secret signed it.
    Accepted(Event, String),
    /// It is ignored: it was accepted before.
    Repeated(Event),
    /// It is to come again: the Secret that tells who sent it is not here yet.
    TooEarly,
    /// Nobody can tell who sent it.
    Refused(SignatureError),
    /// What was signed is no event.
    NotAnEvent,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(event, key) => {
                write!(f, "accepted {}, {}, signed with {key}", event.id, event.kind)
            }
            Self::Repeated(event) => write!(f, "ignored {}: it was accepted before", event.id),
            Self::TooEarly => f.write_str("put off: the Secret of this URL is not here yet"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::NotAnEvent => f.write_str("refused: the body is no event"),
        }
    }
}

/// Receives deliveries by POST, to whatever path; `GET /readyz` is for a readiness probe. Whoever takes the receipts deals
/// with the events; while too many wait in `receipts`, the API is told to come again.
///
/// # Errors
///
/// When connections can't be taken any more.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    receipts: mpsc::Sender<Receipt>,
) -> io::Result<()> {
    let receiver = Receiver { secrets: Mutex::new(Secrets::new(options)), seen: Mutex::default(), receipts };
    let receiver = Arc::new(receiver);
    let router = Router::new().route("/readyz", get(ready)).fallback(post(receive));
    tokio::select! {
        ended = axum::serve(listener, router.with_state(Arc::clone(&receiver))) => ended,
        () = keep_reading(&receiver) => Ok(()),
    }
}

struct Receiver {
    secrets: Mutex<Secrets>,
    seen: Mutex<Seen>,
    receipts: mpsc::Sender<Receipt>,
}

async fn ready(State(receiver): State<Arc<Receiver>>) -> StatusCode {
    if lock(&receiver.secrets).read().is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    // First of all a place for it: what was answered with a 2xx does not come again.
    let Ok(place) = receiver.receipts.try_reserve() else { return StatusCode::SERVICE_UNAVAILABLE };
    let header = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (verified, is_early) = {
        let mut secrets = lock(&receiver.secrets);
        let secrets = secrets.read();
        let verified = verify(header, &body, secrets.known(), SystemTime::now()).map(str::to_owned);
        (verified, !secrets.is_ready() || secrets.are_of_another_url())
    };
    let (receipt, answer) = match (verified, serde_json::from_slice::<Event>(&body)) {
        (Err(SignatureError::Mismatch { .. }), _) if is_early => {
            (Receipt::TooEarly, StatusCode::SERVICE_UNAVAILABLE)
        }
        (Err(why), _) => (Receipt::Refused(why), StatusCode::UNAUTHORIZED),
        (Ok(_), Err(_)) => (Receipt::NotAnEvent, StatusCode::BAD_REQUEST),
        (Ok(key), Ok(event)) if lock(&receiver.seen).is_new(&event.id) => {
            (Receipt::Accepted(event, key), StatusCode::NO_CONTENT)
        }
        (Ok(_), Ok(event)) => (Receipt::Repeated(event), StatusCode::NO_CONTENT),
    };
    place.send(receipt);
    answer
}

/// Notices what is in the folder for a while only, also when nothing is delivered meanwhile.
async fn keep_reading(receiver: &Receiver) {
    loop {
        lock(&receiver.secrets).read();
        tokio::time::sleep(READ_EVERY).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
