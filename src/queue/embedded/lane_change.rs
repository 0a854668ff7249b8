//! By how much a transaction changes the counts of a lane: each step of a delivery is one change.

use crate::queue::LaneCounts;

/// By how much the counts of a lane change.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LaneChange {
    pub(super) accepted: i64,
    pub(super) delivered: i64,
    pub(super) dead: i64,
    pub(super) pending: i64,
    pub(super) purged: i64,
    pub(super) replayed: i64,
    pub(super) kept: i64,
    pub(super) pending_bytes: i64,
    pub(super) dead_bytes: i64,
    pub(super) kept_bytes: i64,
}

// === impl LaneChange ===

impl LaneChange {
    /// One more was accepted, and is pending.
    pub(super) const fn accept(&mut self, size: i64) {
        self.accepted += 1;
        self.enter_pending(size);
    }

    /// A pending one was made.
    pub(super) const fn make(&mut self, size: i64, kept: bool) {
        self.delivered += 1;
        self.leave_pending(size);
        if kept {
            self.enter_kept(size);
        }
    }

    /// One more is pending, of this size.
    pub(super) const fn enter_pending(&mut self, size: i64) {
        self.pending += 1;
        self.pending_bytes += size;
    }

    /// One less is pending.
    pub(super) const fn leave_pending(&mut self, size: i64) {
        self.pending -= 1;
        self.pending_bytes -= size;
    }

    /// One more is dead.
    pub(super) const fn enter_dead(&mut self, size: i64) {
        self.dead += 1;
        self.dead_bytes += size;
    }

    /// One less is dead.
    pub(super) const fn leave_dead(&mut self, size: i64) {
        self.dead -= 1;
        self.dead_bytes -= size;
    }

    /// One more that was delivered is kept.
    pub(super) const fn enter_kept(&mut self, size: i64) {
        self.kept += 1;
        self.kept_bytes += size;
    }

    /// One less is kept.
    pub(super) const fn leave_kept(&mut self, size: i64) {
        self.kept -= 1;
        self.kept_bytes -= size;
    }

    pub(super) const fn add(&mut self, more: &Self) {
        self.accepted += more.accepted;
        self.delivered += more.delivered;
        self.dead += more.dead;
        self.pending += more.pending;
        self.purged += more.purged;
        self.replayed += more.replayed;
        self.kept += more.kept;
        self.pending_bytes += more.pending_bytes;
        self.dead_bytes += more.dead_bytes;
        self.kept_bytes += more.kept_bytes;
    }

    pub(super) const fn apply(&self, counts: &mut LaneCounts) {
        counts.accepted = counts.accepted.saturating_add_signed(self.accepted);
        counts.delivered = counts.delivered.saturating_add_signed(self.delivered);
        counts.dead = counts.dead.saturating_add_signed(self.dead);
        counts.pending = counts.pending.saturating_add_signed(self.pending);
        counts.purged = counts.purged.saturating_add_signed(self.purged);
        counts.replayed = counts.replayed.saturating_add_signed(self.replayed);
        counts.kept = counts.kept.saturating_add_signed(self.kept);
        counts.pending_bytes = counts.pending_bytes.saturating_add_signed(self.pending_bytes);
        counts.dead_bytes = counts.dead_bytes.saturating_add_signed(self.dead_bytes);
        counts.kept_bytes = counts.kept_bytes.saturating_add_signed(self.kept_bytes);
    }
}
