//! The task of one lane: which deliveries are made now, from memory and from the queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::wake::Wake;
use super::{Workshop, settle};
use crate::model::{Lane, Timestamp};
use crate::queue::Lease;

/// The task of one lane.
pub(super) struct LaneTask {
    pub(super) lane: Lane,
    pub(super) workshop: Arc<Workshop>,
    pub(super) fresh: mpsc::Receiver<Lease>,
    pub(super) wake: Arc<Wake>,
    pub(super) stop: CancellationToken,
}

/// The most deliveries that are read from the queue at once.
const BATCH: usize = 64;
/// How long a lane rests after the queue could not be read.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a lane goes without a look into the queue at most: by then it notices a clock that was set, and what was
/// given back without a word.
const LONG: Duration = Duration::from_secs(60);

// === impl LaneTask ===

impl LaneTask {
    /// Makes deliveries until it is stopped, then finishes those under way.
    pub(super) async fn run(mut self) {
        let mut under_way = JoinSet::new();
        // What an earlier process left is read first.
        let mut next_due = Some(self.workshop.clock.now());
        while !self.stop.is_cancelled() {
            next_due = earlier(next_due, self.wake.take());
            let room = self.window().saturating_sub(under_way.len());
            let now = self.workshop.clock.now();
            if room > 0 && next_due.is_some_and(|due| due <= now) {
                next_due = self.read_queue(room, now, &mut under_way).await;
                continue;
            }
            let sleep = next_due.map_or(LONG, |due| due.since(now)).min(LONG);
            tokio::select! {
                () = self.stop.cancelled() => {}
                Some(lease) = self.fresh.recv(), if room > 0 => self.attempt(lease, &mut under_way),
                () = self.wake.told() => {}
                () = tokio::time::sleep(sleep), if room > 0 => {}
                Some(ended) = under_way.join_next() => {
                    if ended.is_err() {
                        // A panic gave the lease back: it is due again, and nobody else will say so.
                        next_due = Some(now);
                    }
                }
            }
        }
        self.fresh.close();
        while under_way.join_next().await.is_some() {}
        // Leases that wait in the channel are given back as it is dropped. Should the lane be there again by now, it
        // has looked in vain for what was claimed here.
        drop(self.fresh);
        self.wake.by(self.workshop.clock.now());
    }

    /// How many deliveries may be under way: twice what the destination takes at once, so that one is being settled
    /// in the queue while the next is on the wire.
    fn window(&self) -> usize {
        let table = self.workshop.table.load();
        table.delivery(&self.lane).map_or(1, |delivery| delivery.target.concurrency.saturating_mul(2))
    }

    /// Starts what is due in the queue, and answers when more will be.
    async fn read_queue(&self, room: usize, now: Timestamp, under_way: &mut JoinSet<()>) -> Option<Timestamp> {
        match self.workshop.queue.lease(&self.lane, room.min(BATCH), now).await {
            Ok(leased) => {
                for lease in leased.leases {
                    self.attempt(lease, under_way);
                }
                earlier(leased.next_due, Some(now.after(LONG)))
            }
            Err(error) => {
                tracing::error!(route = &*self.lane.route, delivery = &*self.lane.delivery, %error, "cannot read the queue");
                Some(now.after(PAUSE))
            }
        }
    }

    fn attempt(&self, lease: Lease, under_way: &mut JoinSet<()>) {
        under_way.spawn(settle::attempt(Arc::clone(&self.workshop), lease, Arc::clone(&self.wake)));
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
