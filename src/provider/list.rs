//! The whole list, page by page, that ends whatever the API answers.

use std::collections::HashSet;

use futures::{Stream, stream};

use super::client::Client;
use super::config::Priority;
use super::endpoint::{Endpoint, Page};
use super::error::{Detail, Error, Failure};
use super::ids::EndpointId;
use super::operation::Operation;

/// The most pages that a list may have: a million endpoints.
const MAX_PAGES: usize = 10_000;
/// The largest list that is believed, by the bytes of its texts: a hundred thousand usual endpoints. An API
/// of a tenant's own must not fill the memory of the process that all tenants share.
const MAX_BYTES: usize = 32 * 1024 * 1024;

impl Client {
    /// All pages of the list, each read when the stream is asked for it. The first error is the
    /// stream's last item; a list that was not read to its end tells nothing about what is missing.
    pub fn list(&self, priority: Priority) -> impl Stream<Item = Result<Page, Error>> + Send + use<> {
        let client = self.clone();
        stream::try_unfold(Some(Cursor::default()), move |cursor| {
            let client = client.clone();
            async move {
                let Some(cursor) = cursor else { return Ok(None) };
                let page = client.list_page(cursor.after.as_ref(), priority).await?;
                let next = cursor.next(&page).map_err(|failure| Error::new(Operation::List, failure))?;
                Ok(Some((page, next)))
            }
        })
    }
}

/// Where the next page begins.
#[derive(Debug, Default)]
struct Cursor {
    after: Option<EndpointId>,
    /// Every cursor so far: one that comes back would go round for ever.
    used: HashSet<EndpointId>,
    /// How much the pages so far hold.
    bytes: usize,
}

impl Cursor {
    /// The cursor after `page`, or none when it was the last page.
    fn next(mut self, page: &Page) -> Result<Option<Self>, Failure> {
        self.bytes += page.items.iter().map(bytes).sum::<usize>();
        if self.bytes > MAX_BYTES {
            return Err(invalid("the whole list is larger than 32 MiB"));
        }
        if !page.has_more {
            return Ok(None);
        }
        let Some(last) = page.items.last() else {
            return Err(invalid("an empty page says that more follow"));
        };
        if !self.used.insert(last.id.clone()) {
            return Err(invalid("its pages go round in a circle"));
        }
        if self.used.len() >= MAX_PAGES {
            return Err(invalid("it does not end after 10000 pages"));
        }
        Ok(Some(Self { after: Some(last.id.clone()), ..self }))
    }
}

fn bytes(endpoint: &Endpoint) -> usize {
    let Endpoint { id, network_id, url, enabled_events, status, created_at: _ } = endpoint;
    let network_id = network_id.as_ref().map_or(0, |id| id.as_str().len());
    let events = enabled_events.iter().map(|event| event.as_str().len()).sum::<usize>();
    id.as_str().len() + network_id + url.bytes() + events + status.as_str().len()
}

fn invalid(detail: &str) -> Failure {
    Failure::InvalidResponse { detail: Detail::new(detail) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::provider::EndpointStatus;

    fn page(ids: &[&str], has_more: bool) -> Page {
        let items = ids.iter().map(|id| Endpoint {
            id: (*id).into(),
            network_id: None,
            url: "https://example.com/webhook".into(),
            enabled_events: BTreeSet::new(),
            status: EndpointStatus::Active,
            created_at: None,
        });
        Page { items: items.collect(), has_more }
    }

    #[test]
    fn goes_on_after_the_last_item_and_ends_with_the_last_page() {
        let cursor = Cursor::default().next(&page(&["a", "b"], true)).unwrap().unwrap();
        assert_eq!(cursor.after, Some("b".into()));

        assert!(cursor.next(&page(&["c"], false)).unwrap().is_none());
        assert!(Cursor::default().next(&page(&[], false)).unwrap().is_none());
    }

    #[test]
    fn a_list_that_would_fill_the_memory_is_an_error() {
        let mut large = page(&["a"], true);
        large.items[0].url = "x".repeat(MAX_BYTES / 2).into();
        let cursor = Cursor::default().next(&large).unwrap().unwrap();

        large.items[0].id = "b".into();
        let error = cursor.next(&large).map(drop).unwrap_err();

        assert!(error.to_string().contains("larger than 32 MiB"), "{error}");
    }

    #[test]
    fn a_list_that_would_never_end_is_an_error() {
        let circle = Cursor::default()
            .next(&page(&["a", "b"], true))
            .and_then(|cursor| cursor.unwrap().next(&page(&["c"], true)))
            .and_then(|cursor| cursor.unwrap().next(&page(&["b"], true)));
        assert!(circle.unwrap_err().to_string().contains("in a circle"));

        assert!(Cursor::default().next(&page(&[], true)).unwrap_err().to_string().contains("empty page"));

        let mut cursor = Cursor::default();
        let endless = (0..=MAX_PAGES).find_map(|number| {
            match std::mem::take(&mut cursor).next(&page(&[&number.to_string()], true)) {
                Ok(next) => {
                    cursor = next.unwrap();
                    None
                }
                Err(failure) => Some(failure),
            }
        });
        assert!(endless.unwrap().to_string().contains("10000 pages"));
    }
}
