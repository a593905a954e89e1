//! Readers that see the past.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::hold::Hold;

/// How long what is written from now on (creates, changes and deletes alike) stays unseen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Lag {
    /// By lists; not at all if `None`.
    pub list: Option<Hold>,
    /// By gets; not at all if `None`.
    pub get: Option<Hold>,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    List,
    Get,
}

/// What an endpoint was from one write to the next.
#[derive(Debug)]
pub(super) struct Version {
    /// `None` once it is deleted.
    pub(super) value: Option<Endpoint>,
    pub(super) list: Visible,
    pub(super) get: Visible,
}

/// When a version begins to be seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Visible {
    Now,
    From(Instant),
    OnRelease,
}

impl Visible {
    pub(super) fn after(hold: Option<Hold>, now: Instant) -> Self {
        match hold {
            None => Self::Now,
            Some(Hold::For(duration)) => Self::From(now + duration),
            Some(Hold::UntilReleased) => Self::OnRelease,
        }
    }

    fn at(self, now: Instant) -> bool {
        match self {
            Self::Now => true,
            Self::From(time) => time <= now,
            Self::OnRelease => false,
        }
    }

    fn release(&mut self) {
        if matches!(self, Self::OnRelease) {
            *self = Self::Now;
        }
    }
}

impl Version {
    pub(super) fn release(&mut self) {
        self.list.release();
        self.get.release();
    }

    /// Whether every reader sees it, or something newer.
    pub(super) fn settled(&self, now: Instant) -> bool {
        self.list.at(now) && self.get.at(now)
    }
}

/// What a reader sees of an endpoint.
pub(super) fn seen(versions: &[Version], reader: Reader, now: Instant) -> Option<&Endpoint> {
    let visible = |version: &&Version| match reader {
        Reader::List => version.list.at(now),
        Reader::Get => version.get.at(now),
    };
    versions.iter().rev().find(visible)?.value.as_ref()
}
