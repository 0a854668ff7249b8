//! What cannot be brought to the tables is leased from memory: a full disk must not keep from its destination what was
//! acknowledged.

use std::sync::Arc;

use super::super::desk::Desk;
use super::super::tables::slots;
use super::recent::{RecentDelivery, RecentRequest};
use crate::model::{Lane, Timestamp};
use crate::queue::{Claim, Lease};

/// Leases up to `max` deliveries of a lane that are due, where the tables could not take what is recent; none where they
/// will have it in a moment.
pub(in super::super) fn lease(desk: &Desk, lane: &Lane, row: i64, max: usize, now: Timestamp) -> Vec<Lease> {
    let mut leases = Vec::new();
    if desk.journal.is_open() && !desk.journal.stuck {
        return leases;
    }
    let is_due = |delivery: &RecentDelivery| {
        delivery.lane == row && delivery.made.is_none() && delivery.due_at <= now.as_millis()
    };
    for (first, request) in desk.journal.unstored().flat_map(|recent| &recent.requests) {
        if leases.len() >= max {
            break;
        }
        if request.events.iter().any(|event| event.deliveries.iter().flatten().any(is_due)) {
            lease_of(desk, lane, *first, request, is_due, &mut leases);
        }
    }
    leases.truncate(max);
    leases
}

fn lease_of(
    desk: &Desk,
    lane: &Lane,
    first: i64,
    request: &RecentRequest,
    is_due: impl Fn(&RecentDelivery) -> bool,
    leases: &mut Vec<Lease>,
) {
    let Some(append) = request.append() else { return };
    let (accepted_at, stored) = (Timestamp::from_millis(append.accepted_at), Arc::new(append.request.to_request()));
    for ((number, event), entry) in (first..).zip(&request.events).zip(&append.events) {
        for (row, delivery) in (slots(number).0..).zip(&event.deliveries) {
            let Some(delivery) = delivery.as_ref().filter(|delivery| is_due(delivery)) else { continue };
            let Some(claim) = desk.claims.claim_free(row) else { continue };
            let hold = desk.claims.hold(Claim { size: Some(delivery.size), ..claim });
            let attempts = delivery.history.last().map_or(0, |attempt| attempt.number);
            let event = Arc::new(entry.to_event(&stored));
            leases.push(Lease::new(delivery.id, lane.clone(), event, accepted_at, accepted_at, attempts, hold));
        }
    }
}
