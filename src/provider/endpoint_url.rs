//! Where an endpoint delivers to.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use url::Url;

use super::excerpt::excerpt;

/// What RFC 3986 allows neither in a path nor in a query: some write it as it is, others encode it
/// (<https://www.rfc-editor.org/rfc/rfc3986#section-3.3>).
const NOT_ALLOWED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// How many characters of a URL are shown to everybody.
const LONGEST_REDACTED: usize = 200;

/// Where an endpoint delivers to: a URL as somebody spelt it.
///
/// Two of them are equal when one may be another spelling of the other, as some APIs store it: when they are
/// the same URL as the WHATWG parses it (<https://url.spec.whatwg.org/#url-equivalence>), but for a slash at the
/// end of the path, an empty query, and which harmless characters are percent-encoded, and how. What one API
/// takes for a spelling is another URL to its receiver: see [`Self::is_same_url`]. Text that is no URL equals
/// itself only.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub struct EndpointUrl {
    text: Arc<str>,
    /// What all spellings have in common, where that differs from `text`; worked out once, when it is taken in.
    key: Option<Arc<str>>,
}

impl EndpointUrl {
    /// The URL as it was spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether both lead a delivery to the same place for certain: they are the same URL as the WHATWG parses it.
    #[must_use]
    pub fn is_same_url(&self, other: &Self) -> bool {
        self.text == other.text
            || self == other && Url::parse(&self.text).is_ok_and(|url| Url::parse(&other.text) == Ok(url))
    }

    /// The URL as anybody may read it: user, query and fragment are often secrets, and so are long parts of a path.
    #[must_use]
    pub fn redacted(&self) -> String {
        let Ok(mut url) = Url::parse(&self.text) else { return excerpt(&self.text, &[]) };
        let more = if url.query().is_some() { "?…" } else { "" };
        url.set_query(None);
        url.set_fragment(None);
        // Those that can't have a user have none.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let (whole, path) = (url.as_str(), url.path());
        let origin = whole.strip_suffix(path).unwrap_or(whole);
        let path = path.split('/').map(|part| excerpt(part, &[])).collect::<Vec<_>>().join("/");
        format!("{origin}{path}{more}").chars().take(LONGEST_REDACTED).collect()
    }

    /// How much memory its texts take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.key.as_ref().map_or(0, |key| key.len())
    }

    /// What all its spellings have in common.
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.text)
    }
}

impl From<String> for EndpointUrl {
    fn from(text: String) -> Self {
        let key = Url::parse(&text).ok().map(key_of).filter(|key| *key != text);
        Self { key: key.map(Arc::from), text: text.into() }
    }
}

/// What all spellings of a URL have in common.
fn key_of(mut url: Url) -> String {
    let path = evenly_encoded(url.path());
    url.set_path(path.strip_suffix('/').unwrap_or(&path));
    let query = url.query().map(evenly_encoded).filter(|query| !query.is_empty());
    url.set_query(query.as_deref());
    url.into()
}

/// Encodes the same characters as RFC 3986 has it, in the same way, whatever was encoded
/// (<https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2>). An encoded character that has a meaning of its own
/// when it is not stays encoded.
fn evenly_encoded(text: &str) -> String {
    let mut even = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        even.extend(utf8_percent_encode(before, NOT_ALLOWED));
        rest = after;
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            even.push('%');
            continue;
        };
        let encoded = format!("%{}", digits.to_ascii_uppercase());
        match percent_decode_str(&encoded).next().filter(|byte| is_unreserved(*byte)) {
            Some(byte) => even.push(char::from(byte)),
            None => even.push_str(&encoded),
        }
        rest = &after[2..];
    }
    even.extend(utf8_percent_encode(rest, NOT_ALLOWED));
    even
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

impl From<&str> for EndpointUrl {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<EndpointUrl> for String {
    fn from(url: EndpointUrl) -> Self {
        url.text.as_ref().to_owned()
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
    fn anybody_may_read_it_without_its_secrets() {
        for (url, shown) in [
            ("https://hooks.example.com/charging/1", "https://hooks.example.com/charging/1"),
            ("https://me:pw@hooks.example.com:8443/a?key=1#b", "https://hooks.example.com:8443/a?…"),
            (
                "https://hooks.example.com/services/T0/4f9a8b7c6d5e4f3a2b1c0d",
                "https://hooks.example.com/services/T0/[redacted]",
            ),
            ("no URL, token=abc", "no URL, token=[redacted]"),
        ] {
            assert_eq!(EndpointUrl::from(url).redacted(), shown);
        }
        let long = format!("https://hooks.example.com/{}", "a/".repeat(1000));
        assert_eq!(EndpointUrl::from(long).redacted().chars().count(), LONGEST_REDACTED);
    }

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
            ("https://example.com/a", "https://example.com/a/", true),
            ("https://example.com/a", "https://example.com/a//", false),
            ("https://example.com/a", "https://example.com/a?", true),
            ("https://example.com/a/?b", "https://example.com/a?b", true),
            ("https://example.com/a%2fb%7e", "https://example.com/a%2Fb~", true),
            ("https://example.com/a%2Fb", "https://example.com/a/b", false),
            ("https://example.com/a%3Fb", "https://example.com/a?b", false),
            ("https://example.com/[a|b]?{c}", "https://example.com/%5Ba%7cb%5D?%7Bc%7D", true),
            ("https://example.com/a%zz%4", "https://example.com/a%zz%4/", true),
            ("https://example.com/ü", "https://example.com/%c3%bc", true),
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
    fn a_spelling_that_a_receiver_may_tell_apart_is_another_url() {
        for (first, second, same) in [
            ("https://Hooks.Example.com:443/a/../b", "https://hooks.example.com/b", true),
            ("https://example.com/a", "https://example.com/a/", false),
            ("https://example.com/a%2f", "https://example.com/a%2F", false),
            ("https://example.com/a", "https://example.com/b", false),
            ("no URL", "no URL", true),
            ("no URL", "No URL", false),
        ] {
            let (one, two) = (EndpointUrl::from(first), EndpointUrl::from(second));
            assert_eq!((one.is_same_url(&two), two.is_same_url(&one)), (same, same), "{first} {second}");
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
