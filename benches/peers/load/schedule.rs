//! An open loop: requests are due at a fixed rate, whatever became of those before. Their latency counts from when they were
//! due (no coordinated omission), so that a stall is seen by all that would have come in it.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// When each request is due.
pub struct Schedule {
    began: Instant,
    rate: f64,
    taken: Cell<u64>,
    due: Arc<Semaphore>,
}

// === impl Schedule ===

impl Schedule {
    /// Starts one that ends at a time. A thread keeps it: the runtime's timers are as coarse as a millisecond.
    pub fn start(began: Instant, rate: f64, end: Instant) -> Self {
        let due = Arc::new(Semaphore::new(0));
        let keeper = Arc::clone(&due);
        thread::spawn(move || {
            let mut released = 0;
            while Instant::now() < end {
                let wanted = (began.elapsed().as_secs_f64() * rate) as usize + 1;
                keeper.add_permits(wanted - released);
                released = wanted;
                let next = began + Duration::from_secs_f64(released as f64 / rate);
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            keeper.close();
        });
        Self { began, rate, taken: Cell::new(0), due }
    }

    /// Waits for the next one; gives when it was due. `None` after the end.
    pub async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.get();
        self.taken.set(number + 1);
        Some(self.began + Duration::from_secs_f64(number as f64 / self.rate))
    }
}
