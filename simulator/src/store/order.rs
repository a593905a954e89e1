//! The order of lists.

use crate::habits::ListOrder;

/// Where an endpoint stands in a list of the order in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OrderKey(u64);

impl OrderKey {
    /// No endpoint stands before it.
    pub(super) const FIRST: Self = Self(0);
}

impl ListOrder {
    /// The place of the endpoint that was made after `made` others: each has its own.
    pub(super) fn key(self, made: u64) -> OrderKey {
        OrderKey(match self {
            Self::OldestFirst => made,
            Self::NewestFirst => u64::MAX - made,
            Self::Shuffled(seed) => shuffle(made ^ seed),
        })
    }
}

/// The finalizer of `SplitMix64`: a bijection, so that no two endpoints share a place.
fn shuffle(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
