//! The API's clock, as well as its answers tell it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::{SignedDuration, Timestamp};

/// The longest wait that a `Retry-After` is believed.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// An answer from so much earlier than this clock's time came late; from earlier still, the API's clock
/// was set back.
const LATE: SignedDuration = SignedDuration::from_secs(5);

/// Carries the time of an answer on by the local monotonic clock, so that neither a wrong local clock
/// nor a step of it matters once the API has answered.
///
/// A `Date` header counts whole seconds, and the answer takes its time to arrive: the API's true time
/// is up to a second plus that delay later than what this clock tells. For the same reason an answer
/// that seems to come from a moment ago corrects nothing: if this clock went back, a list could look
/// newer than the create that followed it.
#[derive(Debug)]
pub(crate) struct Clock {
    anchor: Mutex<Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// What the clock showed at `seen`.
    time: Timestamp,
    /// When that was, locally.
    seen: Instant,
    /// Where `time` comes from.
    source: Source,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    Local,
    Api,
}

impl Anchor {
    fn at(&self, now: Instant) -> Timestamp {
        let elapsed = SignedDuration::try_from(now.saturating_duration_since(self.seen));
        elapsed.ok().and_then(|elapsed| self.time.checked_add(elapsed).ok()).unwrap_or(self.time)
    }
}

impl Clock {
    /// A clock that shows the local time until an answer corrects it.
    pub(crate) fn local() -> Self {
        Self::starting_at(Timestamp::now(), Instant::now())
    }

    fn starting_at(time: Timestamp, seen: Instant) -> Self {
        Self { anchor: Mutex::new(Anchor { time, seen, source: Source::Local }) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Timestamp {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner).at(now)
    }

    /// Takes the time over from an answer whose head arrived at `seen`; an answer that does not tell
    /// the time changes nothing.
    pub(crate) fn learn(&self, headers: &HeaderMap, seen: Instant) {
        let Some(time) = date(headers) else { return };
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = anchor.at(seen);
        let late = anchor.source == Source::Api && time <= shown && shown.duration_since(time) <= LATE;
        if seen >= anchor.seen && !late {
            *anchor = Anchor { time, seen, source: Source::Api };
        }
    }
}

/// The wait that a `Retry-After` header asks for, in seconds or as a date by the answer's own clock; at
/// most an hour. A wait of nothing is no wish: whoever obeyed it would call in a loop.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            http_date(value)?.duration_since(date(headers).unwrap_or(now)).try_into().unwrap_or_default()
        }
    };
    (!wait.is_zero()).then_some(wait.min(LONGEST_WAIT))
}

/// The time in the `Date` header.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn shows_the_local_time_until_an_answer_tells_better() {
        let start = Instant::now();
        let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap(), start);
        assert_eq!(clock.at(start + Duration::from_secs(5)).to_string(), "2026-01-01T00:00:05Z");

        let answer = headers(&[(DATE, "Wed, 07 Jun 2023 17:32:28 GMT")]);
        clock.learn(&answer, start + Duration::from_secs(10));

        assert_eq!(clock.at(start + Duration::from_millis(12_500)).to_string(), "2023-06-07T17:32:30.5Z");
    }

    #[test]
    fn it_goes_on_and_not_back_unless_the_api_was_set_back() {
        let start = Instant::now();
        let clock = Clock::starting_at("2023-06-07T17:32:00Z".parse().unwrap(), start);
        for (after_ms, date, shown) in [
            (0, "Wed, 07 Jun 2023 17:32:28 GMT", "2023-06-07T17:32:28Z"),
            (900, "Wed, 07 Jun 2023 17:32:28 GMT", "2023-06-07T17:32:28.9Z"),
            (1900, "Wed, 07 Jun 2023 17:32:29 GMT", "2023-06-07T17:32:29.9Z"),
            (2000, "Wed, 07 Jun 2023 17:32:30 GMT", "2023-06-07T17:32:30Z"),
            (2100, "Wed, 07 Jun 2023 17:32:31 GMT", "2023-06-07T17:32:31Z"),
            (6100, "Wed, 07 Jun 2023 17:32:30 GMT", "2023-06-07T17:32:35Z"),
            (6200, "Wed, 07 Jun 2023 17:32:30 GMT", "2023-06-07T17:32:30Z"),
        ] {
            let seen = start + Duration::from_millis(after_ms);
            clock.learn(&headers(&[(DATE, date)]), seen);
            assert_eq!(clock.at(seen).to_string(), shown, "{after_ms} ms");
        }
    }

    #[test]
    fn an_answer_that_tells_no_time_or_is_older_changes_nothing() {
        let start = Instant::now() + Duration::from_mins(1);
        let clock = Clock::starting_at("2026-01-01T00:00:00Z".parse().unwrap(), start);

        clock.learn(&headers(&[]), start);
        clock.learn(&headers(&[(DATE, "yesterday")]), start);
        clock.learn(
            &headers(&[(DATE, "Wed, 07 Jun 2023 17:32:28 GMT")]),
            start.checked_sub(Duration::from_secs(1)).unwrap(),
        );

        assert_eq!(clock.at(start).to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2023-06-07T17:32:00Z".parse().unwrap();
        let in_date = "Wed, 07 Jun 2023 17:33:30 GMT";
        let name = RETRY_AFTER;
        for (pairs, expected) in [
            (vec![], None),
            (vec![(name.clone(), "120")], Some(120)),
            (vec![(name.clone(), "999999999")], Some(3600)),
            (vec![(name.clone(), "99999999999999999999")], None),
            (vec![(name.clone(), "0")], None),
            (vec![(name.clone(), "-1")], None),
            (vec![(name.clone(), "soon")], None),
            (vec![(name.clone(), in_date)], Some(90)),
            (vec![(name.clone(), in_date), (DATE, "Wed, 07 Jun 2023 17:33:20 GMT")], Some(10)),
            (vec![(name.clone(), in_date), (DATE, "Wed, 07 Jun 2023 18:00:00 GMT")], None),
        ] {
            assert_eq!(retry_after(&headers(&pairs), now), expected.map(Duration::from_secs), "{pairs:?}");
        }
    }
}
