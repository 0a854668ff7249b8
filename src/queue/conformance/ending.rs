//! What ending or putting off a delivery does.

use std::time::Duration;

use super::appending::same_event;
use super::sample::{self, Wanted, failure, lane};
use super::{Bench, leasing};
use crate::model::{Attempt, Clock, Lane, Reason, Timestamp};
use crate::queue::{Admission, Depth, Lease, QueueError, Retired};

pub(super) async fn an_acknowledged_delivery_is_gone(bench: &mut dyn Bench) {
    let lease = append(bench, "a").await;
    bench.home().ack(lease).await.unwrap();
    for _ in 0..2 {
        assert!(leasing::all(bench, &lane("crm")).await.is_empty());
        assert_eq!(bench.home().depths(), []);
        bench.crash().await;
    }
}

pub(super) async fn a_retry_keeps_the_event_and_counts(bench: &mut dyn Bench) {
    let accepted_at = bench.clock().now();
    let mut lease = append(bench, "a").await;
    let event = lease.event.clone();
    for number in 1..=3 {
        bench.clock().advance(Duration::from_secs(1));
        bench.home().retry_at(lease, bench.clock().now(), failure(number)).await.unwrap();
        bench.crash().await;
        lease = leasing::all(bench, &lane("crm")).await.pop().unwrap();
        assert_eq!((lease.attempts, lease.accepted_at), (number, accepted_at));
        same_event(&lease.event, &event);
    }
}

pub(super) async fn a_dead_letter_keeps_the_last_attempts(bench: &mut dyn Bench) {
    let (accepted_at, made) = (bench.clock().now(), u32::try_from(Attempt::KEPT).unwrap() + 3);
    let mut lease = append(bench, "a").await;
    let id = lease.id;
    for number in 1..made {
        bench.home().retry_at(lease, accepted_at, failure(number)).await.unwrap();
        lease = leasing::all(bench, &lane("crm")).await.pop().unwrap();
    }
    let died_at = accepted_at.after(Duration::from_secs(9));
    bench.home().dead_letter(lease, Reason::AttemptsExhausted, died_at, Some(failure(made))).await.unwrap();
    for _ in 0..2 {
        let letters = bench.home().dead_letters(None, 10).await.unwrap();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!((letter.id, &letter.lane, &*letter.event_id), (id, &lane("crm"), "a"));
        assert_eq!((letter.reason, letter.attempts), (Reason::AttemptsExhausted, made));
        assert_eq!((letter.accepted_at, letter.died_at), (accepted_at, died_at));
        let kept: Vec<_> = (4..=made).map(failure).collect();
        assert_eq!(letter.history, kept);
        assert!(leasing::all(bench, &lane("crm")).await.is_empty());
        bench.crash().await;
    }
}

pub(super) async fn dead_letters_are_read_in_pages(bench: &mut dyn Bench) {
    for key in ["a", "b", "c", "d", "e"] {
        kill(bench, key).await;
    }
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = bench.home().dead_letters(before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.position);
        pages.push(page.iter().map(|letter| letter.event_id.clone()).collect::<Vec<_>>());
        assert!(page.iter().all(|letter| letter.attempts == 0 && letter.history.is_empty()));
    }
    assert_eq!(pages, [vec!["e", "d"], vec!["c", "b"], vec!["a"]]);
}

pub(super) async fn a_dead_letter_that_is_appended_again_lives(bench: &mut dyn Bench) {
    let lease = append(bench, "a").await;
    let now = bench.clock().now();
    bench.home().dead_letter(lease, Reason::Rejected, now, Some(failure(1))).await.unwrap();
    let appended = bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap();
    assert_eq!(appended.admissions, [Admission::Accepted]);
    assert_eq!(appended.leases[0].attempts, 0, "it keeps its spent attempts");
    assert!(bench.home().dead_letters(None, 10).await.unwrap().is_empty());
    assert_eq!(bench.home().depths(), [Depth { lane: lane("crm"), pending: 1, dead: 0 }]);
}

pub(super) async fn retiring_ends_what_has_no_lane_any_more(bench: &mut dyn Bench) {
    let kept = [lane("crm"), lane("new")];
    let gone = Lane::new("refunds", "crm");
    let held = bench.home().append(sample::one("a", &[lane("crm"), lane("erp"), gone.clone()])).await.unwrap();
    drop(bench.home().append(sample::one("b", &[lane("erp")])).await.unwrap());
    let at = bench.clock().now().after(Duration::from_secs(5));
    let retired = |lane: &Lane, reason, count| Retired { lane: lane.clone(), reason, count };
    assert_eq!(
        bench.home().retire(&kept, at).await.unwrap(),
        [retired(&lane("erp"), Reason::DeliveryRemoved, 2), retired(&gone, Reason::RouteRemoved, 1)]
    );
    assert_eq!(bench.home().retire(&kept, at).await.unwrap(), []);
    drop(held);
    bench.crash().await;
    let mut letters: Vec<_> = bench.home().dead_letters(None, 10).await.unwrap();
    letters.sort_by(|a, b| (&a.lane, &a.event_id).cmp(&(&b.lane, &b.event_id)));
    let seen: Vec<_> = letters.iter().map(|letter| (&letter.lane, &*letter.event_id, letter.reason)).collect();
    let erp = lane("erp");
    assert_eq!(
        seen,
        [
            (&erp, "a", Reason::DeliveryRemoved),
            (&erp, "b", Reason::DeliveryRemoved),
            (&gone, "a", Reason::RouteRemoved)
        ]
    );
    assert!(letters.iter().all(|letter| letter.died_at == at));
    assert_eq!(leasing::all(bench, &lane("crm")).await.len(), 1);
    assert!(leasing::all(bench, &erp).await.is_empty());
}

pub(super) async fn what_was_made_while_it_was_retired_is_not_dead(bench: &mut dyn Bench) {
    let (made, failed) = (append(bench, "a").await, append(bench, "b").await);
    let now = bench.clock().now();
    let retired = bench.home().retire(&[], now).await.unwrap();
    assert_eq!(retired, [Retired { lane: lane("crm"), reason: Reason::RouteRemoved, count: 2 }]);
    bench.home().ack(made).await.unwrap();
    bench.home().retry_at(failed, now, failure(1)).await.unwrap();
    let letters = bench.home().dead_letters(None, 10).await.unwrap();
    let seen: Vec<_> = letters.iter().map(|letter| (&*letter.event_id, letter.reason, letter.attempts)).collect();
    assert_eq!(seen, [("b", Reason::RouteRemoved, 1)]);
    assert_eq!(bench.home().depths(), [Depth { lane: lane("crm"), pending: 0, dead: 1 }]);
}

pub(super) async fn what_was_given_up_while_it_was_retired_was_not_pending(bench: &mut dyn Bench) {
    let (retired, pending) = (append(bench, "a").await, append(bench, "b").await);
    let now = bench.clock().now();
    let kept = [lane("crm")];
    assert!(bench.home().dead_letter(pending, Reason::Rejected, now, None).await.unwrap());
    assert_eq!(bench.home().retire(&kept, now).await.unwrap(), []);
    bench.home().retire(&[], now).await.unwrap();
    assert!(!bench.home().dead_letter(retired, Reason::RouteRemoved, now, None).await.unwrap());
    assert_eq!(bench.home().depths(), [Depth { lane: lane("crm"), pending: 0, dead: 2 }], "each is one dead letter");
}

pub(super) async fn depths_count_what_waits(bench: &mut dyn Bench) {
    assert_eq!(bench.home().depths(), []);
    let held = append(bench, "a").await;
    drop(bench.home().append(sample::one("b", &[lane("crm"), lane("erp")])).await.unwrap());
    kill(bench, "c").await;
    let depths = [Depth { lane: lane("crm"), pending: 2, dead: 1 }, Depth { lane: lane("erp"), pending: 1, dead: 0 }];
    assert_eq!(sorted(bench.home().depths()), depths, "what is claimed counts");
    bench.home().retry_at(held, bench.clock().now(), failure(1)).await.unwrap();
    assert_eq!(sorted(bench.home().depths()), depths);
    bench.crash().await;
    assert_eq!(sorted(bench.home().depths()), depths);
}

pub(super) async fn the_oldest_is_the_one_accepted_first(bench: &mut dyn Bench) {
    let home = bench.home();
    let (clock, first) = (bench.clock(), bench.clock().now());
    assert_eq!(home.oldest_pending().await.unwrap(), None);
    let oldest = append(bench, "a").await;
    clock.advance(Duration::from_secs(1));
    drop(append(bench, "b").await);
    assert_eq!(home.oldest_pending().await.unwrap(), Some(first));
    home.retry_at(oldest, first.after(Duration::from_secs(99)), failure(1)).await.unwrap();
    assert_eq!(home.oldest_pending().await.unwrap(), Some(first), "a retry makes nothing younger");
    clock.advance(Duration::from_secs(100));
    let leased = leasing::all(bench, &lane("crm")).await;
    let oldest = leased.into_iter().find(|lease| lease.event.id() == "a").unwrap();
    home.ack(oldest).await.unwrap();
    assert_eq!(home.oldest_pending().await.unwrap(), Some(first.after(Duration::from_secs(1))));
}

pub(super) async fn forgetting_frees_keys_whose_window_ended(bench: &mut dyn Bench) {
    let (home, now) = (bench.home(), bench.clock().now());
    let at = |seconds| now.after(Duration::from_secs(seconds));
    let wanted: Vec<_> = (1..=1200)
        .map(|n| Wanted::new(&format!("e{n}"), &[lane("crm")]).remembered(at(if n <= 1100 { 10 } else { 20 })))
        .collect();
    drop(home.append(sample::append(&wanted)).await.unwrap());
    assert_eq!(home.forget(at(5)).await.unwrap(), 0);
    assert_eq!(home.forget(at(10)).await.unwrap(), 1100);
    assert_eq!(home.forget(at(10)).await.unwrap(), 0);
    assert_eq!(home.forget(at(30)).await.unwrap(), 100);
    assert_eq!(home.depths()[0].pending, 1200, "forgetting a key ended a delivery");
}

pub(super) async fn a_closed_home_refuses(bench: &mut dyn Bench) {
    let (home, crm, now) = (bench.home(), lane("crm"), bench.clock().now());
    let [first, second, third] = [append(bench, "a").await, append(bench, "b").await, append(bench, "c").await];
    home.health().unwrap();
    home.close().await.unwrap();
    let closed = [
        home.append(sample::one("d", &[lane("crm")])).await.err(),
        home.lease(&crm, 1, now).await.err(),
        home.ack(first).await.err(),
        home.retry_at(second, now, failure(1)).await.err(),
        home.dead_letter(third, Reason::Rejected, now, None).await.err(),
        home.retire(&[], now).await.err(),
        home.oldest_pending().await.err(),
        home.dead_letters(None, 1).await.err(),
        home.forget(now).await.err(),
        home.health().err(),
        home.close().await.err(),
    ];
    for (call, error) in closed.iter().enumerate() {
        assert!(matches!(error, Some(QueueError::Closed)), "call {call} gave {error:?}");
    }
    bench.crash().await;
    assert_eq!(leasing::all(bench, &lane("crm")).await.len(), 3);
}

/// Appends an event with one delivery.
async fn append(bench: &dyn Bench, key: &str) -> Lease {
    bench.home().append(sample::one(key, &[lane("crm")])).await.unwrap().leases.pop().unwrap()
}

/// Appends an event whose delivery is given up at once.
async fn kill(bench: &dyn Bench, key: &str) {
    let lease = append(bench, key).await;
    bench.home().dead_letter(lease, Reason::Transform, now(bench), None).await.unwrap();
}

fn now(bench: &dyn Bench) -> Timestamp {
    bench.clock().now()
}

fn sorted(mut depths: Vec<Depth>) -> Vec<Depth> {
    depths.sort_by(|a, b| a.lane.cmp(&b.lane));
    depths
}
