//! Who calls: clients, tokens and what they may do.

use std::collections::HashMap;
use std::time::Duration;

use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::config::{ClientCredentials, NetworkConfig, Scopes};
use crate::endpoint::NetworkId;

/// Tokens are kept as digests only, so that nothing the simulator shows can contain one.
type TokenDigest = [u8; 32];

/// The networks' credentials and the tokens issued to them.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    networks: HashMap<NetworkId, Account>,
    tokens: HashMap<TokenDigest, Token>,
}

/// What one network's callers know and may do.
#[derive(Debug)]
struct Account {
    clients: Vec<ClientCredentials>,
    /// What tokens issued from now on may do.
    scopes: Scopes,
}

#[derive(Debug)]
struct Token {
    network: NetworkId,
    scopes: Scopes,
    /// By the API's elapsed time; `None` for a static token.
    expires: Option<Duration>,
}

/// Whom a good token speaks for.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) network: NetworkId,
    pub(crate) scopes: Scopes,
}

/// A token just issued.
pub(crate) struct Issued {
    pub(crate) token: SecretString,
    pub(crate) network: NetworkId,
    pub(crate) scopes: Scopes,
}

impl Credentials {
    /// Adds a network, or replaces its credentials; tokens already issued stay good.
    pub(crate) fn set_network(&mut self, network: NetworkConfig) {
        let NetworkConfig { id, clients, bearer_tokens, scopes } = network;
        self.tokens.retain(|_, token| token.network != id || token.expires.is_some());
        for token in bearer_tokens {
            let token_of = Token { network: id.clone(), scopes, expires: None };
            self.tokens.insert(digest(token.expose_secret()), token_of);
        }
        self.networks.insert(id, Account { clients, scopes });
    }

    /// Makes every issued and static token of the network worthless.
    pub(crate) fn revoke_tokens(&mut self, network: &NetworkId) {
        self.tokens.retain(|_, token| token.network != *network);
    }

    /// Sets what tokens may do: static ones at once, OAuth tokens from the next one issued.
    pub(crate) fn set_scopes(&mut self, network: &NetworkId, scopes: Scopes) {
        if let Some(account) = self.networks.get_mut(network) {
            account.scopes = scopes;
        }
        for token in self.tokens.values_mut() {
            if token.network == *network && token.expires.is_none() {
                token.scopes = scopes;
            }
        }
    }

    /// Issues a token to a client, good for `lifetime` from `now` (the API's elapsed time), if the
    /// client's id and secret are right.
    pub(crate) fn issue(
        &mut self,
        client_id: &str,
        client_secret: &str,
        now: Duration,
        lifetime: Duration,
    ) -> Option<Issued> {
        self.tokens.retain(|_, token| token.expires.is_none_or(|expires| expires > now));
        let (network, account) = self.networks.iter().find(|(_, account)| {
            account
                .clients
                .iter()
                .any(|client| client.id == client_id && client.secret.expose_secret() == client_secret)
        })?;
        let (network, scopes) = (network.clone(), account.scopes);
        let token = Alphanumeric.sample_string(&mut rand::rng(), 48);
        let expires = Some(now + lifetime);
        self.tokens.insert(digest(&token), Token { network: network.clone(), scopes, expires });
        Some(Issued { token: token.into(), network, scopes })
    }

    /// The network that an OAuth client belongs to.
    pub(crate) fn network_of_client(&self, client_id: &str) -> Option<&NetworkId> {
        let of_client = |account: &Account| account.clients.iter().any(|client| client.id == client_id);
        self.networks.iter().find(|(_, account)| of_client(account)).map(|(network, _)| network)
    }

    /// Whom a token speaks for at `now` (the API's elapsed time), if it is good.
    pub(crate) fn caller(&self, token: &SecretString, now: Duration) -> Option<Caller> {
        let token = self.tokens.get(&digest(token.expose_secret()))?;
        if token.expires.is_some_and(|expires| expires <= now) {
            return None;
        }
        Some(Caller { network: token.network.clone(), scopes: token.scopes })
    }
}

fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token).into()
}
