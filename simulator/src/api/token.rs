//! The OAuth token endpoint, with the errors of the vendor's identity provider.

use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::answer::Answer;
use super::call::{Body, Call};
use crate::token_endpoint::{TokenAuthentication, TokenEndpoint, TokenFormat};
use crate::world::World;

/// Issues a token for client credentials.
pub(super) fn issue(world: &mut World, call: &Call) -> Answer {
    if let Some(refusal) = refusal(world.token_endpoint, call) {
        return refusal;
    }
    if call.body.text("grant_type").as_deref() != Some("client_credentials") {
        let message = "grant_type must be client_credentials";
        return error(StatusCode::FORBIDDEN, "unauthorized_client", message);
    }
    if call.body.text("audience").as_ref() != Some(&world.audience) {
        let message = format!("The only audience here is {}", world.audience);
        return error(StatusCode::FORBIDDEN, "access_denied", &message);
    }
    let in_header = call.basic.as_ref().map(|(_, secret)| secret.expose_secret().to_owned());
    let client_secret = in_header.or_else(|| call.body.text("client_secret"));
    let (Some(client_id), Some(client_secret)) = (call.client_id(), client_secret) else {
        return error(StatusCode::UNAUTHORIZED, "access_denied", "client_id and client_secret are required");
    };
    let (now, lifetime) = (world.clock.elapsed(), world.token_lifetime);
    let Some(issued) = world.credentials.issue(&client_id, &client_secret, now, lifetime) else {
        return error(StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized");
    };
    let body = json!({
        "access_token": issued.token.expose_secret(),
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
        "scope": issued.scopes.text(),
    });
    Answer { network: Some(issued.network), ..Answer::new(StatusCode::OK, body).applied() }
}

/// What RFC 6749, section 5.2, answers to a request that is written in another way than those that are read.
fn refusal(endpoint: TokenEndpoint, call: &Call) -> Option<Answer> {
    let format = match call.body {
        Body::Form(_) => Some(TokenFormat::Form),
        Body::Json(_) => Some(TokenFormat::Json),
        Body::Unreadable => None,
    };
    if endpoint.format.is_some() && endpoint.format != format {
        return Some(error(StatusCode::BAD_REQUEST, "invalid_request", "grant_type missing"));
    }
    let authentication = match call.basic {
        Some(_) => TokenAuthentication::Basic,
        None => TokenAuthentication::Body,
    };
    if endpoint.authentication.is_some_and(|only| only != authentication) {
        let message = "this way of client authentication is not supported";
        return Some(error(StatusCode::UNAUTHORIZED, "invalid_client", message));
    }
    None
}

fn error(status: StatusCode, error: &str, description: &str) -> Answer {
    Answer::new(status, json!({ "error": error, "error_description": description }))
}
