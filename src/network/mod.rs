//! The remote networks: a client and a lister for each, and the resources that declare them.

mod credentials;
mod lister;
mod resource;
mod status;

pub use credentials::{
    Credentials, CredentialsError, read as read_credentials, secrets as credential_secrets,
};
pub use lister::Network;
pub use resource::{Declared, NetworkResource};
pub use status::{Verdict, report};
