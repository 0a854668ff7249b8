//! What people do.

use std::time::Duration;

use super::sample::{self, Wanted, death, failure, lane, success};
use super::{Bench, dead_letters, leasing, waiting};
use crate::model::{Clock, DeliveryId, Reason, Timestamp};
use crate::queue::{Action, Death, JobState, Lease, NewDelivery, Selection, StateKind};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn a_dead_letter_is_replayed_with_a_fresh_budget(bench: &mut dyn Bench) {
    let accepted_at = now(bench);
    let lease = append(bench, "a").await;
    let id = lease.id;
    let death = Death { attempt: Some(failure(1)), ..death(Reason::AttemptsExhausted, accepted_at) };
    bench.home().dead_letter(lease, death).await.unwrap();
    bench.clock().advance(MINUTE);
    let replayed = bench.home().replay(id, now(bench)).await.unwrap().unwrap();
    assert_eq!((replayed.id, &replayed.lane, replayed.replayed, replayed.waits), (id, &lane("crm"), true, false));
    let again = bench.home().replay(id, now(bench)).await.unwrap().unwrap();
    assert!(!again.replayed, "it is pending already");
    for _ in 0..2 {
        let lease = leasing::all(bench, &lane("crm")).await.pop().unwrap();
        assert_eq!((lease.id, lease.attempts), (id, 0), "it keeps its spent attempts");
        assert_eq!((lease.accepted_at, lease.since), (accepted_at, now(bench)));
        drop(lease);
        assert_eq!(waiting(bench, &lane("crm")).await, (1, 0));
        bench.crash().await;
    }
    let record = bench.home().delivery(id).await.unwrap().unwrap();
    assert_eq!((record.replayed_at, record.attempts), (Some(now(bench)), 0));
    assert_eq!(record.history, [failure(1)], "what happened before is not forgotten");
    let other = DeliveryId::new("none", &lane("crm"));
    assert_eq!(bench.home().replay(other, now(bench)).await.unwrap(), None);
}

pub(super) async fn what_was_delivered_is_replayed(bench: &mut dyn Bench) {
    let lease = append(bench, "a").await;
    let id = lease.id;
    bench.home().ack(lease, success(1), Some(now(bench).after(MINUTE))).await.unwrap();
    assert!(bench.home().replay(id, now(bench)).await.unwrap().unwrap().replayed);
    let lease = leasing::all(bench, &lane("crm")).await.pop().unwrap();
    assert_eq!((lease.id, lease.attempts), (id, 0));
    bench.home().ack(lease, success(1), Some(now(bench).after(MINUTE))).await.unwrap();
    let record = bench.home().delivery(id).await.unwrap().unwrap();
    assert_eq!(record.history, [success(1), success(1)]);
    assert_eq!(waiting(bench, &lane("crm")).await, (0, 0));
}

pub(super) async fn an_event_is_delivered_to_a_further_lane(bench: &mut dyn Bench) {
    let to = |lane| NewDelivery { lane, order_key: None };
    let leases = bench.home().append(sample::one("a", &[lane("crm"), lane("erp")])).await.unwrap().leases;
    let mut ids: Vec<_> = leases.iter().map(|lease| lease.id).collect();
    for lease in leases {
        if *lease.lane.delivery == *"crm" {
            bench.home().ack(lease, success(1), Some(now(bench).after(MINUTE))).await.unwrap();
        }
    }
    let number = bench.home().event("a").await.unwrap()[0].number;
    let lanes = vec![to(lane("crm")), to(lane("erp")), to(lane("new"))];
    let done = bench.home().redeliver(number, lanes, now(bench)).await.unwrap().unwrap();
    ids.push(DeliveryId::new("a", &lane("new")));
    assert_eq!(done.iter().map(|each| each.id).collect::<Vec<_>>(), ids);
    assert_eq!(done.iter().map(|each| each.replayed).collect::<Vec<_>>(), [true, false, true]);
    bench.crash().await;
    for name in ["crm", "erp", "new"] {
        let leases = leasing::all(bench, &lane(name)).await;
        assert_eq!(leases.len(), 1, "{name}");
        assert_eq!(leases[0].event.id(), "a");
    }
    assert_eq!(waiting(bench, &lane("new")).await, (1, 0));
    assert_eq!(bench.home().redeliver(number + 1, vec![to(lane("crm"))], now(bench)).await.unwrap(), None);
}

pub(super) async fn a_purged_dead_letter_is_gone(bench: &mut dyn Bench) {
    let (lease, pending) = (append(bench, "a").await, append(bench, "b").await);
    let id = lease.id;
    bench.home().dead_letter(lease, death(Reason::Rejected, now(bench))).await.unwrap();
    assert!(!bench.home().purge(pending.id).await.unwrap(), "it is not dead");
    assert!(bench.home().purge(id).await.unwrap());
    assert!(!bench.home().purge(id).await.unwrap());
    for _ in 0..2 {
        assert!(bench.home().event("a").await.unwrap().is_empty());
        assert_eq!(bench.home().delivery(id).await.unwrap(), None);
        assert_eq!(waiting(bench, &lane("crm")).await, (1, 0));
        bench.crash().await;
    }
}

pub(super) async fn a_job_replays_what_it_means_and_nothing_that_died_later(bench: &mut dyn Bench) {
    kill(bench, 0..700, Reason::Rejected).await;
    kill(bench, 700..1000, Reason::Expired).await;
    bench.clock().advance(MINUTE);
    let selection = Selection { reason: Some(Reason::Rejected), ..Selection::default() };
    let job = bench.home().begin(Action::Replay, selection.clone(), now(bench)).await.unwrap();
    assert_eq!((job.state, job.total, job.changed), (JobState::Running, 1000, 0));
    bench.clock().advance(MINUTE);
    kill(bench, 1000..1100, Reason::Rejected).await;
    let (mut steps, mut changed) = (0, 0);
    let job = loop {
        let step = bench.home().step(job.id, now(bench)).await.unwrap().unwrap();
        assert_eq!(step.lanes.len(), usize::from(step.job.changed > changed), "lanes with work are named");
        changed = step.job.changed;
        steps += 1;
        // What was replayed dies again while the job is under way: once is enough.
        for lease in bench.home().lease(&lane("crm"), 10, now(bench)).await.unwrap().leases {
            bench.home().dead_letter(lease, death(Reason::Rejected, now(bench))).await.unwrap();
        }
        if step.job.state == JobState::Done {
            break step.job;
        }
    };
    assert!(steps > 1, "a job comes in steps");
    assert_eq!((job.changed, job.done_at), (700, Some(now(bench))));
    assert_eq!(bench.home().jobs().await.unwrap(), [job]);
    let (pending, dead) = waiting(bench, &lane("crm")).await;
    assert_eq!(pending + dead, 1100);
    assert!(pending >= 700 - 10 * steps);
    let job = bench.home().begin(Action::Purge, selection, now(bench)).await.unwrap();
    while bench.home().step(job.id, now(bench)).await.unwrap().unwrap().job.state == JobState::Running {}
    assert!(dead_letters(bench).await.iter().all(|letter| letter.event.id.as_ref() >= "e0700"));
    assert_eq!(waiting(bench, &lane("crm")).await, (pending, 300));
}

pub(super) async fn a_job_can_be_stopped_and_goes_on_after_a_crash(bench: &mut dyn Bench) {
    kill(bench, 0..600, Reason::Rejected).await;
    let all = Selection { state: Some(StateKind::Dead), ..Selection::default() };
    let job = bench.home().begin(Action::Replay, all, now(bench)).await.unwrap();
    let part = bench.home().step(job.id, now(bench)).await.unwrap().unwrap().job;
    assert!(part.changed > 0 && part.changed < 600);
    let stopped = bench.home().switch(job.id, false).await.unwrap().unwrap();
    assert_eq!((stopped.state, stopped.changed), (JobState::Stopped, part.changed));
    let idle = bench.home().step(job.id, now(bench)).await.unwrap().unwrap();
    assert_eq!((idle.job, idle.lanes), (stopped, vec![]), "a stopped job does nothing");
    bench.crash().await;
    assert_eq!(bench.home().jobs().await.unwrap()[0].state, JobState::Stopped);
    bench.home().switch(job.id, true).await.unwrap();
    bench.crash().await;
    let job = loop {
        let step = bench.home().step(job.id, now(bench)).await.unwrap().unwrap();
        if step.job.state == JobState::Done {
            break step.job;
        }
    };
    assert_eq!((job.changed, job.examined), (600, 600));
    assert_eq!(waiting(bench, &lane("crm")).await, (600, 0));
    assert_eq!(bench.home().switch(job.id, true).await.unwrap().unwrap().state, JobState::Done);
    assert_eq!(bench.home().step(crate::queue::JobId(99), now(bench)).await.unwrap(), None);
    let pending = Selection { state: Some(StateKind::Pending), ..Selection::default() };
    assert!(bench.home().begin(Action::Purge, pending, now(bench)).await.is_err());
    let delivered = Selection { state: Some(StateKind::Delivered), ..Selection::default() };
    assert!(bench.home().begin(Action::Purge, delivered, now(bench)).await.is_err());
}

pub(super) async fn an_old_lease_does_not_end_a_replayed_delivery(bench: &mut dyn Bench) {
    let (old, id) = {
        let lease = append(bench, "a").await;
        let id = lease.id;
        (lease, id)
    };
    bench.home().retire(&[], now(bench)).await.unwrap();
    bench.home().replay(id, now(bench)).await.unwrap();
    let new = leasing::all(bench, &lane("crm")).await.pop().unwrap();
    let settled = bench.home().ack(old, success(1), None).await.unwrap();
    assert!(!settled.was_pending);
    assert!(leasing::all(bench, &lane("crm")).await.is_empty(), "the new lease has it");
    assert_eq!(waiting(bench, &lane("crm")).await, (1, 0));
    assert!(bench.home().ack(new, success(1), None).await.unwrap().was_pending);
    assert_eq!(waiting(bench, &lane("crm")).await, (0, 0));
}

/// Appends events, and gives their deliveries up.
async fn kill(bench: &dyn Bench, numbers: std::ops::Range<u32>, reason: Reason) {
    let wanted: Vec<_> = numbers.map(|n| Wanted::new(&format!("e{n:04}"), &[lane("crm")])).collect();
    let leases = bench.home().append(sample::append(&wanted)).await.unwrap().leases;
    let (home, at) = (bench.home(), now(bench));
    futures_util::future::join_all(leases.into_iter().map(|lease| home.dead_letter(lease, death(reason, at)))).await;
}

async fn append(bench: &dyn Bench, key: &str) -> Lease {
    bench.home().append(sample::one(key, &[lane("crm")])).await.unwrap().leases.pop().unwrap()
}

fn now(bench: &dyn Bench) -> Timestamp {
    bench.clock().now()
}
