//! One cell of the table: one class of trouble at one remote call.

use futures::future::{Either, select};
use serde_json::json;
use simulator::{Certificate, Fault, FaultKind, Operation};
use testkit::{NETWORK, SOON, World, condition, has_condition, merge};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint};

use super::class::{Class, Trouble};
use super::row::{Met, NAME, Row, blind_posts, is_lost_create, is_well, struck, true_secrets};
use crate::end::expect;

/// More POSTs than any cell may take: trouble that lasts is met with growing pauses.
const MOST_POSTS: usize = 6;

/// One class of trouble at one remote call.
pub struct Cell {
    /// The call.
    pub call: Operation,
    /// The class.
    pub class: &'static Class,
    world: World,
}

impl Cell {
    /// A world for this cell, in which all is well so far.
    async fn new(call: Operation, class: &'static Class) -> Self {
        let world = World::without_network("cell").await;
        let mut network = json!({ "timeout": "1s" });
        if matches!(class.trouble, Trouble::Certificate) {
            merge(&mut network, world.https_only());
        }
        world.add_network(network).await;
        let cell = Self { call, class, world };
        cell.until_network_ready("True").await;
        cell
    }

    /// Makes the trouble, does what leads to the call, waits until the operator has met the trouble and
    /// says so, ends the trouble, and checks how all ends.
    pub async fn run(call: Operation, class: &'static Class) -> Result<Row, String> {
        let cell = Self::new(call, class).await;
        cell.prepare().await;
        cell.begin_trouble().await;
        cell.act().await;
        let met = cell.until_met().await;
        cell.end_trouble().await;
        cell.until_well().await;
        let row = Row { call, class: class.name, met, ledger: cell.world.simulator.ledger() };
        let verdict = true_secrets(&cell.world).await.and_then(|()| cell.check(&row));
        verdict.map(|()| row).map_err(|why| format!("{call}, {}: {why}", class.name))
    }

    async fn prepare(&self) {
        match self.call {
            Operation::Patch | Operation::Delete | Operation::Get => {
                self.world.endpoint(NAME, json!({})).await;
                self.world.ready(NAME).await;
            }
            // The list that matters is the one that finds out about a lost create.
            Operation::List => {
                let lost = FaultKind::status_after_effect(504, "");
                self.world.simulator.inject(Fault::on(Operation::Create, lost));
                self.world.endpoint(NAME, json!({})).await;
                self.world.remotely("the lost create", |view| struck(view, Operation::Create) > 0).await;
            }
            Operation::Create | Operation::Token | Operation::Unknown => {}
        }
    }

    async fn begin_trouble(&self) {
        let simulator = &self.world.simulator;
        match &self.class.trouble {
            Trouble::Fault(kind) => {
                simulator.inject(Fault::on(self.call, kind()).until_cleared());
            }
            Trouble::Closed => simulator.suspend().await.expect("the simulator runs"),
            Trouble::Certificate => {
                simulator.show_certificate(Certificate::OtherAuthority).expect("a certificate");
                simulator.suspend().await.expect("the simulator runs");
                simulator.resume().await.expect("the port is free");
            }
        }
        if self.call == Operation::Token {
            simulator.revoke_tokens(NETWORK);
        }
    }

    async fn act(&self) {
        match self.call {
            Operation::Create | Operation::Token => {
                self.world.endpoint(NAME, json!({})).await;
            }
            Operation::List | Operation::Unknown => {}
            Operation::Patch => {
                let change = json!({ "spec": { "enabledEvents": ["asset.connectivity"] } });
                self.world.change(NAME, change).await;
            }
            Operation::Delete => self.world.ask_to_delete(NAME).await,
            Operation::Get => {
                for endpoint in self.world.simulator.endpoints(NETWORK) {
                    self.world.simulator.delete(&endpoint.id);
                }
            }
        }
    }

    /// Waits until the operator has met the trouble twice and says so, or is done all the same: a change
    /// whose answer is lost is seen to have taken effect.
    async fn until_met(&self) -> Met {
        let told = async {
            if let Trouble::Fault(_) = self.class.trouble {
                self.until_struck_twice().await;
            }
            self.until_told().await;
        };
        match select(Box::pin(told), Box::pin(self.until_well())).await {
            Either::Left(_) => Met::Told,
            Either::Right(_) => Met::Passed,
        }
    }

    async fn until_struck_twice(&self) {
        let call = self.call;
        let twice = self.world.simulator.wait_until(SOON, |view| struck(&view, call) >= 2);
        twice.await.unwrap_or_else(|error| panic!("{call}, {}: {error}", self.class.name));
    }

    async fn until_told(&self) {
        match self.call {
            Operation::Create | Operation::Patch | Operation::Delete => self.until_resource_tells().await,
            // The resource is still as declared when it was last seen; it is the network that tells.
            Operation::Get if matches!(self.class.trouble, Trouble::Fault(_)) => {
                self.until_resource_tells().await;
            }
            Operation::List | Operation::Get | Operation::Token | Operation::Unknown => {
                self.until_network_ready("False").await;
            }
        }
    }

    async fn until_resource_tells(&self) {
        let stalls = self.class.name == "409";
        let tells = |resource: &WebhookEndpoint| {
            let fails = |reason| has_condition(resource, "Synced", "False", reason);
            let refused = has_condition(resource, "Stalled", "True", "Refused");
            if stalls { refused } else { fails("ProviderError") || fails("ResolvingCreate") }
        };
        let what = format!("telling of trouble ({}, {})", self.call, self.class.name);
        self.world.until::<WebhookEndpoint>(NAME, &what, |found| found.is_some_and(tells)).await;
    }

    async fn end_trouble(&self) {
        let simulator = &self.world.simulator;
        match &self.class.trouble {
            Trouble::Fault(_) => simulator.clear_faults(),
            Trouble::Closed => simulator.resume().await.expect("the port is free"),
            Trouble::Certificate => simulator.show_certificate(Certificate::Good).expect("a certificate"),
        }
    }

    async fn until_well(&self) {
        if self.call == Operation::Delete {
            self.world.until_deleted(NAME).await;
            return;
        }
        let events = if self.call == Operation::Patch { "asset.connectivity" } else { "ocpp.message" };
        let well =
            |found: Option<&WebhookEndpoint>| found.is_some_and(|found| is_well(&self.world, found, events));
        let what = format!("well ({}, {})", self.call, self.class.name);
        self.world.until::<WebhookEndpoint>(NAME, &what, well).await;
    }

    async fn until_network_ready(&self, status: &str) {
        let is_so = |network: &ClusterWebhookNetwork| {
            condition(network, "Ready").is_some_and(|condition| condition.status == status)
        };
        let what = format!("Ready={status} ({}, {})", self.call, self.class.name);
        let (api, name) = (self.world.cluster_api(), &self.world.namespace);
        self.world.until_in(api, name, &what, |found| found.is_some_and(is_so)).await;
    }

    fn check(&self, row: &Row) -> Result<(), String> {
        let ledger = &row.ledger;
        let lost = ledger.entries().iter().filter(|entry| is_lost_create(entry)).count();
        // An endpoint that vanished by itself is not in the ledger.
        let vanished = usize::from(self.call == Operation::Get);
        let live = self.world.simulator.endpoints(NETWORK).len();
        let wanted = usize::from(self.call != Operation::Delete);
        expect("live endpoints", live, wanted..=wanted)?;
        let (creates, deletes) = (1 + lost + vanished, lost + 1 - wanted);
        expect("creates", ledger.effects(Operation::Create), creates..=creates)?;
        expect("deletes", ledger.effects(Operation::Delete), deletes..=deletes)?;
        if self.call == Operation::List {
            expect("lost creates", lost, 1..=1)?;
        }
        if ledger.count(Operation::Create) > MOST_POSTS {
            return Err(format!("{} POSTs", ledger.count(Operation::Create)));
        }
        blind_posts(ledger)
    }
}
