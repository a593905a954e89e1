//! An hour of the operator's time: the sum of the pauses that it says it takes, which pass faster here.

use std::time::Instant;

use testkit::SOON;

use crate::scene::Scene;

/// How many times faster the operator's pauses pass.
pub const HURRY: u16 = 400;
/// In seconds.
pub const HOUR: f64 = 3600.0;

/// The first pause after a failure, in seconds; each is twice the one before.
const FIRST: f64 = 0.5;
/// The longest pause, in seconds.
const LONGEST: f64 = 300.0;
/// The longest pause while a secret is in memory and nowhere else, in seconds.
const LONGEST_IN_HAND: f64 = 30.0;
/// How much longer than that a pause may be at random.
const JITTER: f64 = 1.1;

/// Where a life's part of the hour begins.
pub struct Begin {
    at: Instant,
    logged: usize,
}

impl Begin {
    /// Now.
    pub fn now(scene: &Scene) -> Self {
        Self { at: Instant::now(), logged: scene.log().len() }
    }

    /// Waits until the operator of this life has paused for so many seconds of its time, and gives how
    /// many it has.
    pub async fn pass(&self, scene: &Scene, seconds: f64) -> Result<f64, String> {
        let deadline = Instant::now() + SOON;
        loop {
            let seen = scene.calls();
            let passed = passed(&scene.log()[self.logged..]);
            if passed >= seconds {
                return self.really(passed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let news = scene.gate.saw(move |call| call.sequence > seen, left).await;
            if left.is_zero() || news.is_err() {
                return Err(format!("the operator paused for {passed} s and not for {seconds} s"));
            }
        }
    }

    /// The pauses were taken, and not only told. A watch may cut one short.
    fn really(&self, passed: f64) -> Result<f64, String> {
        let took = self.at.elapsed().as_secs_f64() * f64::from(HURRY);
        if took < 0.9 * passed {
            return Err(format!("the operator says that it paused for {passed} s, and it were {took} s"));
        }
        Ok(passed)
    }
}

/// The pauses that are over, in seconds of the operator's time: the last has only begun.
fn passed(log: &str) -> f64 {
    let told = log.lines().filter_map(|line| line.split_once("pauses before the next try seconds="));
    let pauses = told.filter_map(|(_, seconds)| seconds.trim().parse::<f64>().ok()).collect::<Vec<_>>();
    pauses.split_last().map_or(0.0, |(_, over)| over.iter().sum())
}

/// How many tries a part of the hour may see, by the backoff's own arithmetic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// At least.
    pub fewest: usize,
    /// At most.
    pub most: usize,
}

impl Bounds {
    /// For so many seconds; of `in_hand` it is known whether a secret was in memory and nowhere else.
    pub fn of(seconds: f64, in_hand: bool) -> Self {
        let longest = if in_hand { LONGEST_IN_HAND } else { f64::INFINITY };
        let count = |jitter: f64| {
            let (mut at, mut pause, mut tries) = (0.0, FIRST, 0);
            while at < seconds {
                tries += 1;
                at += (pause.min(LONGEST) * jitter).min(longest);
                pause *= 2.0;
            }
            tries
        };
        Self { fewest: count(JITTER), most: count(1.0) }
    }

    /// For two parts, one after the other.
    pub fn and(self, other: Self) -> Self {
        Self { fewest: self.fewest + other.fewest, most: self.most + other.most }
    }

    /// Whether so many tries are as they should be; the watches' news wake a resource a few times.
    pub fn allow(self, tries: usize) -> bool {
        const NEWS: usize = 6;
        (self.fewest.saturating_sub(NEWS)..=self.most + NEWS).contains(&tries)
    }
}
