//! The embedded home's side of what people do.

use futures_util::future::BoxFuture;

use super::{Embedded, jobs, order, replay, tables};
use crate::model::{DeliveryId, Lane, Timestamp};
use crate::queue::{Action, Control, Job, JobId, NewDelivery, QueueError, Replayed, Selection, StateKind, Step};

impl Control for Embedded {
    fn replay(&self, id: DeliveryId, at: Timestamp) -> BoxFuture<'_, Result<Option<Replayed>, QueueError>> {
        Box::pin(self.transact(move |desk, changes| replay::one(desk, changes, id, at)))
    }

    fn redeliver(
        &self,
        event: u64,
        to: Vec<NewDelivery>,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Vec<Replayed>>, QueueError>> {
        Box::pin(async move {
            let Some(event) = i64::try_from(event).ok().filter(|event| *event < i64::MAX / tables::SLOTS) else {
                return Ok(None);
            };
            self.transact(move |desk, changes| replay::event(desk, changes, event, &to, at)).await
        })
    }

    fn purge(&self, id: DeliveryId) -> BoxFuture<'_, Result<bool, QueueError>> {
        Box::pin(self.transact(move |desk, changes| match replay::find(desk, id)? {
            Some((replay::Table::Dead, row)) => replay::purge(desk, changes, row),
            _ => Ok(false),
        }))
    }

    fn release<'a>(
        &'a self,
        lane: &'a Lane,
        key: &'a str,
        replay: bool,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<u64>, QueueError>> {
        let (row, key) = (self.counts.lane_row(lane), key.to_owned());
        Box::pin(self.transact(move |desk, changes| match row {
            Some(lane) => order::release(desk, changes, lane, &key, replay, at),
            None => Ok(None),
        }))
    }

    fn begin(&self, action: Action, selection: Selection, at: Timestamp) -> BoxFuture<'_, Result<Job, QueueError>> {
        Box::pin(async move {
            match (action, selection.state) {
                (_, Some(StateKind::Pending)) => refused("what is pending need not be replayed, and cannot be purged"),
                (Action::Purge, Some(StateKind::Delivered)) => refused("only dead letters are purged"),
                _ => self.transact(move |desk, _| jobs::begin(desk, action, &selection, at)).await,
            }
        })
    }

    fn step(&self, id: JobId, at: Timestamp) -> BoxFuture<'_, Result<Option<Step>, QueueError>> {
        Box::pin(self.transact(move |desk, changes| jobs::step(desk, changes, id, at)))
    }

    fn switch(&self, id: JobId, run: bool) -> BoxFuture<'_, Result<Option<Job>, QueueError>> {
        Box::pin(self.transact(move |desk, _| jobs::switch(desk, id, run)))
    }

    fn jobs(&self) -> BoxFuture<'_, Result<Vec<Job>, QueueError>> {
        Box::pin(self.look(jobs::list))
    }
}

fn refused<T>(why: &str) -> Result<T, QueueError> {
    Err(QueueError::Refused { detail: why.to_owned() })
}
