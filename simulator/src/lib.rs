//! A faithful and awkward stand-in for the remote webhook-endpoint API.
//!
//! It speaks the five operations of the API's reference page and its OAuth token endpoint, keeps an
//! append-only [`Ledger`] of every call, sends signed deliveries, behaves where the page is silent as
//! its [`Habits`] say, and goes wrong on demand ([`Fault`]).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use simulator::{Config, Fault, FaultKind, NetworkConfig, Operation, Point, Simulator};
//!
//! let network = NetworkConfig::new("n_1").client("client", "client-secret").bearer_token("token");
//! let simulator = Simulator::start(Config::default().network(network)).await?;
//! let lost = FaultKind::Reset { point: Point::AfterEffect };
//! simulator.inject(Fault::on(Operation::Create, lost));
//!
//! let created = reqwest::Client::new()
//!     .post(format!("{}/webhook-endpoints", simulator.base_url()))
//!     .bearer_auth("token")
//!     .json(&serde_json::json!({ "url": "https://example.com/hook", "enabledEvents": ["ocpp.message"] }))
//!     .send()
//!     .await;
//! assert!(created.is_err());
//! assert_eq!(simulator.endpoints("n_1").len(), 1);
//! assert_eq!(simulator.ledger().effects(Operation::Create), 1);
//! # Ok(())
//! # }
//! ```

mod admin;
mod api;
mod clock;
mod config;
mod connection;
mod credentials;
mod delivery;
mod dispatch;
mod endpoint;
mod fault;
mod habits;
mod handle;
mod hold;
mod json;
mod ledger;
mod operation;
mod server;
pub mod signature;
mod simulator;
mod store;
mod tls;
mod token_endpoint;
mod view;
mod world;

pub use config::{ClientCredentials, Config, DeliveryConfig, NetworkConfig, Scopes, loopback};
pub use delivery::{Attempt, Delivery, DeliveryId, DeliveryState, Event, Outcome};
pub use endpoint::{ACTIVE, EVENT_TYPES, Endpoint, EndpointId, INACTIVE, NetworkId, NewEndpoint};
pub use fault::{Fault, FaultId, FaultKind, Point, RetryAfter, Times};
pub use habits::{
    BodyForm, CreateAnswer, CreateStatus, DateHeader, DeleteStatus, DeletedCursor, DuplicateUrls, EmptyList,
    EventsForm, ExtraFields, FieldForm, Habits, HttpDeliveries, IdShape, ListItems, ListOrder, PatchAnswer,
    StatusForm, TimeForm, UrlForm,
};
pub use handle::{Handle, Https, WaitTimeout};
pub use hold::Hold;
pub use ledger::{Effect, Entry, Ledger};
pub use operation::Operation;
pub use simulator::{Simulator, StartError};
pub use store::Lag;
pub use tls::{Certificate, TlsError};
pub use token_endpoint::{TokenAuthentication, TokenEndpoint, TokenFormat};
pub use view::View;
