//! The changes, drawn at random.

use std::time::Duration;

use http::StatusCode;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use simulator::{
    CreateStatus, DeleteStatus, DeletedCursor, FaultKind, Habits, Hold, Lag, ListOrder, Operation, Point,
    RetryAfter, UrlForm,
};

use crate::manifest::{KEYS, Pairs};

/// What a user does.
#[derive(Clone, Debug)]
pub enum Deed {
    Events(Vec<&'static str>),
    Status(&'static str),
    /// A name of the resource's own, or one that it shares with a neighbour.
    SecretName(SecretName),
    Labels(Pairs),
    Annotations(Pairs),
    Deletion(&'static str),
    Drift(&'static str),
    Paused(bool),
    /// One of its URLs, or that in another spelling.
    Url(Address, Spelling),
    /// How long receivers have to load a secret, and an old endpoint to try again.
    Times(&'static str, &'static str),
    /// Whether an old endpoint goes before the new one comes.
    Overlap(&'static str),
    Delete,
    /// Somebody changes the remote endpoint.
    EditRemote(Vec<&'static str>),
    /// The vendor sets it inactive.
    Disable,
    /// Somebody deletes it.
    DeleteRemote,
    /// Somebody adds a label to the Secret and changes a declared one.
    TouchSecret,
    StripOwner,
    DeleteSecret,
    /// Somebody asks for another secret.
    Rotate(u32),
    /// The user reads the conditions and does what they say.
    FollowAdvice,
}

#[derive(Clone, Copy, Debug)]
pub enum SecretName {
    Own,
    Other(u8),
    Shared,
}

#[derive(Clone, Copy, Debug)]
pub enum Address {
    First,
    Other(u8),
}

#[derive(Clone, Copy, Debug)]
pub enum Spelling {
    Plain,
    Odd,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// So many calls of an operation meet a fault.
    Remote(Operation, FaultKind, u64),
    /// What was written remotely shows late.
    Lag(Lag),
    /// The API refuses connections, or takes them again.
    RemoteOutage,
    /// So many calls of these kinds to Kubernetes meet a fault.
    Kubernetes(Calls, interposer::Fault, usize),
    /// The API server refuses connections, or takes them again.
    KubernetesOutage,
    ExpireWatches,
    /// The API takes none of the tokens that it gave.
    RevokeTokens,
    /// The network's credentials are renewed.
    RenewCredentials,
    /// The operator is asked to stop, and started again.
    Restart,
    /// It is killed, and started again.
    Crash,
    /// Somebody makes an endpoint that nobody declares.
    Stranger,
    /// The API takes to another habit.
    Habit(fn(&mut Habits)),
}

/// What the API may take to, or leave, where its page is silent. That is no trouble, and stays.
const HABITS: [fn(&mut Habits); 9] = [
    |habits| habits.create_status = CreateStatus::Ok,
    |habits| habits.create_status = CreateStatus::Created,
    |habits| habits.delete_status = DeleteStatus::Ok,
    |habits| habits.delete_status = DeleteStatus::NoContent,
    |habits| habits.list_order = ListOrder::OldestFirst,
    |habits| habits.list_order = ListOrder::NewestFirst,
    |habits| habits.list_order = ListOrder::Shuffled(7),
    |habits| habits.deleted_cursor = DeletedCursor::Refuse,
    |habits| habits.url_form = UrlForm::Normalised,
];

/// Calls to Kubernetes.
#[derive(Clone, Copy, Debug)]
pub enum Calls {
    Any,
    Secrets,
    Resources,
    Statuses,
    Reads,
}

/// One of many.
#[derive(Clone, Debug)]
pub enum Change {
    /// Somebody does something about a resource.
    Of(usize, Deed),
    /// Something goes wrong for all.
    Trouble(Trouble),
}

/// How many deeds there are to one trouble.
const CALM: u32 = 15;

impl Change {
    /// The next one, for a fleet of this size.
    pub fn draw(rng: &mut StdRng, fleet: usize) -> Self {
        if rng.random_ratio(1, CALM) {
            return Self::Trouble(Trouble::draw(rng));
        }
        Self::Of(rng.random_range(0..fleet), Deed::draw(rng))
    }
}

impl Deed {
    fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..100) {
            0..10 => Self::Events(events(rng)),
            15..25 => Self::Status(one_of(rng, ["active", "active", "inactive"])),
            25..31 => Self::SecretName(match rng.random_range(0..20) {
                0..8 => SecretName::Own,
                8..19 => SecretName::Other(rng.random_range(0..2)),
                _ => SecretName::Shared,
            }),
            31..39 => Self::Labels(pairs(rng)),
            39..44 => Self::Annotations(pairs(rng)),
            44..49 => Self::Deletion(one_of(rng, ["Delete", "Delete", "Retain"])),
            49..53 => Self::Drift(one_of(rng, ["Correct", "Correct", "Report"])),
            53..58 => Self::Paused(rng.random_ratio(1, 3)),
            58..62 => {
                let address =
                    one_of(rng, [Address::First, Address::First, Address::Other(0), Address::Other(1)]);
                Self::Url(address, one_of(rng, [Spelling::Plain, Spelling::Odd]))
            }
            62..64 => Self::Times(one_of(rng, ["0s", "0s", "2s"]), one_of(rng, ["0s", "0s", "2s"])),
            64 => Self::Overlap(one_of(rng, ["Full", "None"])),
            10..15 | 65..68 => Self::Delete,
            68..74 => Self::EditRemote(events(rng)),
            74..76 => Self::Disable,
            76..80 => Self::DeleteRemote,
            80..84 => Self::TouchSecret,
            84 => Self::StripOwner,
            85..87 => Self::DeleteSecret,
            87..91 => Self::Rotate(rng.random()),
            _ => Self::FollowAdvice,
        }
    }
}

impl Trouble {
    fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..100) {
            0..45 => Self::Remote(operation(rng), remote_fault(rng), rng.random_range(1..=3)),
            45..50 => Self::Lag(Lag { list: hold(rng), get: hold(rng) }),
            50..53 => Self::RemoteOutage,
            53..76 => Self::Kubernetes(calls(rng), kubernetes_fault(rng), rng.random_range(1..=3)),
            76..79 => Self::KubernetesOutage,
            79..82 => Self::ExpireWatches,
            82..85 => Self::RevokeTokens,
            85..88 => Self::RenewCredentials,
            88..92 => Self::Restart,
            92..96 => Self::Crash,
            96 => Self::Stranger,
            _ => Self::Habit(one_of(rng, HABITS)),
        }
    }
}

fn one_of<T: Clone>(rng: &mut StdRng, these: impl AsRef<[T]>) -> T {
    these.as_ref().choose(rng).expect("there are some").clone()
}

fn events(rng: &mut StdRng) -> Vec<&'static str> {
    one_of(
        rng,
        [
            vec!["ocpp.message"],
            vec!["asset.connectivity"],
            vec!["ocpp.message", "asset.connectivity"],
            vec!["asset.connectivity", "ocpp.message"],
        ],
    )
}

fn pairs(rng: &mut StdRng) -> Pairs {
    let mut pairs = Pairs::new();
    for key in KEYS {
        if rng.random() {
            pairs.insert(key, one_of(rng, ["1", "2", "3"]));
        }
    }
    pairs
}

fn operation(rng: &mut StdRng) -> Operation {
    use Operation::{Create, Delete, Get, List, Patch, Token};
    one_of(rng, [Create, Create, Create, Delete, Delete, Patch, Patch, Get, List, Token])
}

/// Less than the settling time of a second.
fn hold(rng: &mut StdRng) -> Option<Hold> {
    rng.random::<bool>().then(|| Hold::For(Duration::from_millis(rng.random_range(1..700))))
}

fn remote_fault(rng: &mut StdRng) -> FaultKind {
    let point = one_of(rng, [Point::BeforeEffect, Point::AfterEffect]);
    let millis = |most| Hold::For(Duration::from_millis(most));
    let status = |status| FaultKind::Answer { status, headers: Vec::new(), body: "<html>".to_owned(), point };
    match rng.random_range(0..14) {
        0 => FaultKind::Reset { point },
        1 => FaultKind::Hang { point },
        2 => FaultKind::Latency { hold: millis(rng.random_range(1..2500)) },
        3 => FaultKind::Deferred { hold: millis(rng.random_range(1..700)) },
        4 => FaultKind::Truncate,
        5 => FaultKind::InvalidJson,
        6 => FaultKind::Oversize { bytes: 8 << 20 },
        7 => FaultKind::without_secret(),
        8 => FaultKind::RateLimit { retry_after: one_of(rng, [None, Some(RetryAfter::Seconds(1))]) },
        9 => FaultKind::redirect(307, "https://127.0.0.1:1/"),
        10 => FaultKind::status(408, ""),
        11 => FaultKind::extra_fields(),
        _ => status(one_of(rng, [500, 502, 503, 504])),
    }
}

fn calls(rng: &mut StdRng) -> Calls {
    one_of(rng, [Calls::Any, Calls::Secrets, Calls::Resources, Calls::Statuses, Calls::Reads])
}

fn kubernetes_fault(rng: &mut StdRng) -> interposer::Fault {
    use interposer::Fault::{Latency, ResetAfter, ResetBefore, Status};
    let retry_after = one_of(rng, [None, Some(Duration::from_secs(1))]);
    match rng.random_range(0..6) {
        0 => ResetBefore,
        1 | 2 => ResetAfter,
        3 => Latency(Duration::from_millis(rng.random_range(1..1500))),
        4 => Status { code: StatusCode::TOO_MANY_REQUESTS, retry_after },
        _ => {
            let code = one_of(rng, [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE]);
            Status { code, retry_after: None }
        }
    }
}
