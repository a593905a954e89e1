//! Texts of manifests, flags and annotations.

use arbitrary::{Result, Unstructured};
use webhook_operator::planning::Attempt;
use webhook_operator::provider::EndpointUrl;
use webhook_operator::resources::Duration;

/// Up to `most` of these pieces, one after the other, with arbitrary texts between them now and then.
fn pieced(made_up: &mut Unstructured<'_>, pieces: &[&str], most: usize) -> Result<String> {
    let mut text = String::new();
    for _ in 0..made_up.int_in_range(0..=most)? {
        if made_up.ratio(1, 10)? {
            text += &made_up.arbitrary::<String>()?;
        } else {
            text += made_up.choose(pieces)?;
        }
    }
    Ok(text)
}

#[test]
fn fuzz_durations() {
    const PIECES: [&str; 20] = [
        "0",
        "1",
        "9",
        "60",
        "999999999",
        "18446744073709551616",
        ".",
        "-",
        "+",
        "e9",
        "h",
        "m",
        "s",
        "ms",
        "us",
        "µs",
        "μs",
        "ns",
        " ",
        "d",
    ];
    crate::fuzz(bolero::check!(), |made_up| {
        let Ok(text) = pieced(made_up, &PIECES, 12) else { return };
        let Ok(duration) = text.parse::<Duration>() else { return };
        assert!(duration <= Duration::LONGEST, "{text}");
        let written = duration.to_string();
        assert_eq!(written.parse::<Duration>(), Ok(duration), "{text} was written as {written}");
    });
}

#[test]
fn fuzz_urls() {
    const PIECES: [&str; 28] = [
        "https",
        "http",
        "HTTPS",
        ":",
        "//",
        "/",
        "?",
        "#",
        "@",
        "user",
        "hooks.example.com",
        "HOOKS",
        "xn--",
        "ü.de",
        "127.0.0.1",
        "0x7f.1",
        "[::1]",
        ":443",
        ":80",
        ":99999",
        "%2f",
        "%2F",
        "%",
        "..",
        ".",
        "\\",
        "\n",
        "a b",
    ];
    crate::fuzz(bolero::check!(), |made_up| {
        let (Ok(one), Ok(other)) = (pieced(made_up, &PIECES, 14), pieced(made_up, &PIECES, 14)) else {
            return;
        };
        let (url, another) = (EndpointUrl::from(one.as_str()), EndpointUrl::from(other.as_str()));
        assert_eq!(url.as_str(), one, "a URL is sent as it was written");
        assert_eq!(url, url.clone());
        assert_eq!(url == another, another == url, "{one} and {other}");
        let written = serde_json::to_string(&url).unwrap();
        assert_eq!(serde_json::from_str::<EndpointUrl>(&written).unwrap().as_str(), one);
    });
}

#[test]
fn fuzz_the_attempt_annotation() {
    let attempt = serde_json::json!({
        "uid": "uid", "number": 3, "since": "2026-05-01T10:00:00Z", "startedAt": "2026-05-01T10:00:00Z",
        "until": "2026-05-01T10:00:00Z", "posts": 2, "url": "https://hooks.example.com/a",
        "enabledEvents": ["ocpp.message"], "status": "active", "known": ["wh_1"], "purpose": "url",
        "request": "first",
    });
    assert!(serde_json::from_value::<Attempt>(attempt.clone()).is_ok(), "the example is one");
    crate::fuzz(bolero::check!(), |made_up| {
        let Ok(garbled) = crate::json::garbled(made_up, &attempt) else { return };
        let Ok(read) = serde_json::from_str::<Attempt>(&garbled.to_string()) else { return };
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Attempt>(&written).unwrap(), read, "{written}");
    });
}
