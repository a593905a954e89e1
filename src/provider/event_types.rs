//! The events that an endpoint subscribes to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of an event that an endpoint can subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum EventType {
    /// `ocpp.message`
    OcppMessage,
    /// `asset.connectivity`
    AssetConnectivity,
    /// A type that the API knows and this version does not.
    Other(String),
}

impl EventType {
    /// The type as the API spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::OcppMessage => "ocpp.message",
            Self::AssetConnectivity => "asset.connectivity",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for EventType {
    fn from(name: String) -> Self {
        let known = [Self::OcppMessage, Self::AssetConnectivity];
        let known = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&name));
        known.unwrap_or(Self::Other(name))
    }
}

impl From<EventType> for String {
    fn from(event: EventType) -> Self {
        event.as_str().to_owned()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of types of events. Each endpoint has several and few of them are in it, so it takes no more than they do: a
/// `BTreeSet` of one takes the room of eleven.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<EventType>")]
pub struct EventTypes(Box<[EventType]>);

impl EventTypes {
    /// Those in it, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, EventType> {
        self.0.iter()
    }

    /// Whether one is in it.
    #[must_use]
    pub fn contains(&self, event: &EventType) -> bool {
        self.0.contains(event)
    }

    /// Those that the other set lacks.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a EventType> {
        self.iter().filter(|event| !other.contains(event))
    }

    /// Whether the other set lacks none.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).next().is_none()
    }
}

impl From<Vec<EventType>> for EventTypes {
    fn from(mut events: Vec<EventType>) -> Self {
        events.sort_unstable();
        events.dedup();
        Self(events.into_boxed_slice())
    }
}

impl<const N: usize> From<[EventType; N]> for EventTypes {
    fn from(events: [EventType; N]) -> Self {
        Vec::from(events).into()
    }
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(events: I) -> Self {
        events.into_iter().collect::<Vec<_>>().into()
    }
}

impl IntoIterator for EventTypes {
    type Item = EventType;
    type IntoIter = std::vec::IntoIter<EventType>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a EventTypes {
    type Item = &'a EventType;
    type IntoIter = std::slice::Iter<'a, EventType>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set_in_whatever_order_and_however_often_they_come() {
        let set = |json: &str| serde_json::from_str::<EventTypes>(json).unwrap();
        let both = set(r#"["ocpp.message", "asset.connectivity"]"#);
        assert_eq!(both, set(r#"["asset.connectivity", "OCPP.Message", "ocpp.message"]"#));
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"["ocpp.message","asset.connectivity"]"#);
        let other = set(r#"["ocpp.message", "charger.moved"]"#);
        assert_eq!(other.difference(&both).map(EventType::as_str).collect::<Vec<_>>(), ["charger.moved"]);
        assert!(!other.is_subset(&both) && set("[]").is_subset(&both));
        assert!(EventTypes::from([EventType::OcppMessage]).is_subset(&both));
    }
}
