//! Reading JSON of which nothing is certain: no deeper, no longer and at no more cost than it may be.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::{Failure, invalid};
use super::message;

/// The longest field that is read, in bytes: a URL has 2048 characters at most, and an event is a word.
pub(super) const MAX_FIELD_BYTES: usize = 16 * 1024;
/// How deep an answer may be nested; a list of endpoints with their events is five levels deep.
pub(super) const MAX_DEPTH: usize = 32;

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

/// What an answer holds as its `data`.
pub(super) fn data<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    if message::is_html(body) {
        return Err(invalid("an HTML page"));
    }
    if is_deep(body) {
        return Err(invalid("it is nested too deeply"));
    }
    let envelope: Envelope<T> = serde_json::from_slice(body).map_err(|error| invalid(&describe(&error)))?;
    Ok(envelope.data)
}

/// Whether brackets are nested more than [`MAX_DEPTH`] deep, those in texts aside.
fn is_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// An array of at most so many elements.
pub(super) struct AtMost<const MOST: usize, C>(pub(super) C);

impl<'de, const MOST: usize, C> Deserialize<'de> for AtMost<MOST, C>
where
    C: Default + Extend<C::Item> + IntoIterator,
    C::Item: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements::<MOST, C>(PhantomData)).map(Self)
    }
}

struct Elements<const MOST: usize, C>(PhantomData<C>);

impl<'de, const MOST: usize, C> Visitor<'de> for Elements<MOST, C>
where
    C: Default + Extend<C::Item> + IntoIterator,
    C::Item: Deserialize<'de>,
{
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {MOST} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<C, A::Error> {
        let (mut elements, mut count) = (C::default(), 0);
        while let Some(element) = array.next_element()? {
            count += 1;
            if count > MOST {
                return Err(de::Error::invalid_length(count, &self));
            }
            elements.extend(Some(element));
        }
        Ok(elements)
    }
}

/// Says what is wrong without quoting a value: serde's own message may hold one.
pub(super) fn describe(error: &serde_json::Error) -> String {
    let message = error.to_string();
    if message.starts_with("missing field") || message.starts_with("invalid length") {
        return message;
    }
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a field has an unexpected type",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

/// A field that has to be there.
pub(super) fn required<'a, T: Deserialize<'a>>(
    field: Option<&'a RawValue>,
    name: &str,
) -> Result<T, Failure> {
    let field = field.ok_or_else(|| invalid(&format!("missing field `{name}`")))?;
    optional(Some(field)).ok_or_else(|| invalid(&format!("field `{name}` has an unexpected type")))
}

/// A value that is not what the page documents counts as absent.
pub(super) fn optional<'a, T: Deserialize<'a>>(field: Option<&'a RawValue>) -> Option<T> {
    let field = field.filter(|field| field.get().len() <= MAX_FIELD_BYTES)?;
    serde_json::from_str(field.get()).ok()
}
