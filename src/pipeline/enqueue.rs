//! The fifth stage: a request's events and deliveries, made durable in one atomic append.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Event, Request, Timestamp};
use crate::queue::{Append, Appended, NewDelivery, NewEvent, Queue, QueueError, Tally};

/// An event with the deliveries that it causes.
#[derive(Debug)]
pub struct Wanted {
    /// The event.
    pub event: Arc<Event>,
    /// What makes it the same as another of its route.
    pub key: String,
    /// Its deliveries: at least one.
    pub deliveries: Vec<NewDelivery>,
}

/// Where events come from, and what is known of them beside themselves.
#[derive(Debug)]
pub struct Origin {
    /// The route's name.
    pub route: Arc<str>,
    /// How long an event is known as a duplicate; `None` where duplicates are not looked for.
    pub remember: Option<Duration>,
    /// How many events the request had, and what became of those that nobody wants.
    pub tally: Tally,
}

/// Stores a request with those of its events that are wanted, and counts the others. When this answers `Ok`, all of that
/// is on stable storage.
///
/// # Errors
/// Where the queue cannot keep them: then nothing of the request is kept.
pub async fn enqueue(
    queue: &dyn Queue,
    request: Arc<Request>,
    wanted: Vec<Wanted>,
    Origin { route, remember, tally }: Origin,
    now: Timestamp,
) -> Result<Appended, QueueError> {
    if wanted.is_empty() {
        queue.count(route, tally).await?;
        return Ok(Appended { admissions: Vec::new(), leases: Vec::new() });
    }
    let id = request.id;
    let events = wanted.into_iter().enumerate().map(|(index, wanted)| NewEvent {
        event: wanted.event,
        // Where nothing is a duplicate, each event is its own: two with one id are two.
        key: if remember.is_some() { wanted.key } else { format!("{id}/{index}") },
        remember_until: remember.map(|window| now.after(window)),
        deliveries: wanted.deliveries,
    });
    let events = events.collect();
    queue.append(Append { request, route, tally, events }).await
}
