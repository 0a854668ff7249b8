//! What the parts of a running gateway share.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::fetch::Fetch;
use super::ingress::IngressMetrics;
use super::rotation::Rotation;
use super::worker::Lanes;
use crate::model::{Clock, Lane};
use crate::pipeline::receive::BodyBudget;
use crate::queue::Home;
use crate::routing::RouteTable;

/// What the parts of a running gateway share.
#[derive(Debug)]
pub struct Shared {
    /// The configuration in force. Each request and each attempt takes it once.
    pub table: Arc<ArcSwap<RouteTable>>,
    /// Where deliveries wait.
    pub queue: Arc<dyn Home>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The memory for bodies under way.
    pub bodies: BodyBudget,
    /// The workers.
    pub lanes: Lanes,
    /// What ingress counts.
    pub metrics: IngressMetrics,
    /// Who asks for keys that are not in the configuration.
    pub fetch: Arc<dyn Fetch>,
    /// What is known of secrets.
    pub(super) rotation: Rotation,
    /// One reload at a time, and none while deliveries of removed lanes are given up: a list of lanes must not be older
    /// than the lanes.
    pub gate: tokio::sync::Mutex<()>,
}

// === impl Shared ===

impl Shared {
    /// Has lanes look into the queue. What became pending in one that the configuration no longer has is given up again:
    /// nobody would make it.
    pub(super) async fn wake(&self, lanes: &[Lane]) {
        self.lanes.wake(lanes);
        let removed = {
            let table = self.table.load();
            lanes.iter().any(|lane| table.delivery(lane).is_none())
        };
        if removed {
            self.retire_removed_lanes().await;
        }
    }

    /// Gives up what is pending in lanes that the configuration no longer has, where there is any: what a reload could not
    /// give up because the store failed, and what a slow request brought to a lane that had gone meanwhile.
    pub(super) async fn retire_strays(&self) {
        let strays = {
            let table = self.table.load();
            self.queue.ledger().lanes.iter().any(|(lane, counts)| counts.pending > 0 && table.delivery(lane).is_none())
        };
        if strays {
            self.retire_removed_lanes().await;
        }
    }

    /// Gives up the deliveries of lanes that the configuration no longer has: they wait among the dead letters. A lane
    /// that a later reload removed and that has attempts under way is left to that reload: what is attempted must not
    /// be given up meanwhile, and be counted twice.
    pub(super) async fn retire_removed_lanes(&self) {
        let _gate = self.gate.lock().await;
        let mut lanes = self.lanes.ending();
        lanes.extend(self.table.load().lanes().cloned());
        match self.queue.retire(&lanes, self.clock.now()).await {
            Ok(retired) => retired.iter().for_each(|retired| self.lanes.retired(retired)),
            Err(error) => tracing::error!(%error, "cannot give up the deliveries of removed routes: they stay pending"),
        }
    }

    /// Has the store note when secrets were used, where it is time for that.
    pub(super) async fn note_uses(&self) {
        let table = self.table.load_full();
        self.rotation.note_what_is_due(&table, &*self.queue).await;
    }
}
