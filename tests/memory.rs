//! What the answers of an API cost in memory, whatever it sends.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops at what it does not expect, and says what it saw"
)]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use peak_alloc::PeakAlloc;
use tokio::net::TcpListener;
use webhook_operator::provider::{
    AddressPolicy, Auth, Client, ClientConfig, Fence, Limits, Listing, Meter, Priority,
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The largest page that is read, in bytes.
const PAGE: usize = 4 * 1024 * 1024;
/// How many times its own bytes a page may take at most.
const FACTOR: usize = 6;

/// A page of as many of these items as fit into it, and at most `most`.
fn page(item: &str, most: usize) -> Bytes {
    let (begin, end) = (r#"{"data":{"items":["#, "]}}");
    let most = most.min((PAGE - begin.len() - end.len() + 1) / (item.len() + 1));
    Bytes::from(format!("{begin}{}{end}", vec![item; most].join(",")))
}

fn endpoint(url: &str, events: &str) -> String {
    format!(r#"{{"id":"a","url":"{url}","status":"active","enabledEvents":[{events}]}}"#)
}

async fn client(app: Router) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let api_url = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("a URL");
    tokio::spawn(async { axum::serve(listener, app).await });
    Client::new(ClientConfig {
        api_url,
        auth: Auth::BearerToken("token".into()),
        timeout: std::time::Duration::from_mins(1),
        limits: Limits { requests_per_second: 1000.0, burst: 1000, in_flight: 1 },
        ca_bundle: None,
        allow_http: true,
        address_policy: AddressPolicy::Any,
        fence: Fence::default(),
        meter: Meter::default(),
    })
    .expect("a client")
}

/// The most memory that a future takes beyond what was taken before.
async fn peak_of<T>(future: impl Future<Output = T>) -> (T, usize) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let output = future.await;
    (output, ALLOCATOR.peak_usage().saturating_sub(before))
}

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn no_page_costs_more_than_a_small_factor_of_its_bytes_and_no_list_fills_the_memory() {
    let many = (0..100).map(|number| format!("\"{number}\"")).collect::<Vec<_>>().join(",");
    let shallow = format!("{}{}", "[".repeat(20), "]".repeat(20));
    let large = "x".repeat(4000);
    for (what, body) in [
        ("objects with an empty name", page(r#"{"":0}"#, usize::MAX)),
        ("empty objects", page("{}", usize::MAX)),
        ("empty texts", page(r#""""#, usize::MAX)),
        ("nulls", page("null", usize::MAX)),
        ("numbers", page("0", usize::MAX)),
        ("nested arrays", page(&shallow, usize::MAX)),
        ("the least endpoints", page(&endpoint("u", ""), usize::MAX)),
        ("one object of many fields", page(&format!("{{{}}}", vec![r#""":0"#; 1_000_000 / 2].join(",")), 1)),
        ("one array of many texts", page(&endpoint("u", &vec![r#""""#; 1_000_000].join(",")), 1)),
        ("objects of many fields", page(&format!("{{{}}}", vec![r#""":0"#; 800].join(",")), 1000)),
        ("events beyond number", page(&endpoint("u", &[many.as_str(); 9].join(",")), 1000)),
        ("many events", page(&endpoint(&large, &many), 1000)),
        ("long URLs", page(&endpoint(&format!("https://example.com/{large}"), ""), 1000)),
        ("odd URLs", page(&endpoint(&format!("https://example.com/{}", "<".repeat(4000)), ""), 1000)),
        ("one text of escapes", page(&endpoint(&r"\u0001".repeat(PAGE / 6 - 20), ""), 1)),
        ("no end", Bytes::from("[".repeat(PAGE))),
        ("no end of objects", Bytes::from(r#"{"data":"#.repeat(PAGE / 8))),
        ("no end of a text", Bytes::from(format!("\"{}", "x".repeat(PAGE - 1)))),
        ("a page for people", Bytes::from(format!("<html>{}", "x".repeat(PAGE - 6)))),
    ] {
        let bytes = body.len();
        assert!(bytes <= PAGE && bytes > PAGE / 2, "{what}: {bytes} bytes");
        let app = Router::new().fallback(move || {
            let body = body.clone();
            async move { Body::from(body) }
        });
        let client = client(app).await;
        let (page, peak) = peak_of(client.list_page(None, Priority::Resync)).await;
        let outcome = page.map(|page| page.endpoints.len()).map_err(|error| error.to_string());
        println!("{what}: {:.2} of {bytes} bytes, {outcome:?}", ratio(peak, bytes));
        assert!(peak < FACTOR * bytes, "{what}: {peak} bytes for {bytes}");
    }

    // Each page shows a thousand new endpoints, and says that more follow.
    let app = Router::new().fallback(
        |Query(query): Query<Vec<(String, String)>>, State(()): State<()>| async move {
            let after =
                query.iter().find(|(name, _)| name == "startingAfter").map_or("0", |(_, id)| id.as_str());
            let first = after.parse::<usize>().expect("a number") + 1;
            let items = (first..first + 1000).map(|id| endpoint("u", "").replace(r#""a""#, &id.to_string()));
            let items = items.collect::<Vec<_>>().join(",");
            format!(r#"{{"data":{{"items":[{items}],"hasMore":true}}}}"#)
        },
    );
    let client = client(app).await;
    let (list, peak) = peak_of(client.list(Priority::Resync, || {}, Listing::unshared)).await;
    let error = list.expect_err("it does not end").to_string();
    assert!(error.contains("larger than 64 MiB"), "{error}");
    println!("a list without an end: {peak} bytes");
    assert!(peak < 64 * 1024 * 1024, "{peak} bytes");
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with two digits")]
fn ratio(peak: usize, bytes: usize) -> f64 {
    peak as f64 / bytes as f64
}
