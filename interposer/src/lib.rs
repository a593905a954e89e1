//! A proxy that stands between the operator and a server, and can stop the world at any mutating call.
//!
//! An [`Interposer`] forwards everything, watch streams included, to a kube-apiserver or to the
//! simulator of the remote API. All interposers of one test share a [`World`], which
//!
//! - journals every [`Call`] of both sides in one order and gives each mutation a [`Signature`] that is
//!   the same in the next run, so that a scenario can be learnt and replayed;
//! - stops everything at the call that a [`Plan`] names: before it is sent, when it is done but its
//!   answer is withheld, or when its answer has been delivered. The operator can then be killed, and
//!   [`World::abandon`] makes sure that nothing it still had under way reaches a server afterwards;
//! - reports the plans that no call reached.
//!
//! On its Kubernetes side an interposer also serves stale views ([`Interposer::serve_old_view`]), loses
//! watch events, expires watches, and injects network faults.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use interposer::{CallMatcher, Interposer, Plan, Signature, When, World};
//! # async fn stop(
//! #     world: World,
//! #     learnt: Signature,
//! #     mut operator: tokio::process::Child,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let within = Duration::from_secs(30);
//! world.plan([Plan { at: CallMatcher::Signature(learnt), when: When::DoneAnswerWithheld }]);
//! let stop = world.reached(within).await?;
//! operator.kill().await?; // SIGKILL, and waits for it
//! world.abandon();
//! world.settled(within).await?;
//! // Start the operator again, and compare how it ends with the undisturbed run.
//! # Ok(())
//! # }
//! ```

mod call;
mod classify;
mod delivery;
mod downstream;
mod error;
mod fault;
mod forward;
mod kubeconfig;
mod listen;
mod peer;
mod plan;
mod proxy;
mod shared;
mod signature;
mod stream;
mod target;
mod tls;
mod upstream;
mod view;
mod watch;
mod world;

pub use call::{Call, Outcome};
pub use error::StartError;
pub use fault::{Fault, FaultHandle, Times};
pub use kubeconfig::KubeconfigError;
pub use plan::{CallMatcher, Plan, PlanError, Stop, When};
pub use proxy::{Config, Interposer, Serve};
pub use signature::{Shape, Signature};
pub use target::{Kind, RemoteOp, ResourceRef, Side, Target};
pub use view::Collection;
pub use watch::{DroppedEvents, Expiry, WatchEvent};
pub use world::{TimedOut, World};
