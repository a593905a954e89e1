//! What the two kinds of network have in common.

use kube::ResourceExt as _;

use crate::index::{Access, Api, Claim, Origin};
use crate::planning::Openness;
use crate::provider::NetworkId;
use crate::resources::{
    AllowedNamespaces, Auth, ClusterWebhookNetwork, NetworkConfirmation, NetworkSettings,
    OAuth2ClientCredentials, SecretKey, SecretSource, WebhookNetwork, WebhookNetworkStatus,
};

/// A network as declared, whichever its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// What both kinds have in common.
    pub settings: NetworkSettings,
    /// Its credentials, each with the namespace it is read from.
    pub auth: Auth<SecretKey>,
    /// The namespaces that may use it; every one when `None`.
    pub namespaces: Option<AllowedNamespaces>,
    /// Whether it may lead to any address, or to public ones only.
    pub confined: bool,
    /// The id by which it was known, as its status says.
    pub known_id: Option<NetworkId>,
    /// How it was when it was last certain which network it is, as its status says.
    pub confirmation: Option<NetworkConfirmation>,
}

impl Declared {
    /// Who may use it, and for which URLs.
    #[must_use]
    pub fn access(&self, openness: Openness) -> Access {
        Access {
            namespaces: self.namespaces.clone(),
            allow_http: self.settings.allow_http && !self.confined,
            hosts: self.settings.allowed_url_hosts.clone(),
            openness,
        }
    }

    /// The id that it is declared to have.
    #[must_use]
    pub fn network_id(&self) -> Option<NetworkId> {
        self.settings.network_id.as_deref().map(Into::into)
    }

    /// What is declared and on record of which network it is; its credentials come from `credentials`.
    #[must_use]
    pub fn claim(&self, credentials: String) -> Claim {
        Claim {
            declared: self.network_id(),
            recorded: self.known_id.clone(),
            confirmation: self.confirmation.clone(),
            origin: self.origin(credentials),
        }
    }

    /// Where it leads, with credentials that come from `credentials`.
    #[must_use]
    pub fn origin(&self, credentials: String) -> Origin {
        Origin { api_url: self.api_url(), credentials }
    }

    /// The API that it leads to: its base URL, in the spelling that all its spellings have in common.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::At(self.api_url().into())
    }

    fn api_url(&self) -> String {
        let text = &self.settings.api_url;
        let text = url::Url::parse(text).map_or_else(|_| text.clone(), String::from);
        text.trim_end_matches('/').to_owned()
    }
}

/// A resource that declares a network.
pub trait NetworkResource {
    /// What it declares.
    fn declared(&self) -> Declared;
}

impl NetworkResource for ClusterWebhookNetwork {
    fn declared(&self) -> Declared {
        Declared {
            settings: self.spec.settings.clone(),
            auth: self.spec.auth.clone(),
            namespaces: self.spec.allowed_namespaces.clone(),
            confined: false,
            known_id: known_id(self.status.as_ref()),
            confirmation: confirmation(self.status.as_ref()),
        }
    }
}

impl NetworkResource for WebhookNetwork {
    fn declared(&self) -> Declared {
        let namespace = self.namespace().unwrap_or_default();
        let here = |source: &SecretSource<crate::resources::LocalSecretKey>| SecretSource {
            secret_key_ref: source.secret_key_ref.in_namespace(&namespace),
        };
        let auth = &self.spec.auth;
        Declared {
            settings: self.spec.settings.clone(),
            auth: Auth {
                oauth2_client_credentials: auth.oauth2_client_credentials.as_ref().map(|oauth2| {
                    OAuth2ClientCredentials {
                        token_url: oauth2.token_url.clone(),
                        audience: oauth2.audience.clone(),
                        scope: oauth2.scope.clone(),
                        request_format: oauth2.request_format,
                        client_authentication: oauth2.client_authentication,
                        client_id: here(&oauth2.client_id),
                        client_secret: here(&oauth2.client_secret),
                    }
                }),
                bearer_token: auth.bearer_token.as_ref().map(here),
            },
            namespaces: None,
            confined: true,
            known_id: known_id(self.status.as_ref()),
            confirmation: confirmation(self.status.as_ref()),
        }
    }
}

fn known_id(status: Option<&WebhookNetworkStatus>) -> Option<NetworkId> {
    Some(status?.network_id.as_deref()?.into())
}

fn confirmation(status: Option<&WebhookNetworkStatus>) -> Option<NetworkConfirmation> {
    status?.confirmation.clone()
}
