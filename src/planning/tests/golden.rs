//! Whole stories, each step a line, compared with `golden/*.txt`.
//!
//! `UPDATE_GOLDEN=1 cargo test` writes them anew; the difference is what a change of the planner means.

use std::fs;
use std::path::Path;

use super::given::{Given, both, endpoint, holding, new, ready};
use super::stage::{Fate, Stage};
use crate::planning::{
    Drift, Finalizer, HeldSecret, Intent, Presence, Recorded, Removal, SecretState, SecretWrites,
};
use crate::provider::{Endpoint, EndpointStatus};

/// Plays a story and compares its trace.
fn golden(name: &str, given: Given, story: impl FnOnce(&mut Stage)) {
    let mut stage = Stage::new(given);
    story(&mut stage);
    let trace = stage.trace();
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/planning/tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &trace).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        trace == expected,
        "the trace differs from {}; if it is meant to, run with UPDATE_GOLDEN=1\n--- expected\n{expected}\n--- planned\n{trace}",
        path.display()
    );
}

fn on_network(stage: &mut Stage, id: &str, change: impl FnOnce(&mut Endpoint)) {
    let endpoint = stage.network.iter_mut().find(|endpoint| endpoint.id == id.into());
    change(endpoint.expect("the story names an endpoint that is there"));
}

fn set_inactive(endpoint: &mut Endpoint) {
    endpoint.status = EndpointStatus::Inactive;
}

fn deleted(stage: &mut Stage, removal: Removal) {
    stage.given.intent = Intent::Finalize(removal);
}

#[test]
fn create() {
    let given = new()
        .with(|observed| observed.secret_writes = SecretWrites::Unproven)
        .finds(endpoint("wh_of_somebody", 0));
    golden("create", given, |stage| {
        stage.runs();
    });
}

#[test]
fn create_refused() {
    golden("create_refused", new(), |stage| {
        stage.fate = Fate::Refused;
        stage
            .runs()
            .waits_until(105)
            .runs()
            .meanwhile("the API is well again", |stage| stage.fate = Fate::Answered);
        stage.waits_until(3600).runs();
    });
}

#[test]
fn patch() {
    golden("patch", ready(), |stage| {
        stage.runs().meanwhile("somebody declares more events", |stage| {
            stage.given = stage.given.clone().desired(|desired| desired.endpoint.enabled_events = both());
            stage.given.observed.recorded.applied_generation = None;
        });
        stage.runs().meanwhile("somebody declares it inactive", |stage| {
            stage.given =
                stage.given.clone().desired(|desired| desired.endpoint.status = EndpointStatus::Inactive);
            stage.given.observed.recorded.applied_generation = None;
        });
        stage.runs();
    });
}

#[test]
fn delete() {
    golden("delete", ready(), |stage| {
        stage.meanwhile("somebody deletes the resource", |stage| deleted(stage, Removal::Delete)).runs();
    });
}

#[test]
fn retain() {
    golden("retain", ready(), |stage| {
        stage.meanwhile("somebody deletes the resource", |stage| deleted(stage, Removal::Retain)).runs();
    });
}

#[test]
fn retain_unanswered() {
    golden("retain_unanswered", new(), |stage| {
        stage.fate = Fate::AnswerLost;
        stage.runs_until_sent();
        stage.meanwhile("somebody deletes the resource", |stage| deleted(stage, Removal::Retain)).runs();
    });
}

#[test]
fn unanswered_create_found() {
    golden("unanswered_create_found", new(), |stage| {
        stage.fate = Fate::AnswerLost;
        stage.runs_until_sent();
        stage.fate = Fate::Answered;
        stage.runs();
    });
}

#[test]
fn unanswered_create_not_found() {
    golden("unanswered_create_not_found", new(), |stage| {
        stage.fate = Fate::Lost;
        stage.runs_until_sent();
        stage.fate = Fate::Answered;
        stage.runs();
        stage.waits_until(140).runs();
    });
}

#[test]
fn unanswered_create_uncertain() {
    golden("unanswered_create_uncertain", new(), |stage| {
        stage.network.push(endpoint("wh_of_somebody", 98));
        stage.fate = Fate::AnswerLost;
        stage.runs_until_sent();
        stage.fate = Fate::Answered;
        stage.runs();
        stage
            .meanwhile("somebody deletes what nobody uses", |stage| {
                stage.network.clear();
                stage.list();
            })
            .waits_until(140)
            .runs();
    });
}

#[test]
fn unanswered_create_disabled() {
    golden("unanswered_create_disabled", new(), |stage| {
        stage.fate = Fate::AnswerLost;
        stage.runs_until_sent();
        stage.meanwhile("after weeks without a receiver, the API sets it inactive", |stage| {
            on_network(stage, "wh_1", set_inactive);
        });
        stage.waits_until(2_000_000).crashes().runs();
    });
}

#[test]
fn crash_with_a_create_under_way() {
    golden("crash_with_a_create_under_way", new(), |stage| {
        stage.fate = Fate::AnswerLost;
        stage.runs_until_sent();
        stage.fate = Fate::Answered;
        stage.crashes().runs();
    });
}

#[test]
fn in_hand_and_denied() {
    golden("in_hand_and_denied", new(), |stage| {
        stage.writable = false;
        stage
            .runs()
            .waits_until(160)
            .runs()
            .meanwhile("the Secret can be written again", |stage| stage.writable = true);
        stage.waits_until(3600).runs();
    });
}

#[test]
fn foreign_secret() {
    golden("foreign_secret", new(), |stage| {
        stage.writable = false;
        stage.runs().meanwhile("somebody else's Secret is there: that is why", |stage| {
            stage.given.observed.secret = SecretState::Foreign;
            stage.writable = true;
        });
        stage
            .runs()
            .meanwhile("that Secret is deleted", |stage| stage.given.observed.secret = SecretState::Absent);
        stage.runs();
    });
}

#[test]
fn moved_secret() {
    golden("moved_secret", ready(), |stage| {
        stage.meanwhile("somebody declares another name and a label", |stage| {
            stage.given =
                stage.given.clone().labelled(&[("team", "billing")]).former("charging", holding("wh_1", 1));
            stage.given = stage.given.clone().desired(|desired| desired.secret.name = "signing".to_owned());
            stage.given.observed.secret = SecretState::Absent;
        });
        stage.runs();
    });
}

#[test]
fn restored_without_status() {
    let restored = ready().with(|observed| {
        observed.attempt = None;
        observed.finalizer = Finalizer::Absent;
        observed.recorded = Recorded::default();
    });
    golden("restored_without_status", restored, |stage| {
        stage.runs();
    });
}

#[test]
fn restored_without_secret() {
    golden("restored_without_secret", ready().secret_is(SecretState::Absent), |stage| {
        stage.runs().meanwhile("somebody restores the Secret", |stage| {
            stage.given.observed.secret = SecretState::Held(holding("wh_1", 1));
        });
        stage.runs().meanwhile("or it is lost for good, and somebody deletes the endpoint", |stage| {
            stage.given.observed.secret = SecretState::Absent;
            stage.network.clear();
            stage.list();
        });
        stage.runs().waits_until(107).runs();
    });
}

#[test]
fn restored_outdated_secret() {
    let restored = ready().recorded("wh_8").sees(endpoint("wh_8", 50)).misses("wh_1", Presence::Unlisted);
    golden("restored_outdated_secret", restored, |stage| {
        stage.runs().meanwhile("somebody deletes wh_8, whose secret is lost", |stage| {
            stage.network.clear();
            stage.list();
        });
        stage.runs().waits_until(107).runs().waits_until(120).runs();
    });
}

#[test]
fn drift_corrected() {
    golden("drift_corrected", ready(), |stage| {
        stage.meanwhile("somebody changes the events", |stage| {
            on_network(stage, "wh_1", |endpoint| endpoint.enabled_events = both());
            stage.list();
        });
        stage.runs().meanwhile("somebody deletes the endpoint", |stage| {
            stage.network.clear();
            stage.list();
        });
        stage.runs().waits_until(107).runs();
    });
}

#[test]
fn drift_reported() {
    let given = ready().desired(|desired| desired.drift = Drift::Report);
    golden("drift_reported", given, |stage| {
        stage.meanwhile("somebody changes the events", |stage| {
            on_network(stage, "wh_1", |endpoint| endpoint.enabled_events = both());
            stage.list();
        });
        stage.runs().meanwhile("somebody deletes the endpoint", |stage| {
            stage.network.clear();
            stage.list();
        });
        stage.runs().waits_until(107).runs();
    });
}

#[test]
fn reactivation_patience() {
    golden("reactivation_patience", ready(), |stage| {
        for (disabled, listed) in [(200, 260), (270, 320), (330, 600), (640, 3000)] {
            stage.waits_until(disabled).meanwhile("the API sets it inactive", |stage| {
                on_network(stage, "wh_1", set_inactive);
                stage.list();
            });
            stage.runs().waits_until(listed).runs();
        }
    });
}

#[test]
fn deleted_with_an_open_attempt() {
    golden("deleted_with_an_open_attempt", new(), |stage| {
        stage.fate = Fate::AnswerLost;
        stage.runs_until_sent();
        stage.meanwhile("somebody deletes the resource", |stage| deleted(stage, Removal::Delete));
        stage.crashes().runs();
    });
}

#[test]
fn recreated_under_the_same_name() {
    let given = new().secret_is(SecretState::OfFormerResource(HeldSecret::default()));
    golden("recreated_under_the_same_name", given, |stage| {
        stage.runs().meanwhile("the former Secret is collected", |stage| {
            stage.given.observed.secret = SecretState::Absent;
        });
        stage.runs();
    });
}

#[test]
fn a_secret_that_turns_up_late() {
    golden("a_secret_that_turns_up_late", new(), |stage| {
        stage.network.push(endpoint("wh_9", 0));
        stage.runs_until_sent();
        stage.meanwhile("a Secret of this resource is restored, and its endpoint wh_9 is there", |stage| {
            let held = HeldSecret { attempt: 0, ..holding("wh_9", 0) };
            stage.given.observed.secret = SecretState::Held(held);
            stage.list();
        });
        stage.runs();
    });
}

fn asks(stage: &mut Stage, request: &str) {
    if let Intent::Converge(desired) = &mut stage.given.intent {
        desired.rotate = Some(request.to_owned());
    }
}

fn declares(stage: &mut Stage, url: &str) {
    if let Intent::Converge(desired) = &mut stage.given.intent {
        desired.endpoint.url = url.into();
    }
}

#[test]
fn rotation() {
    golden("rotation", ready(), |stage| {
        stage.meanwhile("somebody asks for another secret", |stage| asks(stage, "1"));
        stage.runs().waits_until(201).runs().waits_until(1201).runs().waits_until(2000).runs();
    });
}

#[test]
fn rotation_crashing() {
    golden("rotation_crashing", ready(), |stage| {
        stage.meanwhile("somebody asks for another secret", |stage| asks(stage, "1"));
        stage.runs_until_sent().crashes();
        stage.runs().waits_until(140).runs();
        stage.crashes().waits_until(300).runs();
        stage.crashes().waits_until(1300).runs();
        stage.crashes().runs();
    });
}

#[test]
fn rotation_while_another_one_retires() {
    golden("rotation_while_another_one_retires", ready(), |stage| {
        stage.meanwhile("somebody asks for another secret", |stage| asks(stage, "1"));
        stage.runs().waits_until(201).runs();
        stage.meanwhile("and for another one", |stage| asks(stage, "2"));
        stage.runs().waits_until(400).runs().waits_until(1202).runs().waits_until(1402).runs();
    });
}

#[test]
fn url_changed_twice() {
    golden("url_changed_twice", ready(), |stage| {
        stage.meanwhile("the URL is changed", |stage| declares(stage, "https://new.example.com"));
        stage.runs();
        stage.meanwhile("the URL is changed again", |stage| declares(stage, "https://newer.example.com"));
        stage.runs();
        stage.meanwhile("the URL is changed back", |stage| declares(stage, super::given::URL));
        stage.runs();
    });
}
