//! Ten thousand endpoints, and many callers at once.

use std::collections::HashSet;
use std::sync::Arc;

use simulator::{NewEndpoint, Operation};

use crate::support::{Client, NETWORK, start};

#[tokio::test]
async fn ten_thousand_endpoints_are_listed_once_each() {
    let simulator = start().await;
    for n in 0..10_000 {
        simulator.insert(NETWORK, NewEndpoint::new(format!("https://example.com/{n}")));
    }
    let (ids, pages) = Client::new(&simulator).list_all(100).await;
    assert_eq!((ids.len(), pages), (10_000, 100));
    assert_eq!(ids.into_iter().collect::<HashSet<_>>().len(), 10_000);
}

#[tokio::test]
async fn concurrent_creates_each_make_one_endpoint() {
    let simulator = start().await;
    let client = Arc::new(Client::new(&simulator));
    let mut creates = tokio::task::JoinSet::new();
    for n in 0..200 {
        let client = Arc::clone(&client);
        creates.spawn(async move { client.create(&format!("https://example.com/{n}")).await.unwrap().id() });
    }
    let ids: HashSet<_> = creates.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 200);
    let ledger = simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.effects(Operation::Create)), (200, 200));
    let sequences: Vec<_> = ledger.entries().iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    assert_eq!(ledger.since(150).entries().len(), 50);
}
