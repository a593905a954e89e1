//! Which requests for a token are answered with one.

/// Which requests for a token are answered with one. Each way of writing one is taken unless it is limited here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenEndpoint {
    /// The only format that is read.
    pub format: Option<TokenFormat>,
    /// The only way in which a client may authenticate itself.
    pub authentication: Option<TokenAuthentication>,
}

/// How a request for a token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFormat {
    /// `application/x-www-form-urlencoded`
    Form,
    /// `application/json`
    Json,
}

/// How a client authenticates itself (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAuthentication {
    /// `client_secret_post`
    Body,
    /// `client_secret_basic`
    Basic,
}
