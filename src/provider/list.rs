//! The whole list, page by page, that ends whatever the API answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::config::Priority;
use super::endpoint::{Endpoint, Listing, Page};
use super::error::{Error, ErrorClass, Failure, invalid};
use super::event_types::EventType;
use super::ids::EndpointId;
use super::operation::Operation;
use crate::backoff::Backoff;

/// The most pages that a list may have: a million endpoints.
const MAX_PAGES: usize = 10_000;
/// The largest list that is believed, by the memory that it takes: more than fifty thousand usual endpoints. An API of a
/// tenant's own must not fill the memory of the process that all tenants share.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// What each endpoint takes beside its texts, in the list and in the maps that are made of it.
const STRUCTS: usize = 1024;
/// How often one page is asked for before the list is given up.
const MAX_TRIES: u32 = 8;
/// The pauses between those tries, unless the API or the limiter asks for longer ones.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause in the middle of a list. An API that asks for a longer one is told of rather than waited for.
const MOST_PATIENCE: Duration = Duration::from_mins(5);

impl Client {
    /// Reads the list to its end. A page that fails is asked for again where the list stands, but for the first:
    /// whoever lists begins again anyway. `begin` is told before each page is asked for, and `share` gives for the
    /// endpoints of one those that are known already and the same, so that a list takes no second room for them.
    ///
    /// # Errors
    ///
    /// When the first page fails, another one fails too often in a row or for a reason that does not pass, or the
    /// list does not end. A list that was not read to its end tells nothing about what is missing.
    pub async fn list(
        &self,
        priority: Priority,
        begin: impl Fn(),
        share: impl Fn(Vec<Endpoint>) -> Vec<Arc<Endpoint>>,
    ) -> Result<Listing, Error> {
        let page = |after: Option<EndpointId>| {
            begin();
            async move { self.list_page(after.as_ref(), priority).await }
        };
        read(page, share).await
    }
}

async fn read<F>(
    page_after: impl Fn(Option<EndpointId>) -> F,
    share: impl Fn(Vec<Endpoint>) -> Vec<Arc<Endpoint>>,
) -> Result<Listing, Error>
where
    F: Future<Output = Result<Page, Error>>,
{
    let mut list = Progress::default();
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let (mut cursor, mut tries) = (None, 0);
    loop {
        let page = match page_after(cursor.clone()).await {
            Ok(page) => page,
            Err(error) => {
                tries += 1;
                let pause = error.retry_after().unwrap_or_default().max(backoff.pause());
                let lasting = error.class() != ErrorClass::Retry || error.is_lasting();
                if cursor.is_none() || lasting || tries >= MAX_TRIES || pause > MOST_PATIENCE {
                    return Err(error);
                }
                tracing::debug!(reason = error.reason(), ?pause, "a page is asked for again");
                tokio::time::sleep(pause).await;
                continue;
            }
        };
        backoff.reset();
        tries = 0;
        cursor = list.add(page, &share).map_err(|failure| Error::new(Operation::List, failure))?;
        if cursor.is_none() {
            return Ok(list.listing);
        }
    }
}

/// A list as far as it was read.
#[derive(Debug, Default)]
struct Progress {
    listing: Listing,
    /// Where in the listing each endpoint is. An order that changes under way shows some twice, and the later look
    /// at one is the better one.
    places: HashMap<EndpointId, Option<usize>>,
    pages: usize,
    /// How much memory it takes.
    bytes: usize,
}

impl Progress {
    /// Adds a page. Gives the cursor of the next one, or none when it was the last.
    fn add(
        &mut self,
        page: Page,
        share: impl Fn(Vec<Endpoint>) -> Vec<Arc<Endpoint>>,
    ) -> Result<Option<EndpointId>, Failure> {
        let Page { endpoints, unreadable, nameless, next } = page;
        let before = self.places.len();
        for endpoint in share(endpoints) {
            self.bytes += bytes(&endpoint);
            if let Some(Some(at)) = self.places.get(&endpoint.id) {
                self.listing.endpoints[*at] = endpoint;
            } else {
                self.listing.unreadable.remove(&endpoint.id);
                self.places.insert(endpoint.id.clone(), Some(self.listing.endpoints.len()));
                self.listing.endpoints.push(endpoint);
            }
        }
        for id in unreadable {
            self.bytes += STRUCTS / 4 + 2 * id.as_str().len();
            if !self.places.contains_key(&id) {
                self.places.insert(id.clone(), None);
                self.listing.unreadable.insert(id);
            }
        }
        self.listing.nameless += nameless;
        self.pages += 1;
        if self.bytes > MAX_BYTES {
            return Err(invalid("the whole list is larger than 64 MiB"));
        }
        if next.is_some() && self.places.len() == before {
            return Err(invalid("a page shows nothing new and says that more follow"));
        }
        if next.is_some() && self.pages >= MAX_PAGES {
            return Err(invalid("it does not end after 10000 pages"));
        }
        Ok(next)
    }
}

/// What one endpoint takes in memory, about.
fn bytes(endpoint: &Endpoint) -> usize {
    let Endpoint { id, network_id, url, enabled_events, status, created_at: _ } = endpoint;
    let network_id = network_id.as_ref().map_or(0, |id| id.as_str().len());
    let event = |event: &EventType| size_of::<EventType>() + event.as_str().len();
    let events = enabled_events.iter().map(event).sum::<usize>();
    STRUCTS + 2 * id.as_str().len() + network_id + 2 * url.bytes() + events + status.as_str().len()
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use http::StatusCode;

    use super::*;
    use crate::provider::config::Limits;
    use crate::provider::limiter::{Limiter, Outcome};
    use crate::provider::{EndpointStatus, EventTypes};

    fn endpoint(id: &str) -> Endpoint {
        Endpoint {
            id: id.into(),
            network_id: None,
            url: "https://example.com/webhook".into(),
            enabled_events: EventTypes::default(),
            status: EndpointStatus::Active,
            created_at: None,
        }
    }

    fn page(ids: &[&str], next: Option<&str>) -> Page {
        let endpoints = ids.iter().map(|id| endpoint(id)).collect();
        Page { endpoints, next: next.map(Into::into), ..Page::default() }
    }

    fn failed(status: StatusCode) -> Error {
        Error::of_list(status)
    }

    /// Reads a list of pages that come one after the other; tells the cursors that were asked for, too.
    async fn read_all(pages: Vec<Result<Page, Error>>) -> (Result<Listing, Error>, Vec<Option<String>>) {
        let pages = RefCell::new(pages.into_iter());
        let asked = RefCell::new(Vec::new());
        let page_after = |after: Option<EndpointId>| {
            asked.borrow_mut().push(after.map(|id| id.to_string()));
            let page = pages.borrow_mut().next().expect("no more pages are asked for");
            async { page }
        };
        let listing = read(page_after, Listing::unshared).await;
        (listing, asked.into_inner())
    }

    fn ids(listing: &Listing) -> Vec<&str> {
        listing.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn case_17_ten_thousand_endpoints_are_listed_though_pages_fail_at_sixty_a_minute() {
        const ENDPOINTS: usize = 10_000;
        let limiter = Limiter::new(Limits { requests_per_second: 1.0, burst: 1, in_flight: 1 });
        let calls = Cell::new(0);
        let page_after = async |after: Option<EndpointId>| {
            let permit = limiter.acquire(Operation::List, Priority::Resync, LONGEST_PAUSE).await;
            let permit = permit.map_err(|refusal| Error::new(Operation::List, refusal))?;
            calls.set(calls.get() + 1);
            let failure = match calls.get() {
                20 => Some((Outcome::Limited { retry_after: Some(Duration::from_mins(1)) }, 429)),
                40 => Some((Outcome::Limited { retry_after: None }, 429)),
                60 => Some((Outcome::Failed { cause: "ServerError", retry_after: None }, 503)),
                80 | 100 => Some((Outcome::Answered, 500)),
                _ => None,
            };
            if let Some((outcome, status)) = failure {
                permit.finish(outcome);
                return Err(failed(StatusCode::from_u16(status).unwrap()));
            }
            permit.finish(Outcome::Answered);
            let first = after.map_or(0, |id| id.as_str().parse::<usize>().unwrap() + 1);
            let last = (first + 100).min(ENDPOINTS);
            let names = (first..last).map(|number| number.to_string()).collect::<Vec<_>>();
            let names = names.iter().map(String::as_str).collect::<Vec<_>>();
            Ok(page(&names, (last < ENDPOINTS).then(|| names[names.len() - 1])))
        };
        let listing = read(page_after, Listing::unshared).await;
        assert_eq!(listing.unwrap().endpoints.len(), ENDPOINTS);
        assert_eq!(calls.get(), 105, "no page was asked for twice but those that failed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_fails_is_asked_for_again_and_not_for_ever() {
        let failure = || Err(failed(StatusCode::INTERNAL_SERVER_ERROR));
        let mut pages = vec![Ok(page(&["a"], Some("a")))];
        pages.extend((1..MAX_TRIES).map(|_| failure()));
        pages.push(Ok(page(&["b"], Some("b"))));
        pages.extend((0..MAX_TRIES).map(|_| failure()));
        let (listing, asked) = read_all(pages).await;
        assert_eq!(listing.unwrap_err().reason(), "ServerError");
        let after = |id: &str| asked.iter().filter(|cursor| cursor.as_deref() == Some(id)).count();
        assert_eq!((after("a"), after("b")), (MAX_TRIES as usize, MAX_TRIES as usize));

        let (listing, asked) = read_all(vec![failure()]).await;
        assert!(listing.is_err() && asked.len() == 1, "whoever lists begins again by himself");

        let refused = Err(failed(StatusCode::UNAUTHORIZED));
        let (listing, asked) = read_all(vec![Ok(page(&["a"], Some("a"))), refused]).await;
        assert_eq!((listing.unwrap_err().reason(), asked.len()), ("Unauthorized", 2));
    }

    #[tokio::test]
    async fn an_id_seen_twice_is_one_and_the_later_look_counts() {
        let later = Endpoint { status: EndpointStatus::Inactive, ..endpoint("b") };
        let second =
            Page { endpoints: vec![later, endpoint("c")], next: Some("c".into()), ..Page::default() };
        let third = Page { unreadable: vec!["c".into(), "d".into()], nameless: 2, ..Page::default() };
        let (listing, asked) = read_all(vec![Ok(page(&["a", "b"], Some("b"))), Ok(second), Ok(third)]).await;
        let listing = listing.unwrap();
        assert_eq!(ids(&listing), ["a", "b", "c"]);
        assert_eq!(listing.endpoints[1].status, EndpointStatus::Inactive);
        assert_eq!((listing.unreadable, listing.nameless), (["d".into()].into(), 2));
        assert_eq!(asked, [None, Some("b".to_owned()), Some("c".to_owned())]);
    }

    #[tokio::test]
    async fn a_list_that_makes_no_progress_or_fills_the_memory_is_an_error() {
        let mut large = page(&["a"], Some("a"));
        large.endpoints[0].url = "x".repeat(MAX_BYTES / 4).into();
        let mut larger = large.clone();
        larger.endpoints[0].id = "b".into();
        for (pages, told) in [
            (vec![page(&["a", "b"], Some("b")), page(&["b"], Some("b"))], "nothing new"),
            (vec![page(&["a", "b"], Some("b")), page(&["a", "b"], Some("b"))], "nothing new"),
            (vec![page(&["a"], Some("a")), page(&["b"], Some("b")), page(&["a"], Some("a"))], "nothing new"),
            (vec![large, larger], "larger than 64 MiB"),
            (
                (0..MAX_PAGES).map(|number| number.to_string()).map(|id| page(&[&id], Some(&id))).collect(),
                "10000 pages",
            ),
        ] {
            let (listing, _) = read_all(pages.into_iter().map(Ok).collect()).await;
            let error = listing.unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
