//! What leasing does.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::Bench;
use super::sample::{self, Wanted, lane};
use crate::model::{Clock, Lane};
use crate::queue::Lease;

const LATER: Duration = Duration::from_secs(10);

pub(super) async fn a_claimed_delivery_is_not_leased(bench: &mut dyn Bench) {
    let appended = bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap();
    let leased = bench.home().lease(&lane("crm"), 10, bench.clock().now()).await.unwrap();
    assert!(leased.leases.is_empty());
    assert_eq!(leased.next_due, None, "what is claimed is announced as due");
    drop(appended);
}

pub(super) async fn a_dropped_lease_goes_back(bench: &mut dyn Bench) {
    drop(bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap());
    for _ in 0..3 {
        let leased = all(bench, &lane("crm")).await;
        assert_eq!(leased.len(), 1);
        assert_eq!(leased[0].attempts, 0);
    }
}

pub(super) async fn a_claim_ends_with_the_process(bench: &mut dyn Bench) {
    let held = bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap();
    bench.crash().await;
    assert_eq!(all(bench, &lane("crm")).await.len(), 1);
    drop(held);
}

pub(super) async fn what_is_due_first_is_leased_first(bench: &mut dyn Bench) {
    let now = bench.clock().now();
    let wanted: Vec<_> = ["a", "b", "c", "d"].map(|key| Wanted::new(key, &[lane("crm")])).into();
    let appended = bench.home().append(sample::append(&wanted)).await.unwrap();
    // `d` is left as it is: due since it was accepted.
    for (lease, seconds) in appended.leases.into_iter().zip([30, 10, 20]) {
        let at = now.after(Duration::from_secs(seconds));
        bench.home().retry_at(lease, at, sample::failure(1)).await.unwrap();
    }
    bench.clock().advance(Duration::from_secs(60));
    for crashed in [false, true] {
        if crashed {
            bench.crash().await;
        }
        let order: Vec<_> = all(bench, &lane("crm")).await.iter().map(|lease| lease.event.id().to_owned()).collect();
        assert_eq!(order, ["d", "b", "c", "a"], "after a crash: {crashed}");
    }
}

pub(super) async fn what_is_not_due_is_announced(bench: &mut dyn Bench) {
    let home = bench.home();
    let due = bench.clock().now().after(LATER);
    let lease = home.append(sample::one("a", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    home.retry_at(lease, due, sample::failure(1)).await.unwrap();
    let leased = home.lease(&lane("crm"), 10, bench.clock().now()).await.unwrap();
    assert!(leased.leases.is_empty());
    assert_eq!(leased.next_due, Some(due));
    let leased = home.lease(&lane("crm"), 10, due).await.unwrap();
    assert_eq!((leased.leases.len(), leased.next_due), (1, None));
}

pub(super) async fn more_than_asked_for_is_announced(bench: &mut dyn Bench) {
    let now = bench.clock().now();
    let wanted: Vec<_> = ["a", "b", "c"].map(|key| Wanted::new(key, &[lane("crm")])).into();
    drop(bench.home().append(sample::append(&wanted)).await.unwrap());
    let none = bench.home().lease(&lane("crm"), 0, now).await.unwrap();
    assert_eq!((none.leases.len(), none.next_due), (0, Some(now)));
    let two = bench.home().lease(&lane("crm"), 2, now).await.unwrap();
    assert_eq!((two.leases.len(), two.next_due), (2, Some(now)));
    let last = bench.home().lease(&lane("crm"), 2, now).await.unwrap();
    assert_eq!((last.leases.len(), last.next_due), (1, None));
}

pub(super) async fn no_delivery_is_leased_twice_at_once(bench: &mut dyn Bench) {
    let wanted: Vec<_> = (0..30).map(|n| Wanted::new(&format!("e{n}"), &[lane("crm")])).collect();
    drop(bench.home().append(sample::append(&wanted)).await.unwrap());
    let (home, crm, now) = (bench.home(), lane("crm"), bench.clock().now());
    // While some lease, others end what they have: what a reader saw may be gone when it comes to claim.
    let workers = (0..6).map(|_| async {
        let mut made = Vec::new();
        loop {
            let leased = home.lease(&crm, 2, now).await.unwrap();
            let (none, due) = (leased.leases.is_empty(), leased.next_due.is_some());
            for lease in leased.leases {
                made.push(lease.id);
                home.ack(lease, sample::success(1), None).await.unwrap();
            }
            if none && !due {
                return made;
            }
        }
    });
    let made: Vec<_> = join_all(workers).await.into_iter().flatten().collect();
    assert_eq!(made.len(), 30);
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), 30);
    assert_eq!(home.ledger().pending(), 0);
}

pub(super) async fn lanes_do_not_mix(bench: &mut dyn Bench) {
    drop(bench.home().append(sample::one("a", &[lane("crm")])).await.unwrap());
    for other in [lane("erp"), Lane::new("refunds", "crm")] {
        let leased = bench.home().lease(&other, 10, bench.clock().now()).await.unwrap();
        assert_eq!((leased.leases.len(), leased.next_due), (0, None));
    }
}

/// Leases everything that is due in a lane.
pub(super) async fn all(bench: &dyn Bench, lane: &Lane) -> Vec<Lease> {
    let leased = bench.home().lease(lane, usize::MAX, bench.clock().now()).await.unwrap();
    assert_eq!(leased.next_due, None);
    leased.leases
}
