//! The delivery half of the line: a task for each lane.
//!
//! A committed delivery comes from ingress as a [`Lease`] through a short bounded channel. Where that is full the
//! lease is dropped, which gives it back to the queue, and the lane reads it from there later: so memory is
//! bounded however far a destination falls behind, and one that is slow holds up nobody else.

mod lane;
mod metrics;
mod settle;
mod wake;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::lane::LaneTask;
pub use self::metrics::DeliveryMetrics;
use self::wake::Wake;
use super::destinations::Destinations;
use crate::model::{Clock, Lane};
use crate::pipeline::deliver::Client;
use crate::queue::{Lease, Queue};
use crate::routing::RouteTable;

/// How many committed deliveries of one lane may wait in memory for it; further ones wait in the queue.
const FRESH: usize = 64;

/// What a lane needs to make its deliveries.
pub struct Workshop {
    /// The configuration in force.
    pub table: Arc<ArcSwap<RouteTable>>,
    /// Where deliveries wait.
    pub queue: Arc<dyn Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The HTTP client.
    pub client: Client,
    /// Uniform in 0.0 to 1.0, for the jitter of retries.
    pub dice: fn() -> f64,
    /// What is counted.
    pub metrics: DeliveryMetrics,
    destinations: Destinations,
}

/// The running lanes.
#[derive(Debug)]
pub struct Lanes {
    workshop: Arc<Workshop>,
    /// Read at each dispatch without a lock; replaced whole.
    running: ArcSwap<HashMap<Lane, Handle>>,
    /// Held while lanes are started and stopped.
    gate: Mutex<()>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug, Clone)]
struct Handle {
    fresh: mpsc::Sender<Lease>,
    wake: Arc<Wake>,
    stop: CancellationToken,
    /// Cancelled by the task as it ends.
    ended: CancellationToken,
}

// === impl Workshop ===

impl Workshop {
    /// What lanes need.
    pub fn new(
        table: Arc<ArcSwap<RouteTable>>,
        queue: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
        client: Client,
        dice: fn() -> f64,
        metrics: DeliveryMetrics,
    ) -> Self {
        Self { table, queue, clock, client, dice, metrics, destinations: Destinations::default() }
    }
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").finish_non_exhaustive()
    }
}

// === impl Lanes ===

impl Lanes {
    /// No lanes yet.
    #[must_use]
    pub fn new(workshop: Workshop) -> Self {
        Self {
            workshop: Arc::new(workshop),
            running: ArcSwap::default(),
            gate: Mutex::new(()),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Hands committed deliveries to their lanes. What a lane has no room for stays in the queue.
    pub fn dispatch(&self, leases: Vec<Lease>) {
        let running = self.running.load();
        let homeless: Vec<Lease> = leases.into_iter().filter_map(|lease| self.hand_over(&running, lease)).collect();
        if !homeless.is_empty() {
            self.settle_homeless(homeless);
        }
    }

    /// Gives a lease to its lane, or back to the queue where the lane has no room: then the lane is told to read it
    /// there. Answers with the lease where no such lane runs.
    fn hand_over(&self, running: &HashMap<Lane, Handle>, lease: Lease) -> Option<Lease> {
        let Some(handle) = running.get(&lease.lane) else { return Some(lease) };
        match handle.fresh.try_send(lease) {
            Ok(()) => None,
            Err(TrySendError::Closed(lease)) => Some(lease),
            Err(TrySendError::Full(lease)) => {
                // Given back first, so that the lane finds it when it looks.
                drop(lease);
                handle.wake.by(self.workshop.clock.now());
                None
            }
        }
    }

    /// A reload came between a request and its deliveries. Where it took their lane away nobody else will look at them,
    /// since what was pending then is settled already: they become dead letters here.
    fn settle_homeless(&self, leases: Vec<Lease>) {
        let mut removed = Vec::new();
        {
            // No lane starts or stops meanwhile: one that is yet to start reads the queue after the lease is back.
            let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            let (running, table) = (self.running.load(), self.workshop.table.load());
            for lease in leases.into_iter().filter_map(|lease| self.hand_over(&running, lease)) {
                if table.delivery(&lease.lane).is_none() {
                    removed.push(lease);
                }
            }
        }
        if !removed.is_empty() {
            let workshop = Arc::clone(&self.workshop);
            self.tasks.spawn(async move {
                for lease in removed {
                    settle::removed(&workshop, lease).await;
                }
            });
        }
    }

    /// Brings the lanes in line with the configuration in force: starts what is new, and asks what is gone to stop.
    /// Answers with a token for each lane that is gone, cancelled when its attempts under way have ended.
    pub fn align(&self) -> Vec<CancellationToken> {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let table = self.workshop.table.load();
        let mut running = HashMap::clone(&self.running.load());
        let mut ending = Vec::new();
        running.retain(|lane, handle| {
            let stays = table.delivery(lane).is_some();
            if !stays {
                handle.stop.cancel();
                ending.push(handle.ended.clone());
            }
            stays
        });
        for lane in table.lanes() {
            if !running.contains_key(lane) {
                running.insert(lane.clone(), self.start(lane));
            }
        }
        self.running.store(Arc::new(running));
        ending
    }

    /// Asks every lane to stop, and waits for the attempts under way. Cancel-safe: what is not waited for is given
    /// back to the queue.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn start(&self, lane: &Lane) -> Handle {
        let (fresh, leases) = mpsc::channel(FRESH);
        let stop = self.stop.child_token();
        let handle = Handle { fresh, wake: Arc::new(Wake::default()), stop, ended: CancellationToken::new() };
        let task = LaneTask {
            lane: lane.clone(),
            workshop: Arc::clone(&self.workshop),
            fresh: leases,
            wake: Arc::clone(&handle.wake),
            stop: handle.stop.clone(),
        };
        let ended = handle.ended.clone().drop_guard();
        self.tasks.spawn(async move {
            task.run().await;
            drop(ended);
        });
        handle
    }
}

#[cfg(test)]
mod tests;
