//! What is in memory is leased from there: the tables need not have it first, and may have no room for it. A full disk must
//! not keep from its destination what was acknowledged.

use std::ops::RangeFrom;
use std::sync::Arc;

use super::super::claims::Claims;
use super::super::desk::Desk;
use super::super::tables::slots;
use super::recent::{RecentDelivery, RecentRequest, RecentSettle};
use crate::model::{Lane, Timestamp};
use crate::queue::{Claim, Hold, Lease};

/// What a lane has that is not in the tables.
#[derive(Debug)]
pub(in super::super) struct RecentLeases {
    pub(in super::super) leases: Vec<Lease>,
    /// When there is more.
    pub(in super::super) next_due: Option<Timestamp>,
    /// When the first is due that is in the tables, but was put off since: only they can give it, once they have that.
    pub(in super::super) put_off: Option<Timestamp>,
}

/// A delivery that is leased.
struct Picked<'a> {
    /// The place of its event in the request.
    event: usize,
    delivery: &'a RecentDelivery,
    hold: Hold,
}

/// Where leases are looked for.
struct Look<'a> {
    claims: &'a Arc<Claims>,
    lane: i64,
    now: Timestamp,
    /// How many more may be leased.
    room: usize,
    next_due: Option<Timestamp>,
}

/// Leases up to `max` deliveries of a lane that are due, what came first first.
pub(in super::super) fn lease(desk: &Desk, lane: &Lane, row: i64, max: usize, now: Timestamp) -> RecentLeases {
    let mut look = Look { claims: &desk.claims, lane: row, now, room: max, next_due: None };
    let mut leases = Vec::new();
    for (first, request) in desk.journal.unstored().flat_map(|recent| &recent.requests) {
        let picked = look.pick(*first.., request);
        if !picked.is_empty() {
            leases_of(lane, request, picked, &mut leases);
        }
        if look.next_due == Some(now) {
            break;
        }
    }
    let settled = desk.journal.unstored().flat_map(|recent| &recent.stored);
    let put_off = settled.filter_map(|settle| match settle {
        RecentSettle::Again { lane, at, .. } if *lane == row => Some(*at),
        _ => None,
    });
    RecentLeases { leases, next_due: look.next_due, put_off: put_off.min() }
}

/// Once a request is read for all that was picked of it.
fn leases_of(lane: &Lane, request: &RecentRequest, picked: Vec<Picked<'_>>, leases: &mut Vec<Lease>) {
    // What is held is given back as it is dropped.
    let Some(append) = request.append() else { return };
    let (accepted_at, stored) = (Timestamp::from_millis(append.accepted_at), Arc::new(append.request.to_request()));
    for Picked { event, delivery, hold } in picked {
        let Some(entry) = append.events.get(event) else { continue };
        let attempts = delivery.history.last().map_or(0, |attempt| attempt.number);
        let event = Arc::new(entry.to_event(&stored));
        leases.push(Lease::new(delivery.id, lane.clone(), event, accepted_at, accepted_at, attempts, hold));
    }
}

// === impl Look ===

impl Look<'_> {
    /// Claims what is due of a request. At the end of the room there is more, due now.
    fn pick<'r>(&mut self, numbers: RangeFrom<i64>, request: &'r RecentRequest) -> Vec<Picked<'r>> {
        let mut picked = Vec::new();
        for (event, (number, recent)) in numbers.zip(&request.events).enumerate() {
            for (row, delivery) in (slots(number).0..).zip(&recent.deliveries) {
                let is_its = |delivery: &&RecentDelivery| delivery.lane == self.lane && delivery.made.is_none();
                let Some(delivery) = delivery.as_ref().filter(is_its) else { continue };
                let due_at = Timestamp::from_millis(delivery.due_at);
                if due_at > self.now || self.room == 0 {
                    if self.claims.is_free(row) {
                        let due_at = due_at.max(self.now);
                        self.next_due = Some(self.next_due.map_or(due_at, |known| known.min(due_at)));
                    }
                } else if let Some(claim) = self.claims.claim_free(row) {
                    let hold = self.claims.hold(Claim { size: Some(delivery.size), ..claim });
                    picked.push(Picked { event, delivery, hold });
                    self.room -= 1;
                }
            }
        }
        picked
    }
}
