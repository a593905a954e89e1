//! Calls that meet a fault.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::{InFlight, fault_body};
use crate::clock::http_date;
use crate::connection::Connection;
use crate::fault::{FaultKind, Point, RetryAfter};
use crate::habits::DateHeader;
use crate::hold::Releases;
use crate::ledger::Effect;
use crate::store::Slip;
use crate::world::{Shared, World};

/// A call that meets a fault, and what it takes to treat it badly.
pub(super) struct FaultyCall {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Connection,
    pub(super) call: Arc<Call>,
    /// The releases since the call was read.
    pub(super) releases: Releases,
    /// Kept until the call is finished.
    pub(super) in_flight: InFlight,
}

impl FaultyCall {
    /// Answers the call, if the fault has it answered at all.
    pub(super) async fn answer(self, fault: FaultKind) -> Response<Body> {
        let Self { shared, connection, call, releases, in_flight } = self;
        let name = fault.name();
        let perform = |slip| shared.change(|world| world.answer(&call, slip, Some(name)));
        match fault {
            FaultKind::Latency { hold } => {
                let wait = releases.end_of(hold);
                let late = Arc::clone(&shared);
                let answer = tokio::spawn(async move {
                    let _in_flight = in_flight;
                    late.stop.run_until_cancelled(wait).await?;
                    Some(late.change(|world| world.answer(&call, Slip::None, Some(name))))
                });
                match answer.await {
                    Ok(Some(answer)) => answer,
                    _ => connection.reset().await,
                }
            }
            FaultKind::Refuse => {
                shared.change(|world| world.strike(&call, Point::BeforeEffect, name));
                connection.reset().await
            }
            FaultKind::Reset { point } => {
                shared.change(|world| world.strike(&call, point, name));
                connection.reset().await
            }
            FaultKind::Hang { point } => {
                shared.change(|world| world.strike(&call, point, name));
                std::future::pending().await
            }
            FaultKind::Deferred { hold } => {
                let wait = releases.end_of(hold);
                let sequence = shared.change(|world| world.record(&call, None, Effect::Deferred, Some(name)));
                let later = Arc::clone(&shared);
                tokio::spawn(async move {
                    if later.stop.run_until_cancelled(wait).await.is_some() {
                        later.change(|world| world.complete(&call, sequence, name));
                    }
                });
                connection.reset().await
            }
            FaultKind::Drip { bytes, interval } => {
                fault_body::drip(perform(Slip::None), bytes, interval).await
            }
            FaultKind::InvalidJson => fault_body::invalid_json(perform(Slip::None)).await,
            FaultKind::Oversize { bytes } => fault_body::oversize(perform(Slip::None), bytes).await,
            FaultKind::Truncate => match fault_body::truncate(perform(Slip::None)).await {
                Some(response) => response,
                None => connection.reset().await,
            },
            FaultKind::Answer { status, headers, body, point } => {
                shared.change(|world| instead(world, &call, (status, &headers, body), point, name))
            }
            FaultKind::RateLimit { retry_after } => shared.change(|world| {
                let answer = rate_limited(world, retry_after);
                world.record(&call, Some(&answer), Effect::None, Some(name));
                answer.render(world.clock.now())
            }),
            FaultKind::AlterEndpoint { patch } => {
                shared.change(|world| altered(world, &call, name, |answer| answer.alter_endpoints(&patch)))
            }
            FaultKind::AlterBody { patch } => {
                shared.change(|world| altered(world, &call, name, |answer| answer.alter_body(&patch)))
            }
            FaultKind::RepeatItems { count } => perform(Slip::Back(count)),
            FaultKind::SkipItems { count } => perform(Slip::Ahead(count)),
        }
    }
}

/// Another answer than the right one, with or without the right effect.
fn instead(
    world: &mut World,
    call: &Call,
    (status, headers, body): (u16, &[(String, String)], String),
    point: Point,
    name: &'static str,
) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match point {
        Point::BeforeEffect => Answer { date_header: world.habits.date_header, ..Answer::empty(status) },
        Point::AfterEffect => world.perform(call, Slip::None),
    };
    answer.status = status;
    world.record(call, Some(&answer), answer.effect, Some(name));
    let date = (answer.date_header == DateHeader::Sent).then(|| http_date(world.clock.now()));
    fault_body::verbatim(status, headers, body, date.as_deref())
}

/// The right answer, altered.
fn altered(
    world: &mut World,
    call: &Call,
    name: &'static str,
    alter: impl FnOnce(&mut Answer),
) -> Response<Body> {
    let mut answer = world.perform(call, Slip::None);
    world.record(call, Some(&answer), answer.effect, Some(name));
    alter(&mut answer);
    answer.render(world.clock.now())
}

fn rate_limited(world: &World, retry_after: Option<RetryAfter>) -> Answer {
    let value = retry_after.map(|retry_after| match retry_after {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => {
            let time = world.clock.now().checked_add(Duration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
            http_date(time)
        }
    });
    let error = json!({ "error": { "code": "rate_limited", "message": "Too many requests" } });
    let mut answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, error);
    answer.headers.extend(value.map(|value| (http::header::RETRY_AFTER, value)));
    answer
}
