//! A delivery's turn at its destination.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Workshop;
use crate::app::destinations::{Permit, Probe};
use crate::model::Lane;
use crate::routing::Delivery;

/// What came of waiting for a turn.
pub(super) enum Turn {
    /// The attempt may be made, with the configuration in force now.
    Now(Arc<Delivery>, Permit),
    /// Not for a while: the delivery belongs back into the queue.
    Later,
    /// The configuration no longer has the lane.
    Removed,
}

/// Waits for a delivery's turn at its destination, until the lane is asked to `stop`: what has not begun by then is left to
/// the next start.
pub(super) async fn turn(workshop: &Workshop, lane: &Lane, mut probe: Option<Probe>, stop: &CancellationToken) -> Turn {
    loop {
        let table = workshop.table.load_full();
        let Some(before) = table.delivery(lane) else { return Turn::Removed };
        let destination = workshop.destinations.of(&before.target);
        let admitted = stop.run_until_cancelled(destination.admit(probe.take())).await;
        let Some(permit) = admitted.flatten() else { return Turn::Later };
        // The wait may have been long: what is in force now counts.
        if Arc::ptr_eq(&table, &workshop.table.load()) {
            return Turn::Now(Arc::clone(before), permit);
        }
        let Some(delivery) = workshop.table.load().delivery(lane).cloned() else { return Turn::Removed };
        if delivery.target.name == before.target.name {
            return Turn::Now(delivery, permit);
        }
    }
}
