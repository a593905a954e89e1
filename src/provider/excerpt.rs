//! A few harmless words of an answer, for a message.
//!
//! Error bodies are undocumented and end up in conditions, events and logs, which more people read
//! than may know a secret. So whatever looks like a secret goes, even when it is none.

use std::cmp::Reverse;

use secrecy::{ExposeSecret, SecretString};

/// The longest excerpt, in characters.
const MAX_CHARS: usize = 200;

/// What stands for removed text.
const REDACTED: &str = "[redacted]";

/// A run of letters and digits of at least this length is taken for a secret.
const OPAQUE_CHARS: usize = 20;

/// Words after which a value is taken for a secret, in lower case.
const SECRET_NAMES: [&str; 8] =
    ["secret", "token", "password", "authorization", "bearer", "apikey", "api_key", "credential"];

/// The beginning of `text` in one line, printable, with what looks like a secret, and each of
/// `known` secrets, removed.
pub(super) fn excerpt(text: &str, known: &[&SecretString]) -> String {
    let mut text = text.to_owned();
    let mut known: Vec<_> = known.iter().map(|secret| secret.expose_secret()).collect();
    // One may begin with another, of which nothing would be found any more.
    known.sort_by_key(|secret| Reverse(secret.len()));
    for secret in known.into_iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, REDACTED);
    }
    let text = redact(&one_line(&text));
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters, and the formatting characters that reorder or hide text in a terminal.
pub(super) fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Set while what follows is the value of something named like a secret.
    let mut value_follows = false;
    while let Some(first) = rest.chars().next() {
        if is_word(first) {
            let word = leading(rest, is_word);
            rest = &rest[word.len()..];
            // `Authorization: Bearer …` names it twice; and a value may end like a name.
            let is_secret = if value_follows { !is_secret_name(word) } else { looks_secret(word) };
            let is_marker = word == REDACTED.trim_matches(['[', ']']);
            value_follows = ends_like_a_secret_name(word);
            out.push_str(if is_secret && !is_marker { REDACTED } else { word });
            continue;
        }
        // A quoted value of a secret's name goes as a whole, spaces included.
        if value_follows && first == '"' && out.ends_with([':', '=', ' ']) {
            out.push_str(REDACTED);
            rest = after_string(rest);
            value_follows = false;
            continue;
        }
        // `"secret": "…"` keeps the name's claim alive across this punctuation only.
        value_follows &= matches!(first, '"' | '\'' | ':' | '=' | ' ');
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '~' | '%')
}

fn leading(text: &str, belongs: fn(char) -> bool) -> &str {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    &text[..end]
}

/// What follows the string literal that `text` begins with.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

fn is_secret_name(word: &str) -> bool {
    SECRET_NAMES.iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn ends_like_a_secret_name(word: &str) -> bool {
    let word = word.to_ascii_lowercase().replace('-', "_");
    SECRET_NAMES.iter().any(|name| word.ends_with(name))
}

fn looks_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    if lower.contains("whsec") || word.contains("eyJ") {
        return true;
    }
    word.split(['/', '.'])
        .any(|part| part.chars().count() >= OPAQUE_CHARS && part.chars().any(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_ordinary_words() {
        for text in [
            r#"{"message":"url must be https","code":"invalid_url"}"#,
            "<html><body>502 Bad Gateway</body></html>",
            "enabledEvents[0] must be one of ocpp.message, asset.connectivity",
            "no endpoint wh_abc123",
        ] {
            assert_eq!(excerpt(text, &[]), text);
        }
    }

    #[test]
    fn removes_what_looks_like_a_secret() {
        for (text, expected) in [
            (r#"{"secret":"whsec_abc123def456..."}"#, r#"{"secret":[redacted]}"#),
            (
                r#"{"secret": "two \"quoted\" words", "id": "wh_1"}"#,
                r#"{"secret": [redacted], "id": "wh_1"}"#,
            ),
            (r#"{"clientSecret":"hunter2"}"#, r#"{"clientSecret":[redacted]}"#),
            ("got whsec_abc", "got [redacted]"),
            ("Authorization: Bearer abc", "Authorization: Bearer [redacted]"),
            ("access_token=abc&x=1", "access_token=[redacted]&x=1"),
            ("jwt eyJhbGciOi.eyJzdWIi.sig", "jwt [redacted]"),
            ("key 0123456789abcdef0123", "key [redacted]"),
            ("Bearer my-token", "Bearer [redacted]"),
            ("secret client_secret=abc", "secret [redacted]=[redacted]"),
            ("url-encoded whsec%5Fabc", "url-encoded [redacted]"),
        ] {
            assert_eq!(excerpt(text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn removes_known_secrets_wherever_they_are() {
        let secret = SecretString::from("plain words");

        assert_eq!(excerpt("not 'plain words' again", &[&secret]), "not '[redacted]' again");
    }

    #[test]
    fn removes_a_known_secret_that_begins_with_another() {
        let known = [&SecretString::from("client"), &SecretString::from("client of ours")];

        assert_eq!(excerpt("no client of ours", &known), "no [redacted]");
    }

    #[test]
    fn is_one_printable_line_of_bounded_length() {
        assert_eq!(excerpt("a\r\n\tb\u{1b}[31m\u{202e}c\0", &[]), "a b [31m c");
        assert_eq!(excerpt(&"é ".repeat(1000), &[]).chars().count(), MAX_CHARS + 1);
    }
}
