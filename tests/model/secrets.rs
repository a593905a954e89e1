//! A model of the executor's writes of Secrets.

use webhook_operator::planning::{Answer, InHand};

use super::api::{Id, parse_id};
use super::cluster::{Name, Secret};
use super::mutation::Mutation;
use super::perform::{Act, Outcome};
use super::world::{Flaw, World};

impl World {
    pub fn store(&mut self, act: Act<'_>, hand: &InHand, name: Name, keep: Vec<Id>) {
        let Act { who, .. } = act;
        // The secret itself is in memory only.
        let in_hand = self.process.memories[who].in_hand().filter(|in_hand| in_hand.id == hand.id);
        let Some(in_hand) = in_hand else { return };
        let genuine = in_hand.answer == Answer::WithSecret;
        // They are read from the Secrets of the resource, past the cache.
        let place = &self.places[who].now;
        let previous = keep.into_iter().filter(|id| place.has_secret_of(*id)).collect();
        let secret = Secret::Held { endpoint: parse_id(&hand.id), attempt: hand.attempt, genuine, previous };
        if self.write_secret(act, name, secret) {
            self.process.memories[who].stored();
        }
    }

    pub fn copy_secret(&mut self, act: Act<'_>, from: Name, to: Name) {
        let source = self.places[act.who].now.secrets.of(from).clone();
        if let Secret::Held { .. } = source {
            self.write_secret(act, to, source);
        }
    }

    /// Has a Secret hold the secrets of these endpoints, which the Secrets of its resource do.
    pub fn rewrite_secret(&mut self, act: Act<'_>, name: Name, first: Id, attempt: u64, keep: Vec<Id>) {
        // They are read from all Secrets of the resource, past the cache.
        let place = &self.places[act.who].now;
        if !place.has_secret_of(first) {
            return;
        }
        let previous = keep.into_iter().filter(|id| place.has_secret_of(*id)).collect();
        self.write_secret(act, name, Secret::Held { endpoint: first, attempt, genuine: true, previous });
    }

    /// Writes a Secret: creates it when none was observed, and replaces it under its resource version when one
    /// was. Tells whether it was answered that it is written.
    fn write_secret(&mut self, act: Act<'_>, name: Name, secret: Secret) -> bool {
        let Act { who, outcome, .. } = act;
        if self.denied {
            self.process.proven = false;
            return false;
        }
        let live = self.places[who].now.secrets.of(name);
        let seizes = act.mutation == Some(Mutation::SeizeSecret);
        let unseen = act.mutation == Some(Mutation::OverwriteUnseen);
        let view = if unseen { &self.process.views[who] } else { act.view };
        if outcome == Outcome::RequestLost || live != view.secrets.of(name) {
            return false;
        }
        if let Secret::Foreign | Secret::Released { .. } = live {
            if !seizes {
                return false;
            }
            self.flaws.insert(Flaw::ForeignSecretTouched);
        }
        let kept = |id: &Id| secret.holds().any(|held| held == *id);
        if live.endpoint().is_some() && live.holds().any(|id| self.api.get(id).is_some() && !kept(&id)) {
            self.flaws.insert(Flaw::StoredSecretOverwritten);
        }
        self.places[who].write_secret(name, secret.clone());
        if outcome != Outcome::Done {
            return false;
        }
        *self.process.views[who].secrets.of_mut(name) = secret;
        self.process.proven = true;
        true
    }

    /// Deletes a Secret of the resource under the version that was observed.
    pub fn delete_secret(&mut self, act: Act<'_>, name: Name) {
        let Act { who, outcome, .. } = act;
        let live = self.places[who].now.secrets.of(name);
        if outcome == Outcome::RequestLost || live != act.view.secrets.of(name) {
            return;
        }
        self.places[who].write_secret(name, Secret::Absent);
        if outcome == Outcome::Done {
            *self.process.views[who].secrets.of_mut(name) = Secret::Absent;
        }
    }

    pub fn release_secret(&mut self, who: usize, name: Name) {
        let place = &mut self.places[who];
        let live = place.now.secrets.of(name);
        if let Secret::Held { endpoint, attempt, previous, .. } = live.clone()
            && self.process.views[who].secrets.of(name) == live
        {
            let released = Secret::Released { endpoint, attempt, previous };
            place.write_secret(name, released.clone());
            *self.process.views[who].secrets.of_mut(name) = released;
        }
    }

    /// Makes a Secret that belongs to nobody the resource's, under the version that was observed.
    pub fn claim_secret(&mut self, act: Act<'_>, name: Name, noted: Option<u64>) {
        let Act { who, outcome, .. } = act;
        let live = self.places[who].now.secrets.of(name);
        if outcome == Outcome::RequestLost || live != act.view.secrets.of(name) {
            return;
        }
        let Secret::Released { endpoint, attempt, previous } = live.clone() else { return };
        let others = self.everybody().filter(|other| *other != who);
        if others.into_iter().any(|other| self.places[other].now.holds(endpoint)) {
            self.flaws.insert(Flaw::ForeignSecretTouched);
        }
        let held = Secret::Held { endpoint, attempt: noted.unwrap_or(attempt), genuine: true, previous };
        self.places[who].write_secret(name, held.clone());
        if outcome == Outcome::Done {
            *self.process.views[who].secrets.of_mut(name) = held;
        }
    }

    /// Whether the Secret belongs to the resource, and to nobody by the activation's view: read past the cache.
    pub fn is_claimed_since(&self, act: Act<'_>) -> bool {
        let live = self.places[act.who].now.declared_secret();
        matches!(act.view.declared_secret(), Secret::Released { .. }) && matches!(live, Secret::Held { .. })
    }
}
