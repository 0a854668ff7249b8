//! What ending or putting off a delivery does.

use std::time::Duration;

use super::appending::same_event;
use super::sample::{self, Wanted, death, failure, lane, success};
use super::{Bench, dead_letters, leasing, waiting};
use crate::model::{Attempt, Clock, DeliveryId, Lane, Reason, Timestamp};
use crate::queue::{Action, Admission, Death, Forgotten, Lease, QueueError, Retired, Selection, State, Tally};

pub(super) async fn an_acknowledged_delivery_is_gone(bench: &mut dyn Bench) {
    let lease = append(bench, "a").await;
    bench.home().ack(lease, success(1), None).await.unwrap();
    for _ in 0..2 {
        assert!(leasing::all(bench, &lane("crm")).await.is_empty());
        assert_eq!(waiting(bench, &lane("crm")).await, (0, 0));
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
    let death = Death { attempt: Some(failure(made)), ..death(Reason::AttemptsExhausted, died_at) };
    bench.home().dead_letter(lease, death).await.unwrap();
    for _ in 0..2 {
        let letters = dead_letters(bench).await;
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!((letter.id, &letter.lane, &*letter.event.id), (id, &lane("crm"), "a"));
        assert_eq!((letter.state, letter.attempts), (dead(died_at, Reason::AttemptsExhausted), made));
        assert_eq!(letter.accepted_at, accepted_at);
        let kept: Vec<_> = (4..=made).map(failure).collect();
        assert_eq!(letter.history, kept);
        assert!(leasing::all(bench, &lane("crm")).await.is_empty());
        bench.crash().await;
    }
}

pub(super) async fn a_dead_letter_that_is_appended_again_lives(bench: &mut dyn Bench) {
    let lease = append(bench, "a").await;
    let now = bench.clock().now();
    bench.home().dead_letter(lease, Death { attempt: Some(failure(1)), ..death(Reason::Rejected, now) }).await.unwrap();
    let appended = bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap();
    assert_eq!(appended.admissions, [Admission::Accepted]);
    assert_eq!(appended.leases[0].attempts, 0, "it keeps its spent attempts");
    assert!(dead_letters(bench).await.is_empty());
    assert_eq!(waiting(bench, &lane("crm")).await, (1, 0));
}

pub(super) async fn retiring_ends_what_has_no_lane_any_more(bench: &mut dyn Bench) {
    let kept = [lane("crm"), lane("new")];
    let gone = Lane::new("refunds", "crm");
    let held = bench.home().append(sample::one("a", &[lane("crm"), lane("erp")])).await.unwrap();
    drop(bench.home().append(sample::one("a", std::slice::from_ref(&gone))).await.unwrap());
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
    let mut letters: Vec<_> = dead_letters(bench).await;
    letters.sort_by(|a, b| (&a.lane, &a.event.id).cmp(&(&b.lane, &b.event.id)));
    let seen: Vec<_> = letters.iter().map(|letter| (&letter.lane, &*letter.event.id, letter.state)).collect();
    let erp = lane("erp");
    assert_eq!(
        seen,
        [
            (&erp, "a", dead(at, Reason::DeliveryRemoved)),
            (&erp, "b", dead(at, Reason::DeliveryRemoved)),
            (&gone, "a", dead(at, Reason::RouteRemoved))
        ]
    );
    assert_eq!(leasing::all(bench, &lane("crm")).await.len(), 1);
    assert!(leasing::all(bench, &erp).await.is_empty());
}

pub(super) async fn what_was_made_while_it_was_retired_is_not_dead(bench: &mut dyn Bench) {
    let (made, failed) = (append(bench, "a").await, append(bench, "b").await);
    let now = bench.clock().now();
    let retired = bench.home().retire(&[], now).await.unwrap();
    assert_eq!(retired, [Retired { lane: lane("crm"), reason: Reason::RouteRemoved, count: 2 }]);
    let late = bench.home().ack(made, success(1), None).await.unwrap();
    assert!(!late.was_pending);
    bench.home().retry_at(failed, now, failure(1)).await.unwrap();
    let letters = dead_letters(bench).await;
    let seen: Vec<_> = letters.iter().map(|letter| (&*letter.event.id, letter.state, letter.attempts)).collect();
    assert_eq!(seen, [("b", dead(now, Reason::RouteRemoved), 1)]);
    assert_eq!(waiting(bench, &lane("crm")).await, (0, 1));
}

pub(super) async fn what_was_given_up_while_it_was_retired_was_not_pending(bench: &mut dyn Bench) {
    let (retired, pending) = (append(bench, "a").await, append(bench, "b").await);
    let now = bench.clock().now();
    let kept = [lane("crm")];
    assert!(bench.home().dead_letter(pending, death(Reason::Rejected, now)).await.unwrap().was_pending);
    assert_eq!(bench.home().retire(&kept, now).await.unwrap(), []);
    bench.home().retire(&[], now).await.unwrap();
    assert!(!bench.home().dead_letter(retired, death(Reason::RouteRemoved, now)).await.unwrap().was_pending);
    assert_eq!(waiting(bench, &lane("crm")).await, (0, 2), "each is one dead letter");
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
    home.ack(oldest, success(2), None).await.unwrap();
    assert_eq!(home.oldest_pending().await.unwrap(), Some(first.after(Duration::from_secs(1))));
}

pub(super) async fn forgetting_frees_keys_whose_window_ended(bench: &mut dyn Bench) {
    let (home, now) = (bench.home(), bench.clock().now());
    let at = |seconds| now.after(Duration::from_secs(seconds));
    let wanted: Vec<_> = (1..=1200)
        .map(|n| Wanted::new(&format!("e{n}"), &[lane("crm")]).remembered(at(if n <= 1100 { 10 } else { 20 })))
        .collect();
    drop(home.append(sample::append(&wanted)).await.unwrap());
    assert_eq!(home.forget(at(5)).await.unwrap(), Forgotten { keys: 0, delivered: 0 });
    assert_eq!(home.forget(at(10)).await.unwrap(), Forgotten { keys: 1100, delivered: 0 });
    assert_eq!(home.forget(at(10)).await.unwrap(), Forgotten { keys: 0, delivered: 0 });
    assert_eq!(home.forget(at(30)).await.unwrap(), Forgotten { keys: 100, delivered: 0 });
    assert_eq!(home.ledger().pending(), 1200, "forgetting a key ended a delivery");
}

pub(super) async fn a_closed_home_refuses(bench: &mut dyn Bench) {
    let (home, crm, now) = (bench.home(), lane("crm"), bench.clock().now());
    let [first, second, third] = [append(bench, "a").await, append(bench, "b").await, append(bench, "c").await];
    home.health().unwrap();
    home.close().await.unwrap();
    let closed = [
        home.append(sample::one("d", &[lane("crm")])).await.err(),
        home.lease(&crm, 1, now).await.err(),
        home.count("orders".into(), Tally::default()).await.err(),
        home.ack(first, success(1), None).await.err(),
        home.retry_at(second, now, failure(1)).await.err(),
        home.dead_letter(third, death(Reason::Rejected, now)).await.err(),
        home.retire(&[], now).await.err(),
        home.oldest_pending().await.err(),
        home.deliveries(Selection::default(), None, 1).await.err(),
        home.event("a").await.err(),
        home.audit().await.err(),
        home.replay(DeliveryId::new("a", &crm), now).await.err(),
        home.purge(DeliveryId::new("a", &crm)).await.err(),
        home.release(&crm, "k", true, now).await.err(),
        home.begin(Action::Replay, Selection::default(), now).await.err(),
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

fn dead(at: Timestamp, reason: Reason) -> State {
    State::Dead { at, reason }
}
