//! What those who read the tables are to know of what is not in them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::Recent;

/// Whether something is missing in the tables, and whether a lane would look for it there.
#[derive(Debug)]
pub(in super::super) struct Unstored {
    any: AtomicBool,
    /// The first delivery that may be missing.
    first: AtomicI64,
    /// Whether one of them is nobody's.
    wanted: AtomicBool,
    /// How often something came to the tables.
    stored: AtomicU64,
}

// === impl Unstored ===

impl Default for Unstored {
    fn default() -> Self {
        Self {
            any: AtomicBool::new(false),
            first: AtomicI64::new(i64::MAX),
            wanted: AtomicBool::new(false),
            stored: AtomicU64::new(0),
        }
    }
}

impl Unstored {
    /// Whether something is missing.
    pub(in super::super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether a delivery is missing that may be leased.
    pub(in super::super) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Changes whenever something that was missing is not any more.
    pub(in super::super) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Acquire)
    }

    /// A delivery may be leased by whoever finds it.
    pub(in super::super) fn free(&self, row: i64) {
        if row >= self.first.load(Ordering::Acquire) {
            self.want();
        }
    }

    /// A delivery may be leased, or at another time.
    pub(in super::super) fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// Shows what is missing. To be called before any of it can be given back.
    pub(in super::super) fn show(&self, first: i64) {
        self.any.store(true, Ordering::Release);
        self.first.fetch_min(first, Ordering::AcqRel);
    }

    /// What was missing before `first` is not any more.
    pub(in super::super) fn move_on(&self, first: i64) {
        self.first.store(first, Ordering::Release);
        self.stored.fetch_add(1, Ordering::AcqRel);
    }

    /// Nothing is missing any more.
    pub(in super::super) fn clear(&self) {
        self.first.store(i64::MAX, Ordering::Release);
        self.any.store(false, Ordering::Release);
        self.wanted.store(false, Ordering::Release);
        self.stored.fetch_add(1, Ordering::AcqRel);
    }

    /// Shows all of what is recent.
    pub(super) fn show_all(&self, recent: &Recent) {
        if !recent.is_empty() {
            self.show(recent.first_row());
        }
    }
}
