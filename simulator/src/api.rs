//! The API as its callers meet it: one call in, one answer out, faults in between.

mod answer;
mod call;
mod endpoints;
mod fault_body;
mod faulty;
mod perform;
mod shape;
mod token;
mod validate;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;

use call::Call;
pub(crate) use endpoints::add;

use crate::connection::Connection;
use crate::operation::Operation;
use crate::store::Slip;
use crate::world::Shared;

/// Answers one request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    connection: Connection,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let call = match Call::read(request).await {
        Ok(call) => Arc::new(call),
        Err(answer) => return Ok(shared.read(|world| answer.render(world.clock.now()))),
    };
    // Before anybody can see the call in flight, or a release in answer to that would be missed.
    let releases = shared.release.watch();
    let in_flight = InFlight::enter(&shared, call.operation);
    let fault = shared.change(|world| world.meet(&call, connection.first_request()));
    Ok(match fault {
        None => shared.change(|world| world.answer(&call, Slip::None, None)),
        Some(fault) => {
            let faulty = faulty::FaultyCall { shared, connection, call, releases, in_flight };
            faulty.answer(fault).await
        }
    })
}

/// Counts a call as long as it is worked on.
struct InFlight {
    shared: Arc<Shared>,
    operation: Operation,
}

impl InFlight {
    fn enter(shared: &Arc<Shared>, operation: Operation) -> Self {
        shared.change(|world| *world.in_flight.entry(operation).or_default() += 1);
        Self { shared: Arc::clone(shared), operation }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.change(|world| {
            if let Some(count) = world.in_flight.get_mut(&self.operation) {
                *count -= 1;
            }
        });
    }
}
