//! The embedded home's side of what people look at.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Embedded, audit, browse, traffic};
use crate::model::{DeliveryId, Lane};
use crate::queue::{
    Archive, Audit, DeliveryRecord, EventRecord, Page, ParkedKey, QueueError, Selection, StoredEvent, StoredRequest,
};

impl Archive for Embedded {
    fn events(
        &self,
        selection: Selection,
        before: Option<u64>,
        max: usize,
    ) -> BoxFuture<'_, Result<Page<EventRecord>, QueueError>> {
        Box::pin(self.look(move |connection| browse::events(connection, &selection, before, max)))
    }

    fn event<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<StoredEvent>, QueueError>> {
        let (routes, id): (_, Arc<str>) = (self.counts.routes(), id.into());
        let young = Arc::clone(&self.young);
        Box::pin(self.look(move |connection| browse::event(connection, &young, &routes, &id)))
    }

    fn requests(
        &self,
        selection: Selection,
        before: Option<u64>,
        max: usize,
    ) -> BoxFuture<'_, Result<Page<StoredRequest>, QueueError>> {
        Box::pin(self.look(move |connection| traffic::requests(connection, &selection, before, max)))
    }

    fn deliveries(
        &self,
        selection: Selection,
        before: Option<u64>,
        max: usize,
    ) -> BoxFuture<'_, Result<Page<DeliveryRecord>, QueueError>> {
        Box::pin(self.look(move |connection| browse::deliveries(connection, &selection, before, max)))
    }

    fn delivery(&self, id: DeliveryId) -> BoxFuture<'_, Result<Option<DeliveryRecord>, QueueError>> {
        let young = Arc::clone(&self.young);
        Box::pin(self.look(move |connection| browse::delivery(connection, &young, id)))
    }

    fn parked(&self, after: Option<(Lane, Box<str>)>, max: usize) -> BoxFuture<'_, Result<Vec<ParkedKey>, QueueError>> {
        Box::pin(self.look(move |connection| browse::parked(connection, after.as_ref(), max)))
    }

    fn audit(&self) -> BoxFuture<'_, Result<Audit, QueueError>> {
        Box::pin(self.look(audit::read))
    }
}
