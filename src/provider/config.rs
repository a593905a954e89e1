//! What a client needs to know about its network, checked when the client is made.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::address::AddressPolicy;
use super::auth::Auth;
use super::fence::Fence;
use super::meter::Meter;

/// Everything about one network.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The API's base URL; the collection is `webhook-endpoints` below it.
    pub api_url: Url,
    /// How requests are authenticated.
    pub auth: Auth,
    /// How long one request may take, from connecting to the last byte of the answer. Waiting for the
    /// budget is bounded by the same duration, apart from it.
    pub timeout: Duration,
    /// The budget that all requests to this network share.
    pub limits: Limits,
    /// Certificates in PEM that are trusted beside the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// Whether `http` URLs are accepted.
    pub allow_http: bool,
    /// Which addresses may be connected to.
    pub address_policy: AddressPolicy,
    /// Holds everything back while it is shut.
    pub fence: Fence,
    /// Counts what is asked.
    pub meter: Meter,
}

/// The request budget of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests per second in the long run, more than 0.
    pub requests_per_second: f64,
    /// Requests that may go out at once after a quiet time, at least 1.
    pub burst: u32,
    /// Requests that may be unanswered at once, at least 1.
    pub in_flight: u32,
}

/// Whose request goes first when the budget is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Somebody waits for it: a change of a resource and what follows from it.
    Change,
    /// Nobody waits for it: the regular look at what is there.
    Resync,
}

/// Why no client can be made from a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The scheme is neither `https` nor, where allowed, `http`.
    #[error("{field} has the scheme {scheme:?}: use https, or set allowHttp in a test network")]
    Scheme {
        /// The field of the network.
        field: Field,
        /// The scheme found.
        scheme: String,
    },
    /// The URL holds a part that does not belong there.
    #[error("{field} must not hold {part}")]
    UrlPart {
        /// The field of the network.
        field: Field,
        /// The part that has to go.
        part: &'static str,
    },
    /// The URL has no host.
    #[error("{field} has no host")]
    NoHost {
        /// The field of the network.
        field: Field,
    },
    /// The URL's host is an address that the policy refuses.
    #[error(
        "{field} leads to {address}, which this network may not reach: use a public address or ask the operator's administrator for an exception"
    )]
    AddressRefused {
        /// The field of the network.
        field: Field,
        /// The address.
        address: std::net::IpAddr,
    },
    /// A credential is empty or holds characters that cannot be sent.
    #[error(
        "{credential} is empty or holds a character that cannot be sent: check for line breaks in the Secret"
    )]
    Credential {
        /// Which credential.
        credential: &'static str,
    },
    /// A limit is out of range.
    #[error("{limit}")]
    Limit {
        /// What has to hold, as a sentence.
        limit: &'static str,
    },
    /// The CA bundle cannot be read.
    #[error("caBundle holds no readable certificate: it must be one or more certificates in PEM")]
    CaBundle,
    /// The TLS library refused the configuration.
    #[error("TLS cannot be set up ({0}): check caBundle and the system's certificates")]
    Tls(String),
}

/// A URL of the network's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `apiUrl`
    ApiUrl,
    /// `tokenUrl`
    TokenUrl,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiUrl => "apiUrl",
            Self::TokenUrl => "tokenUrl",
        })
    }
}

impl ClientConfig {
    /// Checks all that can be checked without a connection.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_url(Field::ApiUrl, &self.api_url)?;
        match &self.auth {
            Auth::OAuth2ClientCredentials(client) => {
                self.check_url(Field::TokenUrl, &client.token_url)?;
                // RFC 6749, appendix A: printable ASCII and spaces.
                check_credential("clientId", &client.client_id, |c| c == ' ' || c.is_ascii_graphic())?;
                check_credential("clientSecret", &client.client_secret, |c| {
                    c == ' ' || c.is_ascii_graphic()
                })?;
            }
            Auth::BearerToken(token) => {
                check_credential("the bearer token", token, |c| c.is_ascii_graphic())?;
            }
        }
        self.limits.check()?;
        if self.timeout.is_zero() {
            return Err(ConfigError::Limit { limit: "timeout must be more than 0" });
        }
        Ok(())
    }

    fn check_url(&self, field: Field, url: &Url) -> Result<(), ConfigError> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            scheme => return Err(ConfigError::Scheme { field, scheme: scheme.to_owned() }),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConfigError::UrlPart { field, part: "a user name or password" });
        }
        if url.fragment().is_some() {
            return Err(ConfigError::UrlPart { field, part: "a fragment" });
        }
        if field == Field::ApiUrl && url.query().is_some() {
            return Err(ConfigError::UrlPart { field, part: "a query" });
        }
        let address = match url.host() {
            None => return Err(ConfigError::NoHost { field }),
            Some(url::Host::Domain(_)) => return Ok(()),
            Some(url::Host::Ipv4(address)) => address.into(),
            Some(url::Host::Ipv6(address)) => address.into(),
        };
        // The connector resolves names only, so an address that is written out is checked here.
        if !self.address_policy.allows(address) {
            return Err(ConfigError::AddressRefused { field, address });
        }
        Ok(())
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        if !self.requests_per_second.is_finite() || self.requests_per_second <= 0.0 {
            return Err(ConfigError::Limit { limit: "limits.requestsPerSecond must be more than 0" });
        }
        if self.burst == 0 {
            return Err(ConfigError::Limit { limit: "limits.burst must be at least 1" });
        }
        if self.in_flight == 0 {
            return Err(ConfigError::Limit { limit: "limits.inFlight must be at least 1" });
        }
        Ok(())
    }
}

fn check_credential(
    credential: &'static str,
    value: &SecretString,
    allowed: fn(char) -> bool,
) -> Result<(), ConfigError> {
    let value = value.expose_secret();
    if value.is_empty() || !value.chars().all(allowed) {
        return Err(ConfigError::Credential { credential });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ClientCredentials;

    fn config(api_url: &str) -> ClientConfig {
        ClientConfig {
            api_url: api_url.parse().unwrap(),
            auth: Auth::BearerToken("token".into()),
            timeout: Duration::from_secs(10),
            limits: Limits { requests_per_second: 10.0, burst: 20, in_flight: 8 },
            ca_bundle: None,
            allow_http: false,
            address_policy: AddressPolicy::Any,
            fence: Fence::default(),
            meter: Meter::default(),
        }
    }

    fn public_only(api_url: &str) -> ClientConfig {
        let address_policy = AddressPolicy::PublicOnly { exceptions: vec!["10.1.0.0/16".parse().unwrap()] };
        ClientConfig { address_policy, ..config(api_url) }
    }

    fn oauth(token_url: &str, client_secret: &str) -> ClientConfig {
        let client = ClientCredentials::new(token_url.parse().unwrap(), "id".into(), client_secret.into());
        ClientConfig { auth: Auth::OAuth2ClientCredentials(client), ..config("https://api.example.com") }
    }

    fn limited(requests_per_second: f64, burst: u32, in_flight: u32) -> ClientConfig {
        ClientConfig {
            limits: Limits { requests_per_second, burst, in_flight },
            ..config("https://api.example.com")
        }
    }

    #[test]
    fn accepts_what_can_work() {
        for config in [
            config("https://api.lynkwell.com/webhooks/v1"),
            ClientConfig { allow_http: true, ..config("http://127.0.0.1:8080") },
            public_only("https://api.example.com"),
            public_only("https://8.8.8.8"),
            public_only("https://10.1.2.3"),
            oauth("https://login.example.com/oauth/token?tenant=a", "two words"),
            limited(0.1, 1, 1),
        ] {
            assert_eq!(config.check(), Ok(()), "{config:?}");
        }
    }

    #[test]
    fn says_what_cannot_work() {
        for (config, expected) in [
            (config("http://api.example.com"), "apiUrl has the scheme \"http\""),
            (config("ftp://api.example.com"), "apiUrl has the scheme \"ftp\""),
            (config("https://user@api.example.com"), "apiUrl must not hold a user name"),
            (config("https://api.example.com/#a"), "apiUrl must not hold a fragment"),
            (config("https://api.example.com/?a=1"), "apiUrl must not hold a query"),
            (public_only("https://127.0.0.1"), "apiUrl leads to 127.0.0.1"),
            (public_only("https://2130706433"), "apiUrl leads to 127.0.0.1"),
            (public_only("https://0x7f.1"), "apiUrl leads to 127.0.0.1"),
            (public_only("https://[::ffff:10.0.0.1]"), "apiUrl leads to ::ffff:10.0.0.1"),
            (public_only("https://169.254.169.254./"), "apiUrl leads to 169.254.169.254"),
            (oauth("http://login.example.com", "s"), "tokenUrl has the scheme \"http\""),
            (oauth("https://login.example.com", ""), "clientSecret is empty"),
            (oauth("https://login.example.com", "s\n"), "line breaks"),
            (limited(0.0, 1, 1), "requestsPerSecond"),
            (limited(f64::NAN, 1, 1), "requestsPerSecond"),
            (limited(1.0, 0, 1), "burst"),
            (limited(1.0, 1, 0), "inFlight"),
            (
                ClientConfig { timeout: Duration::ZERO, ..config("https://api.example.com") },
                "timeout must be more than 0",
            ),
            (
                ClientConfig { auth: Auth::BearerToken("a b".into()), ..config("https://api.example.com") },
                "the bearer token",
            ),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?} should say {expected:?}");
        }
    }

    #[test]
    fn a_bundle_without_a_certificate_is_an_error() {
        for bundle in ["", "not PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            let config = ClientConfig {
                ca_bundle: Some(bundle.as_bytes().to_vec()),
                ..config("https://api.example.com")
            };
            assert_eq!(super::super::Client::new(config).err(), Some(ConfigError::CaBundle), "{bundle:?}");
        }
    }

    #[test]
    fn shows_no_secret() {
        let shown = format!("{:?}", oauth("https://login.example.com", "hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
