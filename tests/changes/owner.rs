//! Whose a Secret is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use webhook_operator::resources::OWNER_ANNOTATION;

/// The uid of the resource that a Secret belongs to: by a reference, or by a note where it is to outlive the resource.
pub fn owner(secret: &ObjectMeta) -> Option<&str> {
    let reference = secret.owner_references.iter().flatten().next();
    let note = || secret.annotations.as_ref()?.get(OWNER_ANNOTATION)?.split_once('/');
    reference.map(|owner| owner.uid.as_str()).or_else(|| note().map(|(_, uid)| uid))
}
