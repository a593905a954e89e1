//! How requests are authenticated.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How requests are authenticated.
#[derive(Clone, Debug)]
pub enum Auth {
    /// A token is fetched, shared and renewed.
    OAuth2ClientCredentials(ClientCredentials),
    /// A token that is used as it is.
    BearerToken(SecretString),
}

/// OAuth 2.0 client credentials (RFC 6749, section 4.4).
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// Where tokens are issued.
    pub token_url: Url,
    /// The `audience` that the token is asked for.
    pub audience: Option<String>,
    /// The `scope` that the token is asked for.
    pub scope: Option<String>,
    /// The API client's id.
    pub client_id: SecretString,
    /// The API client's secret.
    pub client_secret: SecretString,
    /// How a request for a token is written.
    pub request_format: RequestFormat,
    /// Where a request for a token says who asks.
    pub client_authentication: ClientAuthentication,
}

impl ClientCredentials {
    /// Credentials that are sent as RFC 6749 has it, for no `audience` and no `scope` in particular.
    #[must_use]
    pub fn new(token_url: Url, client_id: SecretString, client_secret: SecretString) -> Self {
        Self {
            token_url,
            audience: None,
            scope: None,
            client_id,
            client_secret,
            request_format: RequestFormat::default(),
            client_authentication: ClientAuthentication::default(),
        }
    }
}

/// How a request for a token is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 has it.
    #[default]
    Form,
    /// JSON, as some issuers want it.
    Json,
}

/// Where a request for a token says who asks (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// In its body: `client_secret_post`.
    #[default]
    Body,
    /// In the header `Authorization`: `client_secret_basic`.
    Basic,
}

impl Auth {
    /// Whether both are the same credentials, sent in the same way.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::OAuth2ClientCredentials(one), Self::OAuth2ClientCredentials(other)) => one.is_same(other),
            (Self::BearerToken(one), Self::BearerToken(other)) => is_same(one, other),
            (Self::OAuth2ClientCredentials(_), Self::BearerToken(_))
            | (Self::BearerToken(_), Self::OAuth2ClientCredentials(_)) => false,
        }
    }
}

impl ClientCredentials {
    /// See [`Auth::is_same`].
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let Self {
            token_url,
            audience,
            scope,
            client_id,
            client_secret,
            request_format,
            client_authentication,
        } = self;
        *token_url == other.token_url
            && *audience == other.audience
            && *scope == other.scope
            && is_same(client_id, &other.client_id)
            && is_same(client_secret, &other.client_secret)
            && *request_format == other.request_format
            && *client_authentication == other.client_authentication
    }
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_the_same_when_all_that_is_sent_is() {
        let credentials =
            || ClientCredentials::new("https://a.example.com".parse().unwrap(), "i".into(), "s".into());
        let same = |changed: ClientCredentials| credentials().is_same(&changed);
        assert!(same(credentials()));
        for changed in [
            ClientCredentials { token_url: "https://b.example.com".parse().unwrap(), ..credentials() },
            ClientCredentials { audience: Some("a".to_owned()), ..credentials() },
            ClientCredentials { scope: Some("s".to_owned()), ..credentials() },
            ClientCredentials { client_id: "j".into(), ..credentials() },
            ClientCredentials { client_secret: "t".into(), ..credentials() },
            ClientCredentials { request_format: RequestFormat::Json, ..credentials() },
            ClientCredentials { client_authentication: ClientAuthentication::Basic, ..credentials() },
        ] {
            assert!(!same(changed));
        }
        let bearer = |token: &str| Auth::BearerToken(token.into());
        assert!(bearer("a").is_same(&bearer("a")) && !bearer("a").is_same(&bearer("b")));
        assert!(!bearer("a").is_same(&Auth::OAuth2ClientCredentials(credentials())));
    }
}
