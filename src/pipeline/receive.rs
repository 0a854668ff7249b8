//! The first stage: a request, read to its end within its bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::expr::RequestScope;
use crate::model::{Clock, Timestamp};

/// A request, read to its end within its bounds. Nothing in it is to be believed yet. Its `Debug` shows nothing that
/// the sender wrote: there are credentials in it.
pub struct Received {
    /// The method.
    pub method: Method,
    /// The path as sent, without the query.
    pub path: Box<str>,
    /// The query as sent, without the `?`; empty where there is none.
    pub query: Box<str>,
    /// The values of the route's path parameters, by name.
    pub path_params: Vec<(Box<str>, Box<str>)>,
    /// Every header field.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// When its last byte had arrived.
    pub received_at: Timestamp,
}

/// Put into the extensions of a request that had both a `Content-Length` and a `Transfer-Encoding`, by whoever still
/// saw both: hyper drops the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmbiguousLength;

/// How much a request's body may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest body, in bytes.
    pub max_body: u64,
    /// How long the client may take to send it.
    pub body_timeout: Duration,
}

/// The memory that bodies under way may take together, so that many clients at once cannot fill the machine.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Semaphore>);

/// A share of a [`BodyBudget`], given back when it is dropped.
#[derive(Debug, Default)]
pub struct BodyShare(Option<OwnedSemaphorePermit>);

/// Why a request could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// It has both a `Content-Length` and a `Transfer-Encoding`: two readers could see two requests (RFC 9112,
    /// section 6.1).
    #[error("the request has both Content-Length and Transfer-Encoding")]
    Framing,
    /// The body is larger than the route takes.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The most that the route takes, in bytes.
        limit: u64,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    Timeout,
    /// The client went away, or what it sent is not HTTP.
    #[error("the client broke off")]
    Broken,
    /// The bodies under way take all the memory they may.
    #[error("too many bodies are under way at once")]
    Busy,
}

// === impl BodyBudget ===

/// A budget is counted in units of this many bytes.
const BUDGET_UNIT: u64 = 1024;

impl BodyBudget {
    /// A budget of `bytes` bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes / BUDGET_UNIT).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// Makes `share` cover `bytes` bytes.
    fn cover(&self, share: &mut BodyShare, bytes: u64) -> Result<(), ReceiveError> {
        let units = usize::try_from(bytes.div_ceil(BUDGET_UNIT)).unwrap_or(usize::MAX);
        let held = share.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = u32::try_from(units.saturating_sub(held)).map_err(|_| ReceiveError::Busy)?;
        if missing == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.0).try_acquire_many_owned(missing).map_err(|_| ReceiveError::Busy)?;
        match &mut share.0 {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

// === impl Received ===

impl Received {
    /// Reads a request to its end. The share of the budget is to be held until the request is answered.
    ///
    /// # Errors
    /// Where it breaks a bound, or off.
    pub async fn read(
        head: Parts,
        body: Incoming,
        path_params: Vec<(Box<str>, Box<str>)>,
        bounds: Bounds,
        budget: &BodyBudget,
        clock: &dyn Clock,
    ) -> Result<(Self, BodyShare), ReceiveError> {
        if head.extensions.get::<AmbiguousLength>().is_some() {
            return Err(ReceiveError::Framing);
        }
        let reading = read_body(body, bounds.max_body, budget);
        let (body, share) =
            tokio::time::timeout(bounds.body_timeout, reading).await.map_err(|_| ReceiveError::Timeout)??;
        let received = Self {
            method: head.method,
            path: head.uri.path().into(),
            query: head.uri.query().unwrap_or_default().into(),
            path_params,
            headers: head.headers,
            body,
            received_at: clock.now(),
        };
        Ok((received, share))
    }

    /// What selectors look at before the body is parsed.
    #[must_use]
    pub fn scope(&self) -> RequestScope<'_> {
        RequestScope {
            method: &self.method,
            headers: &self.headers,
            query: &self.query,
            path_params: &self.path_params,
            body: &self.body,
            json: None,
            envelope: None,
            whole: None,
            data: &self.body,
        }
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("received_at", &self.received_at)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

async fn read_body(mut body: Incoming, limit: u64, budget: &BodyBudget) -> Result<(Bytes, BodyShare), ReceiveError> {
    if body.size_hint().lower() > limit {
        return Err(ReceiveError::TooLarge { limit });
    }
    // Paid for as it arrives: what a client announces costs it nothing, and must not keep others out.
    let mut share = BodyShare::default();
    let mut whole = BytesMut::new();
    let mut first = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ReceiveError::Broken)?.into_data() else { continue };
        let length = (first.len() + whole.len() + data.len()) as u64;
        if length > limit {
            return Err(ReceiveError::TooLarge { limit });
        }
        budget.cover(&mut share, length)?;
        if first.is_empty() && whole.is_empty() {
            // Most bodies arrive in one piece, which then is not copied.
            first = data;
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&data);
    }
    Ok((if whole.is_empty() { first } else { whole.freeze() }, share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_pieces_cost_what_they_hold() {
        let budget = BodyBudget::new(2 * BUDGET_UNIT);
        let mut share = BodyShare::default();
        for length in 1..=2 * BUDGET_UNIT {
            assert_eq!(budget.cover(&mut share, length), Ok(()), "{length}");
        }
        assert_eq!(budget.cover(&mut share, 2 * BUDGET_UNIT + 1), Err(ReceiveError::Busy));
    }

    #[test]
    fn a_share_comes_back_when_it_is_dropped() {
        let budget = BodyBudget::new(BUDGET_UNIT);
        let (mut first, mut second) = (BodyShare::default(), BodyShare::default());
        assert_eq!(budget.cover(&mut first, 0), Ok(()));
        assert_eq!(budget.cover(&mut second, BUDGET_UNIT), Ok(()));
        assert_eq!(budget.cover(&mut first, 1), Err(ReceiveError::Busy));
        drop(second);
        assert_eq!(budget.cover(&mut first, 1), Ok(()));
    }

    #[test]
    fn a_budget_without_end_is_one() {
        assert_eq!(BodyBudget::new(u64::MAX).cover(&mut BodyShare::default(), 10 << 20), Ok(()));
    }
}
