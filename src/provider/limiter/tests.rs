//! The limiter as a whole, by the clock.

use futures::FutureExt;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn limiter(requests_per_second: f64, burst: u32, in_flight: u32) -> Limiter {
    Limiter::new(Limits { requests_per_second, burst, in_flight })
}

async fn change(limiter: &Limiter) -> Result<Permit<'_>, Refusal> {
    limiter.acquire(Operation::Create, Priority::Change, PATIENCE).await
}

async fn list(limiter: &Limiter) -> Result<Permit<'_>, Refusal> {
    limiter.acquire(Operation::List, Priority::Resync, PATIENCE).await
}

/// What a change is told without waiting.
fn at_once(limiter: &Limiter) -> Option<Result<Permit<'_>, Refusal>> {
    change(limiter).now_or_never()
}

fn fail(limiter: &Limiter, times: u32) {
    for _ in 0..times {
        let permit = at_once(limiter).unwrap().unwrap();
        permit.finish(Outcome::Failed { cause: "Unreachable", retry_after: None });
    }
}

#[tokio::test]
async fn one_that_is_done_or_dropped_lets_the_next_pass() {
    let limiter = limiter(1000.0, 100, 1);
    let first = change(&limiter).await.unwrap();
    let mut waiting = Box::pin(change(&limiter));
    assert!(waiting.as_mut().now_or_never().is_none());

    first.finish(Outcome::Answered);
    let second = waiting.await.unwrap();
    let mut waiting = Box::pin(change(&limiter));
    assert!(waiting.as_mut().now_or_never().is_none());

    drop(second);
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_block_the_queue() {
    let limiter = limiter(1000.0, 100, 1);
    let first = change(&limiter).await.unwrap();
    let mut impatient = Box::pin(change(&limiter));
    let mut waiting = Box::pin(list(&limiter));
    assert!(impatient.as_mut().now_or_never().is_none());
    assert!(waiting.as_mut().now_or_never().is_none());

    drop(impatient);
    drop(first);

    waiting.await.unwrap();
}

#[tokio::test]
async fn no_more_are_in_flight_than_allowed() {
    let limiter = limiter(1000.0, 10, 2);
    let (first, _second) = (change(&limiter).await.unwrap(), change(&limiter).await.unwrap());
    let mut third = Box::pin(change(&limiter));
    let mut fourth = Box::pin(change(&limiter));
    assert!(third.as_mut().now_or_never().is_none());
    assert!(fourth.as_mut().now_or_never().is_none());

    drop(first);

    let _third = third.await.unwrap();
    assert!(fourth.as_mut().now_or_never().is_none());
}

#[tokio::test]
async fn waits_for_the_rate() {
    let limiter = limiter(100.0, 1, 8);
    let started = Instant::now();
    for _ in 0..6 {
        list(&limiter).await.unwrap().finish(Outcome::Answered);
    }
    assert!(started.elapsed() >= Duration::from_millis(49), "{:?}", started.elapsed());
}

#[tokio::test]
async fn refuses_at_once_what_would_wait_too_long() {
    let limiter = limiter(0.1, 1, 8);
    change(&limiter).await.unwrap().finish(Outcome::Answered);

    let Some(Err(Refusal::Spent { retry_after })) = at_once(&limiter) else { panic!("a refusal") };
    assert!(retry_after > PATIENCE, "{retry_after:?}");
}

#[tokio::test]
async fn gives_up_when_nothing_comes_back_in_time() {
    let limiter = limiter(100.0, 9, 1);
    let _hanging = change(&limiter).await.unwrap();

    let patience = Duration::from_millis(20);
    let refusal = limiter.acquire(Operation::Create, Priority::Change, patience).await.unwrap_err();

    assert_eq!(refusal, Refusal::Spent { retry_after: LEAST_RETRY });
}

#[tokio::test]
async fn a_pause_turns_away_those_who_come_and_those_who_wait() {
    let limiter = limiter(1000.0, 100, 1);
    let first = change(&limiter).await.unwrap();
    let waiting = [Priority::Change, Priority::Resync, Priority::Change]
        .map(|priority| limiter.acquire(Operation::Get, priority, PATIENCE));
    let mut waiting = Box::pin(futures::future::join_all(waiting));
    assert!(waiting.as_mut().now_or_never().is_none());

    first.finish(Outcome::Limited { retry_after: Some(Duration::from_mins(1)) });

    let refused = tokio::time::timeout(PATIENCE / 2, waiting).await.unwrap();
    assert!(refused.iter().all(|refused| matches!(refused, Err(Refusal::Paused { .. }))), "{refused:?}");
    assert!(matches!(at_once(&limiter), Some(Err(Refusal::Paused { .. }))));
}

#[tokio::test]
async fn a_short_pause_is_waited_out() {
    let limiter = limiter(1000.0, 100, 1);
    let first = change(&limiter).await.unwrap();
    first.finish(Outcome::Limited { retry_after: Some(Duration::from_millis(30)) });
    let started = Instant::now();

    change(&limiter).await.unwrap();

    assert!(started.elapsed() >= Duration::from_millis(25));
}

#[tokio::test]
async fn an_outage_turns_everybody_away_and_is_told() {
    let limiter = limiter(1000.0, 100, 6);
    let hanging = change(&limiter).await.unwrap();
    let mut began = Box::pin(limiter.outage_began());
    assert!(began.as_mut().now_or_never().is_none());
    fail(&limiter, 4);
    let others = [(); 5].map(|()| at_once(&limiter).unwrap().unwrap());
    let waiting = [change(&limiter), change(&limiter)];
    let mut waiting = Box::pin(futures::future::join_all(waiting));
    assert!(waiting.as_mut().now_or_never().is_none(), "six are in flight");

    hanging.finish(Outcome::Failed { cause: "Unreachable", retry_after: None });

    let refused = tokio::time::timeout(PATIENCE / 2, waiting).await.unwrap();
    assert!(refused.iter().all(|refused| matches!(refused, Err(Refusal::Down { .. }))), "{refused:?}");
    began.now_or_never().expect("it is told");
    drop(others);
}

#[tokio::test]
async fn an_api_that_is_down_is_left_in_peace_until_a_list_finds_it_back() {
    let limiter = limiter(1000.0, 100, 8);
    fail(&limiter, 5);
    let Some(Err(Refusal::Down { retry_after, cause })) = at_once(&limiter) else { panic!("down") };
    assert!(retry_after <= Duration::from_secs(1));
    assert_eq!(cause, "Unreachable");
    assert!(matches!(list(&limiter).await, Err(Refusal::Down { .. })), "not before the pause is over");

    tokio::time::sleep(limiter.outage_pause().unwrap()).await;
    assert!(matches!(at_once(&limiter), Some(Err(Refusal::Down { .. }))), "a change does not probe");
    let probe = list(&limiter).await.unwrap();
    assert!(matches!(list(&limiter).await, Err(Refusal::Down { .. })), "one probe at a time");

    probe.finish(Outcome::Answered);
    assert_eq!(limiter.outage_pause(), None);
    let _first = at_once(&limiter).unwrap().unwrap();
    assert!(at_once(&limiter).is_none(), "one request at a time after an outage");
}

#[tokio::test]
async fn a_probe_that_is_dropped_leaves_it_to_the_next_list() {
    let limiter = limiter(1000.0, 100, 8);
    fail(&limiter, 5);
    tokio::time::sleep(limiter.outage_pause().unwrap()).await;
    drop(list(&limiter).await.unwrap());

    list(&limiter).await.unwrap().finish(Outcome::Answered);

    assert_eq!(limiter.outage_pause(), None);
}
