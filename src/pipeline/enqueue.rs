//! The fifth stage: a request's events and deliveries, made durable in one atomic append.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Event, Lane, Request, Timestamp};
use crate::queue::{Append, Appended, NewEvent, Queue, QueueError};

/// An event with the lanes that want it.
#[derive(Debug)]
pub struct Wanted {
    /// The event.
    pub event: Arc<Event>,
    /// What makes it the same as another of its route.
    pub key: String,
    /// The lanes that want it: at least one.
    pub lanes: Vec<Lane>,
}

/// Stores a request with those of its events that are wanted. When this answers `Ok`, they are on stable storage.
/// `remember` is how long an event is known as a duplicate; `None` where duplicates are not looked for.
///
/// # Errors
/// Where the queue cannot keep them: then nothing of the request is kept.
pub async fn enqueue(
    queue: &dyn Queue,
    request: Arc<Request>,
    wanted: Vec<Wanted>,
    remember: Option<Duration>,
    now: Timestamp,
) -> Result<Appended, QueueError> {
    let id = request.id;
    let events = wanted.into_iter().enumerate().map(|(index, wanted)| NewEvent {
        event: wanted.event,
        // Where nothing is a duplicate, each event is its own: two with one id are two.
        key: if remember.is_some() { wanted.key } else { format!("{id}/{index}") },
        remember_until: remember.map(|window| now.after(window)),
        lanes: wanted.lanes,
    });
    let events = events.collect();
    queue.append(Append { request, events }).await
}
