//! What is counted, and what must not be.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use simulator::{ACTIVE, DeliveryId, DeliveryState, EndpointId, NetworkId, Outcome, Simulator};
use testkit::NETWORK;
use webhook_receiver::Receipt;

use crate::scale;

/// What is done.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Deed {
    /// Somebody asks for another secret.
    Rotate,
    /// Somebody declares another URL.
    Move,
    /// Somebody deletes the Secret.
    LoseSecret,
    /// The vendor sets the endpoint inactive.
    Disable,
}

/// An event that a service is to hear of.
#[derive(Default)]
struct Heard {
    /// How many endpoints delivered it.
    endpoints: usize,
    /// How many of its deliveries were taken.
    taken: usize,
    /// Whether one that was to deliver it did not, since the vendor had set it inactive.
    lacking: bool,
}

/// What was counted.
#[derive(Default)]
struct Counts {
    deeds: BTreeMap<Deed, usize>,
    kills: usize,
    /// By service and event.
    events: HashMap<(String, String), Heard>,
    /// Whose endpoint is whose.
    owners: HashMap<EndpointId, String>,
    /// The endpoints of services that the vendor set inactive, until they are active again or gone.
    disabled: HashMap<String, EndpointId>,
    /// Events that a service missed because the vendor had set its endpoint inactive.
    disabled_events: usize,
    /// Events for which a service had no live endpoint, for another reason.
    gaps: Vec<String>,
    /// What the receivers said of deliveries that they could not verify.
    refused: Vec<String>,
    /// By how the attempts to deliver ended.
    attempts: BTreeMap<String, usize>,
    signed: usize,
    lost: Vec<String>,
    left_over: (usize, usize),
}

/// The account of a run.
#[derive(Default)]
pub struct Account(Mutex<Counts>);

impl Account {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nobody panics with it")
    }

    /// A deed was done.
    pub fn did(&self, deed: Deed) {
        *self.counts().deeds.entry(deed).or_default() += 1;
    }

    /// The operator was killed.
    pub fn killed(&self) {
        self.counts().kills += 1;
    }

    /// The vendor is about to set an endpoint of this service inactive.
    pub fn disabled(&self, service: &str, id: &EndpointId) {
        self.counts().disabled.insert(service.to_owned(), id.clone());
    }

    /// At the end, a service's Secret does not hold its endpoint's secret.
    pub fn lost(&self, service: &str) {
        self.counts().lost.push(service.to_owned());
    }

    /// What there was after everything was deleted.
    pub fn left_over(&self, endpoints: usize, secrets: usize) {
        self.counts().left_over = (endpoints, secrets);
    }

    /// An event happened, and these deliveries of it were signed. Which of the services is at a URL is told by `at`.
    pub fn signed<'a>(
        &self,
        simulator: &Simulator,
        deliveries: &[DeliveryId],
        services: &[&'a str],
        at: impl Fn(&str) -> Option<&'a str>,
    ) {
        let counts = &mut *self.counts();
        let heard = simulator.view(|view| {
            for endpoint in view.endpoints(&NetworkId::from(NETWORK)) {
                let Some(owner) = at(&endpoint.url) else { continue };
                counts.owners.insert(endpoint.id.clone(), owner.to_owned());
            }
            counts
                .disabled
                .retain(|_, id| view.endpoint(id).is_some_and(|endpoint| endpoint.status != ACTIVE));
            let all = view.deliveries();
            let latest = all[all.len() - deliveries.len()..].iter();
            latest.map(|delivery| (delivery.endpoint.clone(), delivery.event_id.clone())).collect::<Vec<_>>()
        });
        for service in services {
            let of_it =
                |endpoint: &EndpointId| counts.owners.get(endpoint).is_some_and(|owner| owner == *service);
            let hearing = heard.iter().filter(|(endpoint, _)| of_it(endpoint)).collect::<Vec<_>>();
            match hearing.first() {
                Some((_, event)) => {
                    let key = ((*service).to_owned(), event.clone());
                    let endpoints = hearing.len();
                    let lacking = counts.disabled.contains_key(*service);
                    counts.events.insert(key, Heard { endpoints, taken: 0, lacking });
                }
                None if counts.disabled.contains_key(*service) => counts.disabled_events += 1,
                None => counts.gaps.push((*service).to_owned()),
            }
        }
    }

    /// What a receiver of a service says of a delivery.
    pub fn received(&self, service: &str, receipt: &Receipt) {
        if matches!(receipt, Receipt::Refused(_) | Receipt::NotAnEvent) {
            self.counts().refused.push(format!("{service}: {receipt}"));
        }
    }

    /// Waits until the API has nothing left to deliver, and counts how it went.
    pub async fn until_delivered(&self, simulator: &Simulator) {
        let retries = scale::hours(1 + 4 + 12 + 24 + 48) + Duration::from_secs(10);
        let is_over = |delivery: &simulator::Delivery| delivery.state != DeliveryState::Pending;
        let over = simulator.wait_until(retries, |view| view.deliveries().iter().all(is_over)).await;
        over.expect("the API gives up in time");
        let counts = &mut *self.counts();
        for delivery in simulator.deliveries() {
            counts.signed += 1;
            for attempt in &delivery.attempts {
                let outcome = match &attempt.outcome {
                    Outcome::Answered(status) => status.to_string(),
                    Outcome::Unanswered(why) => why.clone(),
                };
                *counts.attempts.entry(outcome).or_default() += 1;
            }
            let owner = counts.owners.get(&delivery.endpoint).cloned().unwrap_or_default();
            if let Some(heard) = counts.events.get_mut(&(owner, delivery.event_id))
                && delivery.state == DeliveryState::Delivered
            {
                heard.taken += 1;
            }
        }
    }

    /// How far it is.
    pub fn progress(&self) -> String {
        let counts = self.counts();
        let deeds = counts.deeds.values().sum::<usize>();
        format!(
            "{:>8} events to services, {deeds} deeds, {} kills, {} refused, {} gaps",
            counts.events.len(),
            counts.kills,
            counts.refused.len(),
            counts.gaps.len()
        )
    }

    /// Checks that what must not be was not.
    pub fn check(&self) {
        let counts = self.counts();
        assert!(counts.refused.is_empty(), "receivers could not verify: {:#?}", counts.refused);
        assert!(counts.gaps.is_empty(), "no endpoint was live for {:?}", counts.gaps);
        let missed = counts.missed();
        assert!(missed.is_empty(), "nobody got {missed:#?}");
        assert_eq!(counts.most_at_once(), 2, "both, while one takes over from the other");
        let others = counts.attempts.keys().filter(|outcome| !["204", "503"].contains(&outcome.as_str()));
        assert_eq!(
            others.collect::<Vec<_>>(),
            <[&String; 0]>::default(),
            "every attempt is taken or put off"
        );
        assert!(counts.lost.is_empty(), "the secrets are lost of {:?}", counts.lost);
        assert_eq!(counts.left_over, (0, 0), "endpoints and Secrets are left over");
        let done = [Deed::Rotate, Deed::Move, Deed::LoseSecret]
            .map(|deed| counts.deeds.get(&deed).copied().unwrap_or(0));
        assert!(
            counts.kills > 0 && done.iter().all(|done| *done > 0),
            "too little happened: {:?}",
            counts.deeds
        );
    }
}

impl Counts {
    /// Events that an endpoint delivered, and no receiver of the service took. One that only an endpoint at a new URL
    /// was to deliver is lost with it, when somebody sets the URL back before that was possible; the old one would have
    /// delivered it, had the vendor not set it inactive.
    fn missed(&self) -> Vec<&(String, String)> {
        self.events
            .iter()
            .filter(|(_, heard)| heard.taken == 0 && !heard.lacking)
            .map(|(event, _)| event)
            .collect()
    }

    /// How many endpoints of one service delivered one event at most.
    fn most_at_once(&self) -> usize {
        self.events.values().map(|heard| heard.endpoints).max().unwrap_or(0)
    }

    fn duplicates(&self) -> usize {
        self.events.values().map(|heard| heard.taken.saturating_sub(1)).sum()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let attempts = |outcome| counts.attempts.get(outcome).copied().unwrap_or(0);
        let deeds = |deed| counts.deeds.get(&deed).copied().unwrap_or(0);
        writeln!(f, "deliveries signed                     {}", counts.signed)?;
        writeln!(f, "  accepted                            {}", attempts("204"))?;
        writeln!(f, "  rejected: unverifiable              {}", counts.refused.len())?;
        writeln!(f, "  put off at a new URL, and retried   {}", attempts("503"))?;
        writeln!(f, "events without a live endpoint        {}", counts.gaps.len())?;
        writeln!(f, "  while the vendor had it inactive    {}", counts.disabled_events)?;
        writeln!(f, "events that no receiver got           {}", counts.missed().len())?;
        let most = counts.most_at_once();
        writeln!(
            f,
            "duplicates                            {}, of {most} endpoints at most",
            counts.duplicates()
        )?;
        let (endpoints, secrets) = counts.left_over;
        writeln!(f, "endpoints and Secrets left over       {endpoints} and {secrets}")?;
        writeln!(f, "secrets lost                          {}", counts.lost.len())?;
        write!(
            f,
            "meanwhile: {} rotations asked for, {} changes of a URL, {} Secrets deleted, {} endpoints set inactive by the \
             vendor, the operator killed {} times",
            deeds(Deed::Rotate),
            deeds(Deed::Move),
            deeds(Deed::LoseSecret),
            deeds(Deed::Disable),
            counts.kills
        )
    }
}
