//! What the ledger says.

use std::time::Duration;

use super::sample::{self, Wanted, death, failure, lane, success};
use super::{Bench, leasing, waiting};
use crate::model::{Clock, Reason};
use crate::queue::{LaneCounts, RouteCounts, Tally};

pub(super) async fn the_counts_are_of_the_same_commit(bench: &mut dyn Bench) {
    let (home, now) = (bench.home(), bench.clock().now());
    let held = home.append(sample::one("a", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    drop(home.append(sample::one("b", &[lane("crm"), lane("erp")])).await.unwrap());
    let dying = home.append(sample::one("c", &[lane("crm")])).await.unwrap().leases.pop().unwrap();
    home.dead_letter(dying, death(Reason::Transform, now)).await.unwrap();
    assert_eq!(waiting(bench, &lane("crm")).await, (2, 1), "what is claimed counts");
    home.retry_at(held, now, failure(1)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(waiting(bench, &lane("crm")).await, (2, 1));
        assert_eq!(waiting(bench, &lane("erp")).await, (1, 0));
        bench.crash().await;
    }
}

pub(super) async fn every_event_has_one_fate(bench: &mut dyn Bench) {
    let (home, now) = (bench.home(), bench.clock().now());
    let until = now.after(Duration::from_secs(60));
    let wanted = ["a", "b", "a"].map(|key| Wanted::new(key, &[lane("crm")]).remembered(until));
    let mut batch = sample::append(&wanted);
    batch.tally = Tally { received: 5, filtered: 2, invalid: 0 };
    drop(home.append(batch).await.unwrap());
    home.count("orders".into(), Tally { received: 1, filtered: 0, invalid: 1 }).await.unwrap();
    home.count("refunds".into(), Tally { received: 3, filtered: 3, invalid: 0 }).await.unwrap();
    for _ in 0..2 {
        let ledger = bench.home().ledger();
        let orders = RouteCounts { received: 6, accepted: 2, filtered: 2, duplicate: 1, invalid: 1 };
        let refunds = RouteCounts { received: 3, filtered: 3, ..RouteCounts::default() };
        assert_eq!((ledger.route("orders"), ledger.route("refunds")), (orders, refunds));
        assert_eq!(ledger.route("none"), RouteCounts::default());
        bench.crash().await;
    }
}

pub(super) async fn every_delivery_has_one_fate(bench: &mut dyn Bench) {
    let (home, now) = (bench.home(), bench.clock().now());
    let keys = ["a", "b", "c", "d", "e"].map(|key| Wanted::new(key, &[lane("crm")]));
    let mut leases = home.append(sample::append(&keys)).await.unwrap().leases;
    let ids: Vec<_> = leases.iter().map(|lease| lease.id).collect();
    home.ack(leases.remove(0), success(1), Some(now.after(Duration::from_secs(60)))).await.unwrap();
    home.ack(leases.remove(0), success(1), None).await.unwrap();
    home.dead_letter(leases.remove(0), death(Reason::Rejected, now)).await.unwrap();
    home.dead_letter(leases.remove(0), death(Reason::Rejected, now)).await.unwrap();
    assert!(home.purge(ids[2]).await.unwrap());
    // Delivered, kept, and to be made again: it is taken on once more.
    assert!(home.replay(ids[0], now).await.unwrap().unwrap().replayed);
    drop(leases);
    for _ in 0..2 {
        let counts = bench.home().ledger().lane(&lane("crm"));
        assert_eq!(counts.difference(), 0);
        let sizes = LaneCounts { pending_bytes: 0, dead_bytes: 0, kept_bytes: 0, ..counts };
        let expected = LaneCounts {
            accepted: 6,
            delivered: 2,
            dead: 1,
            pending: 2,
            purged: 1,
            replayed: 1,
            ..LaneCounts::default()
        };
        assert_eq!(sizes, expected);
        assert!(counts.pending_bytes > 0 && counts.dead_bytes > 0 && counts.kept_bytes == 0);
        bench.crash().await;
    }
}

pub(super) async fn an_audit_finds_what_the_ledger_says(bench: &mut dyn Bench) {
    assert!(bench.home().audit().await.unwrap().is_clean(), "an empty home");
    let wanted: Vec<_> =
        (0..20).map(|n| Wanted::new(&format!("e{n}"), &[lane("crm"), lane("erp")]).in_order_with("k")).collect();
    drop(bench.home().append(sample::append(&wanted)).await.unwrap());
    bench.crash().await;
    for lane in [lane("crm"), lane("erp")] {
        let leases = leasing::all(bench, &lane).await;
        assert_eq!(leases.len(), 1);
        for lease in leases {
            bench.home().ack(lease, success(1), None).await.unwrap();
        }
    }
    let audit = bench.home().audit().await.unwrap();
    assert!(audit.is_clean(), "{audit:#?}");
    assert_eq!(audit.found(&lane("crm")).pending, 19);
}
