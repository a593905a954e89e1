//! Creating an endpoint: the write-ahead attempt, and what is done when its answer was lost.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::absence::{doubt, missing};
use super::attempt::{Answer, Attempt, InHand, Progress, Purpose};
use super::intent::Desired;
use super::observed::{Observed, Presence};
use super::outcome::{Outcome, Reason};
use super::secret::{SecretState, SecretWrites};
use super::step::{Action, DeleteCause, Remainder, Step};
use super::stored;
use super::timing::{Timing, later};
use crate::provider::{Endpoint, EndpointId, NewEndpoint};

/// How many endpoints that can't be read are known beforehand: an annotation holds them.
const KNOWN_UNREAD: usize = 20;

/// An endpoint to be made.
pub(super) struct Making {
    /// What is sent.
    pub(super) endpoint: NewEndpoint,
    /// What it is for.
    pub(super) purpose: Purpose,
}

impl Making {
    /// The declared endpoint, where there is none.
    pub(super) fn first(desired: &Desired) -> Self {
        Self { endpoint: desired.endpoint.clone(), purpose: Purpose::First }
    }
}

/// Begins a create, or sends the one that was recorded.
///
/// The caller has made sure that no endpoint of an earlier attempt is left.
pub(super) fn begin(making: &Making, desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    match &observed.secret {
        SecretState::Absent | SecretState::Held(_) => {}
        SecretState::Foreign => return Step::End(stored::not_ours(desired)),
        SecretState::Ownerless(found) | SecretState::OfFormerResource(found) => {
            return stored::unclaimed(desired, observed, found, now);
        }
    }
    if observed.listed_at.is_none() {
        return Step::End(Outcome::awaiting_list());
    }
    if let Some(step) = stored::make_way(observed, None) {
        return step;
    }
    if observed.secret_writes == SecretWrites::Unproven {
        return Step::Act(Action::ProveSecretWritable(desired.secret.clone()));
    }
    let open = observed.open_attempt();
    let sendable =
        |attempt: &Attempt| attempt.sends(&making.endpoint) && now <= no_later_than(attempt, observed);
    match (open, observed.progress) {
        (Some(attempt), Progress::Unsent) if sendable(attempt) => Step::Act(Action::Create {
            attempt: Box::new(attempt.clone()),
            no_later_than: no_later_than(attempt, observed),
        }),
        _ => Step::Act(Action::RecordAttempt(Box::new(next(making, desired, observed, open, now)))),
    }
}

fn no_later_than(attempt: &Attempt, observed: &Observed) -> Timestamp {
    observed.timing.sendable_until(attempt.started_at)
}

fn next(
    Making { endpoint: made, purpose }: &Making,
    desired: &Desired,
    observed: &Observed,
    open: Option<&Attempt>,
    now: Timestamp,
) -> Attempt {
    let unresolved = open.and_then(|attempt| match observed.progress {
        Progress::Undone => None,
        // It was never sent: it hands on what came before it, if anything did.
        Progress::Unsent if attempt.posts <= 1 => None,
        Progress::Unsent => Some((attempt, attempt.posts - 1)),
        Progress::Unknown | Progress::Unanswered(_) => Some((attempt, attempt.posts)),
    });
    let (since, posts) = unresolved.map_or((now, 0), |(attempt, posts)| (attempt.since, posts));
    let listed = observed.candidates.iter().filter(|endpoint| endpoint.url == made.url);
    let listed = listed.map(|endpoint| &endpoint.id);
    let listed = listed.chain(observed.unread.ids.iter().take(KNOWN_UNREAD));
    // What was there before the series stays known, even if this list happens to leave it out.
    let known = unresolved.into_iter().flat_map(|(attempt, _)| &attempt.known).chain(listed);
    Attempt {
        uid: observed.uid.clone(),
        number: observed.next_number(),
        since,
        started_at: now,
        until: open.and_then(|attempt| match observed.progress {
            Progress::Undone => None,
            Progress::Unsent => attempt.until,
            Progress::Unknown | Progress::Unanswered(_) => Some(attempt.started_at),
        }),
        posts: posts.saturating_add(1),
        url: made.url.clone(),
        enabled_events: made.enabled_events.clone(),
        status: made.status.clone(),
        known: known.cloned().collect(),
        purpose: *purpose,
        request: desired.rotate.clone(),
    }
}

/// Deletes an endpoint whose secret is in memory and nowhere else.
pub(super) fn undo(hand: &InHand, observed: &Observed, now: Timestamp) -> Step {
    let delete = Step::Act(Action::Delete { id: hand.id.clone(), cause: DeleteCause::InHand });
    // What is seen of that id in the known network is another endpoint.
    if hand.answer == Answer::Elsewhere {
        return delete;
    }
    if let Some(Presence::Missing { since }) = observed.presence(&hand.id) {
        return missing(observed, &hand.id, *since, now);
    }
    doubt(observed).unwrap_or(delete)
}

/// What is left to do about an attempt whose outcome is not on record; `None` when nothing of it exists.
///
/// An unanswered create is never repeated blindly. The network is listed: what the create made is
/// deleted, since its secret is lost; when nothing shows, a settling time passes and the list is
/// taken again, since lists may lag. What can't be told apart from somebody else's is not touched.
pub(super) fn resolve(attempt: &Attempt, observed: &Observed, now: Timestamp) -> Option<Step> {
    let timing = &observed.timing;
    let sent_at = match observed.progress {
        Progress::Undone => return None,
        Progress::Unsent if attempt.posts <= 1 => return None,
        Progress::Unsent => None,
        Progress::Unknown => Some(attempt.started_at),
        Progress::Unanswered(at) => Some(at),
    };
    if let Some(sent) = sent_at.filter(|sent| *sent > later(now, Timing::SKEW.unsigned_abs())) {
        // Until then, no list would be told to come after it.
        return Some(Step::End(Outcome::reconciling(
            Reason::ResolvingCreate,
            format!(
                "create attempt {} was not answered, and the API's clock was set back since: looks for what it made \
                 at {sent}",
                attempt.number
            ),
            Some(sent),
        )));
    }
    if let Some(doubt) = doubt(observed) {
        return Some(doubt);
    }
    let listed_at = match (observed.listed_at, sent_at) {
        (None, _) => return Some(Step::End(Outcome::awaiting_list())),
        (Some(listed), Some(sent)) if listed <= sent => return Some(Step::Act(Action::List)),
        (Some(listed), _) => listed,
    };

    let traces = Traces::of(attempt, observed, timing);
    let possible = attempt.posts.saturating_add(observed.rival_posts) as usize;
    if !traces.doubtful.is_empty() || traces.ours.len() > possible {
        return Some(Step::End(uncertain(attempt, &traces)));
    }
    if let Some(id) = traces.ours.first() {
        let sole = attempt.posts == 1 && observed.rival_posts == 0;
        let cause = DeleteCause::Orphan {
            attempt: Box::new(attempt.clone()),
            rival_posts: observed.rival_posts,
            remainder: if sole { Remainder::Nothing } else { Remainder::Others },
        };
        return Some(Step::Act(Action::Delete { id: id.clone(), cause }));
    }

    sent_at?;
    let settled = match observed.progress {
        // It may have waited for a token, or for its turn, before it was sent.
        Progress::Unanswered(at) => timing.settled(attempt.started_at).max(timing.settled_after(at)),
        Progress::Undone | Progress::Unsent | Progress::Unknown => timing.settled(attempt.started_at),
    };
    if listed_at >= settled {
        return unread(attempt, observed).map(Step::End);
    }
    if now >= settled {
        return Some(Step::Act(Action::List));
    }
    Some(Step::End(Outcome::reconciling(
        Reason::ResolvingCreate,
        format!(
            "create attempt {} was not answered and no list shows its endpoint yet: listing again at {settled}",
            attempt.number
        ),
        Some(settled),
    )))
}

/// A list that has items that could not be read does not tell that nothing was made.
fn unread(attempt: &Attempt, observed: &Observed) -> Option<Outcome> {
    let is_new = |id: &&EndpointId| !attempt.known.contains(id) && !observed.held().any(|held| held == *id);
    let ids = observed.unread.ids.iter().filter(is_new).collect::<Vec<_>>();
    if ids.is_empty() && observed.unread.nameless == 0 {
        return None;
    }
    let named = ids.iter().take(KNOWN_UNREAD).map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let among = if named.is_empty() { String::new() } else { format!(", {named} among them") };
    Some(Outcome::stalled(
        Reason::CreateUncertain,
        format!(
            "create attempt {} was not answered, and {} items of the network's list can't be read{among}, one of \
             which may be what it made: once they can be read, or are deleted from the network, this goes on by \
             itself",
            attempt.number,
            ids.len() + observed.unread.nameless,
        ),
    ))
}

/// The endpoints that an attempt may have made.
struct Traces {
    ours: BTreeSet<EndpointId>,
    doubtful: BTreeSet<EndpointId>,
}

impl Traces {
    fn of(attempt: &Attempt, observed: &Observed, timing: &Timing) -> Self {
        let mut traces = Self { ours: BTreeSet::new(), doubtful: BTreeSet::new() };
        let held = |id: &EndpointId| observed.held().chain(&observed.claim).any(|held| held == id);
        for endpoint in observed.candidates.iter().filter(|endpoint| !held(&endpoint.id)) {
            match judge(attempt, observed.progress, endpoint, timing) {
                Verdict::Ours => traces.ours.insert(endpoint.id.clone()),
                Verdict::Doubtful => traces.doubtful.insert(endpoint.id.clone()),
                Verdict::NotOurs => false,
            };
        }
        // An API that shows what was sent to the letter does not spell it in another way beside.
        let to_the_letter = |endpoint: &&Endpoint| endpoint.url.is_same_url(&attempt.url);
        let exact = observed.candidates.iter().filter(to_the_letter).map(|endpoint| &endpoint.id);
        let exact = exact.filter(|id| traces.ours.contains(*id)).cloned().collect::<BTreeSet<_>>();
        if !exact.is_empty() {
            traces.ours = exact;
        }
        traces
    }
}

enum Verdict {
    Ours,
    Doubtful,
    NotOurs,
}

fn judge(attempt: &Attempt, progress: Progress, endpoint: &Endpoint, timing: &Timing) -> Verdict {
    let as_made = attempt.would_make(endpoint);
    if attempt.known.contains(&endpoint.id) || !(as_made || attempt.would_make_disabled(endpoint)) {
        return Verdict::NotOurs;
    }
    let Some(created) = endpoint.created_at else {
        return Verdict::Doubtful;
    };
    let earlier = attempt.until.is_some_and(|until| timing.certain(attempt.since, until).contains(&created));
    let latest = progress != Progress::Unsent
        && timing.certain(attempt.started_at, attempt.started_at).contains(&created);
    if as_made && (earlier || latest) {
        return Verdict::Ours;
    }
    // What is left of the series' time is no create's: others may have made what was made then.
    if created < Timing::doubtful_from(attempt.since) {
        return Verdict::NotOurs;
    }
    Verdict::Doubtful
}

fn uncertain(attempt: &Attempt, traces: &Traces) -> Outcome {
    let ids = traces.ours.union(&traces.doubtful).map(EndpointId::as_str).collect::<Vec<_>>().join(", ");
    Outcome::stalled(
        Reason::CreateUncertain,
        format!(
            "create attempt {} was not answered, and it can't be told whether it made {ids}: delete from the \
             network what nobody uses, and this goes on by itself",
            attempt.number
        ),
    )
}
