//! `cargo xtask demo`: the main job, end to end, for a person to watch.

mod audit;
mod checks;
mod error;
mod interrupt;
mod kubectl;
mod operator;
mod play;
mod programs;
mod receiver;
mod samples;
mod screen;
mod stage;
mod story;

use std::time::{Duration, Instant};

use controlplane::version::KUBERNETES_VERSION;
use serde_json::json;
use simulator::Operation;

pub(crate) use error::DemoError;

use checks::{VERIFIES, counted, is_accepted};
use error::io;
use interrupt::Interrupt;
use screen::Screen;
use stage::{NETWORK, Stage};

/// What becomes of everything when the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It is stopped.
    Stop,
    /// It stays until Ctrl-C.
    Keep,
}

/// Shows the operator at work, and stops and removes everything that it started.
pub(crate) fn run(afterwards: Afterwards) -> Result<(), DemoError> {
    tokio::runtime::Runtime::new().map_err(io("starting a runtime"))?.block_on(demo(afterwards))
}

async fn demo(afterwards: Afterwards) -> Result<(), DemoError> {
    let interrupt = Interrupt::listen()?;
    let mut screen = Screen::new();
    screen.title("webhook-operator: from a manifest to a verified delivery");
    screen.say("Starting Kubernetes, a stand-in for the remote API, and a receiver …");
    let started = Instant::now();
    let mut stage = Stage::set(&interrupt).await?;
    introduce(&stage, &mut screen);
    let played = tokio::select! {
        played = play::play(&mut stage, &mut screen) => played,
        () = interrupt.wait() => Err(DemoError::Interrupted),
    };
    let ended = match (played, afterwards) {
        (Ok(()), Afterwards::Stop) => {
            summarise(&stage, &mut screen, started.elapsed());
            Ok(())
        }
        (Ok(()), Afterwards::Keep) => {
            summarise(&stage, &mut screen, started.elapsed());
            keep(&mut stage, &mut screen, &interrupt).await
        }
        (failed, _) => failed,
    };
    if ended.as_ref().is_err_and(DemoError::concerns_operator)
        && let Some(operator) = &mut stage.operator
    {
        screen.blank();
        screen.bad("this is not as it should be; the operator's log ends with:");
        screen.output(&operator.tail());
    }
    stage.clear().await;
    if ended.is_ok() && afterwards == Afterwards::Keep {
        screen.blank();
        screen.say("Everything is stopped and removed.");
    }
    ended
}

fn introduce(stage: &Stage, screen: &mut Screen) {
    screen.say(format!("Kubernetes {}   {}", KUBERNETES_VERSION, stage.control_plane.server()));
    screen.say(format!("remote API          {}", stage.simulator.base_url()));
    screen.say(format!("receiver            {}", stage.receiver.url));
    screen.say("                    (examples/receiver, with the Secret in the folder mount/)");
    screen.say(format!("manifests           {}", stage.folder.display()));
    screen.say("                    (deploy/samples with the addresses of this machine)");
}

fn summarise(stage: &Stage, screen: &mut Screen, took: Duration) {
    let ledger = stage.simulator.ledger();
    let calls = [
        (Operation::Token, "token"),
        (Operation::List, "list"),
        (Operation::Create, "create"),
        (Operation::Patch, "patch"),
        (Operation::Delete, "delete"),
    ]
    .map(|(operation, name)| counted(ledger.count(operation), name));
    let create = stage.notes.create;
    let (writes, events) = (counted(create.objects, "write"), counted(create.events, "Event"));
    let (verified, refused) = (stage.notes.verified, stage.notes.refused);
    screen.blank();
    screen.title(&format!("Done, in {} s.", took.as_secs().max(1)));
    screen.say(format!("calls to the remote API      {}", calls.join(", ")));
    screen.say(format!("Kubernetes, for the create   {writes} and {events}"));
    screen.say(format!("deliveries                   {verified} verified, {refused} forged one refused"));
}

/// Leaves everything running, and shows the deliveries, until Ctrl-C.
async fn keep(stage: &mut Stage, screen: &mut Screen, interrupt: &Interrupt) -> Result<(), DemoError> {
    let folder = stage.folder.display().to_string();
    let kubeconfig = stage.control_plane.kubeconfig().display();
    screen.blank();
    screen.title("It keeps running until Ctrl-C. In another terminal:");
    screen.advice(format!("export KUBECONFIG={kubeconfig}"));
    screen.advice(format!("kubectl apply -f {folder}/endpoint.yaml"));
    screen.advice("kubectl -n billing get whe,secrets");
    screen.advice("kubectl -n billing describe whe charge-events");
    screen.blank();
    screen.say("An event, which is shown here when it was delivered:");
    let event = json!({ "network": NETWORK, "type": "ocpp.message", "data": {} });
    let admin = stage.simulator.admin_url().unwrap_or_default();
    screen.advice(format!("curl -H content-type:application/json -d '{event}' {admin}/deliveries"));
    screen.blank();
    screen.say(format!("kubectl, if you have none    {}", stage.kubectl.program().display()));
    let Some(operator) = &stage.operator else { return Ok(()) };
    screen.say(format!("the operator's log           {}", operator.log().display()));
    let end = operator.end();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = interrupt.wait() => return Ok(()),
            status = &mut end => return Err(DemoError::OperatorEnded(status)),
            said = stage.receiver.next() => {
                let Some(said) = said else { return Err(DemoError::ReceiverEnded) };
                screen.blank();
                screen.event("a delivery");
                screen.output(&said);
                if is_accepted(&said) {
                    screen.checked(VERIFIES);
                } else {
                    screen.bad("the receiver did not take it");
                }
            }
        }
    }
}
