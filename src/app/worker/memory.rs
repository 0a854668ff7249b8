//! The memory that events take while their deliveries are under way, or wait for that outside of the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::Event;

/// How much memory events take on their way out, in bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<AtomicU64>);

/// What one of them takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    memory: Memory,
    bytes: u64,
}

/// Beyond this, lanes take one delivery at a time, and what is committed waits in the queue: one hanging destination whose
/// events are large must not take it all.
const BUDGET: u64 = 256 << 20;
/// How many times its text the data of an event takes, once it is parsed, with the text itself.
const PARSED: u64 = 4;
/// What an event takes whatever its size.
const EACH: u64 = 4 << 10;

// === impl Memory ===

impl Memory {
    /// Whether there is no more to be had.
    pub(super) fn is_short(&self) -> bool {
        self.0.load(Ordering::Acquire) >= BUDGET
    }

    /// Takes what an event takes.
    pub(super) fn hold(&self, event: &Event) -> Held {
        let bytes = EACH + PARSED * event.data_range().len() as u64;
        self.0.fetch_add(bytes, Ordering::AcqRel);
        Held { memory: self.clone(), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::sample;

    #[test]
    fn what_large_events_take_is_counted_and_given_back() {
        let memory = Memory::default();
        let body = format!("\"{}\"", "x".repeat(64 << 20));
        let request = Arc::new(sample::request(&body));
        let event = Event::new(sample::attributes("r", "t"), request, 0..body.len(), Value::Null);
        let held = memory.hold(&event);
        assert!(memory.is_short());
        drop(held);
        assert!(!memory.is_short());
    }
}
