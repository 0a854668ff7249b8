//! What is kept, and how it is read.

use std::sync::Arc;
use std::time::Duration;

use super::appending::same_event;
use super::sample::{self, Wanted, death, failure, lane, success};
use super::{Bench, leasing, waiting};
use crate::model::{Clock, Reason, Timestamp};
use crate::queue::{DeliveryRecord, Forgotten, LaneCounts, Selection, State, StateKind};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn what_was_delivered_is_kept_for_its_time(bench: &mut dyn Bench) {
    let keep_until = now(bench).after(MINUTE);
    let leases = bench.home().append(sample::one("a", &[lane("crm"), lane("erp")])).await.unwrap().leases;
    for lease in leases {
        let keep_until = if *lease.lane.delivery == *"crm" { keep_until } else { keep_until.after(MINUTE) };
        bench.home().ack(lease, success(1), Some(keep_until)).await.unwrap();
    }
    for (after, gone, events) in [(MINUTE / 2, 0, 1), (MINUTE / 2, 1, 1), (MINUTE, 1, 0)] {
        bench.clock().advance(after);
        let forgotten = bench.home().forget(now(bench)).await.unwrap();
        assert_eq!(forgotten, Forgotten { keys: 0, delivered: gone });
        assert_eq!(bench.home().event("a").await.unwrap().len(), events);
        assert_eq!(waiting(bench, &lane("crm")).await, (0, 0));
        bench.crash().await;
    }
    let LaneCounts { delivered, kept, kept_bytes, .. } = bench.home().ledger().lane(&lane("crm"));
    assert_eq!((delivered, kept, kept_bytes), (1, 0, 0));
}

pub(super) async fn what_is_kept_can_be_read(bench: &mut dyn Bench) {
    let accepted_at = now(bench);
    let mut lease = bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    let (id, event) = (lease.id, lease.event.clone());
    bench.home().retry_at(lease, accepted_at, failure(1)).await.unwrap();
    lease = leasing::all(bench, &lane("crm")).await.pop().unwrap();
    let keep_until = accepted_at.after(MINUTE);
    bench.home().ack(lease, success(2), Some(keep_until)).await.unwrap();
    for _ in 0..2 {
        let record = bench.home().delivery(id).await.unwrap().unwrap();
        assert_eq!((record.id, &record.lane, record.accepted_at), (id, &lane("crm"), accepted_at));
        assert_eq!((&*record.event.id, &*record.event.kind), ("a", "order.paid"));
        assert_eq!((record.attempts, record.replayed_at), (2, None));
        assert_eq!(record.history, [failure(1), success(2)]);
        let at = success(2).at.after(success(2).duration);
        assert_eq!(record.state, State::Delivered { at, keep_until });
        let stored = bench.home().event("a").await.unwrap().pop().unwrap();
        same_event(&stored.event, &event);
        assert_eq!(stored.deliveries, [record]);
        bench.crash().await;
    }
}

pub(super) async fn a_request_is_read_whole_and_once(bench: &mut dyn Bench) {
    let keep_until = now(bench).after(MINUTE);
    // Of one request an event is delivered and the other is pending; of another all are delivered; one is pending.
    let both = sample::append(&[Wanted::new("a", &[lane("crm")]), Wanted::new("b", &[lane("erp")])]);
    let request = Arc::clone(&both.request);
    for lease in bench.home().append(both).await.unwrap().leases {
        if *lease.lane.delivery == *"crm" {
            bench.home().ack(lease, success(1), Some(keep_until)).await.unwrap();
        }
    }
    let lease = bench.home().append(sample::one("c", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    bench.home().ack(lease, success(1), Some(keep_until)).await.unwrap();
    drop(bench.home().append(sample::one("d", &[lane("crm")])).await.unwrap());
    for _ in 0..2 {
        let (mut before, mut read) = (None, Vec::new());
        loop {
            let page = bench.home().requests(Selection::default(), before, 1).await.unwrap();
            read.extend(page.entries);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(read.iter().map(|read| read.events).collect::<Vec<_>>(), [1, 1, 2], "the last first");
        assert!(read.pop().unwrap().request == request, "to the byte");
        let pending = Selection { delivery: Some("erp".into()), ..Selection::default() };
        let page = bench.home().requests(pending, None, 10).await.unwrap();
        assert_eq!(page.entries.iter().map(|read| read.events).collect::<Vec<_>>(), [1]);
        bench.crash().await;
    }
}

pub(super) async fn an_event_is_found_by_its_id(bench: &mut dyn Bench) {
    let mut other = sample::one("a", &[crate::model::Lane::new("refunds", "crm")]);
    // Known by something else than its id, as where duplicates are not looked for.
    other.events[0].key = "0190/0".to_owned();
    drop(bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap());
    let lease = bench.home().append(other).await.unwrap().leases.pop().unwrap();
    drop(bench.home().append(sample::one("b", &[lane("crm")])).await.unwrap());
    let routes = |events: Vec<crate::queue::StoredEvent>| -> Vec<String> {
        events.iter().map(|stored| stored.event.attributes().route.to_string()).collect()
    };
    assert_eq!(routes(bench.home().event("a").await.unwrap()), ["refunds", "orders"]);
    assert_eq!(bench.home().delivery(lease.id).await.unwrap().map(|record| record.id), Some(lease.id));
    bench.home().ack(lease, success(1), None).await.unwrap();
    assert_eq!(routes(bench.home().event("a").await.unwrap()), ["orders"]);
    assert!(bench.home().event("c").await.unwrap().is_empty());
}

pub(super) async fn lists_come_in_pages_the_last_first(bench: &mut dyn Bench) {
    for (index, key) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        let lease = bench.home().append(sample::one(key, &[lane("crm")])).await.unwrap().leases.pop().unwrap();
        match index % 3 {
            0 => drop(bench.home().dead_letter(lease, death(Reason::Rejected, now(bench))).await.unwrap()),
            1 => drop(bench.home().ack(lease, success(1), Some(now(bench).after(MINUTE))).await.unwrap()),
            _ => drop(lease),
        }
    }
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = bench.home().deliveries(Selection::default(), before, 2).await.unwrap();
        pages.push(ids(&page.entries));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec!["e", "d"], vec!["c", "b"], vec!["a"]]);
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = bench.home().events(Selection::default(), before, 2).await.unwrap();
        pages.push(page.entries.iter().map(|record| record.head.id.to_string()).collect::<Vec<_>>());
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec!["e", "d"], vec!["c", "b"], vec!["a"]]);
}

pub(super) async fn lists_are_filtered(bench: &mut dyn Bench) {
    let start = now(bench);
    for (key, lane, order) in [("a", lane("crm"), "k"), ("b", lane("erp"), "k"), ("c", lane("crm"), "l")] {
        let wanted = Wanted::new(key, &[lane]).in_order_with(order);
        drop(bench.home().append(sample::append(&[wanted])).await.unwrap());
        bench.clock().advance(MINUTE);
    }
    let lease = leasing::all(bench, &lane("erp")).await.pop().unwrap();
    bench.home().dead_letter(lease, death(Reason::Rejected, now(bench))).await.unwrap();
    let all = Selection::default();
    let minute = |n: u32| Some(start.after(MINUTE * n));
    for (selection, expected) in [
        (Selection { delivery: Some("crm".into()), ..all.clone() }, vec!["c", "a"]),
        (Selection { state: Some(StateKind::Dead), ..all.clone() }, vec!["b"]),
        (Selection { state: Some(StateKind::Pending), ..all.clone() }, vec!["c", "a"]),
        (Selection { reason: Some(Reason::Rejected), ..all.clone() }, vec!["b"]),
        (Selection { reason: Some(Reason::Expired), ..all.clone() }, vec![]),
        (Selection { order_key: Some("k".into()), ..all.clone() }, vec!["b", "a"]),
        (Selection { kind: Some("order.paid".into()), ..all.clone() }, vec!["c", "b", "a"]),
        (Selection { kind: Some("order".into()), ..all.clone() }, vec![]),
        (Selection { route: Some("refunds".into()), ..all.clone() }, vec![]),
        (Selection { since: minute(1), ..all.clone() }, vec!["c", "b"]),
        (Selection { until: minute(1), ..all.clone() }, vec!["a"]),
        (Selection { since: minute(1), until: minute(2), route: Some("orders".into()), ..all.clone() }, vec!["b"]),
    ] {
        let page = bench.home().deliveries(selection.clone(), None, 10).await.unwrap();
        assert_eq!(
            (ids(&page.entries), page.next),
            (expected.iter().map(ToString::to_string).collect(), None),
            "{selection:?}"
        );
        if selection.since.is_none() && selection.until.is_none() {
            let page = bench.home().events(selection.clone(), None, 10).await.unwrap();
            let seen: Vec<_> = page.entries.iter().map(|record| &*record.head.id).collect();
            assert_eq!(seen, expected, "{selection:?}");
        }
    }
    let page = bench.home().events(Selection { state: Some(StateKind::Dead), ..all }, None, 10).await.unwrap();
    let record = &page.entries[0];
    assert_eq!((record.pending, record.delivered, record.dead), (0, 0, 1));
}

fn ids(entries: &[DeliveryRecord]) -> Vec<String> {
    entries.iter().map(|record| record.event.id.to_string()).collect()
}

fn now(bench: &dyn Bench) -> Timestamp {
    bench.clock().now()
}
