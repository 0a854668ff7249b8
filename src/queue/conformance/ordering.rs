//! What order keys do.

use super::sample::{self, Wanted, death, failure, lane, success};
use super::{Bench, leasing, waiting};
use crate::model::{Clock, Lane, Reason, Timestamp};
use crate::queue::{Death, Lease};

pub(super) async fn a_key_is_delivered_first_in_first_out(bench: &mut dyn Bench) {
    let mut leases = append(bench, &["a1", "a2", "a3"]).await;
    assert_eq!(names(&leases), ["a1"], "the others wait for it");
    for (made, next) in [("a1", "a2"), ("a2", "a3")] {
        let lease = leases.pop().unwrap();
        assert_eq!(lease.event.id(), made);
        let settled = bench.home().ack(lease, success(1), None).await.unwrap();
        assert!(settled.next_is_due);
        leases = leasing::all(bench, &crm()).await;
        assert_eq!(names(&leases), [next]);
    }
    let settled = bench.home().ack(leases.pop().unwrap(), success(1), None).await.unwrap();
    assert!(!settled.next_is_due, "there is none");
    assert_eq!(waiting(bench, &crm()).await, (0, 0));
}

pub(super) async fn keys_go_on_in_parallel(bench: &mut dyn Bench) {
    let held = append(bench, &["a1", "b1", "a2", "b2"]).await;
    assert_eq!(names(&held), ["a1", "b1"]);
    let free = bench.home().append(sample::one("free", &[crm()])).await.unwrap();
    assert_eq!(names(&free.leases), ["free"], "what has no key waits for none");
}

pub(super) async fn what_fails_holds_up_its_own_key_alone(bench: &mut dyn Bench) {
    let mut held = append(bench, &["a1", "a2", "b1", "b2"]).await;
    let (b1, a1) = (held.pop().unwrap(), held.pop().unwrap());
    let later = now(bench).after(std::time::Duration::from_secs(60));
    let settled = bench.home().retry_at(a1, later, failure(1)).await.unwrap();
    assert!(!settled.next_is_due, "what failed comes first still");
    bench.home().ack(b1, success(1), None).await.unwrap();
    let leased = bench.home().lease(&crm(), 10, now(bench)).await.unwrap();
    assert_eq!((names(&leased.leases), leased.next_due), (vec!["b2".to_owned()], Some(later)));
    let leased = bench.home().lease(&crm(), 10, later).await.unwrap();
    assert_eq!(names(&leased.leases), ["a1"]);
}

pub(super) async fn order_outlives_a_crash(bench: &mut dyn Bench) {
    drop(append(bench, &["a1", "b1", "a2", "a3", "b2"]).await);
    for expected in [vec!["a1", "b1"], vec!["a2", "b2"], vec!["a3"], vec![]] {
        bench.crash().await;
        let leases = leasing::all(bench, &crm()).await;
        assert_eq!(names(&leases), expected);
        for lease in leases {
            bench.home().ack(lease, success(1), None).await.unwrap();
        }
    }
}

pub(super) async fn a_dead_letter_lets_its_key_go_on(bench: &mut dyn Bench) {
    let mut held = append(bench, &["a1", "a2"]).await;
    let settled = bench.home().dead_letter(held.pop().unwrap(), death(Reason::Rejected, now(bench))).await.unwrap();
    assert!(settled.next_is_due && !settled.parked);
    assert_eq!(names(&leasing::all(bench, &crm()).await), ["a2"]);
}

pub(super) async fn a_parked_key_waits_until_it_is_released(bench: &mut dyn Bench) {
    let mut held = append(bench, &["a1", "a2", "b1"]).await;
    let (b1, a1) = (held.pop().unwrap(), held.pop().unwrap());
    let id = a1.id;
    let settled = park(bench, a1).await;
    assert!(settled.parked && !settled.next_is_due);
    drop(b1);
    drop(append(bench, &["a3"]).await);
    for _ in 0..2 {
        assert_eq!(names(&leasing::all(bench, &crm()).await), ["b1"], "another key goes on");
        let parked = bench.home().parked(None, 10).await.unwrap();
        assert_eq!(parked.len(), 1);
        assert_eq!((&parked[0].lane, &*parked[0].key), (&crm(), "a"));
        assert_eq!((parked[0].behind, parked[0].waiting, parked[0].since), (Some(id), 2, now(bench)));
        assert_eq!(bench.home().parked(Some((crm(), "a".into())), 10).await.unwrap(), []);
        assert!(bench.home().audit().await.unwrap().is_clean(), "what is parked is not stuck");
        bench.crash().await;
    }
    assert_eq!(bench.home().release(&crm(), "none", false, now(bench)).await.unwrap(), None);
    assert_eq!(bench.home().release(&crm(), "a", false, now(bench)).await.unwrap(), Some(2));
    assert_eq!(bench.home().release(&crm(), "a", false, now(bench)).await.unwrap(), None, "it is no longer parked");
    assert_eq!(names(&leasing::all(bench, &crm()).await), ["a2", "b1"]);
    assert_eq!(waiting(bench, &crm()).await, (3, 1));
}

pub(super) async fn a_parked_key_goes_on_once_its_dead_letter_is_replayed_and_made(bench: &mut dyn Bench) {
    for released in [false, true] {
        let (first, second) = if released { ("b1", "b2") } else { ("a1", "a2") };
        let mut held = append(bench, &[first, second]).await;
        let lease = held.pop().unwrap();
        let id = lease.id;
        park(bench, lease).await;
        if released {
            assert_eq!(bench.home().release(&crm(), "b", true, now(bench)).await.unwrap(), Some(1));
        } else {
            let replayed = bench.home().replay(id, now(bench)).await.unwrap().unwrap();
            assert!(replayed.replayed && !replayed.waits);
        }
        assert_eq!(bench.home().parked(None, 10).await.unwrap(), []);
        for name in [first, second] {
            let mut leases = leasing::all(bench, &crm()).await;
            assert_eq!(names(&leases), [name]);
            bench.home().ack(leases.pop().unwrap(), success(1), None).await.unwrap();
        }
    }
}

pub(super) async fn a_replayed_delivery_takes_its_old_place(bench: &mut dyn Bench) {
    let mut held = append(bench, &["a1", "a2", "a3", "a4"]).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let lease = held.pop().unwrap();
        ids.push(lease.id);
        bench.home().dead_letter(lease, death(Reason::Rejected, now(bench))).await.unwrap();
        held = leasing::all(bench, &crm()).await;
    }
    assert_eq!(names(&held), ["a3"]);
    // While a3 is put off, both come back, the younger first.
    let later = now(bench).after(std::time::Duration::from_secs(60));
    for id in ids.iter().rev() {
        assert!(bench.home().replay(*id, now(bench)).await.unwrap().unwrap().waits);
    }
    let settled = bench.home().retry_at(held.pop().unwrap(), later, failure(1)).await.unwrap();
    assert!(settled.next_is_due, "what is older goes first");
    for name in ["a1", "a2", "a3", "a4"] {
        let mut leases = leasing::all(bench, &crm()).await;
        assert_eq!(names(&leases), [name]);
        bench.home().ack(leases.pop().unwrap(), success(1), None).await.unwrap();
    }
}

pub(super) async fn a_replay_goes_before_a_younger_one_that_nobody_has(bench: &mut dyn Bench) {
    let mut held = append(bench, &["a1", "a2", "a3"]).await;
    let lease = held.pop().unwrap();
    let id = lease.id;
    bench.home().dead_letter(lease, death(Reason::Rejected, now(bench))).await.unwrap();
    let younger = leasing::all(bench, &crm()).await.pop().unwrap();
    let later = now(bench).after(std::time::Duration::from_secs(3600));
    bench.home().retry_at(younger, later, failure(1)).await.unwrap();
    assert!(!bench.home().replay(id, now(bench)).await.unwrap().unwrap().waits);
    for name in ["a1", "a2", "a3"] {
        bench.crash().await;
        let mut leases = leasing::all(bench, &crm()).await;
        assert_eq!(names(&leases), [name]);
        bench.home().ack(leases.pop().unwrap(), success(1), None).await.unwrap();
    }
}

pub(super) async fn what_is_in_flight_is_not_overtaken_by_a_replay(bench: &mut dyn Bench) {
    let mut held = append(bench, &["a1", "a2"]).await;
    let lease = held.pop().unwrap();
    let id = lease.id;
    bench.home().dead_letter(lease, death(Reason::Rejected, now(bench))).await.unwrap();
    let mut flying = leasing::all(bench, &crm()).await;
    assert_eq!(names(&flying), ["a2"]);
    assert!(bench.home().replay(id, now(bench)).await.unwrap().unwrap().waits);
    assert_eq!(names(&leasing::all(bench, &crm()).await), Vec::<String>::new());
    let settled = bench.home().ack(flying.pop().unwrap(), success(1), None).await.unwrap();
    assert!(settled.next_is_due);
    assert_eq!(names(&leasing::all(bench, &crm()).await), ["a1"]);
}

pub(super) async fn a_retired_lane_leaves_no_key_parked(bench: &mut dyn Bench) {
    let mut held = append(bench, &["a1", "a2", "a3"]).await;
    park(bench, held.pop().unwrap()).await;
    let retired = bench.home().retire(&[], now(bench)).await.unwrap();
    assert_eq!(retired[0].count, 2);
    assert_eq!(bench.home().parked(None, 10).await.unwrap(), []);
    assert_eq!(waiting(bench, &crm()).await, (0, 3));
    assert_eq!(names(&append(bench, &["a4"]).await), ["a4"], "the lane is there again");
}

/// Appends events, each in order with those whose names begin with the same letter. The leases.
async fn append(bench: &dyn Bench, names: &[&str]) -> Vec<Lease> {
    let wanted: Vec<_> = names.iter().map(|name| Wanted::new(name, &[crm()]).in_order_with(&name[..1])).collect();
    bench.home().append(sample::append(&wanted)).await.unwrap().leases
}

async fn park(bench: &dyn Bench, lease: Lease) -> crate::queue::Settled {
    let death = Death { park: true, attempt: Some(failure(1)), ..death(Reason::Rejected, now(bench)) };
    bench.home().dead_letter(lease, death).await.unwrap()
}

fn names(leases: &[Lease]) -> Vec<String> {
    leases.iter().map(|lease| lease.event.id().to_owned()).collect()
}

fn crm() -> Lane {
    lane("crm")
}

fn now(bench: &dyn Bench) -> Timestamp {
    bench.clock().now()
}
