//! What values on the command line mean, and what to write instead of those that mean nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use webhook_operator::resources::{self, DurationError};

/// A time span as Go writes it.
pub(crate) fn duration(text: &str) -> Result<Duration, DurationError> {
    text.parse::<resources::Duration>().map(Duration::from)
}

/// Where to listen.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, e.g. 0.0.0.0:8080 or [::]:8080".to_owned())
}

/// An address, or a range of them.
pub(crate) fn range(text: &str) -> Result<IpNet, String> {
    let host = || text.parse().map(|address: IpAddr| IpNet::from(address));
    text.parse()
        .or_else(|_| host())
        .map_err(|_| "expected an IP address or a range, e.g. 10.1.2.0/24".to_owned())
}

/// What is logged.
pub(crate) fn log_filter(text: &str) -> Result<EnvFilter, String> {
    let expected = "expected levels, e.g. info or warn,webhook_operator=debug";
    text.parse().map_err(|_| expected.to_owned())
}

/// A label selector: the API server would refuse a wrong one at each watch, for ever.
pub(crate) fn selector(text: &str) -> Result<String, String> {
    let expected = "expected a label selector, e.g. region=eu, !test or tier in (a, b)";
    if requirements(text).is_some_and(|found| found.iter().all(|requirement| is_requirement(requirement))) {
        return Ok(text.to_owned());
    }
    Err(expected.to_owned())
}

/// The requirements between the commas that stand outside parentheses.
fn requirements(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            '(' | ')' if inside == (character == '(') => return None,
            '(' | ')' => inside = !inside,
            ',' if !inside => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(text[start..].trim());
    (!inside).then_some(found)
}

fn is_requirement(text: &str) -> bool {
    if let Some((key, value)) = ["!=", "==", "="].iter().find_map(|operator| text.split_once(operator)) {
        return is_key(key.trim()) && is_value(value.trim());
    }
    if let Some((key, values)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let mut words = key.split_whitespace();
        let (key, operator, end) = (words.next(), words.next(), words.next());
        return key.is_some_and(is_key)
            && matches!(operator, Some("in" | "notin"))
            && end.is_none()
            && values.split(',').all(|value| is_value(value.trim()));
    }
    if let Some((key, value)) = text.split_once(['>', '<']) {
        return is_key(key.trim()) && value.trim().parse::<i64>().is_ok();
    }
    is_key(text.strip_prefix('!').unwrap_or(text).trim())
}

/// A label's key: a name, and before it perhaps a DNS subdomain and a slash.
fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let is_subdomain = |prefix: &str| {
        prefix.len() <= 253
            && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
            && prefix
                .split('.')
                .all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'))
    };
    !name.is_empty() && is_value(name) && prefix.is_none_or(is_subdomain)
}

/// A label's value: empty, or letters, digits and inside it `-`, `_` and `.`.
fn is_value(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let at_end = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63
        && text.chars().all(inside)
        && (text.is_empty() || (text.starts_with(at_end) && text.ends_with(at_end)))
}

/// The name of a namespace.
pub(crate) fn namespace(text: &str) -> Result<String, String> {
    let fits =
        |character: char| character == '-' || character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_name = !text.is_empty() && text.len() <= 63 && text.chars().all(fits);
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("expected the name of a namespace, e.g. billing".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_as_the_api_server_reads_them() {
        for good in [
            "region=eu",
            "region==eu,!test",
            "region!=eu , example.com/team",
            "tier in (a, b),region notin (eu)",
            "!test.webhookoperator.dev/operator",
            "region=",
            "tier > 3,size<10",
        ] {
            assert_eq!(selector(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "=eu",
            "a b",
            "region=e u",
            "tier in a,b",
            "tier in (a",
            "tier is (a)",
            "region=eu,",
            "Ex.com//a",
            "region=-eu",
            "((a))",
            "a)",
            "-x/y=z",
            "tier>high",
        ] {
            assert!(selector(bad).is_err(), "{bad:?}");
        }
    }
}
