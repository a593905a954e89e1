//! Schemas of strings that Kubernetes has no type for.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A Go duration: one or more of `ms`, `s`, `m`, `h`, largest first, e.g. `1h30m`.
pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        "minLength": 2,
    })
}

/// The name of a Kubernetes object: a DNS subdomain of RFC 1123.
pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    })
}

/// [`object_name`] of a field that may be left out.
pub(super) fn optional_object_name(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = object_name(generator);
    schema.insert("nullable".to_owned(), true.into());
    schema
}
