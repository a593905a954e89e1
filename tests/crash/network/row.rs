//! What a cell came to, and what no ledger may show.

use std::fmt;

use secrecy::ExposeSecret;
use simulator::{Effect, Entry, Ledger, Operation, View};
use testkit::{World, has_condition};
use webhook_operator::resources::WebhookEndpoint;

/// The resource of every cell.
pub const NAME: &str = "hook";

/// What a cell came to.
pub struct Row {
    /// The call.
    pub call: Operation,
    /// The class of trouble.
    pub class: &'static str,
    /// How the operator took it.
    pub met: Met,
    /// What the remote API saw.
    pub ledger: Ledger,
}

/// How the operator took the trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Met {
    /// It tried again, and told of it, until the trouble ended.
    Told,
    /// It was done although the trouble lasted.
    Passed,
}

/// What the columns mean.
pub const HEAD: &str = "call   class                      ended  POSTs creates deletes lists";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, class, met, ledger } = self;
        let met = match met {
            Met::Told => "told",
            Met::Passed => "passed",
        };
        let (posts, creates) = (ledger.count(Operation::Create), ledger.effects(Operation::Create));
        let (deletes, lists) = (ledger.effects(Operation::Delete), ledger.count(Operation::List));
        write!(
            f,
            "{:<6} {class:<26} {met:<6} {posts:>5} {creates:>7} {deletes:>7} {lists:>5}",
            call.to_string()
        )
    }
}

/// How many calls of this operation a fault has struck.
pub fn struck(view: &View<'_>, operation: Operation) -> usize {
    view.ledger().calls(operation).filter(|entry| entry.fault.is_some()).count()
}

/// A create that took effect and whose secret nobody got.
pub fn is_lost_create(entry: &Entry) -> bool {
    entry.operation == Operation::Create && entry.effect == Effect::Applied && entry.fault.is_some()
}

/// Whether a resource is Ready as declared, for an endpoint that is there and has these events.
pub fn is_well(world: &World, resource: &WebhookEndpoint, events: &str) -> bool {
    let remote = resource.status.as_ref().and_then(|status| status.endpoint.as_ref());
    let live = remote.and_then(|remote| world.simulator.endpoint(&remote.id.as_str().into()));
    has_condition(resource, "Ready", "True", "Available")
        && live.is_some_and(|live| live.enabled_events == [events])
}

/// Whether the Secret holds the secret of the live endpoint, if there is one.
///
/// # Errors
///
/// When it does not.
pub async fn true_secrets(world: &World) -> Result<(), String> {
    for endpoint in world.endpoints() {
        let truth = world.simulator.secret_of(&endpoint.id);
        let stored = world.secret_value(NAME, "secret").await;
        if truth.as_ref().map(ExposeSecret::expose_secret) != stored.as_deref() {
            return Err(format!("the Secret does not hold the secret of {}", endpoint.id));
        }
    }
    Ok(())
}

/// After a create of unknown outcome comes a list, and only then another create. After one that showed
/// an id and no secret, that endpoint is deleted first.
///
/// # Errors
///
/// When a create was repeated blindly.
pub fn blind_posts(ledger: &Ledger) -> Result<(), String> {
    let creates = ledger.calls(Operation::Create).collect::<Vec<_>>();
    for pair in creates.windows(2) {
        let [first, second] = pair else { continue };
        let between = ledger.entries().iter().filter(|entry| {
            (first.sequence..second.sequence).contains(&entry.sequence) && entry.sequence > first.sequence
        });
        let mut between = between.filter(|entry| entry.fault.is_none());
        let looked = match (first.fault, first.status) {
            (Some("alter-endpoint"), _) => {
                between.any(|entry| entry.operation == Operation::Delete && entry.id == first.id)
            }
            (_, None | Some(200..=399 | 408 | 500..)) => {
                between.any(|entry| entry.operation == Operation::List && entry.status == Some(200))
            }
            // The API said no: there is nothing to look for.
            _ => true,
        };
        if !looked {
            return Err(format!("create {} was repeated blindly by {}", first.sequence, second.sequence));
        }
    }
    Ok(())
}
