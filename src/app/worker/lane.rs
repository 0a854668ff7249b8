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
/// How long a lane rests after the queue could not be read, or an attempt panicked.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a lane goes at most without a look into the queue: by then it finds what nobody told it of, and a clock
/// that was set.
const LONG: Duration = Duration::from_secs(60);

// === impl LaneTask ===

impl LaneTask {
    /// Makes deliveries until it is stopped, then finishes those under way.
    pub(super) async fn run(mut self) {
        let mut under_way = JoinSet::new();
        // What an earlier process left is read first.
        let mut next_due = self.workshop.clock.now();
        while !self.stop.is_cancelled() {
            next_due = self.wake.take().map_or(next_due, |told| next_due.min(told));
            let room = self.window().saturating_sub(under_way.len());
            let now = self.workshop.clock.now();
            if room > 0 && next_due <= now {
                next_due = self.read_queue(room, now, &mut under_way).await;
                continue;
            }
            let sleep = next_due.since(now).min(LONG);
            tokio::select! {
                () = self.stop.cancelled() => {}
                Some(lease) = self.fresh.recv(), if room > 0 => self.attempt(lease, &mut under_way),
                () = self.wake.told() => {}
                () = tokio::time::sleep(sleep), if room > 0 => next_due = self.workshop.clock.now(),
                Some(ended) = under_way.join_next() => {
                    if ended.is_err() {
                        // It gave the lease back, and nobody else will say so. Not at once: it may well panic again.
                        tracing::error!(route = &*self.lane.route, delivery = &*self.lane.delivery, "an attempt panicked: its delivery is tried again");
                        next_due = next_due.min(now.after(PAUSE));
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

    /// Starts what is due in the queue, and answers when to look again.
    async fn read_queue(&self, room: usize, now: Timestamp, under_way: &mut JoinSet<()>) -> Timestamp {
        match self.workshop.queue.lease(&self.lane, room.min(BATCH), now).await {
            Ok(leased) => {
                for lease in leased.leases {
                    self.attempt(lease, under_way);
                }
                let long = now.after(LONG);
                leased.next_due.map_or(long, |due| due.min(long))
            }
            Err(error) => {
                tracing::error!(route = &*self.lane.route, delivery = &*self.lane.delivery, %error, "cannot read the queue");
                now.after(PAUSE)
            }
        }
    }

    fn attempt(&self, lease: Lease, under_way: &mut JoinSet<()>) {
        under_way.spawn(settle::attempt(Arc::clone(&self.workshop), lease, Arc::clone(&self.wake)));
    }
}
