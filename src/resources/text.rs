//! Schemas of strings that Kubernetes has no type for.
//!
//! They are CEL rules rather than patterns: a pattern's message is the pattern, and says nothing to most
//! people.

use schemars::{Schema, SchemaGenerator, json_schema};

/// What [`duration`] takes.
macro_rules! duration_pattern {
    () => {
        "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
    };
}

/// A rule about a duration, as CEL; it leaves texts that are none to the rule of [`duration`].
macro_rules! duration_rule {
    ($rule:literal) => {
        concat!("!self.matches('", $crate::resources::text::duration_pattern!(), "') || (", $rule, ")")
    };
}

pub(super) use {duration_pattern, duration_rule};

/// A Go duration: one or more of `h`, `m`, `s`, `ms`, largest first, e.g. `1h30m`.
pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 2,
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": concat!("self.matches('", duration_pattern!(), "')"),
            "message": "a duration is written in h, m, s and ms, largest first, e.g. 2160h, 1h30m or 90s",
        }],
    })
}

/// The name of a Kubernetes object: a DNS subdomain of RFC 1123.
pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
        "x-kubernetes-validations": [{
            "rule": "!format.dns1123Subdomain().validate(self).hasValue()",
            "message": "a name must consist of lower-case letters, digits, '-' and '.', and begin and end with a letter \
                        or a digit, e.g. charge-events",
        }],
    })
}

/// [`object_name`] of a field that may be left out.
pub(super) fn optional_object_name(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = object_name(generator);
    schema.insert("nullable".to_owned(), true.into());
    schema
}
