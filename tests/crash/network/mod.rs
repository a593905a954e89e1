//! Trouble between the operator and the remote API.

mod endless;
mod row;
