//! A destination that says 200 to everything and remembers what it was sent.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use crate::app::Gateway;
use crate::app::server::Handler;

/// The destination.
#[derive(Debug)]
pub(super) struct Echo(mpsc::UnboundedSender<Arrival>);

/// What it was sent, in order.
#[derive(Debug)]
pub(super) struct Arrivals(mpsc::UnboundedReceiver<Arrival>);

/// One request to the destination.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The largest body it reads: the samples are far smaller.
const MAX_BODY: usize = 1 << 20;
/// How often it is looked whether the queue is empty.
const TICK: Duration = Duration::from_millis(10);

// === impl Echo ===

impl Echo {
    /// A destination, and what it will have been sent.
    pub(super) fn new() -> (Self, Arrivals) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Arrivals(receiver))
    }
}

impl Handler for Echo {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        #[expect(clippy::disallowed_methods, reason = "bounded by Limited")]
        let body = Limited::new(body, MAX_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let path = head.uri.path().to_owned();
        // The demo may be over: then nobody asks.
        let _ = self.0.send(Arrival { method: head.method, path, headers: head.headers, body });
        Response::new(Full::default())
    }
}

// === impl Arrivals ===

impl Arrivals {
    /// What arrived until nothing is pending any more, at most `patience` long.
    pub(super) async fn settled(&mut self, gateway: &Gateway, patience: Duration) -> Vec<Arrival> {
        let drained = async {
            while gateway.pending() > 0 {
                tokio::time::sleep(TICK).await;
            }
        };
        let _ = tokio::time::timeout(patience, drained).await;
        let mut arrived = Vec::new();
        while let Ok(arrival) = self.0.try_recv() {
            arrived.push(arrival);
        }
        arrived.sort_by(|a, b| a.path.cmp(&b.path));
        arrived
    }
}
