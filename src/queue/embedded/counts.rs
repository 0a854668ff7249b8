//! The ledger's counts: in memory as of the last commit, and in the commit that changes them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;
use rusqlite::{Connection, params};

use super::lane_change::LaneChange;
use crate::model::{DeliveryMark, Lane, Reason};
use crate::queue::{Claim, LaneCounts, Ledger, RouteCounts};

/// The lanes, the routes and their counts, as of the last commit.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    lane_rows: HashMap<Lane, KnownLane, FixedState>,
    route_rows: HashMap<Arc<str>, i64>,
    lanes: HashMap<i64, (Lane, LaneCounts)>,
    routes: HashMap<i64, (Arc<str>, RouteCounts)>,
    /// How many deliveries were lost of which not even the lane is known.
    lost: u64,
    /// How many deliveries were ever accepted, the lost ones too.
    accepted: u64,
    /// About how many bytes what is kept of delivered deliveries takes, in all lanes.
    kept_bytes: u64,
    /// About how many bytes what is pending or dead takes, in all lanes.
    held_bytes: u64,
}

/// A lane that is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownLane {
    pub(super) row: i64,
    /// Of its delivery's name: to hash that for each delivery would be most of what its id costs.
    pub(super) mark: DeliveryMark,
}

/// What a transaction changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    new_lanes: HashMap<Lane, i64>,
    new_routes: HashMap<Arc<str>, i64>,
    lanes: BTreeMap<i64, LaneChange>,
    routes: BTreeMap<i64, RouteCounts>,
    settled: Vec<i64>,
    superseded: Vec<Claim>,
}

// === impl KnownLane ===

impl KnownLane {
    fn new(row: i64, lane: &Lane) -> Self {
        Self { row, mark: DeliveryMark::of(&lane.delivery) }
    }
}

// === impl Counts ===

impl Counts {
    /// The counts of what a store holds.
    pub(super) fn new(
        lanes: Vec<(i64, Lane, LaneCounts)>,
        routes: Vec<(i64, Arc<str>, RouteCounts)>,
        lost: u64,
    ) -> Self {
        let mut inner = Inner { lost, accepted: lost, ..Inner::default() };
        for (row, lane, counts) in lanes {
            inner.accepted += counts.accepted;
            inner.kept_bytes += counts.kept_bytes;
            inner.held_bytes += counts.pending_bytes + counts.dead_bytes;
            inner.lane_rows.insert(lane.clone(), KnownLane::new(row, &lane));
            inner.lanes.insert(row, (lane, counts));
        }
        for (row, route, counts) in routes {
            inner.route_rows.insert(Arc::clone(&route), row);
            inner.routes.insert(row, (route, counts));
        }
        Self(Mutex::new(inner))
    }

    /// The row of a lane that is stored.
    pub(super) fn lane_row(&self, lane: &Lane) -> Option<i64> {
        self.known_lane(lane).map(|known| known.row)
    }

    /// What is known of a lane that is stored.
    pub(super) fn known_lane(&self, lane: &Lane) -> Option<KnownLane> {
        self.inner().lane_rows.get(lane).copied()
    }

    /// The lane in a row.
    pub(super) fn lane(&self, row: i64) -> Option<Lane> {
        self.inner().lanes.get(&row).map(|(lane, _)| lane.clone())
    }

    /// The lanes that are stored, with their rows, for which something holds.
    pub(super) fn lanes(&self, holds: impl Fn(&Lane, &LaneCounts) -> bool) -> Vec<(i64, Lane)> {
        let inner = self.inner();
        let lanes = inner.lanes.iter().filter(|(_, (lane, counts))| holds(lane, counts));
        lanes.map(|(row, (lane, _))| (*row, lane.clone())).collect()
    }

    /// The row of a route that is stored.
    pub(super) fn route_row(&self, route: &str) -> Option<i64> {
        self.inner().route_rows.get(route).copied()
    }

    /// The routes that are stored.
    pub(super) fn routes(&self) -> Vec<Arc<str>> {
        let inner = self.inner();
        let of_lanes = inner.lane_rows.keys().map(|lane| &lane.route);
        let routes: HashSet<&Arc<str>> = inner.route_rows.keys().chain(of_lanes).collect();
        routes.into_iter().cloned().collect()
    }

    /// Counts deliveries as lost of which nothing is left.
    pub(super) fn lose(&self, deliveries: u64) {
        let mut inner = self.inner();
        inner.lost += deliveries;
        inner.accepted += deliveries;
    }

    /// How many deliveries were ever accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.inner().accepted
    }

    /// About how many bytes the kept deliveries take.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.inner().kept_bytes
    }

    /// About how many bytes the pending and the dead deliveries take.
    pub(super) fn held_bytes(&self) -> u64 {
        self.inner().held_bytes
    }

    /// All of it, in the order of the names.
    pub(super) fn ledger(&self) -> Ledger {
        let inner = self.inner();
        let mut lanes: Vec<_> = inner.lanes.values().cloned().collect();
        let mut routes: Vec<_> = inner.routes.values().cloned().collect();
        let lost = inner.lost;
        drop(inner);
        lanes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        routes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ledger { routes, lanes, lost }
    }

    /// The lanes with pending deliveries that are none of `kept`, in no particular order, each with why it is gone.
    pub(super) fn strays(&self, kept: &[Lane]) -> Vec<(i64, Lane, Reason)> {
        let lanes: HashSet<&Lane> = kept.iter().collect();
        let routes: HashSet<&str> = kept.iter().map(|lane| &*lane.route).collect();
        let strays = self.lanes(|lane, counts| counts.pending > 0 && !lanes.contains(lane));
        strays
            .into_iter()
            .map(|(row, lane)| match routes.contains(&*lane.route) {
                true => (row, lane, Reason::DeliveryRemoved),
                false => (row, lane, Reason::RouteRemoved),
            })
            .collect()
    }

    /// Enters what a commit changed. Answers the rows whose claims end.
    pub(super) fn apply(&self, changes: Changes) -> Vec<i64> {
        let mut inner = self.inner();
        for (lane, row) in changes.new_lanes {
            inner.lane_rows.insert(lane.clone(), KnownLane::new(row, &lane));
            inner.lanes.entry(row).or_insert((lane, LaneCounts::default()));
        }
        for (route, row) in changes.new_routes {
            inner.route_rows.insert(Arc::clone(&route), row);
            inner.routes.entry(row).or_insert((route, RouteCounts::default()));
        }
        for (row, change) in changes.lanes {
            inner.accepted = inner.accepted.saturating_add_signed(change.accepted);
            inner.kept_bytes = inner.kept_bytes.saturating_add_signed(change.kept_bytes);
            inner.held_bytes = inner.held_bytes.saturating_add_signed(change.pending_bytes + change.dead_bytes);
            if let Some((_, counts)) = inner.lanes.get_mut(&row) {
                change.apply(counts);
            }
        }
        for (row, change) in changes.routes {
            if let Some((_, counts)) = inner.routes.get_mut(&row) {
                counts.received += change.received;
                counts.accepted += change.accepted;
                counts.filtered += change.filtered;
                counts.duplicate += change.duplicate;
                counts.invalid += change.invalid;
            }
        }
        let superseded = changes.superseded.iter().map(|claim| claim.row);
        changes.settled.into_iter().chain(superseded).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while it is held leaves it as it was: each change is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Changes ===

impl Changes {
    pub(super) fn lane_row(&self, lane: &Lane) -> Option<i64> {
        self.new_lanes.get(lane).copied()
    }

    pub(super) fn new_lane(&mut self, lane: Lane, row: i64) {
        self.new_lanes.insert(lane, row);
    }

    pub(super) fn route_row(&self, route: &str) -> Option<i64> {
        self.new_routes.get(route).copied()
    }

    pub(super) fn new_route(&mut self, route: Arc<str>, row: i64) {
        self.new_routes.insert(route, row);
    }

    /// What changes in a lane.
    pub(super) fn lane(&mut self, row: i64) -> &mut LaneChange {
        self.lanes.entry(row).or_default()
    }

    /// Adds to what came in on a route.
    pub(super) fn add_to_route(&mut self, row: i64, more: RouteCounts) {
        let counts = self.routes.entry(row).or_default();
        counts.received += more.received;
        counts.accepted += more.accepted;
        counts.filtered += more.filtered;
        counts.duplicate += more.duplicate;
        counts.invalid += more.invalid;
    }

    /// Adds what another changes in the counts.
    pub(super) fn add(&mut self, other: &Self) {
        for (row, change) in &other.lanes {
            self.lane(*row).add(change);
        }
        for (row, more) in &other.routes {
            self.add_to_route(*row, *more);
        }
    }

    /// The row's claim ends, and what readers saw of it is old.
    pub(super) fn settled(&mut self, row: i64) {
        self.settled.push(row);
    }

    /// The claim was taken to change the row: it ends with the transaction, however that ends.
    pub(super) fn supersede(&mut self, claim: Claim) {
        self.superseded.push(claim);
    }

    /// The claims that were taken, of a transaction that failed.
    pub(super) fn into_superseded(self) -> Vec<Claim> {
        self.superseded
    }

    /// Writes the counts: one statement for each lane and route, however many deliveries the transaction was about.
    pub(super) fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (row, change) in &self.lanes {
            connection
                .prepare_cached(
                    "UPDATE lane_counts SET accepted = accepted + ?2, delivered = delivered + ?3, dead = dead + ?4,
                     pending = pending + ?5, purged = purged + ?6, replayed = replayed + ?7, kept = kept + ?8,
                     pending_bytes = pending_bytes + ?9, dead_bytes = dead_bytes + ?10, kept_bytes = kept_bytes + ?11
                     WHERE row = ?1",
                )?
                .execute(params![
                    row,
                    change.accepted,
                    change.delivered,
                    change.dead,
                    change.pending,
                    change.purged,
                    change.replayed,
                    change.kept,
                    change.pending_bytes,
                    change.dead_bytes,
                    change.kept_bytes,
                ])?;
        }
        for (row, change) in &self.routes {
            connection
                .prepare_cached(
                    "UPDATE route_counts SET received = received + ?2, accepted = accepted + ?3, filtered = filtered + ?4,
                     duplicate = duplicate + ?5, invalid = invalid + ?6 WHERE row = ?1",
                )?
                .execute(params![
                    row,
                    change.received.cast_signed(),
                    change.accepted.cast_signed(),
                    change.filtered.cast_signed(),
                    change.duplicate.cast_signed(),
                    change.invalid.cast_signed(),
                ])?;
        }
        Ok(())
    }
}
