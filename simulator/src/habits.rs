//! What the API's page leaves open, as switches.
//!
//! Each is a field of [`Habits`]: set from the start by `--habits` or [`Config`](crate::Config), and at any time by
//! [`Handle::set_habits`](crate::Handle::set_habits) or `PATCH /_simulator/habits`. In JSON the names are
//! camelCase, and the values kebab-case: `{"createStatus": "accepted", "urlForm": "slash-dropped"}`. The API's own
//! clock and its lag are no switches but values: see `--clock-skew` and [`Lag`](crate::Lag).

use serde::{Deserialize, Serialize};

macro_rules! habits {
    ($($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(rename_all = "kebab-case")]
            pub enum $name { $($(#[$value_doc])* $value),+ }
        )+
    };
}

/// How the API behaves where its page is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Habits {
    /// The status of a successful create.
    pub create_status: CreateStatus,
    /// What a successful create is answered with.
    pub create_answer: CreateAnswer,
    /// What a successful patch is answered with.
    pub patch_answer: PatchAnswer,
    /// The status of a successful delete.
    pub delete_status: DeleteStatus,
    /// The order of a list.
    pub list_order: ListOrder,
    /// How a page shows its items.
    pub list_items: ListItems,
    /// How a page without items comes.
    pub empty_list: EmptyList,
    /// What happens to a create with a URL that the network already has.
    pub duplicate_urls: DuplicateUrls,
    /// How a new endpoint's URL is stored.
    pub url_form: UrlForm,
    /// The shape of new ids.
    pub id_shape: IdShape,
    /// How `enabledEvents` comes.
    pub events_form: EventsForm,
    /// How `status` comes.
    pub status_form: StatusForm,
    /// How `createdAt` comes.
    pub created_at: TimeForm,
    /// How `networkId` comes.
    pub network_id: FieldForm,
    /// Whether endpoints have fields that the page does not list.
    pub extra_fields: ExtraFields,
    /// Whether answers tell the API's time.
    pub date_header: DateHeader,
    /// How a body is sent.
    pub body_form: BodyForm,
    /// What happens to a list that starts after an endpoint which is gone.
    pub deleted_cursor: DeletedCursor,
    /// Whether deliveries go to `http` URLs; the vendor's production sends none.
    pub http_deliveries: HttpDeliveries,
}

habits! {
    /// The status of a successful create.
    CreateStatus {
        /// 200
        Ok,
        /// 201
        #[default]
        Created,
        /// 202, although it is done.
        Accepted,
    }

    /// What a successful create is answered with.
    CreateAnswer {
        /// The endpoint as it is stored, and its secret.
        #[default]
        Stored,
        /// The same, but for the URL, which comes as it was given.
        Echo,
        /// No body, and a header `Location`: the secret is never shown.
        Location,
    }

    /// What a successful patch is answered with.
    PatchAnswer {
        /// The endpoint as it is then.
        #[default]
        Endpoint,
        /// 204
        NoContent,
        /// 200 with an empty body.
        Empty,
    }

    /// The status of a successful delete.
    DeleteStatus {
        /// 200 with an empty body.
        Ok,
        /// 204
        #[default]
        NoContent,
        /// 202 with an empty body, although it is done.
        Accepted,
    }

    /// How a page shows its items.
    ListItems {
        /// Each once.
        #[default]
        Once,
        /// Each twice.
        Twice,
        /// An item beside them that is no endpoint.
        Foreign,
    }

    /// How a page without items comes.
    EmptyList {
        /// `items` is an empty array.
        #[default]
        Empty,
        /// `items` is `null`.
        Null,
        /// `items` is missing.
        Absent,
    }

    /// How a new endpoint's URL is stored.
    UrlForm {
        /// As it was given.
        #[default]
        Verbatim,
        /// As the WHATWG writes it: `HTTPS://Example.com:443` becomes `https://example.com/`.
        Normalised,
        /// Without a slash at the end of the path.
        SlashDropped,
        /// With a slash at the end of the path.
        SlashAdded,
        /// `%2f` becomes `%2F`.
        UpperEscapes,
        /// `%2F` becomes `%2f`.
        LowerEscapes,
        /// The host in capital letters.
        UpperHost,
        /// With the port, also where it is the scheme's own.
        WithPort,
        /// With something that was not in it.
        Tagged,
    }

    /// The shape of new ids.
    IdShape {
        /// `wh_…`
        Wh,
        /// `we_…`
        We,
        /// Now the one, now the other.
        #[default]
        Mixed,
        /// Numbers, also in JSON.
        Numbers,
    }

    /// How `enabledEvents` comes.
    EventsForm {
        /// As they were given.
        #[default]
        Verbatim,
        /// In another order.
        Reversed,
        /// In capital letters.
        UpperCase,
        /// Each twice.
        Doubled,
        /// With one that the page does not list.
        WithUnknown,
    }

    /// How `status` comes.
    StatusForm {
        /// As it was given.
        #[default]
        Verbatim,
        /// In capital letters.
        UpperCase,
    }

    /// How `createdAt` comes.
    TimeForm {
        /// In whole seconds, cut off, in UTC.
        #[default]
        Seconds,
        /// With microseconds, and a numerical offset.
        Microseconds,
        /// In another time zone.
        Zone,
        /// As a number of seconds since 1970.
        Number,
        /// As the first moment that Go knows, which it shows for a time that was never set.
        Zero,
        /// As `null`.
        Null,
        /// Not at all.
        Absent,
    }

    /// How a field comes.
    FieldForm {
        /// With its value.
        #[default]
        Shown,
        /// As `null`.
        Null,
        /// Not at all.
        Absent,
    }

    /// Whether endpoints have fields that the page does not list.
    ExtraFields {
        /// They don't.
        #[default]
        None,
        /// They do.
        Some,
    }

    /// Whether answers tell the API's time.
    DateHeader {
        /// They do.
        #[default]
        Sent,
        /// They have no `Date`.
        Absent,
    }

    /// How a body is sent.
    BodyForm {
        /// At once, its length told before.
        #[default]
        Sized,
        /// In chunks.
        Chunked,
        /// Compressed by gzip, whatever was asked for.
        Gzip,
    }
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
