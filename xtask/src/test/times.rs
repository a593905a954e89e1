//! How long the build and each test program took, read from what `cargo test` says.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;

/// How the last lines of a test program begin.
const CLOSING: [&str; 2] = ["test result: ", "all doctests ran in "];

/// Passes on what `cargo test` says, and adds a table of times at the end.
pub(super) struct Times<W> {
    out: W,
    /// What is under way, and since when; the build, in the beginning.
    running: (String, Instant),
    /// What is over.
    done: Vec<(String, Duration)>,
    /// The line that has begun.
    line: Vec<u8>,
    /// How much of it has been passed on.
    shown: usize,
    /// A program's closing lines, held back until something follows: the last program's stay the end of everything,
    /// where people and CI look for them.
    held: Vec<u8>,
}

impl<W: Write> Times<W> {
    pub(super) fn new(out: W, now: Instant) -> Self {
        let running = ("build".to_owned(), now);
        Self { out, running, done: Vec::new(), line: Vec::new(), shown: 0, held: Vec::new() }
    }

    /// Passes on the next bytes, and notes when a program begins.
    pub(super) fn show(&mut self, bytes: &[u8], now: Instant) -> io::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end_line(now)?;
            } else if !may_close(&self.line) {
                self.pass_on()?;
            }
        }
        self.out.flush()
    }

    /// Ends with the table, and with the last closing lines if nothing came after them.
    pub(super) fn end(mut self, now: Instant) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.pass_on()?;
        if !self.done.is_empty() {
            self.begin(String::new(), now);
            writeln!(self.out, "\ntime of the build and of each test program:")?;
            for (name, time) in &self.done {
                writeln!(self.out, "{:>7.1} s  {name}", time.as_secs_f64())?;
            }
            writeln!(self.out)?;
        }
        self.out.write_all(&held)?;
        self.out.flush()
    }

    fn end_line(&mut self, now: Instant) -> io::Result<()> {
        let line = String::from_utf8_lossy(&self.line);
        // A progress bar may have stood in this line before.
        let text = strip_str(line.trim_end().rsplit('\r').next().unwrap_or_default()).to_string();
        let closes = text.starts_with(CLOSING[0])
            || (!self.held.is_empty() && (text.is_empty() || text.starts_with(CLOSING[1])));
        if closes && self.shown == 0 {
            self.held.append(&mut self.line);
            return Ok(());
        }
        self.pass_on()?;
        self.line.clear();
        self.shown = 0;
        if let Some(name) = program(&text) {
            self.begin(name, now);
        }
        Ok(())
    }

    fn begin(&mut self, name: String, now: Instant) {
        let (before, since) = std::mem::replace(&mut self.running, (name, now));
        self.done.push((before, now.duration_since(since)));
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.out.write_all(&self.held)?;
        self.held.clear();
        self.out.write_all(&self.line[self.shown..])?;
        self.shown = self.line.len();
        Ok(())
    }
}

/// Whether this may become a closing line.
fn may_close(begun: &[u8]) -> bool {
    CLOSING
        .iter()
        .any(|closing| closing.as_bytes().starts_with(begun) || begun.starts_with(closing.as_bytes()))
}

/// The program that cargo is about to run, if this line says so.
fn program(text: &str) -> Option<String> {
    let text = text.trim_start();
    if let Some(package) = text.strip_prefix("Doc-tests ") {
        return Some(format!("{package}: examples in its documentation"));
    }
    let (source, path) = text.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once(" (")?;
    let (name, _hash) = path.rsplit(['/', '\\']).next()?.rsplit_once('-')?;
    Some(format!("{name}: {}", source.trim_start_matches("unittests ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "   Compiling a v0.1.0\n\x1b[1m\x1b[92m     Running\x1b[0m unittests src/lib.rs (target/debug/deps/a-1f)\n\
                       \nrunning 1 test\ntest x ... ok\n\ntest result: ok. 1 passed\n\n   Doc-tests a\n\nrunning 0 tests\n\
                       \ntest result: ok. 0 passed\n\nall doctests ran in 1s\n";

    /// Each line comes a second after the one before.
    fn shown(output: &str, chunk: usize) -> String {
        let begun = Instant::now();
        let mut out = Vec::new();
        let mut times = Times::new(&mut out, begun);
        let mut now = begun;
        for line in output.split_inclusive('\n') {
            for piece in line.as_bytes().chunks(chunk) {
                times.show(piece, now).unwrap();
            }
            now += Duration::from_secs(1);
        }
        times.end(now).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_comes_before_the_last_closing_lines() {
        let table = "\ntime of the build and of each test program:\n    1.0 s  build\n    7.0 s  a: src/lib.rs\n    \
                     7.0 s  a: examples in its documentation\n\n";
        let last = "test result: ok. 0 passed\n\nall doctests ran in 1s\n";
        let expected = format!("{}{table}{last}", RUN.strip_suffix(last).unwrap());
        for chunk in [1, 7, 1000] {
            assert_eq!(shown(RUN, chunk), expected);
        }
    }

    #[test]
    fn after_a_failure_the_table_is_the_end() {
        let failed =
            RUN.replace("ok. 0 passed\n\nall doctests ran in 1s\n", "FAILED.\n\nerror: test failed\n");
        let shown = shown(&failed, 5);
        assert!(shown.starts_with(&failed) && shown.ends_with("documentation\n\n"), "{shown}");
    }

    #[test]
    fn without_programs_there_is_no_table() {
        let failed = "   Compiling a\nerror: no";
        assert_eq!(shown(failed, 3), failed);
    }

    #[test]
    fn nothing_is_kept_waiting_but_a_closing_line() {
        let mut out = Vec::new();
        let mut times = Times::new(&mut out, Instant::now());
        for said in ["test x ... ", "half a li", "ne\nte", "st result: ok\n", "\n"] {
            times.show(said.as_bytes(), Instant::now()).unwrap();
        }
        drop(times);
        assert_eq!(out, b"test x ... half a line\n");
    }
}
