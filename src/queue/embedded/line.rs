//! The embedded home's side of the line: what is appended, leased and ended.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::command::{Command, Write};
use super::door::Door;
use super::settle::{Settle, Verdict};
use super::upkeep::Chore;
use super::{Embedded, append, journal, reader};
use crate::model::{Attempt, Lane, Timestamp};
use crate::queue::{
    Append, Appended, Death, Forgotten, Lease, Leased, Ledger, Queue, QueueError, Retired, Settled, Tally,
};

/// When a lane looks again that has found what cannot be read, or cannot be stored.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a lease looks while what it looks for goes from memory to the tables.
const LOOKS: usize = 3;

impl Queue for Embedded {
    fn append(&self, batch: Append) -> BoxFuture<'_, Result<Appended, QueueError>> {
        Box::pin(async move {
            self.door.check_open()?;
            let ticket = Door::admit(&self.door, append::weight(&batch))?;
            self.ask(|reply| Command::Write(Write::Append { batch, ticket, reply })).await
        })
    }

    fn count(&self, route: Arc<str>, tally: Tally) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(self.ask(move |reply| Command::Write(Write::Count { route, tally, reply })))
    }

    fn lease<'a>(&'a self, lane: &'a Lane, max: usize, now: Timestamp) -> BoxFuture<'a, Result<Leased, QueueError>> {
        Box::pin(async move {
            self.door.check_open()?;
            let Some(lane_row) = self.counts.lane_row(lane) else {
                return Ok(Leased { leases: Vec::new(), next_due: None });
            };
            let (mut leases, mut next_due) = (Vec::new(), Some(now));
            for _ in 0..LOOKS {
                let stored = self.claims.unstored.stored();
                let found = self.look_for(lane, lane_row, max - leases.len(), now).await?;
                leases.extend(found.leases);
                next_due = found.next_due;
                if self.claims.unstored.stored() == stored {
                    break;
                }
                // What was in memory may have come to the tables between the look there and the one here.
                next_due = Some(now);
                if leases.len() >= max {
                    break;
                }
            }
            Ok(Leased { leases, next_due })
        })
    }

    fn ack(
        &self,
        lease: Lease,
        attempt: Attempt,
        keep_until: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Settled, QueueError>> {
        Box::pin(self.settle(lease, Verdict::Made { attempt, keep_until }))
    }

    fn retry_at(&self, lease: Lease, at: Timestamp, attempt: Attempt) -> BoxFuture<'_, Result<Settled, QueueError>> {
        Box::pin(self.settle(lease, Verdict::Again { at, attempt }))
    }

    fn dead_letter(&self, lease: Lease, death: Death) -> BoxFuture<'_, Result<Settled, QueueError>> {
        Box::pin(self.settle(lease, Verdict::Dead(death)))
    }

    fn retire<'a>(&'a self, lanes: &'a [Lane], at: Timestamp) -> BoxFuture<'a, Result<Vec<Retired>, QueueError>> {
        Box::pin(self.ask(move |reply| Command::Chore(Chore::retire(lanes.to_vec(), at, reply))))
    }

    fn ledger(&self) -> Ledger {
        self.counts.ledger()
    }

    fn oldest_pending(&self) -> BoxFuture<'_, Result<Option<Timestamp>, QueueError>> {
        Box::pin(self.look(reader::oldest_pending))
    }

    fn forget(&self, now: Timestamp) -> BoxFuture<'_, Result<Forgotten, QueueError>> {
        Box::pin(self.ask(move |reply| Command::Chore(Chore::forget(now, self.max_kept, reply))))
    }

    fn health(&self) -> Result<(), QueueError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.as_ref().is_some_and(JoinHandle::is_finished) {
            return Err(QueueError::Store { detail: "the writer has ended: restart the gateway".to_owned() });
        }
        self.door.health()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move {
            self.door.close()?;
            // First the readers: the last connection to close empties the log.
            self.readers.close().await;
            drop(self.noting.lock().await);
            let (reply, answer) = oneshot::channel();
            self.commands.send(Command::Close(reply)).map_err(|_| QueueError::Closed)?;
            let closed = answer.await.unwrap_or(Err(QueueError::Closed));
            let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(thread) = thread {
                // It has answered, so this is short; still it may not hold up a thread of the runtime.
                let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            }
            closed
        })
    }
}

// === impl Embedded ===

impl Embedded {
    /// One look into the tables, then into memory. What only the tables can give, once they have it, is for the next look.
    async fn look_for(&self, lane: &Lane, row: i64, max: usize, now: Timestamp) -> Result<Leased, QueueError> {
        let mut leased = self.lease_stored(lane, row, max, now).await?;
        let room = max.saturating_sub(leased.leases.len());
        if !self.claims.unstored.wanted() {
            return Ok(leased);
        }
        if room == 0 {
            leased.next_due = Some(now);
            return Ok(leased);
        }
        let recent = self.lease_recent(lane.clone(), row, room, now).await?;
        let mut put_off = recent.put_off.map(|at| at.max(now));
        if put_off == Some(now) && recent.leases.len() < room {
            self.store_recent().await;
            // For where that fails.
            put_off = Some(now.after(AGAIN));
        }
        leased.leases.extend(recent.leases);
        leased.next_due = [leased.next_due, recent.next_due, put_off].into_iter().flatten().min();
        Ok(leased)
    }

    /// What the tables have.
    async fn lease_stored(&self, lane: &Lane, row: i64, max: usize, now: Timestamp) -> Result<Leased, QueueError> {
        let (claims, lane) = (Arc::clone(&self.claims), lane.clone());
        let found = self
            .readers
            .read(move |connection| reader::lease(connection, &claims, &lane, row, max, now))
            .await
            .inspect_err(|error| self.tell_damage(error))?;
        let reader::Found { mut leased, unreadable } = found;
        if !unreadable.is_empty() {
            // What waited for one of these in its order is due once it is buried.
            leased.next_due = Some(now.after(AGAIN));
        }
        unreadable.into_iter().for_each(|unreadable| self.bury(unreadable));
        Ok(leased)
    }

    /// What is not in the tables.
    async fn lease_recent(
        &self,
        lane: Lane,
        row: i64,
        max: usize,
        now: Timestamp,
    ) -> Result<journal::RecentLeases, QueueError> {
        self.ask(move |reply| {
            // Leases that nobody waits for any more are given back as they are dropped.
            Command::Work(Box::new(move |desk| drop(reply.send(Ok(journal::lease(desk, &lane, row, max, now))))))
        })
        .await
    }

    /// Has the next start salvage what a reader found damaged.
    fn tell_damage(&self, error: &QueueError) {
        if matches!(error, QueueError::Damaged { .. }) {
            let _ = self.commands.send(Command::FoundDamage);
        }
    }

    /// A delivery whose record cannot be read leaves the queue; nobody waits for it, and its claim is kept until then.
    fn bury(&self, unreadable: reader::Unreadable) {
        let reader::Unreadable { id, lane, claim, why } = unreadable;
        tracing::error!(
            route = &*lane.route, delivery = &*lane.delivery, %id, why,
            "the record of a delivery cannot be read: it becomes a dead letter"
        );
        let settle = Settle { id, lane, claim, verdict: Verdict::Unreadable };
        // Closed meanwhile: it is found again by the next start.
        let _ = self.commands.send(Command::Write(Write::Settle { settle, reply: None }));
    }
}
