//! Planning from whatever may be known: it never panics, and always comes to an end.

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use jiff::SignedDuration;

use super::given::{Given, REWRITTEN, URL, at, attempt, both, desired, endpoint, new, ocpp, rewritten};
use super::stage::{Fate, Stage};
use crate::planning::{
    Admission, Adoption, Answer, Attempt, Drift, Finalizer, FreshList, HeldSecret, Holders, Identity, Intent,
    Memory, Mutability, NetworkState, Openness, Overlap, Ownership, Presence, Purpose, Reach, Reason,
    Recorded, RecordedEndpoint, Remote, Removal, Role, SecretData, SecretSource, SecretState, SecretWrites,
    StepKind, Unavailable,
};
use crate::provider::{Endpoint, EndpointId, EndpointStatus};

const IDS: [&str; 4] = ["wh_1", "wh_2", "wh_3", "wh_4"];
/// Seconds around the 100 at which a test's clock stands.
const MOMENTS: [i64; 7] = [-10_000, 0, 60, 90, 99, 100, 130];

fn one<T: Clone>(made_up: &mut Unstructured<'_>, of: &[T]) -> Result<T> {
    made_up.choose(of).cloned()
}

fn maybe<'a, T>(
    made_up: &mut Unstructured<'a>,
    make: impl FnOnce(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if made_up.arbitrary()? { make(made_up).map(Some) } else { Ok(None) }
}

fn id(made_up: &mut Unstructured<'_>) -> Result<EndpointId> {
    Ok(one(made_up, &IDS)?.into())
}

fn seen(made_up: &mut Unstructured<'_>) -> Result<Endpoint> {
    let (id, created) = (one(made_up, &IDS)?, one(made_up, &MOMENTS)?);
    let mut seen = if made_up.ratio(1, 4)? { rewritten(id, created) } else { endpoint(id, created) };
    if made_up.ratio(1, 4)? {
        seen.url = "https://hooks.example.com/elsewhere".into();
    }
    if made_up.ratio(1, 4)? {
        seen.created_at = None;
    }
    seen.enabled_events = one(made_up, &[ocpp(), both()])?;
    seen.status = one(
        made_up,
        &[EndpointStatus::Active, EndpointStatus::Inactive, EndpointStatus::Other("suspended".into())],
    )?;
    Ok(seen)
}

fn held(made_up: &mut Unstructured<'_>) -> Result<HeldSecret> {
    Ok(HeldSecret {
        endpoint: maybe(made_up, id)?,
        previous: maybe(made_up, id)?.into_iter().chain(maybe(made_up, id)?).collect(),
        attempt: one(made_up, &[0, 1, 2, 3, u64::from(u32::MAX)])?,
        labels: one(made_up, &[BTreeMap::new(), BTreeMap::from([("team".to_owned(), "a".to_owned())])])?,
        ownership: one(made_up, &[Ownership::Reference, Ownership::Note])?,
        data: one(made_up, &[SecretData::AsWritten, SecretData::Restored, SecretData::Altered])?,
        mutability: one(made_up, &[Mutability::Mutable, Mutability::Mutable, Mutability::Immutable])?,
        ..HeldSecret::default()
    })
}

fn intent(made_up: &mut Unstructured<'_>) -> Result<Intent> {
    let mut desired = desired();
    desired.drift = one(made_up, &[Drift::Correct, Drift::Report])?;
    desired.endpoint.status = one(made_up, &[EndpointStatus::Active, EndpointStatus::Inactive])?;
    if made_up.ratio(1, 8)? {
        let source = SecretSource { name: "known".to_owned(), key: "secret".to_owned() };
        desired.adopt = Some(Adoption { id: id(made_up)?, source: maybe(made_up, |_| Ok(source))? });
    }
    desired.rotation.interval = maybe(made_up, |_| Ok(Duration::from_mins(1)))?;
    desired.rotation.overlap = one(made_up, &[Overlap::Full, Overlap::Full, Overlap::None])?;
    desired.rotate = maybe(made_up, |made_up| Ok(one(made_up, &["a", "b"])?.to_owned()))?;
    if made_up.ratio(1, 4)? {
        desired.endpoint.url = "https://hooks.example.com/elsewhere".into();
    }
    if made_up.ratio(1, 4)? {
        desired.secret.labels.insert("team".to_owned(), "b".to_owned());
    }
    Ok(match made_up.int_in_range(0..=7)? {
        0 => Intent::Finalize(Removal::Retain),
        1 | 2 => Intent::Finalize(Removal::Delete),
        3 => one(made_up, &[Intent::Pause(desired), Intent::PauseDeletion])?,
        _ => Intent::Converge(desired),
    })
}

fn network(made_up: &mut Unstructured<'_>) -> Result<NetworkState> {
    if made_up.ratio(1, 8)? {
        let message = "it is down".to_owned();
        return Ok(NetworkState::Unavailable(Unavailable { reason: Reason::NetworkNotReady, message }));
    }
    let openness = one(made_up, &[Openness::Open, Openness::Open, Openness::Closing])?;
    let identity = one(
        made_up,
        &[
            Identity::Confirmed,
            Identity::Confirmed,
            Identity::Unconfirmed,
            Identity::Untold,
            Identity::Changed,
        ],
    )?;
    Ok(NetworkState::Available(Admission { openness, identity, ..Admission::default() }))
}

fn attempted(made_up: &mut Unstructured<'_>) -> Result<Attempt> {
    let mut attempt = attempt(one(made_up, &[1, 2, 3, u64::from(u32::MAX)])?, one(made_up, &MOMENTS)?);
    attempt.uid = one(made_up, &[attempt.uid.as_str(), "another"])?.to_owned();
    attempt.since = at(one(made_up, &MOMENTS)?);
    attempt.until = maybe(made_up, |made_up| Ok(at(one(made_up, &MOMENTS)?)))?;
    attempt.posts = one(made_up, &[0, 1, 2, u32::MAX])?;
    attempt.purpose = one(
        made_up,
        &[Purpose::First, Purpose::Interval, Purpose::Requested, Purpose::Url, Purpose::SecretLost],
    )?;
    attempt.request = maybe(made_up, |_| Ok("a".to_owned()))?;
    attempt.known = maybe(made_up, id)?.into_iter().collect();
    Ok(attempt)
}

fn recorded(made_up: &mut Unstructured<'_>) -> Result<Recorded> {
    let mut recorded = Recorded {
        resolved_attempt: one(made_up, &[0, 1, 2, u64::from(u32::MAX)])?,
        generation: maybe(made_up, |made_up| one(made_up, &[-1, 1, 2]))?,
        applied_generation: maybe(made_up, |made_up| one(made_up, &[-1, 1, 2]))?,
        ready_generation: maybe(made_up, |made_up| one(made_up, &[-1, 1, 2]))?,
        ..Recorded::default()
    };
    recorded.seen = maybe(made_up, |made_up| {
        let Endpoint { url, enabled_events, .. } = seen(made_up)?;
        let requested_url = maybe(made_up, |made_up| Ok(one(made_up, &[URL, REWRITTEN])?.into()))?;
        Ok(Box::new(RecordedEndpoint { url, requested_url, enabled_events, created_at: None }))
    })?;
    for _ in 0..made_up.int_in_range(0..=2)? {
        let role = one(made_up, &[Role::Current, Role::Next, Role::Retiring { since: at(50) }])?;
        recorded.endpoints.insert(id(made_up)?, role);
    }
    recorded.next_since = maybe(made_up, |made_up| Ok(at(one(made_up, &MOMENTS)?)))?;
    recorded.handled_rotation = maybe(made_up, |_| Ok("a".to_owned()))?;
    Ok(recorded)
}

fn given(made_up: &mut Unstructured<'_>) -> Result<Given> {
    let mut given = new();
    given.intent = intent(made_up)?;
    let observed = &mut given.observed;
    observed.recorded = recorded(made_up)?;
    observed.generation = maybe(made_up, |made_up| one(made_up, &[1, 2]))?;
    observed.finalizer = one(made_up, &[Finalizer::Set, Finalizer::Absent])?;
    observed.attempt = maybe(made_up, attempted)?;
    observed.secret = match made_up.int_in_range(0..=7)? {
        0 => SecretState::Absent,
        1 => SecretState::Foreign,
        2 => SecretState::OfFormerResource(held(made_up)?),
        3 => SecretState::Ownerless(held(made_up)?),
        _ => SecretState::Held(held(made_up)?),
    };
    for _ in 0..made_up.int_in_range(0..=2)? {
        observed.former_secrets.insert(one(made_up, &["former", "older"])?.to_owned(), held(made_up)?);
    }
    observed.secret_writes = one(made_up, &[SecretWrites::Proven, SecretWrites::Unproven])?;
    observed.network = network(made_up)?;
    observed.reach = one(made_up, &[Reach::default(), Reach::Shut])?;
    observed.listed_at = maybe(made_up, |made_up| Ok(at(one(made_up, &MOMENTS)?)))?;
    if made_up.ratio(1, 8)? {
        observed.fresh_list = FreshList::Requested(at(one(made_up, &MOMENTS)?));
    }
    if made_up.ratio(1, 4)? {
        let (one_of, id) = (made_up.int_in_range(0..=4)?, id(made_up)?);
        let kind = match one_of {
            0 => StepKind::Create,
            1 => StepKind::Change(id),
            2 => StepKind::Delete(id),
            3 => StepKind::Look(id),
            _ => StepKind::List,
        };
        observed.resting.push((kind, Duration::from_secs(one(made_up, &[0, 1, 300])?)));
    }
    observed.rival_posts = one(made_up, &[0, 1, u32::MAX])?;
    for _ in 0..made_up.int_in_range(0..=3)? {
        observed.candidates.push(seen(made_up)?);
    }
    for _ in 0..made_up.int_in_range(0..=3)? {
        let present = seen(made_up)?;
        let (id, holders) = (present.id.clone(), one(made_up, &[Holders::Sole, Holders::Several])?);
        let since = at(one(made_up, &MOMENTS)?);
        let presence =
            one(made_up, &[present.into(), Presence::Unlisted, Presence::Missing { since }, Presence::Gone])?;
        observed.remote.insert(id, Remote { presence, holders });
    }
    Ok(given)
}

/// What the process remembers of it.
fn memory(made_up: &mut Unstructured<'_>, attempt: Option<&Attempt>) -> Result<Memory> {
    let mut memory = Memory::default();
    if let Some(attempt) = attempt {
        memory.recording(attempt);
    }
    match made_up.int_in_range(0..=4)? {
        0 => memory.unanswered(at(one(made_up, &MOMENTS)?)),
        1 => memory.created(id(made_up)?, one(made_up, &[Answer::WithSecret, Answer::WithoutSecret])?),
        2 => memory.activated(&id(made_up)?, at(one(made_up, &MOMENTS)?)),
        3 => return Ok(Memory::default()),
        _ => {}
    }
    Ok(memory)
}

fn run(made_up: &mut Unstructured<'_>) -> Result<()> {
    let given = given(made_up)?;
    let memory = memory(made_up, given.observed.attempt.as_ref())?;
    let mut stage = Stage::new(given);
    stage.memory = memory;
    for _ in 0..made_up.int_in_range(1..=4)? {
        stage.fate = one(made_up, &[Fate::Answered, Fate::AnswerLost, Fate::Lost, Fate::Refused])?;
        stage.writable = made_up.ratio(3, 4)?;
        // An activation in which a create fails ends there. Each of these panics when it does not come to an end.
        stage.runs_until_sent();
        stage.fate = Fate::Answered;
        stage.runs();
        match made_up.int_in_range(0..=3)? {
            0 => {
                stage.crashes();
            }
            1 => stage.list(),
            _ => {}
        }
        let later = one(made_up, &[0, 1, 30, 3600])?;
        stage.given.now += SignedDuration::from_secs(later);
    }
    Ok(())
}

#[test]
fn fuzz_planning_from_arbitrary_observations() {
    bolero::check!().with_test_time(Duration::from_secs(8)).with_max_len(1024).for_each(
        |made_up: &[u8]| {
            // What was made up may not suffice.
            let _ = run(&mut Unstructured::new(made_up));
        },
    );
}
