//! The fleet: what is declared, and by what its users reach it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};
use simulator::{EndpointId, Handle, NewEndpoint};
use testkit::{NETWORK, World};
use webhook_operator::resources::WebhookEndpoint;

use crate::change::Address;
use crate::manifest::Manifest;
use crate::witness::Witness;

/// How many resources there are at the most.
pub const SIZE: usize = 40;
/// How many of the last ones have the URL of the one before.
const TWINS: usize = 4;

/// The fleet.
pub struct Fleet {
    pub resources: Api<WebhookEndpoint>,
    pub secrets: Api<Secret>,
    pub simulator: Handle,
    pub witness: Witness,
    /// The name of the network.
    pub network: String,
    labels: Value,
    places: Vec<tokio::sync::Mutex<Place>>,
    /// The endpoints that nobody declares.
    strangers: Mutex<BTreeSet<EndpointId>>,
    /// The endpoints that somebody has changed remotely.
    edited: Mutex<BTreeSet<EndpointId>>,
    /// How many changes took place.
    done: AtomicUsize,
}

/// One resource of the fleet, or the place that it had.
pub struct Place {
    pub number: usize,
    pub name: String,
    /// What is declared, if anything is.
    pub manifest: Option<Manifest>,
    /// What Kubernetes was last told of it.
    pub applied: Option<Manifest>,
    /// Whether Kubernetes was told to delete it, and nothing is known since.
    pub going: bool,
    /// How many times it was deleted under `Retain`.
    pub retained: usize,
    /// What was done to it.
    pub journal: Vec<String>,
}

impl Fleet {
    pub fn new(world: &World) -> Self {
        let simulator = world.simulator.handle();
        let places = (0..SIZE).map(Place::new).map(tokio::sync::Mutex::new).collect();
        let fleet = Self {
            resources: world.api(),
            secrets: world.api(),
            witness: Witness::watch(world.api(), simulator.clone()),
            simulator,
            network: world.namespace.clone(),
            labels: world.labels.clone(),
            places,
            strangers: Mutex::default(),
            edited: Mutex::default(),
            done: AtomicUsize::new(0),
        };
        // They were there before, and look like some that are to be made.
        for number in (0..SIZE).step_by(9) {
            let twin = NewEndpoint::new(Place::new(number).url()).events(["ocpp.message"]);
            fleet.add_stranger(twin);
        }
        fleet
    }

    /// One of the places, while nobody else does anything to it.
    pub async fn place(&self, number: usize) -> tokio::sync::MutexGuard<'_, Place> {
        self.places[number].lock().await
    }

    /// The same, when nobody is at work.
    pub fn try_place(&self, number: usize) -> Option<tokio::sync::MutexGuard<'_, Place>> {
        self.places.get(number)?.try_lock().ok()
    }

    pub fn strangers(&self) -> MutexGuard<'_, BTreeSet<EndpointId>> {
        self.strangers.lock().expect("nobody panics with it")
    }

    pub fn edited(&self) -> MutexGuard<'_, BTreeSet<EndpointId>> {
        self.edited.lock().expect("nobody panics with it")
    }

    /// Makes an endpoint that nobody declares.
    pub fn add_stranger(&self, endpoint: NewEndpoint) {
        let id = self.simulator.insert(NETWORK, endpoint);
        self.strangers().insert(id);
    }

    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    pub fn count_done(&self) -> usize {
        self.done.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The resource of a place as it is declared.
    pub fn object(&self, name: &str, manifest: &Manifest) -> WebhookEndpoint {
        let object = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookEndpoint",
            "metadata": { "name": name, "labels": self.labels },
            "spec": manifest.spec(&self.network),
        });
        serde_json::from_value(object).expect("an object")
    }

    /// What is declared, by names.
    pub async fn declared(&self) -> Vec<(String, Manifest)> {
        let mut declared = Vec::new();
        for place in &self.places {
            let place = place.lock().await;
            declared.extend(place.manifest.clone().map(|manifest| (place.name.clone(), manifest)));
        }
        declared
    }

    /// The endpoints that live and have a URL of a place, the newest last.
    pub fn endpoints_of(&self, place: &Place) -> Vec<EndpointId> {
        let strangers = self.strangers().clone();
        let endpoints = self.simulator.endpoints(NETWORK).into_iter();
        let alike = endpoints.filter(|endpoint| place.delivers_to(&endpoint.url));
        alike.map(|endpoint| endpoint.id).filter(|id| !strangers.contains(id)).collect()
    }
}

impl Place {
    fn new(number: usize) -> Self {
        Self {
            number,
            name: format!("e{number:02}"),
            manifest: None,
            applied: None,
            going: false,
            retained: 0,
            journal: Vec::new(),
        }
    }

    /// Its first URL, as the API keeps it.
    pub fn url(&self) -> String {
        let is_twin = self.number >= SIZE - TWINS && self.number % 2 == 1;
        format!("https://hooks.example.com/e{:02}", self.number - usize::from(is_twin))
    }

    /// One of its URLs, as the API keeps it.
    pub fn url_at(&self, address: Address) -> String {
        match address {
            Address::First => self.url(),
            Address::Other(which) => format!("{}/{which}", self.url()),
        }
    }

    /// Whether a URL is one of its own, in whatever spelling.
    pub fn delivers_to(&self, url: &str) -> bool {
        let own = [Address::First, Address::Other(0), Address::Other(1)].map(|address| self.url_at(address));
        own.iter().any(|own| own == url || oddly(own) == url)
    }
}

/// The same URL in another spelling.
pub fn oddly(url: &str) -> String {
    url.replace("hooks.example.com", "Hooks.Example.COM:443")
}
