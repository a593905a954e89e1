//! A few words of detail for a message.

use std::fmt;

/// A few words of detail for a message; shown as `: words`, or not at all when there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Detail(String);

impl Detail {
    /// Takes text that has been through [`super::excerpt`] or is our own.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.0)
    }
}
