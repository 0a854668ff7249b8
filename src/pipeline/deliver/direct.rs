//! Plain HTTP/1.1 to one destination, without TLS and without anything between the attempt and the socket.
//!
//! hyper has a connection in two halves, of which one takes requests and the other moves bytes, commonly each in a task of
//! its own. Here the attempt moves the bytes itself: no task is spawned for it, and none is woken. A connection that
//! nobody uses is moved by nobody: what came of it meanwhile is seen as it is taken up again, before anything is sent.

use std::collections::VecDeque;
use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::poll_fn;
use http::header::{HOST, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tower_service::Service as _;

use super::address::Address;
use super::guard::Resolver;
use super::link::{CONNECT_TIMEOUT, POOL_IDLE, POOL_IDLE_PER_HOST};

/// Makes connections, to the addresses that its resolver gives.
#[derive(Debug, Clone)]
pub(super) struct Dialer(HttpConnector<Resolver>);

/// The connections to one origin that are not in use.
pub(super) struct Pool {
    /// What is connected to.
    origin: Uri,
    /// RFC 9112, section 3.2.
    host: HeaderValue,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// With the time since when, the longest first.
    connections: VecDeque<(Instant, Box<Connection>)>,
    /// Whether a task looks after them.
    watched: bool,
}

struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    wire: Option<http1::Connection<TokioIo<TcpStream>, Full<Bytes>>>,
}

/// The body of a response. Read to its end it gives its connection back; dropped before that it closes it.
pub(super) struct Body {
    incoming: Incoming,
    /// `None` once it was given back.
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
}

/// Why there was no complete answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectError {
    /// There is no connection.
    #[error("no connection")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// There was none in time.
    #[error("no connection in time")]
    ConnectTimeout(#[source] TimedOut),
    /// What came was no answer, or not all of it.
    #[error("no exchange")]
    Exchange(#[from] hyper::Error),
}

/// In the words of the other client.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("operation timed out")]
pub(super) struct TimedOut;

/// How long a connection may be silent before it is asked for a sign of life, and how long it has for each: the operating
/// system's own defaults would keep one that has died in silence for hours.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long what was sent may stay unacknowledged (RFC 5482).
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(30);

// === impl Dialer ===

impl Dialer {
    /// Connects to what `resolver` gives. All else is as in the clients that speak TLS.
    pub(super) fn new(resolver: Resolver) -> Self {
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE));
        connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(USER_TIMEOUT));
        Self(connector)
    }

    async fn connect(&self, origin: Uri) -> Result<Box<Connection>, DirectError> {
        let stream = match timeout(CONNECT_TIMEOUT, self.0.clone().call(origin)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(DirectError::Connect(error.into())),
            Err(_) => return Err(DirectError::ConnectTimeout(TimedOut)),
        };
        let (requests, wire) = http1::handshake(stream).await?;
        Ok(Box::new(Connection { requests, wire: Some(wire) }))
    }
}

// === impl Pool ===

impl Pool {
    /// No connections yet. `None` where there can be none.
    pub(super) fn to(address: &Address) -> Option<Self> {
        let origin = address.origin().parse().ok()?;
        let host = HeaderValue::from_str(address.authority()).ok()?;
        Some(Self { origin, host, idle: Mutex::default() })
    }

    /// Sends a request, whose URI is the path alone, and waits for the head of its answer.
    ///
    /// On a connection that was closed before any of it was sent it is sent again, on another.
    pub(super) async fn send(
        self: &Arc<Self>,
        dialer: &Dialer,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Body>, DirectError> {
        request.headers_mut().insert(HOST, self.host.clone());
        while let Some(connection) = self.take() {
            match self.exchange(connection, request).await {
                Ok(response) => return Ok(response),
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => return Err(error.into()),
            }
        }
        let connection = dialer.connect(self.origin.clone()).await?;
        self.exchange(connection, request).await.map_err(|(error, _)| error.into())
    }

    async fn exchange(
        self: &Arc<Self>,
        mut connection: Box<Connection>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Body>, (hyper::Error, Option<Request<Full<Bytes>>>)> {
        let mut answer = pin!(connection.requests.try_send_request(request));
        let answer = poll_fn(|context| {
            connection.drive(context);
            answer.as_mut().poll(context)
        });
        match answer.await {
            Ok(response) => {
                let pool = Arc::clone(self);
                Ok(response.map(|incoming| Body { incoming, connection: Some(connection), pool }))
            }
            Err(mut error) => {
                let unsent = error.take_message();
                Err((error.into_error(), unsent))
            }
        }
    }

    /// A connection that is still open, as far as can be known: the one that was used last.
    fn take(&self) -> Option<Box<Connection>> {
        loop {
            let (since, mut connection) = self.idle().connections.pop_back()?;
            if since.elapsed() < POOL_IDLE && connection.is_usable() {
                return Some(connection);
            }
        }
    }

    fn put(self: &Arc<Self>, connection: Box<Connection>) {
        let mut idle = self.idle();
        if idle.connections.len() >= POOL_IDLE_PER_HOST {
            return;
        }
        idle.connections.push_back((Instant::now(), connection));
        if !idle.watched {
            idle.watched = true;
            tokio::spawn(close_unused(Arc::downgrade(self)));
        }
    }

    /// Closes what was not used for too long. Answers when to do that again, or `None` where nothing is left.
    fn close_unused(&self) -> Option<Instant> {
        let mut idle = self.idle();
        let now = Instant::now();
        while let Some((since, _)) = idle.connections.front() {
            let until = *since + POOL_IDLE;
            if now < until {
                return Some(until);
            }
            idle.connections.pop_front();
        }
        idle.watched = false;
        None
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close_unused(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_unused()) {
        sleep_until(next).await;
    }
}

// === impl Connection ===

impl Connection {
    /// Moves what bytes can be moved.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(wire) = &mut self.wire
            && Pin::new(wire).poll(context).is_ready()
        {
            // How it ended is told by the answer.
            self.wire = None;
        }
    }

    /// Whether it can take a request, after a look at what came of it while nobody did.
    fn is_usable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.wire.is_some() && self.requests.is_ready()
    }
}

// === impl Body ===

impl Body {
    /// Some more of it, or `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, DirectError> {
        loop {
            match poll_fn(|context| self.poll_frame(context)).await {
                // What is no data are trailers.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(error.into()),
                None => {
                    self.release();
                    return Ok(None);
                }
            }
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // Somebody has to ask before the connection reads on.
        let ready = Pin::new(&mut self.incoming).poll_frame(context);
        let (Poll::Pending, Some(connection)) = (&ready, &mut self.connection) else { return ready };
        connection.drive(context);
        Pin::new(&mut self.incoming).poll_frame(context)
    }

    fn release(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.is_usable()
        {
            self.pool.put(connection);
        }
    }
}
