//! Who has which delivery: claims live in memory alone.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::journal::Unstored;
use crate::queue::{Claim, Hold};

/// The claims, and what was settled while others read.
#[derive(Debug, Default)]
pub(super) struct Claims {
    inner: Mutex<Inner>,
    /// What readers do not see yet.
    pub(super) unstored: Unstored,
}

#[derive(Debug, Default)]
struct Inner {
    /// Which claim is on each claimed row.
    claimed: HashMap<i64, u64>,
    /// Counts claims, what is settled and who begins to read: which was first.
    turn: u64,
    /// In which turn each of those who read now began.
    reading: BTreeSet<u64>,
    /// In which turn each row was settled last, for those who read now.
    settled: HashMap<i64, u64>,
    /// The same by turn: what nobody needs any more is in front.
    settled_in_turn: VecDeque<(u64, i64)>,
}

/// While it lives, what is settled is remembered for those who read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    claims: &'a Claims,
    since: u64,
}

/// A claim that no lease holds yet; dropped, it is given back.
#[derive(Debug)]
pub(super) struct Picked {
    claims: Arc<Claims>,
    claim: Claim,
    kept: bool,
}

/// What came of trying to claim.
#[derive(Debug)]
pub(super) enum Claiming {
    /// It is claimed now.
    Done(Picked),
    /// Another lease has it.
    Taken,
    /// It was settled after the reader's snapshot may have been taken: what was read of it is old.
    Settled,
}

// === impl Claims ===

impl Claims {
    /// Claims a delivery that is about to be made visible.
    pub(super) fn claim(self: &Arc<Self>, row: i64, size: Option<i64>) -> Hold {
        let mut inner = self.inner();
        let turn = inner.next_turn();
        inner.claimed.insert(row, turn);
        self.hold(Claim { row, turn, size })
    }

    /// Claims a delivery that is about to be changed, where nobody has it.
    pub(super) fn claim_free(&self, row: i64) -> Option<Claim> {
        let mut inner = self.inner();
        if inner.claimed.contains_key(&row) {
            return None;
        }
        let turn = inner.next_turn();
        inner.claimed.insert(row, turn);
        Some(Claim { row, turn, size: None })
    }

    /// A hold on a claim.
    pub(super) fn hold(self: &Arc<Self>, claim: Claim) -> Hold {
        // The coercion wants the concrete type first.
        let claims = Arc::downgrade(self);
        Hold { claim, claims }
    }

    /// Claims a delivery that a reader saw.
    pub(super) fn try_claim(self: &Arc<Self>, row: i64, reading: &Reading<'_>) -> Claiming {
        let mut inner = self.inner();
        if inner.settled.get(&row).is_some_and(|turn| *turn > reading.since) {
            return Claiming::Settled;
        }
        if inner.claimed.contains_key(&row) {
            return Claiming::Taken;
        }
        let turn = inner.next_turn();
        inner.claimed.insert(row, turn);
        Claiming::Done(Picked { claims: Arc::clone(self), claim: Claim { row, turn, size: None }, kept: false })
    }

    /// Whether a delivery that a reader saw could be claimed.
    pub(super) fn is_free(&self, row: i64) -> bool {
        !self.inner().claimed.contains_key(&row)
    }

    /// Whether a claim is still the one on its delivery.
    pub(super) fn stands(&self, claim: Claim) -> bool {
        self.inner().claimed.get(&claim.row) == Some(&claim.turn)
    }

    /// Begins a read. To be called before the snapshot is taken.
    pub(super) fn begin_reading(&self) -> Reading<'_> {
        let mut inner = self.inner();
        let since = inner.next_turn();
        inner.reading.insert(since);
        Reading { claims: self, since }
    }

    /// Ends the claims on rows whose fate is committed.
    pub(super) fn settled(&self, rows: &[i64]) {
        let mut inner = self.inner();
        for row in rows {
            inner.claimed.remove(row);
            inner.settle(*row);
        }
    }

    fn end(&self, claim: Claim) {
        let mut inner = self.inner();
        if inner.claimed.get(&claim.row) == Some(&claim.turn) {
            inner.claimed.remove(&claim.row);
            self.unstored.free(claim.row);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while it is held leaves it as it was: each change is one step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl crate::queue::Claims for Claims {
    fn give_back(&self, claim: Claim) {
        self.end(claim);
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

// === impl Reading ===

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.claims.inner().end_reading(self.since);
    }
}

// === impl Picked ===

impl Picked {
    /// The claim.
    pub(super) const fn claim(&self) -> Claim {
        self.claim
    }

    /// Passes it on to somebody who answers for it now, with what is known of its size.
    pub(super) fn keep(mut self, size: Option<i64>) -> Hold {
        self.kept = true;
        self.claims.hold(Claim { size, ..self.claim })
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        if !self.kept {
            self.claims.end(self.claim);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Claims as _;

    #[test]
    fn what_was_settled_during_a_read_is_not_claimed_by_it() {
        let claims = Arc::new(Claims::default());
        claims.claim(7, None);
        let reading = claims.begin_reading();
        claims.settled(&[7]);
        assert!(matches!(claims.try_claim(7, &reading), Claiming::Settled));
        drop(reading);
        let next = claims.begin_reading();
        assert!(matches!(claims.try_claim(7, &next), Claiming::Done(_)));
    }

    #[test]
    fn what_was_settled_is_kept_for_those_who_read_only() {
        let claims = Arc::new(Claims::default());
        claims.settled(&[1]);
        let old = claims.begin_reading();
        claims.settled(&[2]);
        let young = claims.begin_reading();
        claims.settled(&[3]);
        assert!(matches!(claims.try_claim(1, &old), Claiming::Done(_)));
        assert!(matches!(claims.try_claim(2, &old), Claiming::Settled));
        assert!(matches!(claims.try_claim(2, &young), Claiming::Done(_)), "its snapshot shows it as it is");
        drop(old);
        assert_eq!(claims.inner().settled.keys().copied().collect::<Vec<_>>(), [3]);
        drop(young);
        assert!(claims.inner().settled.is_empty() && claims.inner().settled_in_turn.is_empty());
    }

    #[test]
    fn a_claim_is_had_once_and_comes_back_when_dropped() {
        let claims = Arc::new(Claims::default());
        let reading = claims.begin_reading();
        let Claiming::Done(picked) = claims.try_claim(7, &reading) else { panic!("it is free") };
        assert!(matches!(claims.try_claim(7, &reading), Claiming::Taken));
        drop(picked);
        assert!(claims.is_free(7));
    }

    #[test]
    fn an_old_claim_does_not_end_a_new_one() {
        let claims = Arc::new(Claims::default());
        let old = claims.claim(7, None).claim;
        claims.settled(&[7]);
        let new = claims.claim(7, None).claim;
        claims.give_back(old);
        assert!(!claims.stands(old) && claims.stands(new));
        claims.give_back(new);
        assert!(claims.is_free(7));
    }
}
