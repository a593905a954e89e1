//! What is checked after each step: against the remote API's own state and ledger, the API server's audit
//! log, and what kubectl reads.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use serde_json::json;
use simulator::signature::{SIGNATURE_HEADER, sign};
use simulator::{EndpointId, Operation};
use testkit::service_account::USER;
use tokio::time::timeout;

use super::audit::Writes;
use super::error::{DemoError, Problem};
use super::operator::KUBECONFIG;
use super::samples::{NAME, NAMESPACE};
use super::screen::{Screen, masked};
use super::stage::{NETWORK, Stage};
use super::story::Check;

/// How long a delivery may be under way.
const SOON: Duration = Duration::from_secs(15);
/// What one create may write in Kubernetes: the attempt, the Secret, the status.
const WRITES_OF_A_CREATE: usize = 3;
/// The fact that a delivery proves.
pub(crate) const VERIFIES: &str = "the signature verifies with what is mounted";

/// The fact, or why it is none.
pub(crate) async fn check(check: Check, stage: &mut Stage, screen: &mut Screen) -> Result<String, Problem> {
    match check {
        Check::OperatorHasItsRights => operator_has_its_rights(stage).await,
        Check::NetworkWasListed => network_was_listed(stage),
        Check::EndpointIsAsDeclared => endpoint_is_as_declared(stage).await,
        Check::CreateWasCheap => create_was_cheap(stage),
        Check::SecretIsTheRightOne => secret_is_the_right_one(stage).await,
        Check::ReceiverIsReady => receiver_is_ready(stage).await,
        Check::DeliveryVerifies => delivery_verifies(stage, screen).await,
        Check::ForgeryIsRefused => forgery_is_refused(stage).await,
        Check::EndpointWasPatched => endpoint_was_patched(stage),
        Check::NothingWasCreated => nothing_was_created(stage).await,
        Check::EndpointWasReplaced => endpoint_was_replaced(stage).await,
        Check::EndpointIsGone => endpoint_is_gone(stage).await,
    }
}

async fn operator_has_its_rights(stage: &Stage) -> Result<String, Problem> {
    let kubeconfig = ["--kubeconfig", KUBECONFIG, "auth"];
    let who = [&kubeconfig[..], &["whoami", "--output=jsonpath={.status.userInfo.username}"]].concat();
    let who = stage.kubectl.run(&who).await?;
    ensure(who == USER, || format!("the API server takes the operator for {who} instead of {USER}"))?;
    for forbidden in [["delete", "whe"], ["get", "configmaps"], ["delete", "namespaces"]] {
        let question = [&kubeconfig[..], &["can-i", "--all-namespaces"], &forbidden].concat();
        // `kubectl auth can-i` fails when the answer is no.
        let may = stage.kubectl.answer(&question).await?.stdout;
        ensure(may.trim() == "no", || {
            format!("the operator may {}, which it need not: {may:?}", forbidden.join(" "))
        })?;
    }
    Ok(format!("it runs as {USER},\n     which may not delete so much as a WebhookEndpoint"))
}

fn network_was_listed(stage: &Stage) -> Result<String, Problem> {
    let ledger = stage.simulator.ledger();
    let (tokens, lists) = (ledger.effects(Operation::Token), ledger.count(Operation::List));
    ensure(tokens > 0 && lists > 0, || {
        format!("the network is Ready after {tokens} tokens and {lists} lists: it was never listed")
    })?;
    ensure(ledger.writes() == 0, || "something was written to the network before anybody asked".to_owned())?;
    Ok(format!(
        "the API's own ledger: {} issued, {} answered, no write",
        counted(tokens, "token"),
        counted(lists, "list")
    ))
}

async fn endpoint_is_as_declared(stage: &mut Stage) -> Result<String, Problem> {
    let endpoints = stage.simulator.endpoints(NETWORK);
    let [endpoint] = endpoints.as_slice() else {
        return Err(untrue(format!("the network has {} endpoints instead of 1", endpoints.len())));
    };
    let shown =
        field(stage, "whe", "{.status.endpoint.id} {.spec.url} {.spec.enabledEvents[*]} {.spec.status}")
            .await?;
    let true_values = [
        endpoint.id.as_str(),
        endpoint.url.as_str(),
        &endpoint.enabled_events.join(" "),
        endpoint.status.as_str(),
    ]
    .join(" ");
    ensure(shown == true_values, || {
        format!("the resource says {shown:?}, and the remote endpoint is {true_values:?}")
    })?;
    stage.notes.endpoint = Some(endpoint.id.clone());
    Ok(format!(
        "the network has exactly one endpoint: {}, {}, {}",
        endpoint.id.as_str(),
        endpoint.status,
        endpoint.enabled_events.join(" + ")
    ))
}

fn create_was_cheap(stage: &mut Stage) -> Result<String, Problem> {
    let creates = stage.simulator.ledger().count(Operation::Create);
    ensure(creates == 1, || format!("the ledger shows {creates} creates instead of 1"))?;
    let writes = Writes::in_namespace(NAMESPACE, stage.control_plane.audit_log())?;
    ensure((1..=WRITES_OF_A_CREATE).contains(&writes.objects) && writes.events <= 1, || {
        format!(
            "the audit log shows {} writes and {} Events for one create; {WRITES_OF_A_CREATE} and 1 are enough",
            writes.objects, writes.events
        )
    })?;
    stage.notes.create = writes;
    Ok(format!(
        "it took 1 remote write, and in Kubernetes {} and {} (ledger and audit log)",
        counted(writes.objects, "write"),
        counted(writes.events, "Event")
    ))
}

async fn secret_is_the_right_one(stage: &Stage) -> Result<String, Problem> {
    let stored = field(stage, "secret", "{.data.secret}").await?;
    let stored = decoded(&stored)?;
    let truth = stage.simulator.secret_of(endpoint(stage)?);
    let truth = truth.ok_or_else(|| untrue("the remote API has no secret for the endpoint"))?;
    ensure(stored == truth.expose_secret(), || {
        format!("the Secret holds {}, and deliveries are signed with another value", masked(&stored))
    })?;
    let owner = field(stage, "secret", "{.metadata.ownerReferences[*].kind}").await?;
    ensure(owner == "WebhookEndpoint", || format!("the Secret's owner is {owner:?}"))?;
    Ok("it is the secret that signs deliveries, and it belongs to the WebhookEndpoint".to_owned())
}

async fn receiver_is_ready(stage: &Stage) -> Result<String, Problem> {
    let url = format!("{}/readyz", stage.receiver.url);
    let ready = async {
        while !reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, ready).await.map_err(|_| untrue("the receiver does not get ready"))?;
    Ok("the Secret is in the receiver's folder, as a kubelet would put it there".to_owned())
}

async fn delivery_verifies(stage: &mut Stage, screen: &mut Screen) -> Result<String, Problem> {
    let said = said(stage).await?;
    screen.output(&said);
    ensure(is_accepted(&said), || "the receiver does not believe the delivery".to_owned())?;
    stage.notes.verified += 1;
    Ok(VERIFIES.to_owned())
}

/// What the receiver says of the next delivery.
async fn said(stage: &mut Stage) -> Result<String, Problem> {
    match timeout(SOON, stage.receiver.next()).await {
        Ok(Some(said)) => Ok(said),
        Ok(None) => Err(DemoError::ReceiverEnded.into()),
        Err(_) => Err(untrue(format!("no delivery arrived within {} s", SOON.as_secs()))),
    }
}

/// Whether the receiver says that it took a delivery.
pub(crate) fn is_accepted(said: &str) -> bool {
    said.starts_with("accepted ")
}

async fn forgery_is_refused(stage: &mut Stage) -> Result<String, Problem> {
    let secret = stage.simulator.secret_of(endpoint(stage)?);
    let secret = secret.ok_or_else(|| untrue("the remote API has no secret for the endpoint"))?;
    let genuine = json!({ "id": "evt_forged", "type": "ocpp.message" }).to_string();
    let answer = reqwest::Client::new()
        .post(field(stage, "whe", "{.spec.url}").await?)
        .header(SIGNATURE_HEADER, sign(&secret, Timestamp::now().as_second(), genuine.as_bytes()))
        .header(CONTENT_TYPE, "application/json")
        .body(format!("{genuine} "))
        .timeout(SOON)
        .send()
        .await
        .map_err(|error| untrue(format!("the receiver does not answer: {error}")))?;
    // So it is not taken for what the next delivery brings.
    said(stage).await?;
    let status = answer.status();
    ensure(status == StatusCode::UNAUTHORIZED, || {
        format!("the receiver answers {status} to a forged delivery instead of 401")
    })?;
    stage.notes.refused += 1;
    Ok("a request with one byte more than was signed is refused (401)".to_owned())
}

fn endpoint_was_patched(stage: &Stage) -> Result<String, Problem> {
    let id = endpoint(stage)?;
    let found =
        stage.simulator.endpoint(id).ok_or_else(|| untrue(format!("endpoint {} is gone", id.as_str())))?;
    let events = found.enabled_events.join(" + ");
    ensure(found.enabled_events.len() == 2, || format!("endpoint {} still has {events} only", id.as_str()))?;
    let ledger = stage.simulator.ledger();
    let (creates, patches) = (ledger.count(Operation::Create), ledger.count(Operation::Patch));
    ensure(creates == 1 && patches == 1, || {
        format!("the ledger shows {creates} creates and {patches} patches instead of 1 and 1")
    })?;
    Ok(format!("one PATCH later, {} is subscribed to {events}", id.as_str()))
}

async fn nothing_was_created(stage: &Stage) -> Result<String, Problem> {
    let found = stage.kubectl.run(&["-n", NAMESPACE, "get", "whe", "--output=name"]).await?;
    let only = format!("webhookendpoint.webhookoperator.dev/{NAME}");
    ensure(found.trim() == only, || format!("there are the resources {found:?}"))?;
    let writes = stage.simulator.ledger().writes();
    ensure(writes == 2, || format!("the ledger shows {writes} writes instead of the 2 from before"))?;
    Ok("nothing was created, here or there".to_owned())
}

async fn endpoint_was_replaced(stage: &mut Stage) -> Result<String, Problem> {
    let former = endpoint(stage)?.clone();
    let endpoints = stage.simulator.endpoints(NETWORK);
    let active = endpoints.iter().filter(|endpoint| endpoint.status == "active").collect::<Vec<_>>();
    let [current] = active.as_slice() else {
        return Err(untrue(format!("{} endpoints deliver instead of 1", active.len())));
    };
    let current = current.id.clone();
    ensure(current != former, || format!("{} still delivers", former.as_str()))?;
    stage.notes.endpoint = Some(current.clone());
    secret_is_the_right_one(stage).await?;
    Ok(format!(
        "{} delivers now, signed with its own secret; {} goes once it has no retries left",
        current.as_str(),
        former.as_str()
    ))
}

async fn endpoint_is_gone(stage: &Stage) -> Result<String, Problem> {
    let here = stage.kubectl.run(&["-n", NAMESPACE, "get", "whe,secrets", "--output=name"]).await?;
    ensure(here.is_empty(), || format!("the namespace still has {here:?}"))?;
    let left = stage.simulator.endpoints(NETWORK).len();
    ensure(left == 0, || format!("the network still has {}", counted(left, "endpoint")))?;
    let ledger = stage.simulator.ledger();
    let (creates, deletes) = (ledger.count(Operation::Create), ledger.count(Operation::Delete));
    ensure(deletes == creates, || format!("the ledger shows {creates} creates and {deletes} deletes"))?;
    Ok(format!(
        "of {creates} endpoints that there were, the network has none left, and the namespace no Secret"
    ))
}

fn endpoint(stage: &Stage) -> Result<&EndpointId, Problem> {
    stage.notes.endpoint.as_ref().ok_or_else(|| untrue("no endpoint was created"))
}

/// What a JSON path shows of the sample's resource or Secret.
async fn field(stage: &Stage, kind: &str, path: &str) -> Result<String, Problem> {
    let output = format!("--output=jsonpath={path}");
    stage.kubectl.run(&["-n", NAMESPACE, "get", kind, NAME, &output]).await
}

fn decoded(base64: &str) -> Result<String, Problem> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64.trim());
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| untrue("the Secret's value is not a text in base64"))
}

/// `1 token`, `2 tokens`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    let ending = if what.ends_with("ch") { "es" } else { "s" };
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}{ending}") }
}

fn untrue(problem: impl Into<String>) -> Problem {
    Problem::Untrue(problem.into())
}

fn ensure(fact: bool, problem: impl FnOnce() -> String) -> Result<(), Problem> {
    if fact { Ok(()) } else { Err(untrue(problem())) }
}
