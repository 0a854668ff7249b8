//! An HTTP/1.1 server within bounds: what the webhook and the admin listener have in common.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::framing::{Seen, Watched};
use crate::pipeline::receive::AmbiguousLength;

/// What a connection may cost.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionBounds {
    /// How many may be open at once; further ones wait in the kernel's backlog.
    pub connections: u32,
    /// How long a client may take to send a request's head, and may be silent between two requests.
    pub header_timeout: Duration,
}

/// The most header fields of a request; more are answered 431.
const MAX_HEADERS: usize = 100;
/// The most bytes of a request's head; more are answered 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long accepting rests after it failed: the process is out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Serves until `stop`, then takes no further connection, lets requests under way finish, and returns.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    bounds: ConnectionBounds,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(usize::try_from(bounds.connections).unwrap_or(Semaphore::MAX_PERMITS)));
    while let Some((stream, slot)) = accept(&listener, &slots, &stop).await {
        connections.spawn(connection(stream, Arc::clone(&handler), bounds, stop.clone(), slot));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next connection with its slot; `None` once stopped.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, slot)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection: check the limit of open files");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = next => accepted,
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    handler: Arc<H>,
    bounds: ConnectionBounds,
    stop: CancellationToken,
    slot: OwnedSemaphorePermit,
) {
    // Answers are small: without this the last piece of one waits for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let (stream, seen) = Watched::new(stream);
    let service = service_fn(move |request| {
        let (handler, seen) = (Arc::clone(&handler), seen.clone());
        async move { Ok::<_, Infallible>(answer(&*handler, request, &seen).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(slot);
}

async fn answer<H: Handler>(handler: &H, mut request: Request<Incoming>, seen: &Seen) -> Response<Full<Bytes>> {
    if seen.ambiguous() {
        request.extensions_mut().insert(AmbiguousLength);
    }
    let mut response = handler.handle(request).await;
    if seen.unbounded() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
