//! Reading the credentials of a network from the Secrets it refers to.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _};
use secrecy::SecretString;
use url::Url;

use crate::provider::{self, ClientCredentials};
use crate::resources::{Auth, ClientAuthentication, RequestFormat, SecretKey};

/// Why the credentials of a network can't be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The Secret does not exist.
    #[error(
        "Secret {name:?} in namespace {namespace:?} does not exist: create it, or correct the reference in spec.auth"
    )]
    NoSecret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The Secret lacks the key.
    #[error("Secret {:?} in namespace {:?} has no key {:?}: add it, or correct the reference in spec.auth", .0.name, .0.namespace, .0.key)]
    NoKey(SecretKey),
    /// The value is not text.
    #[error("key {:?} of Secret {:?} in namespace {:?} is not UTF-8 text: store the credential as text", .0.key, .0.name, .0.namespace)]
    NotText(SecretKey),
    /// The token URL can't be read.
    #[error("spec.auth.oauth2ClientCredentials.tokenUrl is not a URL: {0}")]
    TokenUrl(url::ParseError),
    /// Neither or both ways are declared; the CRD refuses that.
    #[error("spec.auth needs exactly one of oauth2ClientCredentials and bearerToken")]
    NotOne,
    /// Kubernetes did not hand out the Secret.
    #[error("Secret {name:?} in namespace {namespace:?} can't be read: {source}")]
    Kubernetes {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

/// The Secrets that credentials refer to: namespace and name of each.
#[must_use]
pub fn secrets(auth: &Auth<SecretKey>) -> BTreeSet<(String, String)> {
    keys(auth).map(|key| (key.namespace.clone(), key.name.clone())).collect()
}

fn keys(auth: &Auth<SecretKey>) -> impl Iterator<Item = &SecretKey> {
    let oauth2 = auth.oauth2_client_credentials.iter();
    let pair =
        oauth2.flat_map(|oauth2| [&oauth2.client_id.secret_key_ref, &oauth2.client_secret.secret_key_ref]);
    pair.chain(auth.bearer_token.iter().map(|token| &token.secret_key_ref))
}

/// Credentials as read.
#[derive(Debug)]
pub struct Credentials {
    /// What the client goes by.
    pub auth: provider::Auth,
    /// Where they come from, for a status: it holds nothing of what is in the Secrets.
    pub origin: String,
}

/// Reads the credentials.
///
/// # Errors
///
/// When a Secret or key is missing, or can't be read.
pub async fn read(client: &Client, auth: &Auth<SecretKey>) -> Result<Credentials, CredentialsError> {
    let declared = auth;
    let mut secrets = BTreeMap::new();
    for (namespace, name) in self::secrets(auth) {
        let api = Api::<Secret>::namespaced(client.clone(), &namespace);
        let found = api.get_opt(&name).await.map_err(|error| CredentialsError::Kubernetes {
            namespace: namespace.clone(),
            name: name.clone(),
            source: Box::new(error),
        })?;
        let secret = found
            .ok_or_else(|| CredentialsError::NoSecret { namespace: namespace.clone(), name: name.clone() })?;
        secrets.insert((namespace, name), secret);
    }
    let value = |key: &SecretKey| {
        let secret = secrets.get(&(key.namespace.clone(), key.name.clone()));
        let bytes = secret.and_then(|secret| secret.data.as_ref()).and_then(|data| data.get(&key.key));
        let bytes = bytes.ok_or_else(|| CredentialsError::NoKey(key.clone()))?;
        let text = std::str::from_utf8(&bytes.0).map_err(|_| CredentialsError::NotText(key.clone()))?;
        // A trailing line break is what `echo … | base64` leaves; no credential ends in one.
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
    };
    let auth = match (&auth.oauth2_client_credentials, &auth.bearer_token) {
        (Some(oauth2), None) => {
            let token_url = Url::parse(&oauth2.token_url).map_err(CredentialsError::TokenUrl)?;
            let client_id = value(&oauth2.client_id.secret_key_ref)?;
            let client_secret = value(&oauth2.client_secret.secret_key_ref)?;
            provider::Auth::OAuth2ClientCredentials(ClientCredentials {
                audience: oauth2.audience.clone(),
                scope: oauth2.scope.clone(),
                request_format: match oauth2.request_format {
                    RequestFormat::Form => provider::RequestFormat::Form,
                    RequestFormat::Json => provider::RequestFormat::Json,
                },
                client_authentication: match oauth2.client_authentication {
                    ClientAuthentication::Body => provider::ClientAuthentication::Body,
                    ClientAuthentication::Basic => provider::ClientAuthentication::Basic,
                },
                ..ClientCredentials::new(token_url, client_id, client_secret)
            })
        }
        (None, Some(token)) => provider::Auth::BearerToken(value(&token.secret_key_ref)?),
        _ => return Err(CredentialsError::NotOne),
    };
    Ok(Credentials { auth, origin: origin(declared, &secrets) })
}

/// Names each key, with the Secret's uid and version, and where a token for it is had.
fn origin(auth: &Auth<SecretKey>, secrets: &BTreeMap<(String, String), Secret>) -> String {
    let issuer = auth.oauth2_client_credentials.iter();
    let issuer = issuer
        .flat_map(|oauth2| [Some(oauth2.token_url.clone()), oauth2.audience.clone(), oauth2.scope.clone()])
        .flatten();
    let keys = keys(auth).map(|key| {
        let SecretKey { namespace, name, key } = key;
        let secret = secrets.get(&(namespace.clone(), name.clone()));
        let uid = secret.and_then(Secret::uid).unwrap_or_default();
        let version = secret.and_then(Secret::resource_version).unwrap_or_default();
        format!("{namespace}/{name}/{key} {uid}@{version}")
    });
    issuer.chain(keys).collect::<Vec<_>>().join(", ")
}
