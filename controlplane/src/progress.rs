//! Tells a waiting person on stderr what takes so long.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a terminal's line is redrawn.
const REDRAW: Duration = Duration::from_secs(1);
/// How often a line is added where lines can't be redrawn, such as in a CI log.
const REPEAT: Duration = Duration::from_secs(15);

/// A piece of work that is reported until this value is dropped.
#[derive(Debug)]
pub struct Progress {
    /// What the reporting thread and the worker share.
    state: Arc<(Mutex<State>, Condvar)>,
    /// The reporting thread; `None` once it has been joined.
    reporter: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// How far the work has come, in the worker's words; may be empty.
    detail: String,
    /// Whether the work has ended, well or badly.
    ended: bool,
}

impl Progress {
    /// Announces `work`, for example "building etcd", and reports it until dropped.
    #[must_use]
    pub fn begin(work: impl Into<String>) -> Self {
        let work = work.into();
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let shared = Arc::clone(&state);
        let reporter = std::thread::spawn(move || report(&work, &shared));
        Self { state, reporter: Some(reporter) }
    }

    /// Says how far the work has come, for example "120 packages".
    pub fn detail(&self, detail: impl Into<String>) {
        lock(&self.state.0).detail = detail.into();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        lock(&self.state.0).ended = true;
        self.state.1.notify_all();
        if let Some(reporter) = self.reporter.take() {
            // A reporter that panicked has nothing left to tell.
            let _ = reporter.join();
        }
    }
}

/// Says one thing to the person, on a line of its own.
pub fn note(message: &str) {
    // Without stderr there is nobody to tell.
    let _ = writeln!(io::stderr(), "{message}");
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(work: &str, (state, changed): &(Mutex<State>, Condvar)) {
    let terminal = io::stderr().is_terminal();
    let started = Instant::now();
    if !terminal {
        note(&format!("{work} …"));
    }
    let mut guard = lock(state);
    while !guard.ended {
        if terminal {
            let _ = write!(io::stderr(), "\r\x1b[2K{}", line(work, &guard.detail, started.elapsed()));
            let _ = io::stderr().flush();
        }
        let pause = if terminal { REDRAW } else { REPEAT };
        let (woken, timeout) = changed.wait_timeout(guard, pause).unwrap_or_else(PoisonError::into_inner);
        guard = woken;
        if !terminal && timeout.timed_out() && !guard.ended {
            note(&line(work, &guard.detail, started.elapsed()));
        }
    }
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[2K");
    }
    note(&line(work, "ended", started.elapsed()));
}

fn line(work: &str, detail: &str, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if detail.is_empty() { format!("{work}: {seconds} s") } else { format!("{work}: {detail}, {seconds} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_work_how_far_it_is_and_since_when() {
        assert_eq!(line("building etcd", "", Duration::from_millis(61_900)), "building etcd: 61 s");
        assert_eq!(
            line("building etcd", "12 packages", Duration::from_secs(3)),
            "building etcd: 12 packages, 3 s"
        );
    }
}
