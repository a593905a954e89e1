//! What the API's page leaves open, as switches.

use serde::{Deserialize, Serialize};

/// How the API behaves where its page is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Habits {
    /// The status of a successful create.
    pub create_status: CreateStatus,
    /// The status of a successful delete.
    pub delete_status: DeleteStatus,
    /// The order of a list.
    pub list_order: ListOrder,
    /// What happens to a create with a URL that the network already has.
    pub duplicate_urls: DuplicateUrls,
    /// How a URL comes back.
    pub url_form: UrlForm,
    /// The shape of new ids.
    pub id_shape: IdShape,
    /// What happens to a list that starts after an endpoint which is gone.
    pub deleted_cursor: DeletedCursor,
    /// Whether deliveries go to `http` URLs; the vendor's production sends none.
    pub http_deliveries: HttpDeliveries,
}

/// The status of a successful create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CreateStatus {
    /// 200
    Ok,
    /// 201
    #[default]
    Created,
}

/// The status of a successful delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteStatus {
    /// 200 with an empty body.
    Ok,
    /// 204
    #[default]
    NoContent,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListOrder {
    /// Oldest first.
    #[default]
    OldestFirst,
    /// Newest first: what is created while a client pages is never seen by it.
    NewestFirst,
    /// Any order, but the same one for the same seed.
    Shuffled(u64),
}

/// What happens to a create with a URL that the network already has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateUrls {
    /// A second endpoint is made.
    #[default]
    Allow,
    /// 409
    Conflict,
}

/// How a URL comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UrlForm {
    /// As it was given.
    #[default]
    Verbatim,
    /// As the WHATWG writes it: `HTTPS://Example.com:443` becomes `https://example.com/`.
    Normalised,
}

/// The shape of new ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdShape {
    /// `wh_…`
    Wh,
    /// `we_…`
    We,
    /// Now the one, now the other.
    #[default]
    Mixed,
}

/// What happens to a list that starts after an endpoint which is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletedCursor {
    /// 400, as for any unknown id.
    Refuse,
    /// The list goes on where the endpoint used to be.
    #[default]
    Accept,
}

/// Whether deliveries go to `http` URLs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpDeliveries {
    /// They do: receivers on loopback need no certificate.
    #[default]
    Send,
    /// They don't, as in the vendor's production.
    Withhold,
}
