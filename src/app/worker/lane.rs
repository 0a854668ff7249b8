//! The task of one lane: which deliveries are made now, from memory and from the queue.
//!
//! Before it takes a delivery from the queue a lane asks the destination's breaker. Where that is open it takes none, and
//! gives back what comes from memory; it sleeps until a probe is due or the breaker changes. Of several lanes one gets the
//! probe. A lane asks only while something is due in it: so one that found nothing to probe with leaves that to another,
//! and does not ask again before something is.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::memory::Held;
use super::metrics::LaneMetrics;
use super::pace::Pace;
use super::processor::Processor;
use super::under_way::UnderWay;
use super::wake::Wake;
use super::{Workshop, settle};
use crate::app::destinations::{Pass, Probe, Shut};
use crate::model::{Lane, Timestamp};
use crate::queue::{Lease, Leased};

/// The task of one lane.
pub(super) struct LaneTask {
    pub(super) lane: Lane,
    pub(super) site: Arc<Site>,
    pub(super) fresh: mpsc::Receiver<(Lease, Held)>,
    pub(super) pace: Arc<Pace>,
}

/// What all attempts of a lane have in common.
pub(super) struct Site {
    pub(super) workshop: Arc<Workshop>,
    pub(super) wake: Arc<Wake>,
    pub(super) stop: CancellationToken,
    pub(super) metrics: LaneMetrics,
}

/// The most deliveries that are read from the queue at once.
const BATCH: usize = 64;
/// How many deliveries of a lane may be made whose outcome is not stored yet: so many are held in memory.
const UNSETTLED: usize = 1000;
/// How long a lane rests after the queue could not be read, or an attempt panicked.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a lane goes at most without a look into the queue: by then it finds what nobody told it of, and a clock
/// that was set.
const LONG: Duration = Duration::from_secs(60);
/// By how much an alarm may be late before it is set anew: the two clocks count in different steps.
const CLOSE: Duration = Duration::from_millis(5);

// === impl LaneTask ===

impl LaneTask {
    /// Makes deliveries until it is stopped, then finishes those under way.
    pub(super) async fn run(mut self) {
        let (under_way, processor) = (UnderWay::default(), Processor::current());
        // What an earlier process left is read first.
        let mut next_due = self.site.workshop.clock.now();
        let mut alarm = pin!(sleep(Duration::ZERO));
        let mut alarm_for = next_due;
        let mut odd = false;
        while !self.site.stop.is_cancelled() {
            next_due = self.site.wake.take().map_or(next_due, |told| next_due.min(told));
            let end = under_way.next_end();
            let room = self.room(&under_way);
            let now = self.site.workshop.clock.now();
            let mut shut = None;
            if room > 0 && next_due <= now {
                match self.pass() {
                    Pass::Free => {
                        // Half of the room for what comes from memory, or else all of that would have to be read again for as
                        // long as something is due in the queue. Where there is room for one, by turns.
                        odd = !odd;
                        let left = room - self.make_fresh(room.midpoint(usize::from(odd)), &under_way, &processor);
                        if left > 0 {
                            next_due = self.read_queue(left, now, &under_way).await;
                        }
                        continue;
                    }
                    Pass::Probe(probe) => {
                        next_due = self.probe(probe, room, now, &under_way).await;
                        continue;
                    }
                    Pass::Shut(until) => shut = Some(until),
                }
            }
            // Also where the clock went forward: then the same time is nearer than it was.
            let alarm_at = Instant::now() + next_due.since(now).min(LONG);
            if alarm_for != next_due || alarm.is_elapsed() || alarm_at + CLOSE < alarm.deadline() {
                alarm_for = next_due;
                alarm.as_mut().reset(alarm_at);
            }
            let is_shut = shut.is_some();
            let pause = (room == 0).then(|| sleep(PAUSE));
            let opens = OptionFuture::from(shut.map(|shut: Shut| shut.over(LONG)));
            tokio::select! {
                () = self.site.stop.cancelled() => {}
                Some((lease, held)) = self.fresh.recv(), if room > 0 => {
                    self.pace.took(1, || processor.busy());
                    if !self.make(lease, held, room, &under_way, &processor) {
                        next_due = now;
                    }
                }
                () = self.site.wake.told() => {}
                _ = opens, if is_shut => {}
                () = &mut alarm, if room > 0 && !is_shut => next_due = self.site.workshop.clock.now(),
                // The queue may be out of room, which is told nobody.
                _ = OptionFuture::from(pause), if room == 0 => {}
                () = end, if room == 0 => {}
            }
        }
        self.fresh.close();
        under_way.none().await;
        // Leases that wait in the channel are given back as it is dropped. Should the lane be there again by now, it
        // has looked in vain for what was claimed here.
        drop(self.fresh);
        self.site.wake.by(self.site.workshop.clock.now());
    }

    /// How many more deliveries may be under way. Twice what the destination takes at once may be without an answer, so that
    /// the next is there as one ends; those that have theirs wait for the disk, and must not keep others from being made.
    fn room(&self, under_way: &UnderWay) -> usize {
        if self.site.workshop.memory.is_short() {
            return 1_usize.saturating_sub(under_way.len());
        }
        let table = self.site.workshop.table.load();
        let window = table.delivery(&self.lane).map_or(1, |delivery| delivery.target.concurrency.saturating_mul(2));
        let unanswered = window.saturating_sub(under_way.len_unanswered());
        unanswered.min((window + UNSETTLED).saturating_sub(under_way.len()))
    }

    /// Whether deliveries may be taken from the queue. Where the lane is gone nothing is against it: it is about to stop.
    fn pass(&self) -> Pass {
        let table = self.site.workshop.table.load();
        table
            .delivery(&self.lane)
            .map_or(Pass::Free, |delivery| self.site.workshop.destinations.of(&delivery.target).pass())
    }

    /// Starts up to `max` of what waits in memory, and answers how many that were.
    fn make_fresh(&mut self, max: usize, under_way: &UnderWay, processor: &Processor) -> usize {
        let mut made = 0;
        while made < max
            && let Ok((lease, held)) = self.fresh.try_recv()
        {
            self.attempt(lease, held, None, under_way);
            made += 1;
        }
        if made > 0 {
            self.pace.took(made, || processor.busy());
        }
        made
    }

    /// Starts what is due in the queue, and answers when to look again.
    async fn read_queue(&self, room: usize, now: Timestamp, under_way: &UnderWay) -> Timestamp {
        let (leases, next_due) = self.lease(room, now).await;
        for lease in leases {
            let held = self.site.workshop.memory.hold(&lease.event);
            self.attempt(lease, held, None, under_way);
        }
        next_due
    }

    /// Probes with the first delivery that is due, and answers when to look again. What is older than it may become ends
    /// here, without an attempt: else it would wait for as long as the destination fails.
    async fn probe(&self, probe: Probe, room: usize, now: Timestamp, under_way: &UnderWay) -> Timestamp {
        let mut left = room;
        let mut max = 1;
        while left > 0 {
            let (leases, next_due) = self.lease(max.min(left), now).await;
            if leases.is_empty() {
                return next_due;
            }
            let (aged, young): (Vec<Lease>, Vec<Lease>) =
                leases.into_iter().partition(|lease| self.has_expired(lease, now));
            left = left.saturating_sub(aged.len());
            for lease in aged {
                let expired = settle::expired(Arc::clone(&self.site), lease);
                under_way.spawn(expired, self.panicked());
            }
            if let Some(lease) = young.into_iter().next() {
                let held = self.site.workshop.memory.hold(&lease.event);
                self.attempt(lease, held, Some(probe), under_way);
                break;
            }
            max = BATCH;
        }
        // There may be more, whether or not the queue said so: it did not know what is given back.
        now
    }

    async fn lease(&self, max: usize, now: Timestamp) -> (Vec<Lease>, Timestamp) {
        match self.site.workshop.queue.lease(&self.lane, max.min(BATCH), now).await {
            Ok(Leased { leases, next_due }) => {
                let long = now.after(LONG);
                (leases, next_due.map_or(long, |due| due.min(long)))
            }
            Err(error) => {
                tracing::error!(route = &*self.lane.route, delivery = &*self.lane.delivery, %error, "cannot read the queue");
                (Vec::new(), now.after(PAUSE))
            }
        }
    }

    fn has_expired(&self, lease: &Lease, now: Timestamp) -> bool {
        let table = self.site.workshop.table.load();
        table.delivery(&self.lane).is_some_and(|delivery| now > lease.since.after(delivery.target.retry.max_age))
    }

    /// Starts what comes from memory, and with it what else is there: that need not come one by one. `false` where the breaker
    /// has it go back to the queue.
    fn make(&mut self, lease: Lease, held: Held, room: usize, under_way: &UnderWay, processor: &Processor) -> bool {
        match self.pass() {
            Pass::Free => {
                self.attempt(lease, held, None, under_way);
                self.make_fresh(room - 1, under_way, processor);
            }
            Pass::Probe(probe) => self.attempt(lease, held, Some(probe), under_way),
            Pass::Shut(_) => return false,
        }
        true
    }

    fn attempt(&self, lease: Lease, held: Held, probe: Option<Probe>, under_way: &UnderWay) {
        // In a box from the start: a task is moved as it is spawned and as it ends, and this is some thousand bytes.
        let attempt = Box::pin(settle::attempt(Arc::clone(&self.site), lease, probe, under_way.unanswered()));
        let attempt = async move {
            attempt.await;
            drop(held);
        };
        under_way.spawn(attempt, self.panicked());
    }

    /// What follows where an attempt panics.
    fn panicked(&self) -> impl FnOnce() + Send + 'static {
        let (lane, site) = (self.lane.clone(), Arc::clone(&self.site));
        move || {
            tracing::error!(
                route = &*lane.route,
                delivery = &*lane.delivery,
                "an attempt panicked: its delivery is tried again"
            );
            // It gave the lease back, and nobody else will say so. Not at once: it may well panic again.
            site.wake.by(site.workshop.clock.now().after(PAUSE));
        }
    }
}
