//! A destination on the loopback that does what a test tells it, down to the byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A destination that gives each request the same reply.
pub(super) struct Scripted {
    pub(super) addr: SocketAddr,
    seen: Arc<Seen>,
}

/// One step of a reply.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends the same bytes until the other side has had enough, then ends the connection.
    SendForEver(Vec<u8>),
    /// Sends nothing more, and keeps the connection.
    Hang,
    /// Waits for the next request, to which the steps that follow are the reply.
    NextRequest,
    /// Ends the connection.
    Close,
    /// Resets the connection.
    Reset,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    closed: AtomicUsize,
    cut_off: Mutex<Option<usize>>,
    requests: Mutex<Vec<String>>,
}

impl Scripted {
    /// A destination that speaks HTTP/1.1 as far as `reply` does.
    pub(super) async fn start(reply: impl Into<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (reply, log) = (reply.into(), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                log.connections.fetch_add(1, Ordering::SeqCst);
                let (reply, log) = (reply.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    serve(stream, reply, Arc::clone(&log)).await;
                    log.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { addr, seen }
    }

    /// A destination that answers each request with `response`, on kept connections.
    pub(super) async fn answering(response: &str) -> Self {
        Self::start([Step::Send(response.into())]).await
    }

    /// Its URL.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Every request so far: head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Waits until it has ended `count` connections, and who is connected could have seen it.
    pub(super) async fn closed(&self, count: usize) {
        while self.seen.closed.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
        // The operating system knows by now, and each turn asks it.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }

    /// How many bytes of an endless reply had been taken when the other side had had enough.
    pub(super) async fn cut_off(&self) -> usize {
        loop {
            if let Some(taken) = *self.seen.cut_off.lock().unwrap() {
                return taken;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn serve(mut stream: TcpStream, reply: Vec<Step>, seen: Arc<Seen>) {
    while let Some(request) = read_request(&mut stream).await {
        seen.requests.lock().unwrap().push(request);
        for step in &reply {
            match step {
                Step::Send(bytes) => stream.write_all(bytes).await.unwrap(),
                Step::SendForEver(bytes) => {
                    let mut taken = 0;
                    while stream.write_all(bytes).await.is_ok() {
                        taken += bytes.len();
                    }
                    *seen.cut_off.lock().unwrap() = Some(taken);
                    return;
                }
                Step::Hang => std::future::pending().await,
                Step::NextRequest => {
                    let Some(request) = read_request(&mut stream).await else { return };
                    seen.requests.lock().unwrap().push(request);
                }
                Step::Close => return,
                Step::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }
}

/// Head and body of the next request, or whatever came first where it is not HTTP.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read);
        if !text.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Some(text.into_owned());
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(text.into_owned());
        }
    }
}
