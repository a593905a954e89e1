//! Lists and gets that lag behind what was written, by less than the settling time.

use std::time::Duration;

use serde_json::json;
use simulator::{Fault, FaultKind, Hold, Lag, Operation};
use testkit::{NETWORK, World};
use webhook_operator::resources::WebhookEndpoint;

use super::row::{blind_posts, is_well, true_secrets};
use crate::end::expect;
use crate::harness::Matrix;

/// Less than the settling time of a second.
const BEHIND: Option<Hold> = Some(Hold::For(Duration::from_millis(800)));

const READERS: [(&str, Lag); 3] = [
    ("lists", Lag { list: BEHIND, get: None }),
    ("gets", Lag { list: None, get: BEHIND }),
    ("lists and gets", Lag { list: BEHIND, get: BEHIND }),
];

/// What happens while readers lag.
#[derive(Clone, Copy, Debug)]
enum Story {
    Create,
    LostCreate,
    Patch,
    Delete,
    Recreation,
}

const STORIES: [Story; 5] =
    [Story::Create, Story::LostCreate, Story::Patch, Story::Delete, Story::Recreation];

impl Story {
    /// Creates, deletes, and live endpoints in the end.
    fn end(self) -> (usize, usize, usize) {
        match self {
            Self::Create | Self::Patch => (1, 0, 1),
            Self::LostCreate => (2, 1, 1),
            Self::Delete => (1, 1, 0),
            Self::Recreation => (2, 0, 1),
        }
    }

    async fn tell(self, lag: Lag) -> Result<(), String> {
        let world = World::new("lag").await;
        if !matches!(self, Self::Create | Self::LostCreate) {
            world.ready_endpoint("hook", json!({})).await;
        }
        world.simulator.set_lag(lag);
        self.act(&world).await;
        let (creates, deletes, live) = self.end();
        if live == 1 {
            let events = if matches!(self, Self::Patch) { "asset.connectivity" } else { "ocpp.message" };
            let well =
                |found: Option<&WebhookEndpoint>| found.is_some_and(|found| is_well(&world, found, events));
            world.until("hook", "well", well).await;
        }
        // Until everybody has read what was written last, twice over.
        let lists = world.simulator.ledger().count(Operation::List);
        world.remotely("more lists", |view| view.ledger().count(Operation::List) >= lists + 3).await;
        let ledger = world.simulator.ledger();
        expect("creates", ledger.effects(Operation::Create), creates..=creates)?;
        expect("deletes", ledger.effects(Operation::Delete), deletes..=deletes)?;
        expect("live endpoints", world.endpoints().len(), live..=live)?;
        true_secrets(&world).await?;
        expect("PATCHes", ledger.count(Operation::Patch), 0..=3)?;
        blind_posts(&ledger)
    }

    async fn act(self, world: &World) {
        match self {
            Self::Create => {
                world.endpoint("hook", json!({})).await;
            }
            Self::LostCreate => {
                let lost = FaultKind::status_after_effect(504, "");
                world.simulator.inject(Fault::on(Operation::Create, lost));
                world.endpoint("hook", json!({})).await;
            }
            Self::Patch => {
                world.change("hook", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
            }
            Self::Delete => world.delete("hook").await,
            Self::Recreation => {
                for endpoint in world.simulator.endpoints(NETWORK) {
                    world.simulator.delete(&endpoint.id);
                }
            }
        }
    }
}

pub fn matrix() -> Matrix {
    let mut matrix = Matrix::new("lag", 14);
    for (readers, lag) in READERS {
        for story in STORIES {
            matrix.add([readers, &format!("{story:?}")], move || story.tell(lag));
        }
    }
    assert_eq!(matrix.len(), READERS.len() * STORIES.len());
    matrix
}
