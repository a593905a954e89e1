//! Plays the story: does, shows and checks each act.

use std::fs;

use serde_json::json;
use simulator::Event;

use super::checks;
use super::error::{DemoError, Problem};
use super::kubectl::{failed, typed};
use super::operator::{KUBECONFIG, Operator};
use super::screen::{Screen, masked};
use super::stage::{NETWORK, Stage};
use super::story::{Act, STORY, Shown};

/// Plays every step, as long as the operator lives.
pub(crate) async fn play(stage: &mut Stage, screen: &mut Screen) -> Result<(), DemoError> {
    for (number, step) in (1..).zip(STORY) {
        screen.heading(number, step.title, step.why);
        for act in step.acts {
            let end = stage.operator.as_ref().map(Operator::end);
            let done = tokio::select! {
                done = perform(act, stage, screen) => done,
                status = or_never(end) => return Err(DemoError::OperatorEnded(status)),
            };
            done.map_err(|problem| DemoError::Step { number, title: step.title, problem })?;
        }
    }
    Ok(())
}

async fn or_never<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn perform(act: &Act, stage: &mut Stage, screen: &mut Screen) -> Result<(), Problem> {
    match act {
        Act::Show(file) => {
            let content = fs::read_to_string(stage.folder.join(file))
                .map_err(|source| Problem::Io { what: "reading a sample", source })?;
            screen.command(&format!("cat {file}"));
            screen.output(&content);
        }
        Act::Kubectl(arguments, shown) => {
            screen.command(&typed(arguments));
            let answer = stage.kubectl.answer(arguments).await?;
            if !answer.success {
                screen.output(&answer.stderr);
                return Err(failed(arguments, answer.stderr));
            }
            // kubectl says on stderr that there is nothing.
            screen.output(&trimmed(&format!("{}{}", answer.stdout, answer.stderr), shown));
        }
        Act::Refused(arguments) => {
            screen.command(&typed(arguments));
            let answer = stage.kubectl.answer(arguments).await?;
            if answer.success {
                return Err(Problem::Unrefused { command: typed(arguments) });
            }
            screen.output(&answer.stderr);
        }
        Act::StartOperator => {
            screen.command(&format!("KUBECONFIG={KUBECONFIG} webhook-operator run"));
            stage.start_operator().await?;
        }
        Act::Event(kind) => {
            screen.event(format!("an {kind} event happens in the network"));
            let data = json!({ "assetId": "cp_42" });
            stage.simulator.deliver(&Event::new(NETWORK, *kind, data));
        }
        Act::Check(check) => {
            let fact = checks::check(*check, stage, screen).await?;
            screen.checked(fact);
        }
    }
    Ok(())
}

/// What of a command's output is shown.
fn trimmed(output: &str, shown: &Shown) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    match shown {
        Shown::All => lines.join("\n"),
        Shown::First(count) => {
            let more = lines.len().saturating_sub(*count);
            let first = lines.iter().take(*count).copied();
            if more == 0 {
                return lines.join("\n");
            }
            first.map(str::to_owned).chain([format!("… and {more} more")]).collect::<Vec<_>>().join("\n")
        }
        Shown::From(start) => {
            lines.into_iter().skip_while(|line| !line.starts_with(start)).collect::<Vec<_>>().join("\n")
        }
        Shown::Masked => masked(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_trimmed() {
        let output = "a\n\nb\nType: c\nd\n";
        for (shown, text) in [
            (Shown::All, "a\nb\nType: c\nd"),
            (Shown::First(1), "a\n… and 3 more"),
            (Shown::First(4), "a\nb\nType: c\nd"),
            (Shown::From("Type:"), "Type: c\nd"),
        ] {
            assert_eq!(trimmed(output, &shown), text);
        }
        assert_eq!(trimmed("whsec_abcdefghijkl", &Shown::Masked), "whsec_abc••••••••••••");
    }
}
