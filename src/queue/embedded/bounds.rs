//! How much may wait, and how long: beyond that nothing more is taken.

use std::time::Duration;

use super::desk::Desk;
use super::failure::queue_error;
use super::reader;
use crate::model::Timestamp;
use crate::queue::QueueError;

/// How much may wait, and how long.
#[derive(Debug)]
pub(super) struct Bounds {
    /// How many bytes the pending and the dead may take together.
    pub(super) max_bytes: Option<u64>,
    /// How old the oldest pending delivery may be.
    pub(super) max_age: Option<Duration>,
    /// How many bytes what was delivered may take.
    pub(super) max_kept: u64,
    /// When the age was last looked at, and what was found.
    aged: Option<(Timestamp, Result<(), QueueError>)>,
}

/// How often the age is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

// === impl Bounds ===

impl Bounds {
    pub(super) const fn new(max_bytes: Option<u64>, max_age: Option<Duration>, max_kept: u64) -> Self {
        Self { max_bytes, max_age, max_kept, aged: None }
    }

    /// Whether more may be taken: why not, where not.
    pub(super) fn check(&mut self, desk: &mut Desk, now: Timestamp) -> Result<(), QueueError> {
        if let Some(max) = self.max_bytes
            && desk.counts.held_bytes() >= max
        {
            let detail = format!(
                "what is pending and dead takes about {} of the {max} bytes of `queue.embedded.max_bytes`; \
                 `hookswitch dead-letters` lists, replays and purges",
                desk.counts.held_bytes()
            );
            return Err(QueueError::Full { detail });
        }
        self.check_age(desk, now)
    }

    fn check_age(&mut self, desk: &mut Desk, now: Timestamp) -> Result<(), QueueError> {
        let Some(max) = self.max_age else { return Ok(()) };
        if let Some((at, found)) = &self.aged
            && now >= *at
            && now.since(*at) < LOOK_EVERY
        {
            return found.clone();
        }
        // What it waited for may be recent. Where that cannot be stored the tables say what they know.
        let _ = desk.store_recent();
        let oldest = reader::oldest_pending(&desk.connection).map_err(|error| queue_error(&error))?;
        let found = match oldest.map(|oldest| now.since(oldest)) {
            Some(age) if age >= max => Err(QueueError::Full {
                detail: format!(
                    "the oldest pending delivery has waited for {} s, and `queue.embedded.max_age` is {} s",
                    age.as_secs(),
                    max.as_secs()
                ),
            }),
            _ => Ok(()),
        };
        self.aged = Some((now, found.clone()));
        found
    }
}
