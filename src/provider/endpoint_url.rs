//! Where an endpoint delivers to.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use url::Url;

/// Where an endpoint delivers to: a URL as somebody spelt it.
///
/// Two of them are equal when they are the same URL as the WHATWG parses it
/// (<https://url.spec.whatwg.org/#url-equivalence>), whatever their spelling: an API may answer with
/// `https://example.com/` where it was given `HTTPS://Example.com:443`. Text that is no URL equals itself only.
/// It is parsed once, when it is taken in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub struct EndpointUrl {
    text: String,
    /// What the parsed URL reads, where that differs from `text`.
    parsed: Option<Box<str>>,
}

impl EndpointUrl {
    /// The URL as it was spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How much memory its texts take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.parsed.as_ref().map_or(0, |parsed| parsed.len())
    }

    /// What all its spellings have in common.
    fn key(&self) -> &str {
        self.parsed.as_deref().unwrap_or(&self.text)
    }
}

impl From<String> for EndpointUrl {
    fn from(text: String) -> Self {
        let parsed = Url::parse(&text).ok().filter(|url| url.as_str() != text);
        Self { parsed: parsed.map(|url| String::from(url).into_boxed_str()), text }
    }
}

impl From<&str> for EndpointUrl {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<EndpointUrl> for String {
    fn from(url: EndpointUrl) -> Self {
        url.text
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for EndpointUrl {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for EndpointUrl {}

impl PartialOrd for EndpointUrl {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EndpointUrl {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

impl Hash for EndpointUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn spellings_of_one_url_are_equal_in_every_way() {
        let hasher = RandomState::new();
        for (first, second, equal) in [
            ("https://example.com", "https://example.com", true),
            ("https://example.com", "https://example.com/", true),
            ("https://Hooks.Example.com:443/a/../b", "https://hooks.example.com/b", true),
            ("HTTPS://example.com/x", "https://example.com/x", true),
            ("https://bücher.example/", "https://xn--bcher-kva.example/", true),
            ("https://example.com/a b?c d", "https://example.com/a%20b?c%20d", true),
            ("  https://example.com/ ", "https://example.com/", true),
            ("https://example.com/a", "https://example.com/A", false),
            ("https://example.com/a", "https://example.com/a/", false),
            ("https://example.com:8443/", "https://example.com/", false),
            ("http://example.com/", "https://example.com/", false),
            ("https://example.com/?a=1&b=2", "https://example.com/?b=2&a=1", false),
            ("no URL", "no URL", true),
            ("no URL", "No URL", false),
        ] {
            let (one, two) = (EndpointUrl::from(first), EndpointUrl::from(second));
            assert_eq!(one == two, equal, "{first} {second}");
            assert_eq!(one.cmp(&two) == Ordering::Equal, equal, "{first} {second}");
            assert_eq!(hasher.hash_one(&one) == hasher.hash_one(&two), equal, "{first} {second}");
        }
    }

    #[test]
    fn the_spelling_is_kept() {
        let spelt = "https://Hooks.Example.com:443/a/../b";
        let url = EndpointUrl::from(spelt);
        assert_eq!((url.as_str(), url.to_string()), (spelt, spelt.to_owned()));
        let json = serde_json::to_string(&url).unwrap();
        assert_eq!(json, format!("{spelt:?}"));
        assert_eq!(serde_json::from_str::<EndpointUrl>(&json).unwrap().as_str(), spelt);
    }
}
