//! Signed deliveries, their retries, and what the vendor makes of failures.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use simulator::signature;
use simulator::{
    Config, DeliveryConfig, DeliveryState, Event, HttpDeliveries, NewEndpoint, Outcome, Simulator,
};
use tokio::net::TcpListener;
use webhook_receiver::signature::{SignatureError, verify};

use crate::support::{BOUND, NETWORK, start, start_with};

/// What a receiver got: headers and body.
type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Takes deliveries, answering with the given statuses in turn and then with 204.
struct Receiver {
    address: SocketAddr,
    received: Received,
}

impl Receiver {
    async fn start(statuses: impl IntoIterator<Item = u16>) -> Self {
        let received = Received::default();
        let statuses = Arc::new(Mutex::new(statuses.into_iter().collect::<VecDeque<_>>()));
        let take = async |State((received, statuses)): State<(Received, Arc<Mutex<VecDeque<u16>>>)>,
                          headers: HeaderMap,
                          body: Bytes| {
            received.lock().unwrap().push((headers, body));
            let status = statuses.lock().unwrap().pop_front().unwrap_or(204);
            StatusCode::from_u16(status).unwrap()
        };
        let router = Router::new().route("/", post(take)).with_state((Arc::clone(&received), statuses));
        let socket = TcpListener::bind(simulator::loopback()).await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(axum::serve(socket, router).into_future());
        Self { address, received }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn received(&self) -> Vec<(HeaderMap, Bytes)> {
        self.received.lock().unwrap().clone()
    }
}

fn event() -> Event {
    Event::new(NETWORK, "ocpp.message", json!({ "chargerId": "c-1", "note": "ä" }))
}

async fn settled(simulator: &Simulator) {
    let settled = |delivery: &simulator::Delivery| delivery.state != DeliveryState::Pending;
    simulator.wait_until(BOUND, |view| view.deliveries().iter().all(settled)).await.unwrap();
}

async fn attempts(simulator: &Simulator, count: usize) {
    simulator.wait_until(BOUND, |view| view.deliveries()[0].attempts.len() == count).await.unwrap();
}

#[tokio::test]
async fn a_delivery_is_signed_as_documented() {
    let simulator = start().await;
    let receiver = Receiver::start([]).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(receiver.url()));
    let [delivery] = &simulator.deliver(&event())[..] else { panic!("one endpoint, one delivery") };
    settled(&simulator).await;

    let [(headers, body)] = &receiver.received()[..] else { panic!("one delivery was sent") };
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(header(signature::DELIVERY_ID_HEADER), delivery.as_str());
    let secret = simulator.secret_of(&id).unwrap();
    let other = SecretString::from("whsec_other");
    let signature = header(signature::SIGNATURE_HEADER);
    let known = [("previousSecret", &other), ("secret", &secret)];
    assert_eq!(verify(signature, body, known, simulator.now().into()), Ok("secret"));
    assert!(signature.starts_with(&format!("t={},", header(signature::TIMESTAMP_HEADER))), "{signature}");
    let refused = verify(signature, body, [("previousSecret", &other)], simulator.now().into());
    assert_eq!(refused, Err(SignatureError::Mismatch { known: 1 }));

    let body: Value = serde_json::from_slice(body).unwrap();
    let fields: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields.len(), 4);
    assert_eq!((&body["type"], &body["data"]), (&json!("ocpp.message"), &event().data));
    assert!(body["id"].is_string() && body["createdAt"].as_str().unwrap().parse::<Timestamp>().is_ok());
}

#[test]
fn signatures_match_a_known_answer() {
    // printf '%s' '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
    let secret = SecretString::from("whsec_test");
    let body = br#"{"id":"evt_1"}"#;
    let header = signature::sign(&secret, 1_700_000_000, body);
    assert_eq!(header, "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925");
}

#[tokio::test]
async fn only_active_endpoints_with_the_event_hear_of_it() {
    let simulator = start().await;
    let receiver = Receiver::start([]).await;
    let new = || NewEndpoint::new(receiver.url());
    let hears = simulator.insert(NETWORK, new().events(["ocpp.message"]));
    simulator.insert(NETWORK, new().events(["asset.connectivity"]));
    simulator.insert(NETWORK, new().status("inactive"));
    simulator.insert("n_other", new());

    assert_eq!(simulator.deliver(&event()).len(), 1);
    settled(&simulator).await;
    assert_eq!(simulator.deliveries()[0].endpoint, hears);
    assert_eq!(receiver.received().len(), 1);

    simulator.set_habits(|habits| habits.http_deliveries = HttpDeliveries::Withhold);
    assert!(simulator.deliver(&event()).is_empty());
}

#[tokio::test]
async fn a_failed_delivery_is_retried_by_the_documented_schedule() {
    let simulator = start().await;
    let receiver = Receiver::start([500, 302, 404, 503, 429, 500]).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(receiver.url()));
    simulator.deliver(&event());
    attempts(&simulator, 1).await;
    for (attempt, hours) in [(2, 1), (3, 4), (4, 12), (5, 24), (6, 48)] {
        simulator.advance_clock(Duration::from_hours(hours));
        attempts(&simulator, attempt).await;
    }
    settled(&simulator).await;
    let delivery = &simulator.deliveries()[0];
    assert_eq!(delivery.state, DeliveryState::Exhausted);
    let passed = delivery.attempts[5].time.duration_since(delivery.attempts[0].time).as_secs();
    assert_eq!(passed / 3600, 89);

    let letters = receiver.received();
    let secret = simulator.secret_of(&id).unwrap();
    for ((headers, body), attempt) in letters.iter().zip(&delivery.attempts) {
        let header = headers[signature::SIGNATURE_HEADER].to_str().unwrap();
        assert!(
            verify(header, body, [("secret", &secret)], attempt.time.into()).is_ok(),
            "signed anew each time"
        );
        assert_eq!(headers[signature::DELIVERY_ID_HEADER], delivery.id.as_str());
        assert_eq!(body, &letters[0].1);
    }
}

#[tokio::test]
async fn retries_end_with_success_and_outlive_inactivity() {
    let delivery = DeliveryConfig { time_divisor: 1_000_000, ..DeliveryConfig::default() };
    let simulator = start_with(Config { delivery, ..Config::default() }).await;
    let receiver = Receiver::start([500, 500]).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(receiver.url()));
    simulator.deliver(&event());
    simulator.disable(&id);
    settled(&simulator).await;
    let delivery = &simulator.deliveries()[0];
    assert_eq!(delivery.state, DeliveryState::Delivered);
    let outcomes: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.outcome.clone()).collect();
    assert_eq!(outcomes, [500, 500, 204].map(Outcome::Answered));
}

#[tokio::test]
async fn a_deleted_endpoint_gets_no_more_retries() {
    let simulator = start().await;
    let receiver = Receiver::start([500]).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(receiver.url()));
    simulator.deliver(&event());
    attempts(&simulator, 1).await;
    simulator.delete(&id);
    simulator.advance_clock(Duration::from_hours(2));
    settled(&simulator).await;
    assert_eq!(simulator.deliveries()[0].state, DeliveryState::Cancelled);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn the_vendor_disables_an_endpoint_that_keeps_failing() {
    let simulator = start().await;
    let receiver = Receiver::start([500, 500, 204, 500, 500, 500]).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(receiver.url()));
    simulator.disable_after(Some(3));
    for (count, status) in [(3, "active"), (6, "inactive")] {
        for _ in 0..3 {
            let before = receiver.received().len();
            simulator.deliver(&event());
            let tried = |view: simulator::View<'_>| {
                view.deliveries().iter().map(|delivery| delivery.attempts.len()).sum::<usize>() > before
            };
            simulator.wait_until(BOUND, tried).await.unwrap();
        }
        assert_eq!(receiver.received().len(), count);
        assert_eq!(simulator.endpoint(&id).unwrap().status, status);
    }
    assert!(simulator.deliver(&event()).is_empty());
}

#[tokio::test]
async fn an_unreachable_receiver_is_a_failed_attempt() {
    let delivery = DeliveryConfig { retry_delays: Vec::new(), ..DeliveryConfig::default() };
    let simulator = start_with(Config { delivery, ..Config::default() }).await;
    let closed = TcpListener::bind(simulator::loopback()).await.unwrap().local_addr().unwrap();
    let id = simulator.insert(NETWORK, NewEndpoint::new(format!("http://{closed}/?token=t-1")));
    simulator.deliver(&event());
    settled(&simulator).await;
    let delivery = &simulator.deliveries()[0];
    assert_eq!((delivery.state, &delivery.endpoint), (DeliveryState::Exhausted, &id));
    let Outcome::Unanswered(reason) = &delivery.attempts[0].outcome else { panic!("{delivery:?}") };
    assert!(!reason.contains("t-1"), "{reason}");
}

#[tokio::test]
async fn a_wrong_clock_makes_signatures_stale() {
    let simulator = start().await;
    simulator.set_clock_skew(SignedDuration::from_mins(6));
    let receiver = Receiver::start([]).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(receiver.url()));
    simulator.deliver(&event());
    settled(&simulator).await;
    let (headers, body) = receiver.received().remove(0);
    let header = headers[signature::SIGNATURE_HEADER].to_str().unwrap();
    let secret = simulator.secret_of(&id).unwrap();
    let refused = verify(header, &body, [("secret", &secret)], SystemTime::now());
    assert!(matches!(refused, Err(SignatureError::Stale { .. })), "{refused:?}");
}
