//! Time spans in manifests and on the command line, as Go writes them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What the schema admits: so few digits that no reader's arithmetic overflows, neither ours nor CEL's.
macro_rules! duration_pattern {
    () => {
        "^([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?([0-9]{1,12}ms)?$"
    };
}

/// A rule about a duration, as CEL; it leaves texts that are none to the rule of [`Duration`] itself.
macro_rules! duration_rule {
    ($rule:literal) => {
        concat!("!self.matches('", $crate::resources::duration::duration_pattern!(), "') || (", $rule, ")")
    };
}

pub(super) use {duration_pattern, duration_rule};

/// A time span of at most ten years, e.g. `1h30m`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Duration(time::Duration);

/// Why a text is no [`Duration`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// It is not written as Go writes durations, or it is negative.
    #[error("expected a duration, e.g. 60s or 1m30s")]
    Malformed,
    /// It is longer than [`Duration::LONGEST`].
    #[error("expected a duration of at most {}, which is ten years", Duration::LONGEST)]
    TooLong,
}

impl Duration {
    /// Ten years, of 365 days each.
    pub const LONGEST: Self = Self(time::Duration::from_hours(87_600));
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// Cuts what is longer than [`Duration::LONGEST`].
impl From<time::Duration> for Duration {
    fn from(duration: time::Duration) -> Self {
        Self(duration).min(Self::LONGEST)
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    /// Reads what Go's `time.ParseDuration` does, but for signs and for a 0 without a unit.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let mut nanoseconds = 0_u128;
        let mut rest = text;
        while !rest.is_empty() {
            let (number, unit);
            (number, rest) = split(rest, |c| c.is_ascii_digit() || c == '.');
            (unit, rest) = split(rest, |c| !c.is_ascii_digit() && c != '.');
            let component = component(number, unit).ok_or(DurationError::Malformed)?;
            nanoseconds = nanoseconds.saturating_add(component);
        }
        if text.is_empty() {
            return Err(DurationError::Malformed);
        }
        let duration =
            u64::try_from(nanoseconds).map(|nanoseconds| Self(time::Duration::from_nanos(nanoseconds)));
        duration.ok().filter(|duration| *duration <= Self::LONGEST).ok_or(DurationError::TooLong)
    }
}

/// The nanoseconds of one number with its unit; more of them than fit are as many as fit.
fn component(number: &str, unit: &str) -> Option<u128> {
    let unit = match unit {
        "ns" => 1,
        // The sign for micro, and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    // Further digits are less than a nanosecond, of whatever unit.
    let fraction = &fraction[..fraction.len().min(15)];
    let scale = fraction.bytes().fold(1, |scale, _| scale * 10);
    Some(integer(whole).saturating_mul(unit).saturating_add(integer(fraction) * unit / scale))
}

fn integer(digits: &str) -> u128 {
    digits.bytes().fold(0, |sum: u128, digit| sum.saturating_mul(10).saturating_add((digit - b'0').into()))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        for (count, unit) in [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        match self.0.subsec_nanos() {
            0 if seconds > 0 => Ok(()),
            0 => f.write_str("0s"),
            rest => write!(f, "{:?}", time::Duration::from_nanos(rest.into())),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    /// A duration that is too long, which only an older schema can have admitted, is cut: else the whole
    /// object would be unreadable, and so could neither be reconciled nor deleted.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Cow::<str>::deserialize(deserializer)?.parse() {
            Err(DurationError::TooLong) => Ok(Self::LONGEST),
            read => read.map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 2,
            "maxLength": 32,
            "x-kubernetes-validations": [{
                "rule": concat!("self.matches('", duration_pattern!(), "') && duration(self) <= duration('87600h')"),
                "message": "a duration is written in h, m, s and ms, largest first, e.g. 2160h, 1h30m or 90s, and is at most \
                            87600h, which is ten years",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: time::Duration = time::Duration::from_secs(1);

    fn nanoseconds(text: &str) -> Result<u128, DurationError> {
        text.parse().map(|Duration(duration)| duration.as_nanos())
    }

    #[test]
    fn reads_every_unit_and_fractions() {
        for (text, expected) in [
            ("0s", 0),
            ("1ns", 1),
            ("1us", 1_000),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s", 1_000),
            ("1ms", 1_000_000),
            ("90s", 90 * SECOND.as_nanos()),
            ("1m", 60 * SECOND.as_nanos()),
            ("1h", 3600 * SECOND.as_nanos()),
            ("1h30m", 5400 * SECOND.as_nanos()),
            ("1h2m3s4ms", 3723 * SECOND.as_nanos() + 4_000_000),
            ("30s1m", 90 * SECOND.as_nanos()),
            ("0000000000000000000000000000000000000000000001s", SECOND.as_nanos()),
            ("1.5h", 5400 * SECOND.as_nanos()),
            (".5s", SECOND.as_nanos() / 2),
            ("2.s", 2 * SECOND.as_nanos()),
            ("0.1ns", 0),
            ("0.33333333333333333333333333333333333333333333333333333333333333333h", 1_199_999_999_999),
            ("87600h", 315_360_000 * SECOND.as_nanos()),
        ] {
            assert_eq!(nanoseconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            " ",
            "0",
            "5",
            "s",
            ".s",
            "1.2.3s",
            "1d",
            "1 m",
            "1m ",
            "1 minute",
            "-1s",
            "+1s",
            "--1s",
            "1e3s",
            "1h-2m",
            "1H",
            "NaNs",
            "infs",
            "1\u{661}s",
            "\u{661}s",
            "\u{3bc}s",
            "\u{1f4a3}",
        ] {
            assert_eq!(nanoseconds(text), Err(DurationError::Malformed), "{text:?}");
        }
    }

    /// Case 01: an absurd duration ended the process.
    #[test]
    fn an_absurd_duration_is_too_long_whatever_its_unit() {
        let nines = "9".repeat(10_000);
        for unit in ["ns", "us", "ms", "s", "m", "h"] {
            for text in
                [format!("{nines}{unit}"), format!("{nines}.{nines}{unit}"), format!("1s{nines}{unit}9h")]
            {
                assert_eq!(nanoseconds(&text), Err(DurationError::TooLong), "{unit}");
                let read = serde_json::from_value::<Duration>(text.into());
                assert_eq!(read.ok(), Some(Duration::LONGEST), "{unit}");
            }
        }
        for text in [
            "9999999999999999h",
            "87600h1ns",
            "99999h9999999m999999999s999999999999ms",
            "18446744073709551616ns",
        ] {
            assert_eq!(nanoseconds(text), Err(DurationError::TooLong), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (text, expected) in [
            ("0h0ms", "0s"),
            ("90m", "1h30m"),
            ("345600s", "96h"),
            ("3600.5s", "1h500ms"),
            ("1ns1us", "1.001\u{b5}s"),
            ("87600h", "87600h"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string(), expected);
            assert_eq!(serde_json::from_value::<Duration>(serde_json::json!(duration)).unwrap(), duration);
        }
        assert_eq!(Duration::from(time::Duration::MAX), Duration::LONGEST);
    }

    #[test]
    fn what_can_not_be_read_is_an_error() {
        for value in [serde_json::json!("-5s"), serde_json::json!(5), serde_json::json!(null)] {
            assert!(serde_json::from_value::<Duration>(value.clone()).is_err(), "{value}");
        }
    }
}
