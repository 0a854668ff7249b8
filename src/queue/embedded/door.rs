//! What stands before the writer: whether it is open, how much waits, and what ails it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::queue::QueueError;

/// What stands before the writer.
#[derive(Debug)]
pub(super) struct Door {
    closed: AtomicBool,
    waiting: AtomicUsize,
    max_waiting: usize,
    trouble: Mutex<Option<QueueError>>,
}

/// Room in the backlog, given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    door: Arc<Door>,
    bytes: usize,
}

// === impl Door ===

impl Door {
    pub(super) const fn new(max_waiting: usize) -> Self {
        Self { closed: AtomicBool::new(false), waiting: AtomicUsize::new(0), max_waiting, trouble: Mutex::new(None) }
    }

    pub(super) fn check_open(&self) -> Result<(), QueueError> {
        if self.closed.load(Ordering::Acquire) { Err(QueueError::Closed) } else { Ok(()) }
    }

    /// Takes room for `bytes`. An append that finds nothing waiting is let in whatever its size.
    pub(super) fn admit(door: &Arc<Self>, bytes: usize) -> Result<Ticket, QueueError> {
        door.waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                let after = waiting.saturating_add(bytes);
                (waiting == 0 || after <= door.max_waiting).then_some(after)
            })
            .map_err(|waiting| door.backlogged(waiting))?;
        Ok(Ticket { door: Arc::clone(door), bytes })
    }

    /// Closes the door; fails where it was closed.
    pub(super) fn close(&self) -> Result<(), QueueError> {
        if self.closed.swap(true, Ordering::AcqRel) { Err(QueueError::Closed) } else { Ok(()) }
    }

    pub(super) fn health(&self) -> Result<(), QueueError> {
        self.check_open()?;
        if let Some(trouble) = &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(trouble.clone());
        }
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting >= self.max_waiting { Err(self.backlogged(waiting)) } else { Ok(()) }
    }

    pub(super) fn in_trouble(&self) -> bool {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Sets what ails the store; logs when it begins and when it is over, not each time.
    pub(super) fn set_trouble(&self, trouble: Option<QueueError>) {
        let mut current = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*current, &trouble) {
            (None, Some(error)) => tracing::error!(%error, "the queue cannot store events: providers get 503"),
            (Some(_), None) => tracing::info!("the queue can store events again"),
            _ => {}
        }
        *current = trouble;
    }

    fn backlogged(&self, waiting: usize) -> QueueError {
        QueueError::Full {
            detail: format!(
                "{waiting} of at most {} bytes wait for the disk, which does not keep up",
                self.max_waiting
            ),
        }
    }
}

// === impl Ticket ===

impl Ticket {
    /// How much room it takes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.door.waiting.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backlog_is_bounded_and_gives_its_room_back() {
        let door = Arc::new(Door::new(100));
        let huge = Door::admit(&door, 5_000).unwrap();
        assert!(matches!(Door::admit(&door, 1), Err(QueueError::Full { .. })));
        assert!(door.health().is_err());
        drop(huge);
        let first = Door::admit(&door, 60).unwrap();
        assert!(Door::admit(&door, 60).is_err());
        assert!(door.health().is_ok());
        drop(first);
        assert!(Door::admit(&door, 60).is_ok());
    }

    #[test]
    fn a_door_is_closed_once() {
        let door = Door::new(1);
        assert!(door.close().is_ok());
        assert!(matches!(door.close(), Err(QueueError::Closed)));
        assert!(matches!(door.health(), Err(QueueError::Closed)));
    }
}
