//! Every single point of every scenario.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::learnt::learn;
use crate::matrix::crash;
use crate::scenario::{Scenario, each_scenario};
use crate::worlds::all_well;

static AT_A_TIME: Semaphore = Semaphore::const_new(6);

async fn every_point(scenario: Scenario) {
    let learnt = Arc::new(learn(&scenario).await);
    let worlds = learnt.points.clone().into_iter().map(|point| {
        let learnt = Arc::clone(&learnt);
        let name = format!("{}, killed at {point}", scenario.name);
        (name, async move { crash(scenario, &learnt, std::slice::from_ref(&point)).await.verdict })
    });
    all_well(&format!("single points, {}", scenario.name), &AT_A_TIME, worlds.collect()).await;
}

each_scenario!(every_point);
