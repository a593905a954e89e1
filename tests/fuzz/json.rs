//! JSON that is almost as it should be.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Number, Value, json};

/// Values that are not where one would put them.
const ODD: [&str; 30] = [
    "null",
    "true",
    "0",
    "-1",
    "7",
    "41723",
    "1.5",
    "1e300",
    "18446744073709551615",
    "-9223372036854775808",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00 \\n\"",
    "\"active\"",
    "\"ocpp.message\"",
    "\"https://hooks.example.com:443/%2f/../a\"",
    "\"//\"",
    "\"2026-05-01T10:00:00.123456+00:00\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"-009999-01-02T01:59:59Z\"",
    "\"0000-00-00\"",
    "\"Thu, 01 Jan 1970 00:00:00 GMT\"",
    "\"<html>\"",
    "[]",
    "[null]",
    "[[[[[[]]]]]]",
    "{}",
    "{\"\":0}",
];

/// `wanted` as somebody might send it who has other habits, or bad ones.
pub fn garbled(made_up: &mut Unstructured<'_>, wanted: &Value) -> Result<Value> {
    if made_up.ratio(1, 12)? {
        return odd(made_up);
    }
    Ok(match wanted {
        Value::Array(items) => {
            let mut garbled_items = Vec::new();
            for item in items {
                for _ in 0..copies(made_up)? {
                    garbled_items.push(garbled(made_up, item)?);
                }
            }
            Value::Array(garbled_items)
        }
        Value::Object(fields) => {
            let mut garbled_fields = Map::new();
            for (name, value) in fields {
                if !made_up.ratio(1, 16)? {
                    garbled_fields.insert(name.clone(), garbled(made_up, value)?);
                }
            }
            if made_up.ratio(1, 8)? {
                garbled_fields.insert(made_up.arbitrary::<String>()?, odd(made_up)?);
            }
            Value::Object(garbled_fields)
        }
        Value::String(text) if made_up.ratio(1, 12)? => {
            Value::String(text.repeat(made_up.int_in_range(0..=400)?))
        }
        other => other.clone(),
    })
}

/// How often an item appears: mostly once.
fn copies(made_up: &mut Unstructured<'_>) -> Result<u8> {
    made_up.choose(&[1, 1, 1, 1, 1, 1, 0, 2, 120]).copied()
}

fn odd(made_up: &mut Unstructured<'_>) -> Result<Value> {
    if made_up.ratio(1, 8)? {
        return Ok(json!(made_up.arbitrary::<String>()?));
    }
    if made_up.ratio(1, 8)? {
        return Ok(Number::from_f64(made_up.arbitrary()?).map_or(Value::Null, Value::Number));
    }
    Ok(serde_json::from_str(made_up.choose(&ODD)?).expect("it is JSON"))
}
