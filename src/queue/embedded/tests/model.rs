//! Random sequences of calls, against a model that is a few maps.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::Home;
use crate::model::{Clock, DeliveryId, Lane, Reason, Timestamp};
use crate::queue::conformance::{
    Bench,
    sample::{self, Wanted, failure, lane},
};
use crate::queue::{Admission, Lease, Queue, Retired};

const WINDOW: Duration = Duration::from_secs(30);

/// One call.
#[derive(Debug, Clone)]
enum Op {
    /// Events by a number that stands for their key, whether it is remembered, and their lanes (bits).
    Append(Vec<(u8, bool, u8)>),
    Lease(u8, usize),
    Ack(Index),
    Retry(Index, u64),
    Kill(Index),
    Drop(Index),
    Retire(u8),
    Forget,
    Advance(u64),
    Crash,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Delivery {
    lane: Lane,
    due_at: Timestamp,
    attempts: u32,
    /// In which order it was accepted.
    order: usize,
}

#[derive(Debug, Default)]
struct Model {
    pending: BTreeMap<DeliveryId, Delivery>,
    /// In which order they died, and after how many attempts.
    dead: Vec<(DeliveryId, Lane, Reason, u32)>,
    remembered: BTreeMap<(String, String), Timestamp>,
    accepted: usize,
}

/// The home, the model, and the leases that are held.
struct Pair {
    home: Home,
    model: Model,
    /// Each with the order of its delivery: an id can be pending a second time while a lease of the first lives.
    held: Vec<(Lease, usize)>,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let index = any::<Index>;
    let event = (0..6u8, any::<bool>(), 1..8u8);
    let op = prop_oneof![
        5 => prop::collection::vec(event, 1..4).prop_map(Op::Append),
        4 => (0..3u8, 0..4usize).prop_map(|(lane, max)| Op::Lease(lane, max)),
        4 => index().prop_map(Op::Ack),
        3 => (index(), 0..20u64).prop_map(|(index, seconds)| Op::Retry(index, seconds)),
        2 => index().prop_map(Op::Kill),
        2 => index().prop_map(Op::Drop),
        1 => (0..8u8).prop_map(Op::Retire),
        1 => Just(Op::Forget),
        2 => (0..40u64).prop_map(Op::Advance),
        1 => Just(Op::Crash),
    ];
    prop::collection::vec(op, 1..40)
}

fn lanes(bits: u8) -> Vec<Lane> {
    let all = [lane("crm"), lane("erp"), Lane::new("refunds", "crm")];
    all.into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, lane)| lane).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_home_does_what_the_model_does(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair { home: Home::new(), model: Model::default(), held: Vec::new() };
            for op in ops {
                pair.step(op).await;
                pair.compare().await;
            }
        });
    }
}

impl Pair {
    async fn step(&mut self, op: Op) {
        let (queue, now) = (self.home.home(), self.home.clock.now());
        match op {
            Op::Append(events) => self.append(&events).await,
            Op::Lease(lane, max) => self.lease(&lanes(1 << lane)[0], max).await,
            Op::Ack(index) => {
                let Some((lease, order)) = self.take(index) else { return };
                self.model.made(lease.id, order);
                queue.ack(lease).await.unwrap();
            }
            Op::Retry(index, seconds) => {
                let Some((lease, order)) = self.take(index) else { return };
                let at = now.after(Duration::from_secs(seconds));
                self.model.attempted(lease.id, order, Some(at));
                queue.retry_at(lease, at, failure(1)).await.unwrap();
            }
            Op::Kill(index) => {
                let Some((lease, order)) = self.take(index) else { return };
                self.model.attempted(lease.id, order, None);
                self.model.bury(lease.id, order, Reason::Rejected);
                queue.dead_letter(lease, Reason::Rejected, now, Some(failure(1))).await.unwrap();
            }
            Op::Drop(index) => drop(self.take(index)),
            Op::Retire(kept) => {
                let retired = self.model.retire(&lanes(kept));
                assert_eq!(queue.retire(&lanes(kept), now).await.unwrap(), retired);
            }
            Op::Forget => {
                let before = self.model.remembered.len();
                self.model.remembered.retain(|_, until| *until > now);
                let forgotten = before - self.model.remembered.len();
                assert_eq!(queue.forget(now).await.unwrap(), forgotten as u64);
            }
            Op::Advance(seconds) => self.home.clock.advance(Duration::from_secs(seconds)),
            Op::Crash => {
                self.held.clear();
                self.home.crash().await;
            }
        }
    }

    async fn append(&mut self, events: &[(u8, bool, u8)]) {
        let now = self.home.clock.now();
        let wanted: Vec<_> = events
            .iter()
            .map(|(key, remember, bits)| Wanted {
                key: format!("key-{key}"),
                remember_until: remember.then(|| now.after(WINDOW)),
                lanes: lanes(*bits),
            })
            .collect();
        let expected: Vec<_> = wanted.iter().map(|wanted| self.model.admit(wanted, now)).collect();
        let appended = self.home.queue.append(sample::append(&wanted)).await.unwrap();
        let admissions: Vec<_> = expected.iter().map(|(admission, _)| *admission).collect();
        let new: Vec<_> = expected.into_iter().flat_map(|(_, ids)| ids).collect();
        assert_eq!(appended.admissions, admissions);
        assert_eq!(appended.leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), new);
        self.hold(appended.leases);
    }

    async fn lease(&mut self, lane: &Lane, max: usize) {
        let now = self.home.clock.now();
        let mut free: Vec<_> = self
            .model
            .pending
            .iter()
            .filter(|(_, delivery)| {
                delivery.lane == *lane && self.held.iter().all(|(_, order)| *order != delivery.order)
            })
            .map(|(id, delivery)| (delivery.due_at, delivery.order, *id, delivery.attempts))
            .collect();
        free.sort();
        let due = free.iter().filter(|(due_at, ..)| *due_at <= now).count().min(max);
        let leased = self.home.queue.lease(lane, max, now).await.unwrap();
        let seen: Vec<_> = leased.leases.iter().map(|lease| (lease.id, lease.attempts)).collect();
        assert_eq!(seen, free[..due].iter().map(|(_, _, id, attempts)| (*id, *attempts)).collect::<Vec<_>>());
        assert_eq!(leased.next_due, free.get(due).map(|(due_at, ..)| *due_at));
        self.hold(leased.leases);
    }

    fn hold(&mut self, leases: Vec<Lease>) {
        self.held.extend(leases.into_iter().map(|lease| {
            let order = self.model.pending[&lease.id].order;
            (lease, order)
        }));
    }

    fn take(&mut self, index: Index) -> Option<(Lease, usize)> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(index.index(self.held.len())))
    }

    async fn compare(&self) {
        let mut counts = BTreeMap::<Lane, (u64, u64)>::new();
        self.model.pending.values().for_each(|delivery| counts.entry(delivery.lane.clone()).or_default().0 += 1);
        self.model.dead.iter().for_each(|(_, lane, ..)| counts.entry(lane.clone()).or_default().1 += 1);
        let depths: BTreeMap<_, _> =
            self.home.queue.depths().into_iter().map(|depth| (depth.lane, (depth.pending, depth.dead))).collect();
        assert_eq!(depths, counts);
        let letters = self.home.queue.dead_letters(None, 1000).await.unwrap();
        let letters: Vec<_> =
            letters.into_iter().rev().map(|letter| (letter.id, letter.lane, letter.reason, letter.attempts)).collect();
        let mut dead = self.model.dead.clone();
        let mut seen = letters.clone();
        // Several of one retirement die in no particular order.
        dead.sort_by_key(|(id, ..)| *id);
        seen.sort_by_key(|(id, ..)| *id);
        assert_eq!(seen, dead);
    }
}

impl Model {
    fn admit(&mut self, wanted: &Wanted, now: Timestamp) -> (Admission, Vec<DeliveryId>) {
        if let Some(until) = wanted.remember_until {
            let key = (wanted.lanes[0].route.to_string(), wanted.key.clone());
            if self.remembered.get(&key).is_some_and(|until| *until > now) {
                return (Admission::Duplicate, Vec::new());
            }
            self.remembered.insert(key, until);
        }
        let mut new = Vec::new();
        for lane in &wanted.lanes {
            let id = DeliveryId::new(&wanted.key, lane);
            if self.pending.contains_key(&id) {
                continue;
            }
            self.dead.retain(|(dead, ..)| *dead != id);
            let delivery = Delivery { lane: lane.clone(), due_at: now, attempts: 0, order: self.accepted };
            self.accepted += 1;
            self.pending.insert(id, delivery);
            new.push(id);
        }
        (if new.is_empty() { Admission::Duplicate } else { Admission::Accepted }, new)
    }

    fn pending(&mut self, id: DeliveryId, order: usize) -> Option<&mut Delivery> {
        self.pending.get_mut(&id).filter(|delivery| delivery.order == order)
    }

    fn made(&mut self, id: DeliveryId, order: usize) {
        if self.pending(id, order).is_some() {
            self.pending.remove(&id);
        } else {
            self.dead.retain(|(dead, ..)| *dead != id);
        }
    }

    fn attempted(&mut self, id: DeliveryId, order: usize, due_at: Option<Timestamp>) {
        if let Some(delivery) = self.pending(id, order) {
            delivery.attempts += 1;
            delivery.due_at = due_at.unwrap_or(delivery.due_at);
        } else if let Some(dead) = self.dead.iter_mut().find(|(dead, ..)| *dead == id) {
            dead.3 += 1;
        }
    }

    fn bury(&mut self, id: DeliveryId, order: usize, reason: Reason) {
        if let Some(delivery) = self.pending(id, order).cloned() {
            self.pending.remove(&id);
            self.dead.push((id, delivery.lane, reason, delivery.attempts));
        }
    }

    fn retire(&mut self, kept: &[Lane]) -> Vec<Retired> {
        let strays: Vec<_> =
            self.pending.iter().filter(|(_, delivery)| !kept.contains(&delivery.lane)).map(|(id, _)| *id).collect();
        let mut retired: BTreeMap<Lane, Retired> = BTreeMap::new();
        for id in &strays {
            let Delivery { lane, order, .. } = self.pending[id].clone();
            let known = kept.iter().any(|kept| kept.route == lane.route);
            let reason = if known { Reason::DeliveryRemoved } else { Reason::RouteRemoved };
            self.bury(*id, order, reason);
            retired.entry(lane.clone()).or_insert(Retired { lane, reason, count: 0 }).count += 1;
        }
        retired.into_values().collect()
    }
}
