//! What tests look at in their world.

use k8s_openapi::api::core::v1::Secret;
use secrecy::ExposeSecret as _;
use simulator::{Endpoint, EndpointId, Operation};
use webhook_operator::resources::WebhookEndpoint;

use crate::audit::{Mark, Request};
use crate::{NETWORK, World};

impl World {
    /// The remote endpoints as they are.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.simulator.endpoints(NETWORK)
    }

    /// How many pages each list took that was begun after a place in the ledger; the last may go on.
    pub fn pages_since(&self, sequence: u64) -> Vec<usize> {
        let mut pages = Vec::new();
        for call in self.simulator.ledger().since(sequence).calls(Operation::List) {
            match (&call.starting_after, pages.last_mut()) {
                (None, _) => pages.push(1),
                (Some(_), Some(count)) => *count += 1,
                // A page of a list that was begun before.
                (Some(_), None) => {}
            }
        }
        pages
    }

    /// Checks that a Secret holds the true secret of the remote endpoint that the status names, which
    /// exists, and returns the endpoint.
    pub async fn check_secret(&self, resource: &WebhookEndpoint, secret: &str) -> Endpoint {
        let id = endpoint_id(resource);
        let endpoint = self.simulator.endpoint(&id).expect("the endpoint of the status exists");
        let truth = self.simulator.secret_of(&id).expect("every endpoint has a secret");
        assert_eq!(self.secret_value(secret, "endpointId").await.as_deref(), Some(id.as_str()));
        assert_eq!(self.secret_value(secret, "url").await.as_deref(), Some(endpoint.url.as_str()));
        assert_eq!(
            self.secret_value(secret, "secret").await.as_deref(),
            Some(truth.expose_secret()),
            "Secret {secret:?} holds the true secret of {id}"
        );
        endpoint
    }

    /// The value of a key of a Secret.
    pub async fn secret_value(&self, name: &str, key: &str) -> Option<String> {
        let secret = self.api::<Secret>().get_opt(name).await.expect("Secrets can be read")?;
        let value = secret.data?.remove(key)?;
        Some(String::from_utf8(value.0).expect("a text"))
    }

    /// The names of all Secrets, in alphabetical order.
    pub async fn secret_names(&self) -> Vec<String> {
        let secrets = self.all::<Secret>().await;
        let mut names: Vec<String> = secrets.into_iter().filter_map(|secret| secret.metadata.name).collect();
        names.sort_unstable();
        names
    }

    /// What this world's operator has asked since about the test's namespace, in the order of the
    /// answers. What was seen may come before its line in the audit log: wait for something later.
    pub fn requests_since(&self, mark: Mark) -> Vec<Request> {
        let mut requests = mark.requests(self.operator());
        requests.retain(|request| request.namespace == self.namespace);
        requests
    }
}

/// Requests as texts in alphabetical order.
pub fn texts<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Vec<String> {
    let mut texts: Vec<String> = requests.into_iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    texts
}

/// The id of the endpoint that a resource's status names.
#[must_use]
pub fn endpoint_id(resource: &WebhookEndpoint) -> EndpointId {
    let status = resource.status.as_ref().expect("a status");
    status.endpoint.as_ref().expect("an endpoint in the status").id.as_str().into()
}
