//! What a small fleet may cost: requests, and no times.

use std::time::Duration;

use clap::Parser as _;
use simulator::Operation;

use crate::measure::Figures;
use crate::options::Options;
use crate::phases::Fleet;

const SIZE: usize = 100;
/// Two lists fail, and what follows them.
const OUTAGE: Duration = Duration::from_secs(11);

/// Lives through it, and counts.
///
/// # Errors
///
/// When something costs more than it may; the text says what.
pub async fn check() -> Result<(), String> {
    let options = Options::parse_from(["bench", "--latency", "1"]);
    let mut fleet = Fleet::declare(SIZE, &options).await;
    let create = fleet.create().await;
    for what in ["patch webhookendpoints", "create secrets"] {
        expect(&create, what, create.kubernetes.get(what).copied().unwrap_or(0), SIZE)?;
    }
    // Those that have a turn before the network was listed say so.
    let early = create.kubernetes.get("patch webhookendpoints/status").copied().unwrap_or(0) - SIZE;
    expect(
        &create,
        "statuses beyond one each and those before",
        early.saturating_sub(options.concurrency.into()),
        0,
    )?;
    expect(&create, "Events", create.events(), SIZE)?;
    expect(&create, "POSTs", create.calls(Operation::Create), SIZE)?;
    expect(&create, "GETs", create.calls(Operation::Get), 0)?;

    let change = fleet.change().await;
    expect(&change, "PATCHes", change.calls(Operation::Patch), SIZE)?;
    expect(&change, "writes", writes_to_resources(&change), SIZE)?;
    let drift = fleet.drift().await;
    expect(&drift, "PATCHes", drift.calls(Operation::Patch), 1)?;

    let converged = fleet.converged().await;
    expect(&converged, "writes", converged.writes(), 0)?;
    let pages = converged.calls(Operation::List);
    expect(&converged, "calls but lists", converged.remote.values().sum::<usize>() - pages, 0)?;
    let restart = fleet.restart().await;
    expect(&restart, "writes", restart.writes(), 0)?;
    let outage = fleet.outage(OUTAGE).await;
    expect(&outage, "writes beyond two each", writes_to_resources(&outage).saturating_sub(2 * SIZE), 0)?;

    let rotation = fleet.rotation().await;
    for (operation, each) in [(Operation::Create, 1), (Operation::Patch, 2), (Operation::Delete, 1)] {
        expect(&rotation, &operation.to_string(), rotation.calls(operation), each * SIZE)?;
    }
    let deletion = fleet.deletion().await;
    expect(&deletion, "DELETEs", deletion.calls(Operation::Delete), SIZE)
}

/// Those of the resources and their Secrets; a network's status counts what its lists show.
fn writes_to_resources(figures: &Figures) -> usize {
    let networks = figures.kubernetes.get("patch clusterwebhooknetworks/status").copied().unwrap_or(0);
    figures.writes() - networks
}

fn expect(figures: &Figures, what: &str, is: usize, wanted: usize) -> Result<(), String> {
    if is == wanted {
        return Ok(());
    }
    Err(format!("{}: {is} {what} instead of {wanted}: {figures:#?}", figures.phase))
}
