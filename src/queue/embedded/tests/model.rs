//! Random sequences of calls, against a model that is a few maps: what is appended, leased, made, put off, given up,
//! parked, replayed, purged and forgotten, through crashes and reloads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::Home;
use crate::model::{Clock, DeliveryId, Lane, Reason, Timestamp};
use crate::queue::conformance::{
    Bench,
    sample::{self, Wanted, death, failure, lane, success},
};
use crate::queue::{
    Action, Admission, Archive, Control, Death, Forgotten, JobState, LaneCounts, Lease, Queue, Retired, Selection,
    State, StateKind,
};

const WINDOW: Duration = Duration::from_secs(30);
const RETAIN: Duration = Duration::from_secs(25);

/// One call.
#[derive(Debug, Clone)]
enum Op {
    /// Events by a number that stands for their key, whether it is remembered, their lanes (bits) and their order key.
    Append(Vec<(u8, bool, u8, u8)>),
    Lease(u8, usize),
    Ack(Index, bool),
    Retry(Index, u64),
    Kill(Index, bool),
    Drop(Index),
    Retire(u8),
    Forget,
    Advance(u64),
    Replay(Index),
    Purge(Index),
    Release(u8, u8, bool),
    Job(bool, u8),
    Crash,
}

/// A delivery is known by the order in which it was accepted.
type Order = usize;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Delivery {
    id: DeliveryId,
    lane: Lane,
    key: Option<String>,
    attempts: u32,
}

#[derive(Debug)]
struct Pending {
    delivery: Delivery,
    /// `None` where it waits for another of its key.
    due_at: Option<Timestamp>,
    /// Which of its times in the queue this is: a lease of an earlier one is old.
    stay: usize,
}

#[derive(Debug, Default)]
struct Model {
    pending: BTreeMap<Order, Pending>,
    dead: BTreeMap<Order, (Delivery, Reason)>,
    done: BTreeMap<Order, (Delivery, Timestamp)>,
    parked: BTreeMap<(Lane, String), Order>,
    remembered: BTreeMap<(String, String), Timestamp>,
    counts: BTreeMap<Lane, LaneCounts>,
    accepted: Order,
    stays: usize,
    /// The stays of which leases are held.
    claimed: BTreeSet<usize>,
}

/// A lease, with the order of its delivery and the stay that it is of.
struct Held(Lease, Order, usize);

struct Pair {
    home: Home,
    model: Model,
    held: Vec<Held>,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let index = any::<Index>;
    let event = (0..6u8, any::<bool>(), 1..8u8, 0..4u8);
    let op = prop_oneof![
        6 => prop::collection::vec(event, 1..4).prop_map(Op::Append),
        5 => (0..3u8, 0..4usize).prop_map(|(lane, max)| Op::Lease(lane, max)),
        4 => (index(), any::<bool>()).prop_map(|(index, keep)| Op::Ack(index, keep)),
        3 => (index(), 0..20u64).prop_map(|(index, seconds)| Op::Retry(index, seconds)),
        3 => (index(), any::<bool>()).prop_map(|(index, park)| Op::Kill(index, park)),
        2 => index().prop_map(Op::Drop),
        1 => (0..8u8).prop_map(Op::Retire),
        1 => Just(Op::Forget),
        2 => (0..40u64).prop_map(Op::Advance),
        3 => index().prop_map(Op::Replay),
        1 => index().prop_map(Op::Purge),
        2 => (0..3u8, 1..4u8, any::<bool>()).prop_map(|(lane, key, replay)| Op::Release(lane, key, replay)),
        1 => (any::<bool>(), 0..3u8).prop_map(|(purge, lane)| Op::Job(purge, lane)),
        1 => Just(Op::Crash),
    ];
    prop::collection::vec(op, 1..60)
}

fn all_lanes() -> [Lane; 3] {
    [lane("crm"), lane("erp"), Lane::new("refunds", "crm")]
}

fn lanes(bits: u8) -> Vec<Lane> {
    all_lanes().into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, lane)| lane).collect()
}

/// The lanes of an event: all of one route.
fn lanes_of_event(bits: u8) -> Vec<Lane> {
    let lanes = lanes(bits);
    let route = lanes[0].route.clone();
    lanes.into_iter().filter(|lane| lane.route == route).collect()
}

fn order_key(number: u8) -> Option<String> {
    (number > 0).then(|| format!("order-{number}"))
}

fn cases() -> u32 {
    let long = std::env::var("HOOKSWITCH_LONG_TESTS").is_ok_and(|value| value != "0" && !value.is_empty());
    if long { 5_000 } else { 60 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_home_does_what_the_model_does(ops in ops(), kind in 0..3) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = match kind {
                0 => Home::new(),
                1 => Home::storing_at_once(),
                _ => Home::merging_at_once(),
            };
            let mut pair = Pair { home, model: Model::default(), held: Vec::new() };
            for op in ops {
                pair.step(op).await;
                pair.compare().await;
            }
        });
    }
}

impl Pair {
    async fn step(&mut self, op: Op) {
        self.model.claimed = self.held.iter().map(|Held(_, _, stay)| *stay).collect();
        let now = self.home.clock.now();
        match op {
            Op::Append(events) => self.append(&events).await,
            Op::Lease(lane, max) => self.lease(&all_lanes()[usize::from(lane)], max).await,
            Op::Ack(index, keep) => {
                let Some(Held(lease, order, stay)) = self.take(index) else { return };
                let keep_until = keep.then(|| now.after(RETAIN));
                let next = self.model.made(order, stay, keep_until, now);
                let settled = self.home.queue.ack(lease, success(1), keep_until).await.unwrap();
                assert_eq!((settled.was_pending, settled.next_is_due), next);
            }
            Op::Retry(index, seconds) => {
                let Some(Held(lease, order, stay)) = self.take(index) else { return };
                let at = now.after(Duration::from_secs(seconds));
                let next = self.model.put_off(order, stay, at, now);
                let settled = self.home.queue.retry_at(lease, at, failure(1)).await.unwrap();
                assert_eq!((settled.was_pending, settled.next_is_due), next);
            }
            Op::Kill(index, park) => {
                let Some(Held(lease, order, stay)) = self.take(index) else { return };
                let next = self.model.killed(order, stay, park, now);
                let death = Death { attempt: Some(failure(1)), park, ..death(Reason::Rejected, now) };
                let settled = self.home.queue.dead_letter(lease, death).await.unwrap();
                assert_eq!((settled.was_pending, settled.next_is_due), next);
            }
            Op::Drop(index) => drop(self.take(index)),
            Op::Retire(kept) => {
                let retired = self.model.retire(&lanes(kept), now);
                assert_eq!(self.home.queue.retire(&lanes(kept), now).await.unwrap(), retired);
            }
            Op::Forget => self.forget(now).await,
            Op::Advance(seconds) => self.home.clock.advance(Duration::from_secs(seconds)),
            Op::Replay(index) => self.replay(index, now).await,
            Op::Purge(index) => {
                let Some((id, order)) = self.model.any_delivery(index) else { return };
                let purged = self.model.dead.contains_key(&order);
                if purged {
                    self.model.purge(order);
                }
                assert_eq!(self.home.queue.purge(id).await.unwrap(), purged);
            }
            Op::Release(lane, key, replay) => {
                let (lane, key) = (all_lanes()[usize::from(lane)].clone(), order_key(key).unwrap());
                let released = self.model.release(&lane, &key, replay, now);
                assert_eq!(self.home.queue.release(&lane, &key, replay, now).await.unwrap(), released);
            }
            Op::Job(purge, lane) => self.job(purge, &all_lanes()[usize::from(lane)], now).await,
            Op::Crash => {
                self.held.clear();
                self.home.crash().await;
            }
        }
    }

    async fn append(&mut self, events: &[(u8, bool, u8, u8)]) {
        let now = self.home.clock.now();
        // A request is of one route.
        let route = lanes_of_event(events[0].2)[0].route.clone();
        let wanted: Vec<_> = events
            .iter()
            .filter(|(_, _, bits, _)| lanes_of_event(*bits)[0].route == route)
            .map(|(key, remember, bits, order)| Wanted {
                key: format!("key-{key}"),
                remember_until: remember.then(|| now.after(WINDOW)),
                lanes: lanes_of_event(*bits),
                order_key: order_key(*order).map(Into::into),
            })
            .collect();
        let expected: Vec<_> = wanted.iter().map(|wanted| self.model.admit(wanted, now)).collect();
        let appended = self.home.queue.append(sample::append(&wanted)).await.unwrap();
        let admissions: Vec<_> = expected.iter().map(|(admission, _)| *admission).collect();
        let new: Vec<_> = expected.into_iter().flat_map(|(_, orders)| orders).collect();
        assert_eq!(appended.admissions, admissions);
        let due: Vec<_> = new.into_iter().filter(|order| self.model.pending[order].due_at.is_some()).collect();
        let ids: Vec<_> = due.iter().map(|order| self.model.pending[order].delivery.id).collect();
        assert_eq!(appended.leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), ids);
        for (lease, order) in appended.leases.into_iter().zip(due) {
            self.held.push(Held(lease, order, self.model.pending[&order].stay));
        }
    }

    async fn lease(&mut self, lane: &Lane, max: usize) {
        let now = self.home.clock.now();
        let mut free: Vec<_> = self
            .model
            .pending
            .iter()
            .filter(|(_, pending)| pending.delivery.lane == *lane && !self.model.claimed.contains(&pending.stay))
            .filter_map(|(order, pending)| Some((pending.due_at?, *order)))
            .collect();
        free.sort_unstable();
        let due = free.iter().filter(|(due_at, _)| *due_at <= now).count().min(max);
        let leased = self.home.queue.lease(lane, max, now).await.unwrap();
        let seen: Vec<_> = leased.leases.iter().map(|lease| (lease.id, lease.attempts)).collect();
        let expected = free[..due].iter().map(|(_, order)| {
            let Delivery { id, attempts, .. } = &self.model.pending[order].delivery;
            (*id, *attempts)
        });
        assert_eq!(seen, expected.collect::<Vec<_>>());
        assert_eq!(leased.next_due, free.get(due).map(|(due_at, _)| *due_at));
        for (lease, (_, order)) in leased.leases.into_iter().zip(free) {
            self.held.push(Held(lease, order, self.model.pending[&order].stay));
        }
    }

    async fn forget(&mut self, now: Timestamp) {
        let keys = self.model.remembered.len();
        self.model.remembered.retain(|_, until| *until > now);
        let keys = (keys - self.model.remembered.len()) as u64;
        let gone: Vec<_> =
            self.model.done.iter().filter(|(_, (_, until))| *until <= now).map(|(order, _)| *order).collect();
        for order in &gone {
            let (delivery, _) = self.model.done.remove(order).unwrap();
            self.model.count(&delivery.lane).kept -= 1;
        }
        let forgotten = Forgotten { keys, delivered: gone.len() as u64 };
        assert_eq!(self.home.queue.forget(now).await.unwrap(), forgotten);
    }

    async fn replay(&mut self, index: Index, now: Timestamp) {
        let Some((id, order)) = self.model.any_delivery(index) else { return };
        let pending = self.model.pending.contains_key(&order);
        if !pending {
            self.model.replay(order, now);
        }
        let replayed = self.home.queue.replay(id, now).await.unwrap().unwrap();
        assert_eq!((replayed.id, replayed.replayed), (id, !pending));
        assert_eq!(replayed.waits, self.model.pending[&order].due_at.is_none());
    }

    async fn job(&mut self, purge: bool, lane: &Lane, now: Timestamp) {
        let meant: Vec<_> =
            self.model.dead.iter().filter(|(_, (dead, _))| dead.lane == *lane).map(|(order, _)| *order).collect();
        for order in &meant {
            if purge {
                self.model.purge(*order);
            } else {
                self.model.replay(*order, now);
            }
        }
        let action = if purge { Action::Purge } else { Action::Replay };
        let (route, delivery) = (Some((*lane.route).into()), Some((*lane.delivery).into()));
        let selection = Selection { route, delivery, ..Selection::default() };
        let job = self.home.queue.begin(action, selection, now).await.unwrap();
        let job = loop {
            let job = self.home.queue.step(job.id, now).await.unwrap().unwrap().job;
            if job.state == JobState::Done {
                break job;
            }
        };
        assert_eq!(job.changed, meant.len() as u64);
    }

    fn take(&mut self, index: Index) -> Option<Held> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(index.index(self.held.len())))
    }

    async fn compare(&self) {
        let model = &self.model;
        for lane in all_lanes() {
            let counts = self.home.queue.ledger().lane(&lane);
            let seen = LaneCounts { pending_bytes: 0, dead_bytes: 0, kept_bytes: 0, ..counts };
            assert_eq!(seen, model.counts.get(&lane).copied().unwrap_or_default(), "{lane}");
            assert_eq!(counts.difference(), 0, "{lane}");
            assert_eq!(counts.pending == 0, counts.pending_bytes == 0, "{counts:?}");
        }
        let audit = self.home.queue.audit().await.unwrap();
        assert!(audit.is_clean(), "{audit:#?}");
        let page = self.home.queue.deliveries(Selection::default(), None, 1000).await.unwrap();
        let seen: Vec<_> = page.entries.iter().rev().map(|record| (record.id, record.state.kind())).collect();
        let mut expected: Vec<_> = Vec::new();
        expected.extend(model.pending.iter().map(|(order, each)| (order, each.delivery.id, StateKind::Pending)));
        expected.extend(model.dead.iter().map(|(order, (each, _))| (order, each.id, StateKind::Dead)));
        expected.extend(model.done.iter().map(|(order, (each, _))| (order, each.id, StateKind::Delivered)));
        expected.sort_by_key(|(order, ..)| **order);
        assert_eq!(seen, expected.into_iter().map(|(_, id, kind)| (id, kind)).collect::<Vec<_>>());
        for record in &page.entries {
            if let State::Dead { reason, .. } = record.state {
                let mut dead = model.dead.values().filter(|(dead, _)| dead.id == record.id);
                assert!(dead.any(|(dead, why)| *why == reason && dead.attempts == record.attempts));
            }
        }
        let parked: Vec<_> = self.home.queue.parked(None, 100).await.unwrap();
        let parked: Vec<_> = parked.into_iter().map(|parked| (parked.lane, parked.key.to_string())).collect();
        assert_eq!(parked, model.parked.keys().cloned().collect::<Vec<_>>());
    }
}

impl Model {
    fn count(&mut self, lane: &Lane) -> &mut LaneCounts {
        self.counts.entry(lane.clone()).or_default()
    }

    fn admit(&mut self, wanted: &Wanted, now: Timestamp) -> (Admission, Vec<Order>) {
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
            if self.pending.values().any(|pending| pending.delivery.id == id) {
                continue;
            }
            let dead: Vec<_> =
                self.dead.iter().filter(|(_, (dead, _))| dead.id == id).map(|(order, _)| *order).collect();
            dead.into_iter().for_each(|order| self.purge(order));
            let key = wanted.order_key.as_deref().map(str::to_owned);
            let order = self.accepted;
            self.accepted += 1;
            self.count(lane).accepted += 1;
            self.wait(order, Delivery { id, lane: lane.clone(), key, attempts: 0 }, now);
            new.push(order);
        }
        (if new.is_empty() { Admission::Duplicate } else { Admission::Accepted }, new)
    }

    /// A delivery becomes pending.
    fn wait(&mut self, order: Order, delivery: Delivery, now: Timestamp) {
        let waits = delivery.key.clone().is_some_and(|key| self.must_wait(order, &delivery.lane, &key));
        self.count(&delivery.lane).pending += 1;
        self.stays += 1;
        let due_at = (!waits).then_some(now);
        self.pending.insert(order, Pending { delivery, due_at, stay: self.stays });
    }

    /// Whether a delivery waits for others of its key. A younger one that nobody has gives way.
    fn must_wait(&mut self, order: Order, lane: &Lane, key: &str) -> bool {
        if self.parked.get(&(lane.clone(), key.to_owned())).is_some_and(|behind| *behind < order) {
            return true;
        }
        let active = self.of_key(lane, key).find(|(_, pending)| pending.due_at.is_some());
        let Some((active, stay)) = active.map(|(active, pending)| (*active, pending.stay)) else { return false };
        let gives_way = order < active && !self.claimed.contains(&stay);
        if gives_way {
            self.pending.get_mut(&active).unwrap().due_at = None;
        }
        !gives_way
    }

    fn of_key<'m>(&'m self, lane: &'m Lane, key: &'m str) -> impl Iterator<Item = (&'m Order, &'m Pending)> {
        self.pending
            .iter()
            .filter(move |(_, each)| each.delivery.lane == *lane && each.delivery.key.as_deref() == Some(key))
    }

    /// A delivery is no longer pending: the next of its key may go on. Whether there is one.
    fn leave(&mut self, order: Order, now: Timestamp) -> (Delivery, bool) {
        let Pending { delivery, .. } = self.pending.remove(&order).unwrap();
        self.count(&delivery.lane).pending -= 1;
        let next = delivery.key.clone().is_some_and(|key| self.go_on(&delivery.lane.clone(), &key, now));
        (delivery, next)
    }

    fn go_on(&mut self, lane: &Lane, key: &str, now: Timestamp) -> bool {
        if self.of_key(lane, key).any(|(_, pending)| pending.due_at.is_some()) {
            return false;
        }
        let Some(next) = self.of_key(lane, key).map(|(order, _)| *order).next() else { return false };
        if self.parked.get(&(lane.clone(), key.to_owned())).is_some_and(|behind| *behind < next) {
            return false;
        }
        self.pending.get_mut(&next).unwrap().due_at = Some(now);
        true
    }

    fn stands(&self, order: Order, stay: usize) -> bool {
        self.pending.get(&order).is_some_and(|pending| pending.stay == stay)
    }

    fn made(&mut self, order: Order, stay: usize, keep: Option<Timestamp>, now: Timestamp) -> (bool, bool) {
        if self.stands(order, stay) {
            let (delivery, next) = self.leave(order, now);
            self.shelve(order, delivery, keep);
            return (true, next);
        }
        if let Some((delivery, _)) = self.dead.remove(&order) {
            self.count(&delivery.lane).dead -= 1;
            self.shelve(order, delivery, keep);
        }
        (false, false)
    }

    fn shelve(&mut self, order: Order, delivery: Delivery, keep: Option<Timestamp>) {
        let counts = self.count(&delivery.lane);
        counts.delivered += 1;
        if let Some(until) = keep {
            counts.kept += 1;
            self.done.insert(order, (delivery, until));
        }
    }

    fn put_off(&mut self, order: Order, stay: usize, at: Timestamp, now: Timestamp) -> (bool, bool) {
        if !self.stands(order, stay) {
            self.dead.get_mut(&order).into_iter().for_each(|(dead, _)| dead.attempts += 1);
            return (false, false);
        }
        let pending = self.pending.get_mut(&order).unwrap();
        pending.delivery.attempts += 1;
        pending.due_at = Some(at);
        let Delivery { lane, key, .. } = pending.delivery.clone();
        let Some(key) = key else { return (true, false) };
        let older = self.of_key(&lane, &key).map(|(order, _)| *order).next().filter(|first| *first < order);
        let Some(older) = older else { return (true, false) };
        self.pending.get_mut(&order).unwrap().due_at = None;
        self.pending.get_mut(&older).unwrap().due_at = Some(now);
        (true, true)
    }

    fn killed(&mut self, order: Order, stay: usize, park: bool, now: Timestamp) -> (bool, bool) {
        if !self.stands(order, stay) {
            self.dead.get_mut(&order).into_iter().for_each(|(dead, _)| dead.attempts += 1);
            return (false, false);
        }
        let pending = self.pending.get_mut(&order).unwrap();
        pending.delivery.attempts += 1;
        let Delivery { lane, key, .. } = pending.delivery.clone();
        if let Some(key) = key.filter(|_| park) {
            let behind = self.parked.entry((lane, key)).or_insert(order);
            *behind = (*behind).max(order);
        }
        let next = self.bury(order, Reason::Rejected, now);
        (true, next)
    }

    fn bury(&mut self, order: Order, reason: Reason, now: Timestamp) -> bool {
        let (delivery, next) = self.leave(order, now);
        self.count(&delivery.lane).dead += 1;
        self.dead.insert(order, (delivery, reason));
        next
    }

    fn purge(&mut self, order: Order) {
        let (delivery, _) = self.dead.remove(&order).unwrap();
        let counts = self.count(&delivery.lane);
        counts.dead -= 1;
        counts.purged += 1;
    }

    fn replay(&mut self, order: Order, now: Timestamp) {
        let delivery = if let Some((delivery, _)) = self.dead.remove(&order) {
            self.count(&delivery.lane).dead -= 1;
            delivery
        } else {
            let (delivery, _) = self.done.remove(&order).unwrap();
            let counts = self.count(&delivery.lane);
            counts.kept -= 1;
            counts.accepted += 1;
            delivery
        };
        self.count(&delivery.lane).replayed += 1;
        if let Some(key) = &delivery.key {
            let parked = (delivery.lane.clone(), key.clone());
            if self.parked.get(&parked) == Some(&order) {
                self.parked.remove(&parked);
            }
        }
        self.wait(order, Delivery { attempts: 0, ..delivery }, now);
    }

    fn release(&mut self, lane: &Lane, key: &str, replay: bool, now: Timestamp) -> Option<u64> {
        let behind = self.parked.remove(&(lane.clone(), key.to_owned()))?;
        let waited = self.of_key(lane, key).filter(|(_, pending)| pending.due_at.is_none()).count() as u64;
        if replay && self.dead.contains_key(&behind) {
            self.replay(behind, now);
        }
        self.go_on(lane, key, now);
        Some(waited)
    }

    fn retire(&mut self, kept: &[Lane], now: Timestamp) -> Vec<Retired> {
        let strays: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| !kept.contains(&pending.delivery.lane))
            .map(|(order, pending)| (*order, pending.delivery.lane.clone()))
            .collect();
        let mut retired: BTreeMap<Lane, Retired> = BTreeMap::new();
        for (order, lane) in strays {
            let known = kept.iter().any(|kept| kept.route == lane.route);
            let reason = if known { Reason::DeliveryRemoved } else { Reason::RouteRemoved };
            self.bury(order, reason, now);
            retired.entry(lane.clone()).or_insert(Retired { lane, reason, count: 0 }).count += 1;
        }
        self.parked.retain(|(lane, _), _| !retired.contains_key(lane));
        retired.into_values().collect()
    }

    /// One of the deliveries that are there: the last accepted of its id.
    fn any_delivery(&self, index: Index) -> Option<(DeliveryId, Order)> {
        let mut all: Vec<(Order, DeliveryId)> = Vec::new();
        all.extend(self.pending.iter().map(|(order, pending)| (*order, pending.delivery.id)));
        all.extend(self.dead.iter().map(|(order, (delivery, _))| (*order, delivery.id)));
        all.extend(self.done.iter().map(|(order, (delivery, _))| (*order, delivery.id)));
        if all.is_empty() {
            return None;
        }
        let (_, id) = all[index.index(all.len())];
        let last = all.iter().filter(|(_, other)| *other == id).map(|(order, _)| *order).max()?;
        Some((id, last))
    }
}
