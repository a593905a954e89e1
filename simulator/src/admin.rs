//! Steering from another process: `/_simulator/…`, in JSON.
//!
//! | call | what it does |
//! |---|---|
//! | `GET /ledger?since=N` | the ledger's entries after sequence N |
//! | `GET /endpoints?network=N` | the endpoints as they are |
//! | `POST /endpoints` | makes one behind everybody's back |
//! | `PATCH /endpoints/{id}` | edits one behind everybody's back (a JSON merge patch) |
//! | `DELETE /endpoints/{id}` | deletes one behind everybody's back |
//! | `POST /endpoints/{id}/disable` | sets one inactive, as the vendor does |
//! | `GET /endpoints/{id}/secret-digest` | the SHA-256 of its secret, in hex |
//! | `GET /faults`, `POST /faults`, `DELETE /faults`, `DELETE /faults/{id}` | [`Fault`](crate::Fault) |
//! | `POST /release` | lets go what is held back until released |
//! | `PUT /lag` | [`Lag`](crate::Lag) |
//! | `GET /habits`, `PATCH /habits` | [`Habits`](crate::Habits) (a JSON merge patch) |
//! | `GET /deliveries`, `POST /deliveries` | [`Event`](crate::Event) in, [`Delivery`](crate::Delivery) out |
//! | `PUT /networks/{id}/scopes`, `POST /networks/{id}/revoke-tokens` | [`Scopes`](crate::Scopes) |
//! | `POST /clock/advance`, `PUT /clock/skew` | `{"seconds": N}` |
//! | `POST /suspend`, `POST /resume` | closes and opens the API's ports |

mod access;
mod endpoints;
mod faults;

use std::io;
use std::net::SocketAddr;

use axum::Json;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::handle::Handle;

/// Why an admin call does nothing.
#[derive(Debug, thiserror::Error)]
enum AdminError {
    /// The body is not what the call takes.
    #[error("{0}")]
    Body(#[from] JsonRejection),
    /// The value is not what the call takes.
    #[error("the body does not fit: {0}")]
    Value(#[from] serde_json::Error),
    /// The body has a field that means nothing.
    #[error("there is no field {0} in a fault of this kind")]
    Field(String),
    /// There is nothing of this id.
    #[error("there is no {0} of this id")]
    Unknown(&'static str),
    /// A port could not be closed or opened.
    #[error("the API's ports do not obey: {0}")]
    Port(#[from] io::Error),
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Body(_) | Self::Value(_) | Self::Field(_) => StatusCode::BAD_REQUEST,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Port(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// Serves the admin interface at `address`; gives where it really listens.
pub(crate) async fn start(handle: Handle, address: SocketAddr) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    let stop = handle.shared.stop.clone();
    let router = Router::new().nest("/_simulator", routes()).with_state(handle);
    let task = tokio::spawn(async move {
        let served = axum::serve(socket, router);
        // Serving ends only with the simulator.
        let _ = stop.run_until_cancelled(served.into_future()).await;
    });
    Ok((address, task))
}

fn routes() -> Router<Handle> {
    Router::new()
        .route("/ledger", get(endpoints::ledger))
        .route("/endpoints", get(endpoints::list).post(endpoints::insert))
        .route("/endpoints/{id}", patch(endpoints::edit).delete(endpoints::delete))
        .route("/endpoints/{id}/disable", post(endpoints::disable))
        .route("/endpoints/{id}/secret-digest", get(endpoints::secret_digest))
        .route("/deliveries", get(endpoints::deliveries).post(endpoints::deliver))
        .route("/faults", get(faults::list).post(faults::inject).delete(faults::clear_all))
        .route("/faults/{id}", delete(faults::clear))
        .route("/release", post(faults::release))
        .route("/lag", put(faults::set_lag))
        .route("/suspend", post(faults::suspend))
        .route("/resume", post(faults::resume))
        .route("/habits", get(faults::habits).patch(faults::set_habits))
        .route("/networks/{id}/scopes", put(access::set_scopes))
        .route("/networks/{id}/revoke-tokens", post(access::revoke_tokens))
        .route("/clock/advance", post(access::advance_clock))
        .route("/clock/skew", put(access::set_clock_skew))
}
