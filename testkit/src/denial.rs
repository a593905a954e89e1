//! Secrets that an admission policy denies.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use serde_json::{Value, json};

use crate::World;

impl World {
    /// Denies the writes of Secrets in this namespace that do not pass this validation.
    pub async fn deny_secrets(&self, validation: Value) {
        let name = &self.namespace;
        let rule = json!({
            "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE", "UPDATE"],
        });
        let policy = json!({
            "metadata": { "name": name },
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": { "resourceRules": [rule] },
                "validations": [validation],
            },
        });
        let binding = json!({
            "metadata": { "name": name },
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {
                    "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } },
                },
            },
        });
        self.create_in_cluster::<ValidatingAdmissionPolicy>(policy).await;
        self.create_in_cluster::<ValidatingAdmissionPolicyBinding>(binding).await;
    }
}
