//! The networks that there are.

use super::fixtures::{entry, knowing, network};
use crate::index::{Access, Entry, Index, Kept, NetworkUse};
use crate::planning::{Reason, Unavailable};
use crate::resources::WebhookNetworkStatus;

fn unavailable(message: &str) -> Unavailable {
    Unavailable { reason: Reason::NetworkNotReady, message: message.to_owned() }
}

fn why_not(index: &Index<()>, purpose: NetworkUse) -> Option<Reason> {
    index.network(&network("a"), purpose).err().map(|unavailable| unavailable.reason)
}

#[test]
fn a_network_is_missing_only_once_all_were_seen() {
    let mut index = Index::<()>::default();
    assert_eq!(why_not(&index, NetworkUse::Converge), Some(Reason::AwaitingList));
    assert!(!index.all_networks_seen("one kind"));
    assert!(!index.all_networks_seen("one kind"));
    assert_eq!(why_not(&index, NetworkUse::Converge), Some(Reason::AwaitingList));
    index.expect_network(network("a"));
    assert!(index.all_networks_seen("the other kind"));
    assert!(!index.all_networks_seen("the other kind"), "that is no news");
    assert_eq!(why_not(&index, NetworkUse::Converge), Some(Reason::AwaitingList), "it is expected");
    index.put_network(&network("a"), entry("a"));
    index.expect_network(network("a"));
    assert_eq!(why_not(&index, NetworkUse::Converge), None);
    assert!(index.remove_network(&network("a")).is_some());
    assert!(index.remove_network(&network("a")).is_none());
    assert_eq!(why_not(&index, NetworkUse::Converge), Some(Reason::NetworkNotFound));
}

#[test]
fn credentials_that_are_gone_serve_what_is_let_go() {
    let mut index = knowing([]);
    assert!(index.withdraw_network(&network("a"), unavailable("gone")));
    assert!(!index.withdraw_network(&network("a"), unavailable("gone")), "that is no news");
    assert_eq!(why_not(&index, NetworkUse::Converge), Some(Reason::NetworkNotReady));
    assert_eq!(why_not(&index, NetworkUse::Finalize), None);
    assert!(!index.withdraw_network(&network("b"), unavailable("gone")), "there is none");

    let kept = |index: &mut Index<()>| index.keep_network(&network("a"), "a", &Access::default(), None, None);
    assert_eq!(kept(&mut index), Kept::NewAccess, "they are back");
    assert_eq!(why_not(&index, NetworkUse::Converge), None);
    assert_eq!(kept(&mut index), Kept::Same);
    index.withdraw_network(&network("a"), unavailable("gone"));
    index.put_network(&network("a"), entry("a"));
    assert_eq!(why_not(&index, NetworkUse::Converge), None);
}

#[test]
fn a_network_is_kept_while_it_needs_no_other_client() {
    let mut index = knowing([]);
    let http = Access { allow_http: true, ..Access::default() };
    let mut keep = |fingerprint: &str, access: &Access| {
        let before = index.incarnation(&network("a"));
        let kept = index.keep_network(&network("a"), fingerprint, access, None, None);
        assert_eq!(index.incarnation(&network("a")), before);
        kept
    };
    assert_eq!(keep("a", &http), Kept::NewAccess);
    assert_eq!(keep("a", &http), Kept::Same);
    assert_eq!(keep("b", &http), Kept::No);
    assert_eq!(index.keep_network(&network("b"), "b", &http, None, None), Kept::No);
}

#[test]
fn another_network_hands_out_the_handle_before_it() {
    let failed = |message: &str| Entry { handle: Err(unavailable(message)), ..entry("a") };
    let mut index = Index::<()>::default();
    let mut put = |entry: Entry<()>| {
        let replaced = index.put_network(&network("a"), entry);
        (replaced.handle.is_some(), replaced.news)
    };
    assert_eq!(put(failed("one")), (false, true), "the first");
    assert_eq!(put(failed("one")), (false, false), "as before");
    assert_eq!(put(failed("two")), (false, true), "another reason");
    assert_eq!(put(entry("a")), (false, true), "it works");
    assert_eq!(put(entry("a")), (true, true), "another client");
    assert_eq!(put(failed("two")), (true, true), "it fails");
}

#[test]
fn a_status_is_remembered_for_one_uid() {
    let mut index = knowing([]);
    let status = WebhookNetworkStatus { observed_generation: Some(1), ..WebhookNetworkStatus::default() };
    index.note_reported_network(&network("a"), "u", status.clone());
    index.put_network(&network("a"), entry("b"));
    assert_eq!(index.reported_network(&network("a"), "u"), Some(&status));
    assert_eq!(index.reported_network(&network("a"), "v"), None);
    index.remove_network(&network("a"));
    index.put_network(&network("a"), entry("a"));
    assert_eq!(index.reported_network(&network("a"), "u"), None);
}
