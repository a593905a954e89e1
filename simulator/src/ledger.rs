//! The append-only record of every call.

use jiff::Timestamp;
use serde::Serialize;

use crate::endpoint::{EndpointId, NetworkId};
use crate::operation::Operation;

/// What became of a call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing was changed (reads never change anything).
    None,
    /// The endpoint was created, patched or deleted; the token was issued.
    Applied,
    /// It comes later: an entry whose `completes` names this one tells how it ended.
    Deferred,
}

/// One call, as the simulator saw it. It holds no secret and no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counts from 1 without gaps.
    pub sequence: u64,
    /// When, by the API's clock.
    pub time: Timestamp,
    /// What was asked.
    pub operation: Operation,
    /// The network of the call's credentials, if they were good.
    pub network: Option<NetworkId>,
    /// The endpoint asked for, or the one created.
    pub id: Option<EndpointId>,
    /// The URL of a create, as the caller gave it.
    pub url: Option<String>,
    /// The names of the fields that a create or patch sent, in alphabetical order.
    pub fields: Vec<String>,
    /// The endpoint after which a list was to begin: every page but the first has one.
    pub starting_after: Option<EndpointId>,
    /// The status answered (or tried to), if the call was answered at all.
    pub status: Option<u16>,
    /// What was done.
    pub effect: Effect,
    /// The fault that the call met, by its name.
    pub fault: Option<&'static str>,
    /// The sequence of the call whose deferred effect this entry tells; such an entry is no call.
    pub completes: Option<u64>,
}

/// All calls so far, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// Every entry, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many calls of this operation arrived, whatever became of them.
    #[must_use]
    pub fn count(&self, operation: Operation) -> usize {
        self.calls(operation).count()
    }

    /// How many calls of this operation took effect.
    #[must_use]
    pub fn effects(&self, operation: Operation) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.operation == operation && entry.effect == Effect::Applied)
            .count()
    }

    /// The calls of this operation, oldest first.
    pub fn calls(&self, operation: Operation) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.operation == operation && entry.completes.is_none())
    }

    /// How many calls could have changed an endpoint.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.entries.iter().filter(|entry| entry.operation.is_write() && entry.completes.is_none()).count()
    }

    /// The ids that creates with this URL made, oldest first.
    #[must_use]
    pub fn created(&self, url: &str) -> Vec<EndpointId> {
        self.entries
            .iter()
            .filter(|entry| entry.operation == Operation::Create && entry.effect == Effect::Applied)
            .filter(|entry| entry.url.as_deref() == Some(url))
            .filter_map(|entry| entry.id.clone())
            .collect()
    }

    /// The ledger without the entries up to and including `sequence`.
    #[must_use]
    pub fn since(&self, sequence: u64) -> Self {
        let known = self.entries.partition_point(|entry| entry.sequence <= sequence);
        Self { entries: self.entries[known..].to_vec() }
    }

    /// The ledger of one network's calls.
    #[must_use]
    pub fn of_network(&self, network: &NetworkId) -> Self {
        let of_network = self.entries.iter().filter(|entry| entry.network.as_ref() == Some(network));
        Self { entries: of_network.cloned().collect() }
    }

    /// The sequence of the newest entry; 0 while there is none.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.sequence)
    }

    /// Appends an entry and gives its sequence, which replaces the one in `entry`.
    pub(crate) fn append(&mut self, mut entry: Entry) -> u64 {
        entry.sequence = self.last_sequence() + 1;
        let sequence = entry.sequence;
        self.entries.push(entry);
        sequence
    }
}
