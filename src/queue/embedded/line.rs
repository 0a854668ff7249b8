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

/// When a lane looks again that has found what cannot be read.
const AGAIN: Duration = Duration::from_secs(1);

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
            if self.claims.unstored.wanted() {
                self.store_recent().await;
            }
            let (claims, lane, wanted_lane) = (Arc::clone(&self.claims), lane.clone(), lane.clone());
            let found = self
                .readers
                .read(move |connection| reader::lease(connection, &claims, &lane, lane_row, max, now))
                .await
                .inspect_err(|error| self.tell_damage(error))?;
            let mut leased = found.leased;
            if !found.unreadable.is_empty() {
                // What waited for one of these in its order is due once it is buried.
                leased.next_due = Some(now.after(AGAIN));
            }
            if self.claims.unstored.wanted() && leased.leases.len() < max {
                let room = max - leased.leases.len();
                let recent = self.lease_recent(wanted_lane, lane_row, room, now).await?;
                if recent.len() == room {
                    leased.next_due = Some(now);
                }
                leased.leases.extend(recent);
            }
            if self.claims.unstored.wanted() {
                // It could not be brought to the tables, or came meanwhile.
                leased.next_due = leased.next_due.min(Some(now.after(AGAIN))).or(Some(now.after(AGAIN)));
            }
            found.unreadable.into_iter().for_each(|unreadable| self.bury(unreadable));
            Ok(leased)
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

    fn outcomes_wait(&self) -> bool {
        self.door.outcomes_wait()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move {
            self.door.close()?;
            // First the readers: the last connection to close empties the log.
            self.readers.close().await;
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

impl Embedded {
    /// What the tables could not take.
    async fn lease_recent(&self, lane: Lane, row: i64, max: usize, now: Timestamp) -> Result<Vec<Lease>, QueueError> {
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
