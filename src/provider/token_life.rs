//! When a token is good, when to fetch another one, and when to leave the issuer in peace. No clock,
//! no I/O: every question comes with the time.

use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;
use tokio::time::Instant;

use super::error::TokenFailure;
use super::pause::Pause;

/// The lifetime of a token whose issuer does not tell it.
const ASSUMED_LIFETIME: Duration = Duration::from_mins(5);
/// No token is used longer than this, whatever its issuer says.
const MAX_LIFETIME: Duration = Duration::from_hours(24);
/// A token is renewed this long before it expires, or a fifth of its lifetime if that is less.
const MAX_MARGIN: Duration = Duration::from_mins(1);
/// The pauses after failures of the issuer, and after tokens that the API did not accept. Issuers
/// count requests, and some charge for them.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How old a token has to be to be given up because it lacks a scope. Scopes are fixed when a token is
/// issued, so one that was granted since is in the next token only.
const SCOPES_AGE: Duration = Duration::from_mins(5);

/// A token as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Token {
    secret: SecretString,
    header: HeaderValue,
    /// Which one of this source's tokens it is.
    number: u64,
}

impl Token {
    /// A token that is never renewed.
    pub(super) fn fixed(secret: SecretString, header: HeaderValue) -> Self {
        Self { secret, header, number: 0 }
    }

    /// The token itself.
    pub(super) fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

/// What to do for a call that needs a token.
#[derive(Debug)]
pub(super) enum Decision {
    /// This one is good.
    Use(Token),
    /// This one is still good, and it is time to fetch the next.
    Renew(Token),
    /// There is none: fetch one.
    Fetch,
    /// There is none, and it is too early to ask again.
    Fail(TokenFailure),
}

/// What is known of a source's tokens.
#[derive(Clone, Debug)]
pub(super) struct TokenLife {
    current: Option<Held>,
    /// The number of tokens fetched so far.
    fetched: u64,
    /// The issuer's latest failure, until a token is fetched.
    failure: Option<TokenFailure>,
    /// How long the issuer is left in peace after failures.
    issuer_pause: Pause,
    /// How long a token is kept after one was given up because the API did not accept it.
    refusal_pause: Pause,
}

#[derive(Clone, Debug)]
struct Held {
    token: Token,
    asked_at: Instant,
    renew_at: Instant,
    expires_at: Instant,
}

impl Default for TokenLife {
    fn default() -> Self {
        Self {
            current: None,
            fetched: 0,
            failure: None,
            issuer_pause: Pause::growing(FIRST_PAUSE, LONGEST_PAUSE),
            refusal_pause: Pause::growing(FIRST_PAUSE, LONGEST_PAUSE),
        }
    }
}

impl TokenLife {
    /// What is known of the tokens of other credentials that the same issuer gives: what it asked for.
    pub(super) fn succeeding(before: &Self) -> Self {
        let mut life = Self::default();
        if let Some(failure @ TokenFailure::Unavailable { .. }) = &before.failure {
            life.failure = Some(failure.clone());
            life.issuer_pause = before.issuer_pause.clone();
        }
        life
    }

    pub(super) fn decide(&self, now: Instant) -> Decision {
        let resting = self.issuer_pause.remaining(now);
        let valid = self.current.as_ref().filter(|held| now < held.expires_at);
        match (valid, resting) {
            (Some(held), None) if now >= held.renew_at => Decision::Renew(held.token.clone()),
            (Some(held), _) => Decision::Use(held.token.clone()),
            (None, None) => Decision::Fetch,
            (None, Some(resting)) => self.fail(resting),
        }
    }

    fn fail(&self, resting: Duration) -> Decision {
        match &self.failure {
            None => Decision::Fetch,
            Some(failure) => Decision::Fail(failure.clone().waiting(resting)),
        }
    }

    /// Takes a token over that was asked for at `asked`.
    pub(super) fn fetched(
        &mut self,
        secret: SecretString,
        header: HeaderValue,
        lifetime: Option<Duration>,
        asked: Instant,
    ) -> Token {
        let lifetime = lifetime.unwrap_or(ASSUMED_LIFETIME).min(MAX_LIFETIME);
        let expires_at = asked + lifetime;
        let renew_at = asked + lifetime.saturating_sub(MAX_MARGIN.min(lifetime / 5));
        self.fetched += 1;
        let token = Token { secret, header, number: self.fetched };
        let aged = self.current.replace(Held { token: token.clone(), asked_at: asked, renew_at, expires_at });
        if aged.is_some() {
            self.refusal_pause.reset();
        }
        self.failure = None;
        self.issuer_pause.reset();
        token
    }

    /// Notes that the issuer gave no token; the current one serves as long as it is valid.
    pub(super) fn failed(&mut self, failure: TokenFailure, now: Instant) -> Result<Token, TokenFailure> {
        let rest = self.issuer_pause.begin(now, failure.retry_after());
        self.failure = Some(failure.clone());
        match &self.current {
            Some(held) if now < held.expires_at => Ok(held.token.clone()),
            _ => Err(failure.waiting(rest)),
        }
    }

    /// Notes that the API said that `token` lacks a scope: the next call fetches another one, unless this
    /// one is young.
    pub(super) fn lacks_scope(&mut self, token: &Token, now: Instant) {
        let stale = |held: &Held| {
            held.token.number == token.number && now.saturating_duration_since(held.asked_at) >= SCOPES_AGE
        };
        if self.current.as_ref().is_some_and(stale) {
            self.current = None;
        }
    }

    /// Notes that the API did not accept `token`. Tells whether another one is worth trying: when another call has
    /// already renewed it, and else once, and then after growing pauses until one has lived to its end. An API may
    /// accept none, or accept each for some calls and none for others, and would have us fetch tokens for ever.
    pub(super) fn refused(&mut self, token: &Token, now: Instant) -> bool {
        if self.current.as_ref().is_none_or(|held| held.token.number != token.number) {
            return true;
        }
        if self.refusal_pause.remaining(now).is_some() {
            return false;
        }
        self.refusal_pause.begin(now, None);
        self.current = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::provider::detail::Detail;

    const SECOND: Duration = Duration::from_secs(1);

    fn fetch(life: &mut TokenLife, lifetime: Option<u64>, asked: Instant) -> Token {
        let lifetime = lifetime.map(Duration::from_secs);
        life.fetched(SecretString::from("t"), HeaderValue::from_static("Bearer t"), lifetime, asked)
    }

    fn unavailable(retry_after: Option<Duration>) -> TokenFailure {
        TokenFailure::Unavailable { detail: Detail::default(), retry_after }
    }

    /// What the life decides, in one word.
    fn word(decision: &Decision) -> &'static str {
        match decision {
            Decision::Use(_) => "use",
            Decision::Renew(_) => "renew",
            Decision::Fetch => "fetch",
            Decision::Fail(_) => "fail",
        }
    }

    #[test]
    fn a_token_is_used_then_renewed_before_it_expires_and_never_used_after() {
        for (lifetime, renewed_from, expired_from) in
            [(Some(3600), 3540, 3600), (Some(10), 8, 10), (None, 240, 300), (Some(u64::MAX), 86_340, 86_400)]
        {
            let start = Instant::now();
            let mut life = TokenLife::default();
            assert_eq!(word(&life.decide(start)), "fetch");
            fetch(&mut life, lifetime, start);
            for (at, expected) in [
                (0, "use"),
                (renewed_from - 1, "use"),
                (renewed_from, "renew"),
                (expired_from - 1, "renew"),
                (expired_from, "fetch"),
            ] {
                assert_eq!(word(&life.decide(start + at * SECOND)), expected, "{lifetime:?} after {at}s");
            }
        }
    }

    #[test]
    fn a_token_that_lacks_a_scope_is_given_up_when_it_is_not_young() {
        let start = Instant::now();
        let mut life = TokenLife::default();
        let token = fetch(&mut life, Some(86_400), start);
        life.lacks_scope(&token, start + 10 * SECOND);
        assert_eq!(word(&life.decide(start + 10 * SECOND)), "use");

        let late = start + SCOPES_AGE;
        life.lacks_scope(&token, late);
        assert_eq!(word(&life.decide(late)), "fetch");

        fetch(&mut life, Some(86_400), late);
        life.lacks_scope(&token, late + SCOPES_AGE);
        assert_eq!(word(&life.decide(late + SCOPES_AGE)), "use", "that was said of an earlier token");
    }

    #[test]
    fn a_failed_renewal_is_not_noticed_while_the_old_token_is_good() {
        let start = Instant::now();
        let mut life = TokenLife::default();
        fetch(&mut life, Some(100), start);
        let late = start + 85 * SECOND;
        assert_eq!(word(&life.decide(late)), "renew");

        assert!(life.failed(unavailable(None), late).is_ok());

        assert_eq!(word(&life.decide(late)), "use");
        assert_eq!(word(&life.decide(late + SECOND)), "renew");
    }

    #[test]
    fn a_failing_issuer_is_left_in_peace_for_growing_pauses() {
        let mut now = Instant::now();
        let mut life = TokenLife::default();
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let failure = life.failed(unavailable(None), now).unwrap_err();
            assert_eq!(word(&life.decide(now)), "fail");
            pauses.push(failure.retry_after().unwrap().as_secs());
            now += failure.retry_after().unwrap();
            assert_eq!(word(&life.decide(now)), "fetch");
        }
        assert_eq!(pauses, [1, 2, 4, 8]);

        life.failed(unavailable(Some(90 * SECOND)), now).unwrap_err();
        assert_eq!(word(&life.decide(now + 89 * SECOND)), "fail");

        fetch(&mut life, Some(60), now);
        let status = StatusCode::UNAUTHORIZED;
        let refused = TokenFailure::Refused { status, detail: Detail::default(), advice: "" };
        life.failed(refused, now + 60 * SECOND).unwrap_err();
        assert_eq!(word(&life.decide(now + 60 * SECOND)), "fail");
        assert_eq!(word(&life.decide(now + 61 * SECOND)), "fetch");
    }

    #[test]
    fn a_refused_token_is_replaced_once_and_then_after_growing_pauses() {
        let mut now = Instant::now();
        let mut life = TokenLife::default();
        let mut pauses = Vec::new();
        for _ in 0..11 {
            let token = fetch(&mut life, Some(86_400), now);
            assert!(life.refused(&token, now));
            assert_eq!(word(&life.decide(now)), "fetch");
            let token = fetch(&mut life, Some(86_400), now);
            let mut pause = 0;
            while !life.refused(&token, now + pause * SECOND) {
                assert_eq!(
                    word(&life.decide(now + pause * SECOND)),
                    "use",
                    "other calls may well go on with it"
                );
                pause += 1;
            }
            pauses.push(pause);
            now += (pause + 400) * SECOND;
        }
        assert_eq!(pauses[..5], [1, 4, 16, 64, 256]);
        assert_eq!(pauses[5..], [300; 6]);
    }

    #[test]
    fn a_token_that_lived_to_its_end_makes_up_for_refused_ones() {
        let start = Instant::now();
        let mut life = TokenLife::default();
        let token = fetch(&mut life, Some(100), start);
        assert!(life.refused(&token, start));
        fetch(&mut life, Some(100), start);

        let token = fetch(&mut life, Some(100), start + 90 * SECOND);
        assert!(life.refused(&token, start + 90 * SECOND));
        let token = fetch(&mut life, Some(100), start + 90 * SECOND);
        assert!(!life.refused(&token, start + 90 * SECOND));
        assert!(life.refused(&token, start + 91 * SECOND));
    }

    #[test]
    fn what_the_issuer_asked_for_holds_for_other_credentials_too() {
        let now = Instant::now();
        let mut life = TokenLife::default();
        life.failed(unavailable(Some(60 * SECOND)), now).unwrap_err();
        let after = TokenLife::succeeding(&life);
        assert_eq!(word(&after.decide(now + 59 * SECOND)), "fail");
        assert_eq!(word(&after.decide(now + 60 * SECOND)), "fetch");

        let mut life = TokenLife::default();
        let status = StatusCode::UNAUTHORIZED;
        life.failed(TokenFailure::Refused { status, detail: Detail::default(), advice: "" }, now)
            .unwrap_err();
        assert_eq!(
            word(&TokenLife::succeeding(&life).decide(now)),
            "fetch",
            "that was about the earlier ones"
        );
    }

    #[test]
    fn a_refused_token_that_was_replaced_meanwhile_costs_no_fetch() {
        let now = Instant::now();
        let mut life = TokenLife::default();
        let old = fetch(&mut life, Some(3600), now);
        let new = fetch(&mut life, Some(3600), now);

        assert!(life.refused(&old, now));

        assert!(matches!(life.decide(now), Decision::Use(token) if token.number == new.number));
    }
}
