//! The delivery half of the line: a task for each lane.
//!
//! A committed delivery comes from ingress as a [`Lease`] through a short bounded channel. Where that is full the
//! lease is dropped, which gives it back to the queue, and the lane reads it from there later: so memory is
//! bounded however far a destination falls behind, and one that is slow holds up nobody else.
//!
//! To read a delivery again costs several times what it takes to make it, so where it is the processor that is short, what
//! comes in gives way first: a request whose lane is full waits a moment for room, if that lane is quick. For a destination
//! that is slow, or takes no more than its rate allows, nobody waits.

mod lane;
mod memory;
mod metrics;
mod pace;
mod processor;
mod quiet;
mod settle;
mod turn;
mod under_way;
mod wake;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::lane::{LaneTask, Site};
use self::memory::{Held, Memory};
pub use self::metrics::DeliveryMetrics;
use self::metrics::LaneMetrics;
use self::pace::Pace;
use self::quiet::Quiet;
use self::wake::Wake;
use super::destinations::{BreakerMetrics, DestinationReport, Destinations};
use crate::model::{Clock, Lane};
use crate::pipeline::deliver::Client;
use crate::queue::{Lease, Queue, Retired};
use crate::routing::RouteTable;

/// How many committed deliveries of one lane may wait in memory for it; further ones wait in the queue.
const FRESH: usize = 64;
/// How long a request waits for lanes that are full where the processor is short.
const PATIENCE: Duration = Duration::from_millis(100);

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
    pub(super) destinations: Destinations,
    quiet: Quiet,
    memory: Memory,
}

/// The running lanes.
#[derive(Debug)]
pub struct Lanes {
    workshop: Arc<Workshop>,
    /// Read at each dispatch without a lock; replaced whole.
    running: ArcSwap<HashMap<Lane, Handle>>,
    /// The alarm clock of each lane, held while lanes are started and stopped. A lane that is removed and put back has
    /// the same one as long as an attempt of its predecessor is under way, which then wakes it for the retry.
    wakes: Mutex<HashMap<Lane, Weak<Wake>>>,
    /// Lanes that were asked to stop; each token is cancelled once the lane has.
    ending: Mutex<Vec<(Lane, CancellationToken)>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug, Clone)]
struct Handle {
    fresh: mpsc::Sender<(Lease, Held)>,
    pace: Arc<Pace>,
    wake: Arc<Wake>,
    stop: CancellationToken,
    /// Cancelled by the task as it ends.
    ended: CancellationToken,
}

/// What became of a lease that was offered to its lane.
enum Offered<'h> {
    /// The lane has it, or finds it in the queue.
    Done,
    /// The lane does not run.
    Stray(Lease),
    /// The lane has no room for it.
    Full(&'h Handle, (Lease, Held)),
}

// === impl Workshop ===

impl Workshop {
    /// What lanes need.
    pub(super) fn new(
        table: Arc<ArcSwap<RouteTable>>,
        queue: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
        client: Client,
        dice: fn() -> f64,
        metrics: DeliveryMetrics,
        breakers: BreakerMetrics,
    ) -> Self {
        let destinations = Destinations::new(Arc::clone(&clock), dice, breakers);
        Self {
            table,
            queue,
            clock,
            client,
            dice,
            metrics,
            destinations,
            quiet: Quiet::default(),
            memory: Memory::default(),
        }
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
            wakes: Mutex::default(),
            ending: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Hands committed deliveries to their lanes. What a lane has no room for stays in the queue.
    pub async fn dispatch(&self, leases: Vec<Lease>) {
        let (mut strays, mut waiting) = (Vec::new(), Vec::new());
        {
            let running = self.running.load();
            for lease in leases {
                match self.offer(&running, lease) {
                    Offered::Done => {}
                    Offered::Stray(lease) => strays.push(lease),
                    Offered::Full(handle, offer) => waiting.push((handle.clone(), offer)),
                }
            }
        }
        if !strays.is_empty() {
            self.dispatch_strays(strays);
        }
        let deadline = Instant::now() + PATIENCE;
        for (handle, offer) in waiting {
            if let Some(stray) = self.insist(&handle, offer, deadline).await {
                self.dispatch_strays(vec![stray]);
            }
        }
    }

    /// Has lanes look into the queue now: something became due there of which nobody told them. Those that do not run
    /// are left out.
    pub fn wake(&self, lanes: &[Lane]) {
        let (running, now) = (self.running.load(), self.workshop.clock.now());
        for handle in lanes.iter().filter_map(|lane| running.get(lane)) {
            handle.wake.by(now);
        }
    }

    /// Brings the lanes in line with the configuration in force: starts what is new, and asks what is gone to stop.
    /// Answers with a token for each lane that is gone, cancelled when its attempts under way have ended.
    pub fn align(&self) -> Vec<CancellationToken> {
        let mut wakes = self.wakes();
        let table = self.workshop.table.load();
        self.workshop.destinations.align(table.targets());
        let mut running = HashMap::clone(&self.running.load());
        let mut ending = Vec::new();
        running.retain(|lane, handle| {
            let stays = table.delivery(lane).is_some();
            if !stays {
                handle.stop.cancel();
                ending.push((lane.clone(), handle.ended.clone()));
            }
            stays
        });
        for lane in table.lanes() {
            if !running.contains_key(lane) {
                running.insert(lane.clone(), self.start(lane, &mut wakes));
            }
        }
        wakes.retain(|_, wake| wake.strong_count() > 0);
        self.running.store(Arc::new(running));
        let tokens = ending.iter().map(|(_, ended)| ended.clone()).collect();
        let mut all = self.ending_lanes();
        all.retain(|(_, ended)| !ended.is_cancelled());
        all.extend(ending);
        tokens
    }

    /// The lanes that were removed and have attempts under way still: what those hold is theirs to settle.
    pub(super) fn ending(&self) -> Vec<Lane> {
        self.ending_lanes().iter().filter(|(_, ended)| !ended.is_cancelled()).map(|(lane, _)| lane.clone()).collect()
    }

    /// Brings the breakers, and with them their metrics, up to date with the time.
    pub(super) fn poll_breakers(&self) {
        self.workshop.destinations.poll();
    }

    /// How each destination is now.
    pub(super) fn destinations(&self) -> Vec<DestinationReport> {
        self.workshop.destinations.report()
    }

    /// Counts and names what was given up because its lane is gone.
    pub(super) fn retired(&self, retired: &Retired) {
        let Retired { lane, reason, count } = retired;
        self.workshop.metrics.dead(lane, "", *count);
        tracing::warn!(
            route = &*lane.route, delivery = &*lane.delivery, %reason, count,
            "dead letters: {}", reason.next_step()
        );
    }

    /// Asks every lane to stop, and waits for the attempts under way. Cancel-safe: what is not waited for is given
    /// back to the queue.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Hands a lease to its lane.
    fn offer<'h>(&self, running: &'h HashMap<Lane, Handle>, lease: Lease) -> Offered<'h> {
        let Some(handle) = running.get(&lease.lane) else { return Offered::Stray(lease) };
        let memory = &self.workshop.memory;
        if memory.is_short() {
            self.give_back(handle, lease);
            return Offered::Done;
        }
        let held = memory.hold(&lease.event);
        match handle.fresh.try_send((lease, held)) {
            Ok(()) => Offered::Done,
            Err(TrySendError::Full(offer)) => Offered::Full(handle, offer),
            Err(TrySendError::Closed((refused, _))) => Offered::Stray(refused),
        }
    }

    /// Waits until a lane that is full has room, where that is worth it. Else the lease goes back to the queue. It comes back
    /// where the lane has ended.
    async fn insist(&self, handle: &Handle, offer: (Lease, Held), deadline: Instant) -> Option<Lease> {
        if !handle.pace.is_worth_waiting() {
            self.give_back(handle, offer.0);
            return None;
        }
        handle.pace.keeps_waiting();
        match timeout_at(deadline, handle.fresh.reserve()).await {
            Ok(Ok(room)) => room.send(offer),
            Ok(Err(_)) => return Some(offer.0),
            Err(_) => self.give_back(handle, offer.0),
        }
        None
    }

    /// Leaves a lease to the queue, where its lane finds it.
    fn give_back(&self, handle: &Handle, lease: Lease) {
        drop(lease);
        handle.wake.by(self.workshop.clock.now());
    }

    /// What was committed while a reload replaced the lanes.
    fn dispatch_strays(&self, leases: Vec<Lease>) {
        // While this is held the lanes stay as they are.
        let _wakes = self.wakes();
        let (running, table) = (self.running.load(), self.workshop.table.load());
        for lease in leases {
            let lease = match self.offer(&running, lease) {
                Offered::Done => continue,
                Offered::Full(handle, (lease, _)) => {
                    self.give_back(handle, lease);
                    continue;
                }
                Offered::Stray(lease) => lease,
            };
            // A lane that is about to start looks into the queue first, where this is then. One that has ended has
            // been retired, perhaps before this was committed.
            if table.delivery(&lease.lane).is_none() {
                self.tasks.spawn(settle::removed(Arc::clone(&self.workshop), lease));
            }
        }
    }

    fn ending_lanes(&self) -> MutexGuard<'_, Vec<(Lane, CancellationToken)>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wakes(&self) -> MutexGuard<'_, HashMap<Lane, Weak<Wake>>> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, lane: &Lane, wakes: &mut HashMap<Lane, Weak<Wake>>) -> Handle {
        let (fresh, leases) = mpsc::channel(FRESH);
        let stop = self.stop.child_token();
        let wake = wakes.get(lane).and_then(Weak::upgrade).unwrap_or_default();
        wakes.insert(lane.clone(), Arc::downgrade(&wake));
        let handle = Handle { fresh, pace: Arc::default(), wake, stop, ended: CancellationToken::new() };
        let task = LaneTask {
            lane: lane.clone(),
            site: Arc::new(Site {
                workshop: Arc::clone(&self.workshop),
                wake: Arc::clone(&handle.wake),
                stop: handle.stop.clone(),
                metrics: LaneMetrics::default(),
            }),
            fresh: leases,
            pace: Arc::clone(&handle.pace),
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
