//! Matrices as tests of their own names, many at a time.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{LazyLock, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// How many cells wait for their turn at most; more than any matrix lets run at a time.
const THREADS: usize = 24;
/// What all cells share: one of a matrix that lets `n` run at a time takes an `n`-th of it. It can be
/// divided by each such number.
const WHOLE: usize = 336;

/// How the names of tests begin.
const MATRICES: [&str; 10] =
    ["clock/", "denial/", "faults/", "lag/", "lagging/", "learn/", "network/", "pairs/", "single/", "views/"];

static TURNS: Semaphore = Semaphore::const_new(WHOLE);
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(8).enable_all().build().expect("a runtime"));
static SHOWS: OnceLock<bool> = OnceLock::new();

/// What the command line asks for.
pub struct Asked(Arguments);

impl Asked {
    /// Whether a test may be asked for whose name begins so.
    pub fn may_want(&self, beginning: &str) -> bool {
        let Self(arguments) = self;
        let filter = arguments.filter.as_deref().unwrap_or_default();
        // A filter that begins like no name may be the middle of any.
        let names_matrix = MATRICES.iter().any(|matrix| filter.starts_with(matrix));
        let meets = !names_matrix || filter.starts_with(beginning) || beginning.starts_with(filter);
        meets && !arguments.skip.iter().any(|skipped| beginning.contains(skipped.as_str()))
    }

    /// Whether only tests are asked for whose names begin so.
    pub fn wants_only(&self, beginning: &str) -> bool {
        self.0.filter.as_ref().is_some_and(|filter| filter.starts_with(beginning))
    }
}

/// Cells that are alike.
pub struct Matrix {
    name: String,
    /// How many of them run at a time, when nothing else does.
    at_a_time: usize,
    trials: Vec<Trial>,
}

impl Matrix {
    /// A matrix without cells.
    pub fn new(name: impl Into<String>, at_a_time: usize) -> Self {
        Self { name: name.into(), at_a_time, trials: Vec::new() }
    }

    /// Adds a cell; the parts of its name may be any text.
    pub fn add<F, const N: usize>(&mut self, name: [&str; N], run: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let name = format!("{}/{}", self.name, path(name));
        let share = u32::try_from(WHOLE / self.at_a_time).expect("a small number");
        let run = move || {
            RUNTIME.block_on(async {
                let _turn = TURNS.acquire_many(share).await;
                let ended = tokio::spawn(run()).await;
                ended.unwrap_or_else(|panic| Err(panic.to_string())).map_err(Failed::from)
            })
        };
        self.trials.push(Trial::test(name, run));
    }

    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.trials.len()
    }
}

/// Runs what the command line asks for: `gather` makes the matrices, and when all have run, `conclude` says
/// whether they came to anything.
pub fn run(
    gather: impl AsyncFnOnce(&Asked) -> Vec<Matrix>,
    conclude: impl FnOnce() -> Result<(), String>,
) -> ExitCode {
    let mut asked = Asked(Arguments::from_args());
    asked.0.test_threads.get_or_insert(THREADS);
    SHOWS.get_or_init(|| asked.0.nocapture);
    let matrices = RUNTIME.block_on(gather(&asked));
    for Matrix { name, trials, .. } in &matrices {
        eprintln!("{name}: {} cells", trials.len());
        // One that became empty would show nothing, and well.
        assert!(!trials.is_empty(), "{name}: no cells");
    }
    let trials = matrices.into_iter().flat_map(|matrix| matrix.trials).collect::<Vec<_>>();
    let names = trials.iter().map(Trial::name).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), trials.len(), "no two tests have one name");
    let conclusion = libtest_mimic::run(&asked.0, trials);
    match conclude() {
        Ok(()) => conclusion.exit_code(),
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Shows a line when output is asked for (`--nocapture`).
pub fn tell(line: &str) {
    if SHOWS.get().is_some_and(|shows| *shows) {
        println!("{line}");
    }
}

/// The parts of a name, as a shell takes them without quotes.
pub fn path<const N: usize>(parts: [&str; N]) -> String {
    let slug = |part: &str| {
        let plain = part.replace(".webhookoperator.dev", "").replace("{namespace}/", "").to_lowercase();
        let words = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    };
    parts.map(slug).join("/")
}
