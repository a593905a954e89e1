//! Bad manifests are refused when they are applied, with a message that says what to write instead.

mod endpoints;
mod networks;

use serde_json::Value;
use testkit::World;

/// Durations so long that arithmetic with them overflows somewhere.
const ABSURD: [&str; 6] = [
    "9999999999999999h",
    "87601h",
    "9999999m",
    "99999h9999999m999999999s",
    "99999999999999999999999999999ms",
    "87600h1ms",
];

/// Applies a manifest as a person does; `Err` is what kubectl says.
fn apply(world: &World, manifest: &Value) -> Result<(), String> {
    let arguments = ["apply", "--server-side", "--validate=strict", "-f", "-"];
    let output = world.kubectl(&arguments, &manifest.to_string());
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// Checks that each manifest is refused with a message that holds the given text.
fn check_refused(world: &World, rows: impl IntoIterator<Item = (Value, &'static str)>) {
    let mut wrong = Vec::new();
    for (manifest, expected) in rows {
        let spec = &manifest["spec"];
        match apply(world, &manifest) {
            Ok(()) => wrong.push(format!("accepted: {spec}")),
            Err(said) if !said.contains(expected) => {
                wrong.push(format!("{spec}\n  should say: {expected}\n  says: {said}"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
