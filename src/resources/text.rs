//! Schemas of strings that Kubernetes has no type for.
//!
//! They are CEL rules rather than patterns: a pattern's message is the pattern, and says nothing to most
//! people.

use schemars::{Schema, SchemaGenerator, json_schema};

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
