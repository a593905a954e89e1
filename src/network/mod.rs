//! The remote networks: a client, an inventory and a lister for each, and the resources that declare them.

mod access;
mod credentials;
mod inventory;
mod lister;
mod registry;
mod resource;
mod status;

pub use access::{Access, Refusal};
pub use credentials::{CredentialsError, read as read_credentials, secrets as credential_secrets};
pub use inventory::{Inventory, ListToken};
pub use lister::{Listed, Network, NotListed};
pub use registry::{Entry, Kept, Networks, Unavailable};
pub use resource::{Declared, NetworkResource};
pub use status::{Verdict, report};
