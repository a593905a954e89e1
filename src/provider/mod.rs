//! The typed client of the remote webhook-endpoints API. It knows nothing of Kubernetes.
//!
//! One [`Client`] serves one network: one base URL, one set of credentials, one token, one request
//! budget and one circuit. A call is sent once; only a 401 is answered with a renewed token and one
//! repetition, which is safe because a refused call had no effect. Everything else is for the caller
//! to decide, by the [`ErrorClass`] of the [`Error`]. Whatever is sent leaves through `Transport::send`.

mod address;
mod auth;
mod body;
mod client;
mod clock;
mod config;
mod detail;
mod endpoint;
mod endpoint_url;
mod error;
mod event_types;
mod excerpt;
mod exchange;
mod fence;
mod ids;
mod json;
mod limiter;
mod list;
mod message;
mod meter;
mod operation;
mod pause;
mod token;
mod token_life;
mod transport;
mod wire;

pub use self::address::AddressPolicy;
pub use self::auth::{Auth, ClientAuthentication, ClientCredentials, RequestFormat};
pub use self::client::Client;
pub(crate) use self::clock::Clock;
pub use self::config::{ClientConfig, ConfigError, Field, Limits, Priority};
pub use self::endpoint::{
    CreatedEndpoint, Endpoint, EndpointPatch, EndpointStatus, Listing, NewEndpoint, Page,
};
pub use self::endpoint_url::EndpointUrl;
pub use self::error::{Error, ErrorClass};
pub use self::event_types::{EventType, EventTypes};
pub use self::fence::{Fence, Moment};
pub use self::ids::{EndpointId, NetworkId};
pub use self::meter::{ApiMetrics, Meter};
