//! What an error's body says to people, in whichever of the usual shapes it says it.
//!
//! Never the body itself: JSON and HTML in a condition help nobody.

use serde_json::Value;

use super::excerpt::is_printable;

/// The fields in which a message is found, best first: RFC 9457 (`detail`, `title`), RFC 6749
/// (`error_description`), and what most others use.
const MESSAGES: [&str; 9] = [
    "message",
    "error_description",
    "errorMessage",
    "error_message",
    "detail",
    "description",
    "reason",
    "title",
    "msg",
];
/// The fields in which a message or its object is found.
const CAUSES: [&str; 4] = ["error", "errors", "fault", "exception"];
/// The fields in which a word for machines is found.
const CODES: [&str; 5] = ["error", "code", "error_code", "errorCode", "type"];
/// How many messages of a body are told.
const MOST: usize = 3;
/// The longest word for machines, in bytes.
const MAX_CODE: usize = 64;

/// What the beginning of a body says; nothing when it says nothing for people.
pub(super) fn message(body: &str) -> String {
    let text = body.trim_start_matches('\u{feff}').trim();
    if is_html(text.as_bytes()) {
        return "an HTML page".to_owned();
    }
    if text.starts_with('<') {
        return "an XML document".to_owned();
    }
    if text.starts_with(['{', '[', '"']) {
        return serde_json::from_str(text).map(|json| of_json(&json)).unwrap_or_default();
    }
    let readable = text.chars().all(|c| is_printable(c) || c.is_whitespace());
    if readable { text.to_owned() } else { String::new() }
}

/// Whether a body is a page for people, as of a proxy or a portal, whatever its type is said to be.
pub(super) fn is_html(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    let beginning = body[..body.len().min(512)].to_ascii_lowercase();
    let begins = |with: &[u8]| beginning.starts_with(with);
    begins(b"<!doctype html")
        || begins(b"<html")
        || begins(b"<head")
        || begins(b"<body")
        || (begins(b"<") && beginning.windows(5).any(|part| part == b"<html"))
}

/// Whether a body speaks of a limit to the rate of calls: some refuse them with 401 or 403, as GitHub's secondary
/// limits do (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
pub(super) fn tells_of_a_rate(body: &str) -> bool {
    let text = if is_html(body.as_bytes()) { body.to_owned() } else { message(body) };
    let text = text.to_lowercase().replace(['_', '-'], " ");
    ["rate limit", "ratelimit", "too many requests", "throttl"].iter().any(|words| text.contains(words))
}

/// The word by which RFC 6749, section 5.2, names an error, if a body holds one.
pub(super) fn oauth_error(body: &str) -> Option<String> {
    let json: Value = serde_json::from_str(body).ok()?;
    json.get("error")?.as_str().and_then(code).map(str::to_owned)
}

fn of_json(json: &Value) -> String {
    let mut messages = Vec::new();
    collect(json, &mut messages);
    messages.truncate(MOST);
    messages.join("; ")
}

fn collect(json: &Value, messages: &mut Vec<String>) {
    if messages.len() >= MOST {
        return;
    }
    match json {
        Value::String(text) if !text.trim().is_empty() => messages.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|each| collect(each, messages)),
        Value::Object(fields) => {
            let text = |name: &&str| fields.get(*name)?.as_str().filter(|text| !text.trim().is_empty());
            let code = CODES.iter().filter_map(text).find_map(code);
            let told = MESSAGES.iter().find_map(text);
            let before = messages.len();
            match (told, code) {
                (Some(told), Some(code)) if !told.contains(code) => messages.push(format!("{told} ({code})")),
                (Some(told), _) => messages.push(told.to_owned()),
                (None, _) => {}
            }
            for cause in CAUSES.iter().filter_map(|name| fields.get(*name)) {
                match cause {
                    // A map from a field to what is wrong with it, as RFC 9457's extensions often have it.
                    Value::Object(of_fields) if !has_message(cause) => {
                        for (name, wrong) in of_fields {
                            let mut found = Vec::new();
                            collect(wrong, &mut found);
                            messages.extend(found.into_iter().map(|wrong| format!("{name}: {wrong}")));
                        }
                    }
                    Value::String(_) if told.is_some() => {}
                    cause => collect(cause, messages),
                }
            }
            if let (true, Some(code)) = (messages.len() == before, code) {
                messages.push(code.to_owned());
            }
        }
        _ => {}
    }
}

fn has_message(json: &Value) -> bool {
    let named =
        |names: &[&str]| names.iter().any(|name| json.get(*name).is_some_and(|value| !value.is_null()));
    named(&MESSAGES) || named(&CAUSES) || named(&CODES)
}

/// A word for machines, when it is one.
fn code(text: &str) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (text.len() <= MAX_CODE && text.chars().all(is_word)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_message_in_the_usual_shapes() {
        for (body, expected) in [
            (r#"{"message": "url must be https"}"#, "url must be https"),
            (r#"{"error": "too bad"}"#, "too bad"),
            (
                r#"{"error": {"code": "invalid_url", "message": "url must be https"}}"#,
                "url must be https (invalid_url)",
            ),
            (
                r#"{"error": "invalid_client", "error_description": "unknown client"}"#,
                "unknown client (invalid_client)",
            ),
            (r#"{"error": "invalid_client"}"#, "invalid_client"),
            (r#"{"statusCode": 400, "error": "Bad Request", "message": "url is taken"}"#, "url is taken"),
            (r#"{"errors": [{"message": "one"}, {"detail": "two", "code": "b"}]}"#, "one; two (b)"),
            (r#"{"errors": ["one", "two", "three", "four"]}"#, "one; two; three"),
            (r#"{"errors": {"url": ["is taken"], "status": ["is odd"]}}"#, "status: is odd; url: is taken"),
            (
                r#"{"type": "https://example.com/probs/x", "title": "Not allowed", "detail": "url is taken", "status": 403}"#,
                "url is taken",
            ),
            (r#"{"type": "about:blank", "title": "Not allowed", "status": 403}"#, "Not allowed"),
            (r#"{"data": null, "error": null, "message": "gone"}"#, "gone"),
            (r#""a text""#, "a text"),
            (r#"[{"message": "first"}]"#, "first"),
            ("upstream connect error", "upstream connect error"),
            ("<html><body>502 Bad Gateway</body></html>", "an HTML page"),
            ("\n<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html>", "an HTML page"),
            ("<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"\" \"\"><html xmlns=\"x\">", "an HTML page"),
            ("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
            (r#"{"status": 500, "request_id": "abc"}"#, ""),
            (r#"{"message": {"nested": 1}, "error": 7}"#, ""),
            (r#"{"message": "cut o"#, ""),
            ("\u{1}\u{2}\u{3}", ""),
            ("", ""),
        ] {
            assert_eq!(message(body), expected, "{body}");
        }
    }

    #[test]
    fn a_limit_to_the_rate_is_known_by_its_words() {
        for (body, expected) in [
            (r#"{"message": "You have exceeded a secondary rate limit"}"#, true),
            (r#"{"error": {"code": "rate_limit_exceeded", "message": "slow down"}}"#, true),
            (r#"{"error": "too_many_requests"}"#, true),
            (r#"{"error": "access_denied", "error_description": "Too Many Requests"}"#, true),
            ("<html><title>Error 1015</title>You are being rate limited</html>", true),
            ("Request was throttled.", true),
            (r#"{"message": "lacks the scope"}"#, false),
            (r#"{"message": "no", "documentation_url": "https://example.com/rate-limit"}"#, false),
            ("", false),
        ] {
            assert_eq!(tells_of_a_rate(body), expected, "{body}");
        }
    }

    #[test]
    fn no_nesting_is_too_deep() {
        for deep in ["[".repeat(10_000), r#"{"error":"#.repeat(10_000)] {
            assert_eq!(message(&deep), "");
        }
        let deep = format!("{}\"x\"{}", r#"{"error":"#.repeat(100), "}".repeat(100));
        assert_eq!(message(&deep), "x");
    }

    #[test]
    fn an_oauth_error_is_a_word() {
        for (body, expected) in [
            (r#"{"error": "invalid_client", "error_description": "x"}"#, Some("invalid_client")),
            (r#"{"error": "Something went wrong"}"#, None),
            (r#"{"error": {"message": "x"}}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(oauth_error(body).as_deref(), expected, "{body}");
        }
    }
}
