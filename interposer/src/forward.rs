//! One request from its arrival to its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode, request};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::delivery::TrackedBody;
use crate::downstream::{BoxError, Dropped, Link};
use crate::fault::Fault;
use crate::plan::When;
use crate::shared::Shared;
use crate::stream::{Source, WatchStream};
use crate::target::{Kind, Side};
use crate::view;
use crate::watch::{self, Expiry};
use crate::world::{Admitted, InFlight, Letter, World};

pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A call that was let in, up to its end. Whatever way it ends, its outcome is journalled and no plan
/// waits for it in vain.
struct Ticket {
    world: World,
    call: Call,
    /// The plan's moment, if one stops at this call.
    when: Option<When>,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Unsent,
    Sent,
    Done,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let sequence = self.call.sequence;
        match (&self.stage, self.when) {
            (Stage::Unsent, _) => {
                self.world.record(sequence, Outcome::NotSent);
                self.world.miss(sequence, "it was not sent");
            }
            (Stage::Sent, Some(When::AnswerDelivered)) => {
                self.world.miss(sequence, "its client left before the answer came");
            }
            (Stage::Sent | Stage::Done, _) => {}
        }
    }
}

/// What the server answered.
enum Answer {
    /// As it comes.
    Streaming(Response<Incoming>),
    /// Complete, for a plan or a fault that needs to know that it is.
    Whole(Response<Bytes>),
}

/// Answers one request.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let letter = Letter {
        life: link.life,
        side: shared.side,
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query(),
        body: &body,
    };
    let world = shared.world.clone();
    let Admitted { call, when, mut under_way } = world.admit(&letter, || link.client_is_there()).await?;
    let mut ticket = Ticket { world: world.clone(), call, when, stage: Stage::Unsent };
    if when == Some(When::BeforeSent) {
        world.pass(link.life).await?;
        if !link.client_is_there() {
            return Err(Dropped.into());
        }
        under_way = (ticket.call.kind == Kind::Mutation).then(|| world.depart());
    }

    let fault = shared.faults.strike(&ticket.call);
    match fault {
        Some(Fault::Status { code, retry_after }) => {
            let mut response = refusal(shared.side, code);
            if let Some(wait) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
            }
            return Ok(injected(ticket, response));
        }
        Some(Fault::ResetBefore) => {
            link.end_with_reset();
            return Err(Dropped.into());
        }
        Some(Fault::Latency(time)) => tokio::time::sleep(time).await,
        Some(Fault::ResetAfter) | None => {}
    }

    if ticket.call.kind == Kind::Watch {
        return watch(shared, link, head, ticket).await;
    }
    let whole = when.is_some() || fault == Some(Fault::ResetAfter);
    let request = outgoing(&shared, &ticket.call, head, body);
    ticket.stage = Stage::Sent;
    let answer = send(&shared, request, &ticket, whole, under_way).await;
    let answer = answer.inspect_err(|_| link.end_with_reset())?;
    if fault == Some(Fault::ResetAfter) {
        link.end_with_reset();
        return Err(Dropped.into());
    }
    match answer {
        Answer::Whole(response) if when == Some(When::AnswerDelivered) => Ok(deliver(link, ticket, response)),
        Answer::Whole(response) => {
            world.pass(link.life).await?;
            Ok(response.map(whole_body))
        }
        Answer::Streaming(response) => {
            world.pass(link.life).await?;
            Ok(response.map(|body| relayed(body, world, link)))
        }
    }
}

fn outgoing(shared: &Shared, call: &Call, head: request::Parts, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::from_parts(head, Full::new(body));
    let old = view::collection_of(call).and_then(|resource| shared.views.version_of(resource));
    if let Some(version) = old {
        *request.uri_mut() = view::list_uri(call, &version);
    }
    request
}

/// Sends a call. A mutation, or a call that a plan waits for, goes on even if its client leaves: what was
/// sent was sent.
async fn send(
    shared: &Arc<Shared>,
    request: Request<Full<Bytes>>,
    ticket: &Ticket,
    whole: bool,
    under_way: Option<InFlight>,
) -> Result<Answer, BoxError> {
    let (sequence, when) = (ticket.call.sequence, ticket.when);
    if ticket.call.kind != Kind::Mutation && when.is_none() {
        return exchange(shared, request, sequence, when, whole).await;
    }
    let shared = Arc::clone(shared);
    let exchange = tokio::spawn(async move {
        let answer = exchange(&shared, request, sequence, when, whole).await;
        drop(under_way);
        answer
    });
    exchange.await?
}

async fn exchange(
    shared: &Shared,
    request: Request<Full<Bytes>>,
    sequence: u64,
    when: Option<When>,
    whole: bool,
) -> Result<Answer, BoxError> {
    let world = &shared.world;
    let unanswered = |error: BoxError| {
        world.record(sequence, Outcome::Unanswered(error_chain(&*error)));
        world.miss(sequence, "the server did not answer");
        error
    };
    let response = shared.upstream.send(request).await.map_err(|error| unanswered(error.into()))?;
    world.record(sequence, Outcome::Answered(response.status()));
    if !whole {
        return Ok(Answer::Streaming(response));
    }
    // From here on the client must not get a byte, or not do anything with what it gets.
    world.freeze_for(sequence);
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| unanswered(error.into()))?.to_bytes();
    if when == Some(When::DoneAnswerWithheld) {
        world.reach(sequence);
    }
    Ok(Answer::Whole(Response::from_parts(head, body)))
}

fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Gives the answer into a frozen world, and tells the world when the client has it.
fn deliver(link: Arc<Link>, mut ticket: Ticket, response: Response<Bytes>) -> Response<Body> {
    ticket.stage = Stage::Done;
    let delivered = link.delivery.track();
    let delivery = link.delivery.clone();
    tokio::spawn(async move {
        let (world, sequence) = (&ticket.world, ticket.call.sequence);
        if delivered.await.is_err() {
            world.miss(sequence, "its client left before it had the whole answer");
        } else if link.client_has_read().await {
            world.reach(sequence);
        } else {
            world.miss(sequence, "its client does not read the answer");
        }
    });
    response.map(|bytes| TrackedBody::new(bytes, delivery).map_err(|never| match never {}).boxed_unsync())
}

/// A body that stands still with the world.
fn relayed(body: Incoming, world: World, link: Arc<Link>) -> Body {
    let frames = futures::stream::unfold(Some(body), move |body| {
        let (world, link) = (world.clone(), Arc::clone(&link));
        async move {
            let mut body = body?;
            let frame = body.frame().await?;
            if let Err(gone) = world.pass(link.life).await {
                return Some((Err(gone.into()), None));
            }
            match frame {
                Ok(frame) => Some((Ok(frame), Some(body))),
                Err(error) => Some((Err(error.into()), None)),
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn watch(
    shared: Arc<Shared>,
    link: Arc<Link>,
    head: request::Parts,
    mut ticket: Ticket,
) -> Result<Response<Body>, BoxError> {
    let Some(resource) = ticket.call.resource().cloned() else { return Err(Dropped.into()) };
    let expiry = view::resumes(&ticket.call).then(|| shared.watches.take_expiry(&resource)).flatten();
    match expiry {
        Some(Expiry::Response) => {
            let response = json_response(StatusCode::GONE, &watch::gone());
            return Ok(injected(ticket, response));
        }
        Some(Expiry::Event) => {
            let events = vec![watch::error_event(&watch::gone())];
            let stream = WatchStream::new(shared, link, resource, events, Source::Ended);
            return Ok(injected(ticket, watch_response(stream)));
        }
        None => {}
    }

    if shared.views.version_of(&resource).is_some() {
        let later = Request::from_parts(head, Full::default());
        let source = Source::OnceReleased(Box::new(later));
        let stream = WatchStream::new(shared, link, resource, Vec::new(), source);
        return Ok(injected(ticket, watch_response(stream)));
    }

    let request = Request::from_parts(head, Full::default());
    ticket.stage = Stage::Sent;
    let (sequence, world) = (ticket.call.sequence, shared.world.clone());
    let answer = exchange(&shared, request, sequence, ticket.when, false).await?;
    world.miss(sequence, "a watch has no complete answer");
    world.pass(link.life).await?;
    let Answer::Streaming(response) = answer else { return Err(Dropped.into()) };
    if !response.status().is_success() {
        return Ok(response.map(|body| relayed(body, world, link)));
    }
    let (head, body) = response.into_parts();
    let stream = WatchStream::new(shared, link, resource, Vec::new(), Source::Server(body));
    Ok(Response::from_parts(head, StreamBody::new(stream.into_frames()).boxed_unsync()))
}

/// Ends a call with an answer of our own.
fn injected(mut ticket: Ticket, response: Response<Body>) -> Response<Body> {
    ticket.world.record(ticket.call.sequence, Outcome::Injected(response.status()));
    if ticket.when.is_some() {
        ticket.world.miss(ticket.call.sequence, "a fault answered it");
    }
    ticket.stage = Stage::Done;
    response
}

fn refusal(side: Side, code: StatusCode) -> Response<Body> {
    let message = code.canonical_reason().unwrap_or("injected by the interposer");
    let body = match side {
        Side::Kubernetes => json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": message.replace(' ', ""),
            "code": code.as_u16(),
        }),
        Side::Remote => json!({"message": message}),
    };
    json_response(code, &body)
}

fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    json_typed(status, whole_body(Bytes::from(body.to_string())))
}

fn watch_response(stream: WatchStream) -> Response<Body> {
    json_typed(StatusCode::OK, StreamBody::new(stream.into_frames()).boxed_unsync())
}

fn json_typed(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn whole_body(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
