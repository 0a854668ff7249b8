//! The ledger: what came in, and what became of it. In sum nothing is missing.

use std::sync::Arc;

use serde::Serialize;

use crate::model::Lane;

/// Events of one request that are counted with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there were; a verified request in which no event could be found counts as one.
    pub received: u64,
    /// Those that no delivery wants.
    pub filtered: u64,
    /// Those that are none.
    pub invalid: u64,
}

/// What happened to the events of a route since the store was made.
///
/// `received = accepted + filtered + duplicate + invalid`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RouteCounts {
    /// Events of verified requests.
    pub received: u64,
    /// Stored, with a delivery at least.
    pub accepted: u64,
    /// Wanted by no delivery.
    pub filtered: u64,
    /// Stored before.
    pub duplicate: u64,
    /// None at all: a verified request in which no event could be found.
    pub invalid: u64,
}

/// What happened to the deliveries of a lane since the store was made, and how many there are now.
///
/// `accepted = delivered + dead + pending + purged`, and what was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LaneCounts {
    /// Deliveries taken on: of new events, and of replayed events that had been delivered or were new to the lane.
    pub accepted: u64,
    /// Made.
    pub delivered: u64,
    /// Given up, and kept for a person: now.
    pub dead: u64,
    /// Not made yet: now.
    pub pending: u64,
    /// Dead letters that a person removed, or that a repeated event took the place of.
    pub purged: u64,
    /// What a damaged store no longer had: found by a salvage.
    pub lost: u64,
    /// Of the accepted and the dead, those that a person had made again.
    pub replayed: u64,
    /// Of the delivered, those that are kept to be looked at and replayed: now.
    pub kept: u64,
    /// About how many bytes the pending take.
    pub pending_bytes: u64,
    /// About how many bytes the dead letters take.
    pub dead_bytes: u64,
    /// About how many bytes the kept take.
    pub kept_bytes: u64,
}

/// What was counted, as of the last commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By route, in the order of the names.
    pub routes: Vec<(Arc<str>, RouteCounts)>,
    /// By lane, in the order of the names.
    pub lanes: Vec<(Lane, LaneCounts)>,
    /// Deliveries that were accepted and are missing, of which not even the lane is known: a damaged log or database lost
    /// them.
    pub lost: u64,
}

/// A ledger beside what is really stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// What was counted.
    pub ledger: Ledger,
    /// What is stored, by lane, in the order of the names.
    pub found: Vec<(Lane, Found)>,
    /// Deliveries whose event cannot be found.
    pub without_event: u64,
    /// Events that no delivery needs.
    pub without_delivery: u64,
    /// Order keys that are not parked, and of which nothing is due though something is pending.
    pub stuck_keys: u64,
}

/// What is stored of a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Not made yet.
    pub pending: u64,
    /// Given up.
    pub dead: u64,
    /// Made, and kept.
    pub kept: u64,
}

// === impl RouteCounts ===

impl RouteCounts {
    /// How far the events' fates fall short of what was received; negative where they exceed it.
    #[must_use]
    pub const fn difference(&self) -> i64 {
        let fates = self.accepted + self.filtered + self.duplicate + self.invalid;
        self.received.cast_signed() - fates.cast_signed()
    }
}

// === impl LaneCounts ===

impl LaneCounts {
    /// How far the deliveries' fates fall short of what was accepted; negative where they exceed it. What was lost is
    /// no fate that anybody wants: it counts as missing.
    #[must_use]
    pub const fn difference(&self) -> i64 {
        let fates = self.delivered + self.dead + self.pending + self.purged;
        self.accepted.cast_signed() - fates.cast_signed()
    }
}

// === impl Ledger ===

impl Ledger {
    /// The counts of a lane.
    #[must_use]
    pub fn lane(&self, lane: &Lane) -> LaneCounts {
        named(&self.lanes, lane)
    }

    /// The counts of a route.
    #[must_use]
    pub fn route(&self, route: &str) -> RouteCounts {
        let found = self.routes.binary_search_by(|(named, _)| (**named).cmp(route));
        found.ok().and_then(|index| self.routes.get(index)).map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// How many deliveries are pending in all lanes.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.lanes.iter().map(|(_, counts)| counts.pending).sum()
    }
}

/// In a list in the order of the lanes.
fn find<T>(list: &[(Lane, T)], lane: &Lane) -> Option<usize> {
    list.binary_search_by(|(named, _)| named.cmp(lane)).ok()
}

fn named<T: Copy + Default>(list: &[(Lane, T)], lane: &Lane) -> T {
    find(list, lane).and_then(|index| list.get(index)).map(|(_, found)| *found).unwrap_or_default()
}

// === impl Audit ===

impl Audit {
    /// What is stored of a lane.
    #[must_use]
    pub fn found(&self, lane: &Lane) -> Found {
        named(&self.found, lane)
    }

    /// Whether every sum comes out, and what is stored is what was counted.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let routes = self.ledger.routes.iter().all(|(_, counts)| counts.difference() == 0);
        let lanes = self.ledger.lanes.iter().all(|(lane, counts)| {
            let stored = Found { pending: counts.pending, dead: counts.dead, kept: counts.kept };
            counts.difference() == 0 && self.found(lane) == stored
        });
        let known = self.found.iter().all(|(lane, _)| find(&self.ledger.lanes, lane).is_some());
        routes
            && lanes
            && known
            && self.ledger.lost == 0
            && self.without_event == 0
            && self.without_delivery == 0
            && self.stuck_keys == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(counts: LaneCounts, found: Found) -> Audit {
        let lane = Lane::new("orders", "crm");
        let ledger = Ledger { lanes: vec![(lane.clone(), counts)], ..Ledger::default() };
        Audit { ledger, found: vec![(lane, found)], ..Audit::default() }
    }

    #[test]
    fn a_difference_of_one_is_found_wherever_it_is() {
        let counts =
            LaneCounts { accepted: 11, delivered: 4, dead: 3, pending: 2, purged: 2, kept: 1, ..LaneCounts::default() };
        let found = Found { pending: 2, dead: 3, kept: 1 };
        assert!(audit(counts, found).is_clean());
        for wrong in [
            LaneCounts { accepted: 12, ..counts },
            LaneCounts { accepted: 12, lost: 1, ..counts },
            LaneCounts { delivered: 5, ..counts },
            LaneCounts { kept: 2, ..counts },
            LaneCounts { dead: 2, pending: 3, ..counts },
        ] {
            assert!(!audit(wrong, found).is_clean(), "{wrong:?}");
        }
        for wrong in [Found { pending: 1, ..found }, Found { dead: 4, ..found }, Found { kept: 0, ..found }] {
            assert!(!audit(counts, wrong).is_clean(), "{wrong:?}");
        }
        for wrong in [
            Audit { without_event: 1, ..audit(counts, found) },
            Audit { without_delivery: 1, ..audit(counts, found) },
            Audit { stuck_keys: 1, ..audit(counts, found) },
            Audit { ledger: Ledger { lost: 1, ..audit(counts, found).ledger }, ..audit(counts, found) },
        ] {
            assert!(!wrong.is_clean());
        }
        let received = RouteCounts { received: 10, accepted: 5, filtered: 3, duplicate: 1, invalid: 1 };
        assert_eq!(received.difference(), 0);
        assert_eq!(RouteCounts { received: 9, ..received }.difference(), -1);
    }
}
