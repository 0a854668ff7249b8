//! What appending does.

use std::time::Duration;

use super::sample::{self, Wanted, lane};
use super::{Bench, leasing, waiting};
use crate::model::{Clock, DeliveryId, Event, Lane};
use crate::queue::Admission;

const WINDOW: Duration = Duration::from_secs(60);

pub(super) async fn what_is_appended_comes_back_as_leases(bench: &mut dyn Bench) {
    let batch = sample::append(&[Wanted::new("a", &[lane("crm"), lane("erp")]), Wanted::new("b", &[lane("crm")])]);
    let request = batch.request.clone();
    let appended = bench.home().append(batch).await.unwrap();
    assert_eq!(appended.admissions, [Admission::Accepted, Admission::Accepted]);
    let mut seen: Vec<_> =
        appended.leases.iter().map(|lease| (lease.event.id().to_owned(), lease.lane.clone())).collect();
    seen.sort();
    assert_eq!(seen, [("a".into(), lane("crm")), ("a".into(), lane("erp")), ("b".into(), lane("crm"))]);
    for lease in &appended.leases {
        assert_eq!(lease.id, DeliveryId::new(lease.event.id(), &lease.lane));
        assert_eq!((lease.attempts, lease.accepted_at, lease.since), (0, bench.clock().now(), bench.clock().now()));
        assert!(std::sync::Arc::ptr_eq(lease.event.request(), &request), "the store was read for what was in memory");
    }
}

pub(super) async fn what_was_appended_is_there_after_a_crash(bench: &mut dyn Bench) {
    let accepted_at = bench.clock().now();
    let wanted: Vec<_> = (0..20).map(|n| Wanted::new(&format!("e{n:02}"), &[lane("crm"), lane("erp")])).collect();
    let batch = sample::append(&wanted);
    let events: Vec<_> = batch.events.iter().map(|new| new.event.clone()).collect();
    drop(bench.home().append(batch).await.unwrap());
    bench.crash().await;
    for lane in [lane("crm"), lane("erp")] {
        let leased = leasing::all(bench, &lane).await;
        assert_eq!(leased.len(), events.len());
        for (lease, event) in leased.iter().zip(&events) {
            same_event(&lease.event, event);
            assert_eq!(lease.id, DeliveryId::new(event.id(), &lane));
            assert_eq!((lease.attempts, lease.accepted_at), (0, accepted_at));
        }
    }
}

pub(super) async fn a_pending_delivery_is_not_appended_again(bench: &mut dyn Bench) {
    let first = bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap();
    for _ in 0..2 {
        let again = bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap();
        assert_eq!(again.admissions, [Admission::Duplicate]);
        assert!(again.leases.is_empty());
        assert_eq!(waiting(bench, &lane("crm")).await, (1, 0));
        // The first round finds it claimed, the second waiting after a crash.
        bench.crash().await;
    }
    drop(first);
}

pub(super) async fn a_lane_that_is_new_to_an_event_gets_it(bench: &mut dyn Bench) {
    drop(bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap());
    let again = bench.home().append(sample::one("a", &[lane("crm"), lane("erp")])).await.unwrap();
    assert_eq!(again.admissions, [Admission::Accepted]);
    assert_eq!(again.leases.iter().map(|lease| &lease.lane).collect::<Vec<_>>(), [&lane("erp")]);
}

pub(super) async fn a_key_is_remembered_until_its_window_ends(bench: &mut dyn Bench) {
    let clock = bench.clock();
    for round in 0..2 {
        let until = clock.now().after(WINDOW);
        let admission = remember(bench, until).await;
        assert_eq!(admission, Admission::Accepted, "in round {round}");
        clock.advance(WINDOW - Duration::from_millis(1));
        assert_eq!(remember(bench, until.after(WINDOW)).await, Admission::Duplicate, "in round {round}");
        clock.advance(Duration::from_millis(1));
    }
}

pub(super) async fn a_key_is_remembered_through_a_crash(bench: &mut dyn Bench) {
    let until = bench.clock().now().after(WINDOW);
    assert_eq!(remember(bench, until).await, Admission::Accepted);
    bench.crash().await;
    assert_eq!(remember(bench, until).await, Admission::Duplicate);
}

pub(super) async fn a_key_is_the_routes_own(bench: &mut dyn Bench) {
    let until = bench.clock().now().after(WINDOW);
    assert_eq!(remember(bench, until).await, Admission::Accepted);
    let other = Wanted::new("a", &[Lane::new("refunds", "crm")]).remembered(until);
    let appended = bench.home().append(sample::append(&[other])).await.unwrap();
    assert_eq!(appended.admissions, [Admission::Accepted]);
}

pub(super) async fn of_two_events_with_one_key_the_second_is_a_duplicate(bench: &mut dyn Bench) {
    let until = bench.clock().now().after(WINDOW);
    let twice = Wanted::new("a", &[lane("crm")]);
    let other = Wanted::new("b", &[lane("crm")]);
    for wanted in [[twice.clone().remembered(until), twice.remembered(until), other.clone()], {
        let unremembered = Wanted::new("c", &[lane("crm")]);
        [unremembered.clone(), unremembered, Wanted::new("d", &[lane("crm")])]
    }] {
        let appended = bench.home().append(sample::append(&wanted)).await.unwrap();
        assert_eq!(appended.admissions, [Admission::Accepted, Admission::Duplicate, Admission::Accepted]);
        assert_eq!(appended.leases.len(), 2);
    }
}

pub(super) async fn an_event_that_nobody_wants_leaves_nothing(bench: &mut dyn Bench) {
    let until = bench.clock().now().after(WINDOW);
    let unwanted = Wanted::new("a", &[]).remembered(until);
    let appended = bench.home().append(sample::append(&[unwanted])).await.unwrap();
    assert_eq!(appended.admissions, [Admission::Accepted]);
    assert!(appended.leases.is_empty() && bench.home().ledger().lanes.is_empty());
    // Wanted later, under another configuration, it is no duplicate of what was never stored.
    assert_eq!(remember(bench, until).await, Admission::Accepted);
}

/// Appends the event `a`, remembered, and ends its delivery.
async fn remember(bench: &dyn Bench, until: crate::model::Timestamp) -> Admission {
    let wanted = Wanted::new("a", &[lane("crm")]).remembered(until);
    let appended = bench.home().append(sample::append(&[wanted])).await.unwrap();
    for lease in appended.leases {
        bench.home().ack(lease, sample::success(1), None).await.unwrap();
    }
    appended.admissions[0]
}

pub(super) fn same_event(stored: &Event, appended: &Event) {
    assert_eq!(stored.attributes(), appended.attributes());
    assert_eq!(stored.request(), appended.request());
    assert_eq!(stored.data_range(), appended.data_range());
    assert_eq!(stored.document().to_string(), appended.document().to_string());
}
