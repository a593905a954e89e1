//! Which of several replicas acts: the one that holds the Lease.
//!
//! The rules are client-go's. Whether a lease has run out is told by this process's own clock, from when it saw the
//! holder renew it last: no two clocks have to agree. Every write is guarded by the `resourceVersion` that was seen.
//! Other than there, a holder that can't reach the API server does not give up: it does nothing from well before its
//! lease runs out, and goes on if it can renew it before anybody else has taken it, with all that it has in memory.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Config};
use serde_json::json;
use tracing::{debug, info, warn};

use crate::kubernetes::election_client;
use crate::provider::{Fence, Moment};

/// How long the others wait after the holder has renewed the lease last.
const LEASE: Duration = Duration::from_secs(15);
/// How long the holder acts after it has renewed the lease last. What leaves in the last moment has the rest of the
/// lease to arrive: connecting takes at most as long.
const ACTS: Duration = Duration::from_secs(10);
/// How often the lease is renewed, or looked at.
const RETRY: Duration = Duration::from_secs(2);
/// How soon it is looked at again after somebody else has written it.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a look or a write may take.
const CALL: Duration = Duration::from_secs(5);
/// No holder asks for longer.
const LONGEST_LEASE: Duration = Duration::from_mins(1);

/// Which Lease replicas agree by.
#[derive(Clone, Debug)]
pub struct Election {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A replica that acts as long as it holds the Lease.
pub(super) struct Candidate {
    leases: Api<Lease>,
    name: String,
    /// Another one for each process.
    identity: String,
    /// The lease as it was seen last.
    seen: Option<Seen>,
    leads: bool,
}

/// How a candidate stands.
#[derive(Debug, Eq, PartialEq)]
enum Standing {
    Holds,
    /// Somebody else holds the lease, or may think so.
    Waits,
    /// Somebody wrote the lease meanwhile: it is looked at again.
    Overtaken,
}

/// A lease as it was seen.
#[derive(Debug)]
struct Seen {
    spec: LeaseSpec,
    version: Option<String>,
    /// When it was first seen like that.
    since: Moment,
}

impl Seen {
    fn holder(&self) -> Option<&str> {
        self.spec.holder_identity.as_deref().filter(|holder| !holder.is_empty())
    }

    /// Whether nobody may act by it any more.
    fn is_over(&self) -> bool {
        let seconds = self.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = seconds.map_or(LEASE, Duration::from_secs).min(LONGEST_LEASE);
        self.holder().is_none() || self.since.after(lasts).left().is_zero()
    }
}

impl Candidate {
    /// A candidate that has not looked at the lease yet.
    pub(super) fn new(config: &Config, election: Election) -> kube::Result<Self> {
        let Election { namespace, name } = election;
        let leases = Api::namespaced(election_client(config)?, &namespace);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let identity = format!("{host}_{:016x}", rand::random::<u64>());
        Ok(Self { leases, name, identity, seen: None, leads: false })
    }

    /// Whether it holds the lease, as far as it knows.
    pub(super) fn leads(&self) -> bool {
        self.leads
    }

    /// Holds the lease whenever it can be had, and keeps `fence` open meanwhile, until somebody else has taken it.
    pub(super) async fn lead(&mut self, fence: &Fence) {
        loop {
            let (asked, mut pause) = (Moment::now(), RETRY);
            let standing = tokio::time::timeout(CALL, self.stand()).await;
            match standing {
                Ok(Ok(Standing::Holds)) => self.holds(asked, fence),
                Ok(Ok(Standing::Waits)) if self.leads => {
                    self.leads = false;
                    warn!(lease = %self, holder = self.holder(), "another one has the lease: acts no more");
                    return;
                }
                Ok(Ok(Standing::Waits)) => {
                    debug!(lease = %self, holder = self.holder(), "waits for the lease");
                }
                Ok(Ok(Standing::Overtaken)) => pause = AGAIN,
                Ok(Err(error)) => self.fails(&error, fence),
                Err(elapsed) => self.fails(&elapsed, fence),
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Gives the lease up, so that nobody has to wait until it runs out.
    pub(super) async fn release(&mut self) {
        if !std::mem::take(&mut self.leads) {
            return;
        }
        match tokio::time::timeout(CALL, self.give_up()).await {
            Ok(Ok(())) => info!(lease = %self, "the lease is given up"),
            Ok(Err(error)) => warn!(lease = %self, "can't give the lease up, so it runs out: {error}"),
            Err(_) => warn!(lease = %self, "can't give the lease up in time, so it runs out"),
        }
    }

    async fn give_up(&mut self) -> kube::Result<()> {
        while self.is_holder() {
            let spec = LeaseSpec { holder_identity: None, ..self.renewed() };
            if self.write(&spec).await? == Standing::Overtaken {
                // By what this process wrote itself, and did not wait for the answer.
                let lease = self.leases.get_opt(&self.name).await?;
                self.see(lease.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn holds(&mut self, asked: Moment, fence: &Fence) {
        if !self.leads {
            info!(lease = %self, identity = self.identity, "holds the lease: acts");
        } else if !fence.is_open() {
            info!(lease = %self, "the lease is renewed before anybody else took it: acts again");
        }
        self.leads = true;
        fence.open_until(asked.after(ACTS));
    }

    fn fails(&self, error: &dyn fmt::Display, fence: &Fence) {
        if self.leads && !fence.is_open() {
            warn!(lease = %self, "the lease may run out, so nothing is done until it is renewed: {error}");
        } else {
            warn!(lease = %self, "can't renew or look at the lease: {error}");
        }
    }

    fn holder(&self) -> Option<&str> {
        self.seen.as_ref().and_then(Seen::holder)
    }

    fn is_holder(&self) -> bool {
        self.holder() == Some(&*self.identity)
    }

    /// Renews the lease, or takes it if it can be had.
    async fn stand(&mut self) -> kube::Result<Standing> {
        if self.is_holder() {
            // What was seen last is mostly what is there.
            let standing = self.write(&self.renewed()).await?;
            if standing == Standing::Holds {
                return Ok(standing);
            }
        }
        let Some(lease) = self.leases.get_opt(&self.name).await? else {
            // Whoever held one that was deleted does not know.
            let is_free = self.is_holder() || self.seen.as_ref().is_none_or(Seen::is_over);
            return if is_free { self.create().await } else { Ok(Standing::Waits) };
        };
        self.see(lease);
        if self.is_holder() {
            self.write(&self.renewed()).await
        } else if self.seen.as_ref().is_some_and(Seen::is_over) {
            self.write(&self.taken()).await
        } else {
            Ok(Standing::Waits)
        }
    }

    fn see(&mut self, lease: Lease) {
        let spec = lease.spec.unwrap_or_default();
        // Who only annotates it renews nothing.
        let same = self.seen.take().filter(|seen| seen.spec == spec);
        let since = same.map_or_else(Moment::now, |seen| seen.since);
        self.seen = Some(Seen { spec, version: lease.metadata.resource_version, since });
    }

    /// What the holder writes each time.
    fn renewed(&self) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..self.seen.as_ref().map(|seen| seen.spec.clone()).unwrap_or_default()
        }
    }

    /// What a new holder writes.
    fn taken(&self) -> LeaseSpec {
        let renewed = self.renewed();
        let before = renewed.lease_transitions.unwrap_or_default();
        LeaseSpec {
            acquire_time: renewed.renew_time.clone(),
            lease_transitions: Some(before.saturating_add(1)),
            ..renewed
        }
    }

    async fn create(&mut self) -> kube::Result<Standing> {
        self.seen = None;
        let renewed = self.renewed();
        let spec =
            LeaseSpec { acquire_time: renewed.renew_time.clone(), lease_transitions: Some(0), ..renewed };
        let mut lease = Lease { spec: Some(spec), ..Lease::default() };
        lease.metadata.name = Some(self.name.clone());
        let created = self.leases.create(&PostParams::default(), &lease).await;
        self.written(created)
    }

    /// Writes the lease that was seen last, unless it has changed since.
    async fn write(&mut self, spec: &LeaseSpec) -> kube::Result<Standing> {
        let version = self.seen.as_ref().and_then(|seen| seen.version.as_deref());
        let patch = json!({
            "metadata": { "resourceVersion": version },
            "spec": {
                "holderIdentity": spec.holder_identity,
                "leaseDurationSeconds": spec.lease_duration_seconds,
                "acquireTime": spec.acquire_time,
                "renewTime": spec.renew_time,
                "leaseTransitions": spec.lease_transitions,
            },
        });
        let written = self.leases.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        self.written(written)
    }

    fn written(&mut self, written: kube::Result<Lease>) -> kube::Result<Standing> {
        match written {
            Ok(lease) => {
                self.see(lease);
                Ok(Standing::Holds)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Standing::Overtaken),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.leases.namespace().unwrap_or_default();
        write!(f, "{namespace}/{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(holder: Option<&str>, seconds: Option<i32>, ago: u64) -> Seen {
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: seconds,
            ..LeaseSpec::default()
        };
        Seen { spec, version: None, since: Moment::now().before(Duration::from_secs(ago)) }
    }

    #[test]
    fn a_lease_is_over_when_nobody_has_renewed_it_for_as_long_as_it_lasts() {
        for (holder, seconds, ago, over) in [
            (Some("other"), Some(15), 14, false),
            (Some("other"), Some(15), 16, true),
            (Some("other"), Some(30), 16, false),
            (Some("other"), None, 14, false),
            (Some("other"), None, 16, true),
            // What nobody of us writes.
            (Some("other"), Some(-1), 14, false),
            (Some("other"), Some(i32::MAX), 61, true),
            // Given up.
            (None, Some(15), 0, true),
            (Some(""), Some(15), 0, true),
        ] {
            assert_eq!(seen(holder, seconds, ago).is_over(), over, "{holder:?}, {seconds:?}, {ago}");
        }
    }
}
