//! Work that comes to its end also where nobody waits for it any more.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that goes on by itself where it is dropped after it has begun and before it has ended. One that is dropped
/// before is not begun; with the runtime it ends.
pub(super) struct Finished<F: Future<Output: Send> + Send + 'static> {
    /// `None` once it has ended.
    work: Option<Pin<Box<F>>>,
    begun: bool,
}

// === impl Finished ===

impl<F: Future<Output: Send> + Send + 'static> Finished<F> {
    pub(super) fn new(work: F) -> Self {
        Self { work: Some(Box::pin(work)), begun: false }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Finished<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.begun = true;
        // Out of its place meanwhile: where it panics it is not gone on with.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Finished<F> {
    fn drop(&mut self) {
        let Some(work) = self.work.take().filter(|_| self.begun) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use tokio::sync::{Notify, oneshot};

    use super::*;

    #[tokio::test]
    async fn what_is_dropped_on_its_way_comes_to_its_end() {
        let (go, (told, done)) = (Arc::new(Notify::new()), oneshot::channel());
        let gate = Arc::clone(&go);
        let mut work = Finished::new(async move {
            gate.notified().await;
            told.send(7).unwrap();
        });
        assert_eq!((&mut work).now_or_never(), None);
        drop(work);
        go.notify_one();
        assert_eq!(done.await, Ok(7));
    }

    #[tokio::test]
    async fn what_was_not_begun_is_not_and_what_has_ended_ends_once() {
        let (told, done) = oneshot::channel::<u8>();
        drop(Finished::new(async move { told.send(1) }));
        assert!(done.await.is_err());
        assert_eq!(Finished::new(async { 2 }).await, 2);
    }

    #[tokio::test]
    async fn what_panics_is_not_gone_on_with() {
        let work = Finished::new(async { panic!("on purpose") });
        assert!(std::panic::AssertUnwindSafe(work).catch_unwind().await.is_err());
    }
}
