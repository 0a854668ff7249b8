//! A destination over TLS, in HTTP/2 or HTTP/1.1. Not in `support` itself: the other tests need none of what it is built
//! from.
#![allow(dead_code, unreachable_pub, reason = "as in `support`")]

mod authority;
mod http1;
mod http2;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

#[allow(unused_imports, reason = "each test file uses its part of this")]
pub use self::authority::{Authority, Identity};
use crate::support::{Arrived, eventually};

/// A destination on `localhost`, at a free port, until it is dropped.
pub struct TlsDestination {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// A request that arrived, and how.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub request: Arrived,
    /// The connection that it came on: the first is 1.
    pub connection: usize,
    /// What ALPN agreed on.
    pub protocol: Option<String>,
}

/// How a response goes on after its head, which always says 200. All but the first are HTTP/2's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// To its end.
    Whole,
    /// To its end, and with it that of the connection, in order (GOAWAY without an error).
    LastOfConnection,
    /// Half of it, then the stream is reset (RST_STREAM).
    Reset,
    /// Half of it, then the server gives up the connection (GOAWAY with an error).
    GoAway,
    /// Half of it, then the connection is gone without a word.
    Cut,
}

struct Shared {
    state: Mutex<State>,
    answering: watch::Sender<bool>,
}

struct State {
    server: Arc<ServerConfig>,
    arrived: Vec<Arrival>,
    script: VecDeque<Ending>,
    connections: usize,
    open: usize,
}

/// One connection, after the handshake.
#[derive(Clone)]
struct Line {
    shared: Arc<Shared>,
    number: usize,
    protocol: Option<String>,
}

// === impl TlsDestination ===

impl TlsDestination {
    /// Starts one that answers everything with 200.
    pub fn start(server: Arc<ServerConfig>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { server, arrived: Vec::new(), script: VecDeque::new(), connections: 0, open: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), answering: watch::Sender::new(true) });
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&serving), stream));
            }
        });
        Self { address, shared, runtime: Some(runtime) }
    }

    /// A URL on it.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Shows another identity to those who connect from now on.
    pub fn become_another(&self, server: Arc<ServerConfig>) {
        self.shared.lock().server = server;
    }

    /// Ends the next responses like this, one each, and those after them whole.
    pub fn end_next(&self, endings: impl IntoIterator<Item = Ending>) {
        self.shared.lock().script.extend(endings);
    }

    /// Keeps every request waiting for its answer until [`release`](Self::release).
    pub fn hold(&self) {
        self.shared.answering.send_replace(false);
    }

    /// Answers those that wait.
    pub fn release(&self) {
        self.shared.answering.send_replace(true);
    }

    /// What arrived so far.
    pub fn arrived(&self) -> Vec<Arrival> {
        self.shared.lock().arrived.clone()
    }

    /// Waits until `count` requests have arrived; gives all there are.
    pub fn wait_for(&self, count: usize) -> Vec<Arrival> {
        eventually(&format!("{count} requests at the TLS destination"), || {
            Some(self.arrived()).filter(|arrived| arrived.len() >= count)
        })
    }

    /// How many handshakes were made.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Waits until no connection is open.
    pub fn wait_until_left(&self) {
        eventually("the end of every connection", || (self.shared.lock().open == 0).then_some(()));
    }
}

impl Drop for TlsDestination {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let server = Arc::clone(&shared.lock().server);
    // A client that does not trust us ends it here.
    let Ok(stream) = TlsAcceptor::from(server).accept(stream).await else { return };
    let protocol = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    let number = {
        let mut state = shared.lock();
        state.connections += 1;
        state.open += 1;
        state.connections
    };
    let line = Line { shared: Arc::clone(&shared), number, protocol };
    match line.protocol.as_deref() {
        Some("h2") => http2::serve(line, stream).await,
        _ => http1::serve(line, stream).await,
    }
    shared.lock().open -= 1;
}

// === impl Line ===

impl Line {
    /// Keeps a request, and says how the response to it is to end once it may be given.
    async fn keep(&self, head: http::request::Parts, body: Vec<u8>) -> Ending {
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let path = head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let method = head.method.to_string();
        let ending = {
            let mut state = self.shared.lock();
            let ending = state.script.pop_front().unwrap_or(Ending::Whole);
            let request =
                Arrived { method, path, headers, body, at: Instant::now(), taken: matches!(ending, Ending::Whole) };
            state.arrived.push(Arrival { request, connection: self.number, protocol: self.protocol.clone() });
            ending
        };
        // It fails only where the destination is gone.
        let _ = self.shared.answering.subscribe().wait_for(|answering| *answering).await;
        ending
    }
}
