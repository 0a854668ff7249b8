//! What is known without reading: the lanes, how much waits in each, and what is claimed.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::model::{Lane, Reason};
use crate::queue::{Claims, Depth};

/// The lanes, the counts and the claims.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rows: HashMap<Lane, i64>,
    lanes: HashMap<i64, Depth>,
    claimed: HashSet<i64>,
    /// Counts what is settled and who begins to read: which was first.
    turn: u64,
    /// In which turn each of those who read now began.
    reading: BTreeSet<u64>,
    /// In which turn each row was settled last, for those who read now.
    settled: HashMap<i64, u64>,
    /// The same by turn: what nobody needs any more is in front.
    settled_in_turn: VecDeque<(u64, i64)>,
}

/// What a transaction changes in the ledger once it is committed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    lanes: HashMap<Lane, i64>,
    depths: HashMap<i64, (i64, i64)>,
    settled: Vec<i64>,
}

/// While it lives, what is settled is remembered for those who read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    ledger: &'a Ledger,
    since: u64,
}

/// A claim that no lease holds yet; dropped, it is given back.
#[derive(Debug)]
pub(super) struct Claim {
    ledger: Arc<Ledger>,
    row: i64,
    kept: bool,
}

/// What came of trying to claim.
#[derive(Debug)]
pub(super) enum Claiming {
    /// It is claimed now.
    Done(Claim),
    /// Another lease has it.
    Taken,
    /// It was settled after the reader's snapshot may have been taken: what was read of it is old.
    Settled,
}

// === impl Ledger ===

impl Ledger {
    /// The ledger of what a store holds: each lane with its row.
    pub(super) fn new(lanes: Vec<(i64, Depth)>) -> Self {
        let rows = lanes.iter().map(|(row, depth)| (depth.lane.clone(), *row)).collect();
        Self(Mutex::new(Inner { rows, lanes: lanes.into_iter().collect(), ..Inner::default() }))
    }

    /// The row of a lane that is stored.
    pub(super) fn lane_row(&self, lane: &Lane) -> Option<i64> {
        self.inner().rows.get(lane).copied()
    }

    /// Claims a delivery that is about to be made visible.
    pub(super) fn claim(&self, row: i64) {
        self.inner().claimed.insert(row);
    }

    /// Claims a delivery that a reader saw.
    pub(super) fn try_claim(self: &Arc<Self>, row: i64, reading: &Reading<'_>) -> Claiming {
        let mut inner = self.inner();
        if inner.settled.get(&row).is_some_and(|turn| *turn > reading.since) {
            return Claiming::Settled;
        }
        if !inner.claimed.insert(row) {
            return Claiming::Taken;
        }
        Claiming::Done(Claim { ledger: Arc::clone(self), row, kept: false })
    }

    /// Whether a delivery that a reader saw could be claimed.
    pub(super) fn is_free(&self, row: i64) -> bool {
        !self.inner().claimed.contains(&row)
    }

    /// Begins a read. To be called before the snapshot is taken.
    pub(super) fn begin_reading(&self) -> Reading<'_> {
        let mut inner = self.inner();
        let since = inner.next_turn();
        inner.reading.insert(since);
        Reading { ledger: self, since }
    }

    /// Enters what a commit changed.
    pub(super) fn apply(&self, changes: Changes) {
        let mut inner = self.inner();
        for (lane, row) in changes.lanes {
            inner.rows.insert(lane.clone(), row);
            inner.lanes.insert(row, Depth { lane, pending: 0, dead: 0 });
        }
        for (row, (pending, dead)) in changes.depths {
            if let Some(depth) = inner.lanes.get_mut(&row) {
                depth.pending = depth.pending.saturating_add_signed(pending);
                depth.dead = depth.dead.saturating_add_signed(dead);
            }
        }
        for row in changes.settled {
            inner.claimed.remove(&row);
            inner.settle(row);
        }
    }

    /// The lanes in which anything waits.
    pub(super) fn depths(&self) -> Vec<Depth> {
        let mut depths: Vec<Depth> =
            self.inner().lanes.values().filter(|depth| depth.pending > 0 || depth.dead > 0).cloned().collect();
        depths.sort_unstable_by(|a, b| a.lane.cmp(&b.lane));
        depths
    }

    /// The lanes with pending deliveries that are none of `kept`, in no particular order, each with why it is gone.
    pub(super) fn strays(&self, kept: &[Lane]) -> Vec<(i64, Lane, Reason)> {
        let lanes: HashSet<&Lane> = kept.iter().collect();
        let routes: HashSet<&str> = kept.iter().map(|lane| &*lane.route).collect();
        let inner = self.inner();
        let strays = inner.lanes.iter().filter(|(_, depth)| depth.pending > 0 && !lanes.contains(&depth.lane));
        strays
            .map(|(row, depth)| match routes.contains(&*depth.lane.route) {
                true => (*row, depth.lane.clone(), Reason::DeliveryRemoved),
                false => (*row, depth.lane.clone(), Reason::RouteRemoved),
            })
            .collect()
    }

    /// What takes back the claims of leases that are dropped.
    pub(super) fn claims(self: &Arc<Self>) -> Weak<dyn Claims> {
        // The coercion wants the concrete type first.
        let this: Weak<Self> = Arc::downgrade(self);
        this
    }

    fn give_back_row(&self, row: i64) {
        self.inner().claimed.remove(&row);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while it is held leaves it as it was: each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims for Ledger {
    fn give_back(&self, _lane: &Lane, row: i64) {
        self.give_back_row(row);
    }
}

// === impl Inner ===

impl Inner {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    fn settle(&mut self, row: i64) {
        if !self.reading.is_empty() {
            let turn = self.next_turn();
            self.settled.insert(row, turn);
            self.settled_in_turn.push_back((turn, row));
        }
    }

    /// Forgets what was settled before any of those began who still read.
    fn end_reading(&mut self, since: u64) {
        self.reading.remove(&since);
        let oldest = self.reading.first().copied().unwrap_or(u64::MAX);
        while let Some((turn, row)) = self.settled_in_turn.pop_front_if(|(turn, _)| *turn < oldest) {
            if self.settled.get(&row) == Some(&turn) {
                self.settled.remove(&row);
            }
        }
    }
}

// === impl Changes ===

impl Changes {
    pub(super) fn lane_row(&self, lane: &Lane) -> Option<i64> {
        self.lanes.get(lane).copied()
    }

    pub(super) fn new_lane(&mut self, lane: Lane, row: i64) {
        self.lanes.insert(lane, row);
    }

    pub(super) fn pending(&mut self, lane: i64, by: i64) {
        self.depths.entry(lane).or_default().0 += by;
    }

    pub(super) fn dead(&mut self, lane: i64, by: i64) {
        self.depths.entry(lane).or_default().1 += by;
    }

    /// The row's claim ends, and what readers saw of it is old.
    pub(super) fn settled(&mut self, row: i64) {
        self.settled.push(row);
    }
}

// === impl Reading ===

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.ledger.inner().end_reading(self.since);
    }
}

// === impl Claim ===

impl Claim {
    /// The row it is on.
    pub(super) const fn row(&self) -> i64 {
        self.row
    }

    /// Passes it on to somebody who answers for it now.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.kept {
            self.ledger.give_back_row(self.row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_settled_during_a_read_is_not_claimed_by_it() {
        let ledger = Arc::new(Ledger::default());
        ledger.claim(7);
        let reading = ledger.begin_reading();
        let mut changes = Changes::default();
        changes.settled(7);
        ledger.apply(changes);
        assert!(matches!(ledger.try_claim(7, &reading), Claiming::Settled));
        drop(reading);
        let next = ledger.begin_reading();
        assert!(matches!(ledger.try_claim(7, &next), Claiming::Done(_)));
    }

    #[test]
    fn what_was_settled_is_kept_for_those_who_read_only() {
        let ledger = Arc::new(Ledger::default());
        let settle = |row| {
            let mut changes = Changes::default();
            changes.settled(row);
            ledger.apply(changes);
        };
        settle(1);
        let old = ledger.begin_reading();
        settle(2);
        let young = ledger.begin_reading();
        settle(3);
        assert!(matches!(ledger.try_claim(1, &old), Claiming::Done(_)));
        assert!(matches!(ledger.try_claim(2, &old), Claiming::Settled));
        assert!(matches!(ledger.try_claim(2, &young), Claiming::Done(_)), "its snapshot shows it as it is");
        drop(old);
        assert_eq!(ledger.inner().settled.keys().copied().collect::<Vec<_>>(), [3]);
        drop(young);
        assert!(ledger.inner().settled.is_empty() && ledger.inner().settled_in_turn.is_empty());
    }

    #[test]
    fn a_claim_is_had_once_and_comes_back_when_dropped() {
        let ledger = Arc::new(Ledger::default());
        let reading = ledger.begin_reading();
        let Claiming::Done(claim) = ledger.try_claim(7, &reading) else { panic!("it is free") };
        assert!(matches!(ledger.try_claim(7, &reading), Claiming::Taken));
        drop(claim);
        assert!(ledger.is_free(7));
    }
}
