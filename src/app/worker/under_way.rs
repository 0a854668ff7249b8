//! The attempts of one lane that are under way.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Attempts, each a task. An attempt that ends wakes its lane only where that waits for it.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    count: Arc<AtomicUsize>,
    ended: Arc<Notify>,
}

/// One of them, until it is dropped.
struct Counted {
    count: Arc<AtomicUsize>,
    ended: Arc<Notify>,
}

// === impl UnderWay ===

impl UnderWay {
    /// Starts one; `panicked` is for where it panics.
    pub(super) fn spawn(
        &self,
        attempt: impl Future<Output = ()> + Send + 'static,
        panicked: impl FnOnce() + Send + 'static,
    ) {
        let counted = Counted::new(self);
        tokio::spawn(async move {
            // What it held is dropped by then, and nothing of it is looked at.
            if AssertUnwindSafe(attempt).catch_unwind().await.is_err() {
                panicked();
            }
            drop(counted);
        });
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Until one ends, from now on: also where that is before it is waited for.
    pub(super) fn next_end(&self) -> OwnedNotified {
        Arc::clone(&self.ended).notified_owned()
    }

    /// Waits until there are none.
    pub(super) async fn none(&self) {
        loop {
            let end = self.next_end();
            if self.len() == 0 {
                return;
            }
            end.await;
        }
    }
}

// === impl Counted ===

impl Counted {
    fn new(all: &UnderWay) -> Self {
        all.count.fetch_add(1, Ordering::AcqRel);
        Self { count: Arc::clone(&all.count), ended: Arc::clone(&all.ended) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_an_end_is_told_also_where_it_came_first() {
        let under_way = UnderWay::default();
        let (go, gone) = oneshot::channel::<()>();
        under_way.spawn(async { drop(gone.await) }, || {});
        under_way.spawn(pending(), || {});
        let end = under_way.next_end();
        assert_eq!(under_way.len(), 2);
        go.send(()).unwrap();
        while under_way.len() == 2 {
            tokio::task::yield_now().await;
        }
        end.await;
        assert_eq!(under_way.len(), 1);
    }

    #[tokio::test]
    async fn one_that_panics_says_so_and_ends() {
        let under_way = UnderWay::default();
        let (panicked, told) = oneshot::channel::<()>();
        under_way.spawn(async { panic!("on purpose") }, move || panicked.send(()).unwrap());
        under_way.none().await;
        told.await.unwrap();
    }
}
