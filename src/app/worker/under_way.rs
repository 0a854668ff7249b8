//! The attempts of one lane that are under way.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Attempts, each a task. One that ends, or has its answer, wakes its lane only where that waits for it.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: AtomicUsize,
    unanswered: AtomicUsize,
    ended: Arc<Notify>,
}

/// One of them, until it is dropped.
struct Counted(Arc<Counts>);

/// One that has no answer yet, until it is dropped.
#[derive(Debug)]
pub(super) struct Unanswered(Arc<Counts>);

// === impl UnderWay ===

impl UnderWay {
    /// Starts one; `panicked` is for where it panics.
    pub(super) fn spawn(
        &self,
        attempt: impl Future<Output = ()> + Send + 'static,
        panicked: impl FnOnce() + Send + 'static,
    ) {
        self.0.all.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(Arc::clone(&self.0));
        tokio::spawn(async move {
            // What it held is dropped by then, and nothing of it is looked at.
            if AssertUnwindSafe(attempt).catch_unwind().await.is_err() {
                panicked();
            }
            drop(counted);
        });
    }

    /// Counts one more that has no answer yet.
    pub(super) fn unanswered(&self) -> Unanswered {
        self.0.unanswered.fetch_add(1, Ordering::AcqRel);
        Unanswered(Arc::clone(&self.0))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.all.load(Ordering::Acquire)
    }

    /// How many of them have no answer yet.
    pub(super) fn len_unanswered(&self) -> usize {
        self.0.unanswered.load(Ordering::Acquire)
    }

    /// Until one ends or has its answer, from now on: also where that is before it is waited for.
    pub(super) fn next_end(&self) -> OwnedNotified {
        Arc::clone(&self.0.ended).notified_owned()
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

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.all.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_waiters();
    }
}

// === impl Unanswered ===

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.unanswered.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_waiters();
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
    async fn who_waits_is_told_of_an_answer_too() {
        let under_way = UnderWay::default();
        let unanswered = under_way.unanswered();
        let end = under_way.next_end();
        assert_eq!((under_way.len(), under_way.len_unanswered()), (0, 1));
        drop(unanswered);
        end.await;
        assert_eq!(under_way.len_unanswered(), 0);
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
