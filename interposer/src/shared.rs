//! What all connections of an interposer share.

use crate::fault::Faults;
use crate::target::Side;
use crate::upstream::Upstream;
use crate::view::Views;
use crate::watch::Watches;
use crate::world::World;

/// What all connections of an interposer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) side: Side,
    pub(crate) world: World,
    pub(crate) upstream: Upstream,
    pub(crate) faults: Faults,
    pub(crate) views: Views,
    pub(crate) watches: Watches,
}
