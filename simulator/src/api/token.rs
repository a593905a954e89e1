//! The OAuth token endpoint, with the errors of the vendor's identity provider.

use http::StatusCode;
use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use crate::world::World;

/// Issues a token for client credentials.
pub(super) fn issue(world: &mut World, call: &Call) -> Answer {
    if call.body.text("grant_type").as_deref() != Some("client_credentials") {
        let message = "grant_type must be client_credentials";
        return error(StatusCode::FORBIDDEN, "unauthorized_client", message);
    }
    if call.body.text("audience").as_ref() != Some(&world.audience) {
        let message = format!("The only audience here is {}", world.audience);
        return error(StatusCode::FORBIDDEN, "access_denied", &message);
    }
    let (Some(client_id), Some(client_secret)) = (call.client_id(), call.body.text("client_secret")) else {
        return error(StatusCode::UNAUTHORIZED, "access_denied", "client_id and client_secret are required");
    };
    let (now, lifetime) = (world.clock.elapsed(), world.token_lifetime);
    let Some(issued) = world.credentials.issue(&client_id, &client_secret, now, lifetime) else {
        return error(StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized");
    };
    let body = json!({
        "access_token": secrecy::ExposeSecret::expose_secret(&issued.token),
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
        "scope": issued.scopes.text(),
    });
    Answer { network: Some(issued.network), ..Answer::new(StatusCode::OK, body).applied() }
}

fn error(status: StatusCode, error: &str, description: &str) -> Answer {
    Answer::new(status, json!({ "error": error, "error_description": description }))
}
