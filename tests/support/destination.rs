//! A destination: an HTTP server that keeps what arrives and answers as it is told.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use super::DEADLINE;

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub method: String,
    /// The path with its query, as sent.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub at: Instant,
    /// Whether it was answered with success: what was not has to come again.
    pub taken: bool,
}

/// What a request is answered with.
#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    WithHeader(u16, &'static str, String),
    /// With this status and this body.
    Body(u16, String),
    /// With this status, and what was sent.
    Echo(u16),
    /// Never, until the client gives up.
    Hang,
    /// The connection is closed without one.
    Close,
}

/// A destination. It accepts until it is dropped or [stopped](Destination::stop).
pub struct Destination {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    script: VecDeque<Answer>,
    always: Vec<(String, Answer)>,
    held: bool,
    stopped: bool,
    open: Vec<TcpStream>,
}

// === impl Arrived ===

impl Arrived {
    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body, parsed.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", String::from_utf8_lossy(&self.body)))
    }

    /// `Idempotency-Key`, which every delivery has.
    pub fn key(&self) -> String {
        self.header("idempotency-key").expect("a delivery without an Idempotency-Key").to_owned()
    }
}

// === impl Destination ===

impl Destination {
    /// Starts one on a free port. It answers 200.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts one where another was.
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut state = accepting.lock();
                if state.stopped {
                    return;
                }
                state.open.push(stream.try_clone().unwrap());
                drop(state);
                let serving = Arc::clone(&accepting);
                thread::spawn(move || serving.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests with these, one each, and those after them with 200.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().script.extend(answers);
    }

    /// Answers every request whose path starts with `path` like this.
    pub fn always(&self, path: &str, answer: Answer) {
        self.shared.lock().always.insert(0, (path.to_owned(), answer));
    }

    /// Keeps every request waiting for its answer until [`release`](Self::release).
    pub fn hold(&self) {
        self.shared.lock().held = true;
    }

    /// Answers those that wait.
    pub fn release(&self) {
        self.shared.lock().held = false;
        self.shared.changed.notify_all();
    }

    /// What arrived so far.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.lock().arrived.clone()
    }

    /// Waits until `count` requests have arrived; gives all there are.
    pub fn wait_for(&self, count: usize) -> Vec<Arrived> {
        self.wait_until(&format!("{count} requests at the destination"), |arrived| arrived.len() >= count)
    }

    /// Waits until what has arrived is enough; gives it.
    pub fn wait_until(&self, what: &str, enough: impl Fn(&[Arrived]) -> bool) -> Vec<Arrived> {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        while !enough(&state.arrived) {
            let left = deadline.saturating_duration_since(Instant::now());
            let so_far: Vec<String> =
                state.arrived.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
            assert!(!left.is_zero(), "never happened: {what}; {} arrived: {so_far:?}", so_far.len());
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        state.arrived.clone()
    }

    /// Goes away: the port is closed, open connections break.
    pub fn stop(self) -> SocketAddr {
        self.address
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        state.held = false;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the accepting thread, which then lets go of the port.
        let _ = TcpStream::connect(self.address);
        while !thread::panicking() && TcpStream::connect(self.address).is_ok() {
            thread::yield_now();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let Ok(reading) = stream.try_clone() else { return };
        let mut reading = BufReader::new(reading);
        let mut writing = stream;
        while let Ok(Some(request)) = read(&mut reading) {
            let sent = request.body.clone();
            let answer = self.keep(request);
            let (status, header, body) = match answer {
                Answer::Status(status) => (status, String::new(), Vec::new()),
                Answer::WithHeader(status, name, value) => (status, format!("{name}: {value}\r\n"), Vec::new()),
                Answer::Body(status, body) => (status, String::new(), body.into_bytes()),
                Answer::Echo(status) => (status, String::new(), sent),
                Answer::Close => break,
                Answer::Hang => {
                    // Ends when the client closes.
                    let _ = reading.read(&mut [0]);
                    break;
                }
            };
            let head = format!("HTTP/1.1 {status} Told\r\n{header}Content-Length: {}\r\n\r\n", body.len());
            if writing.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                break;
            }
        }
        let _ = writing.shutdown(std::net::Shutdown::Both);
    }

    fn keep(&self, mut request: Arrived) -> Answer {
        let mut state = self.lock();
        let always = state.always.iter().find(|(path, _)| request.path.starts_with(path.as_str()));
        let answer = match always.map(|(_, answer)| answer.clone()) {
            Some(answer) => answer,
            None => state.script.pop_front().unwrap_or(Answer::Status(200)),
        };
        request.taken = matches!(answer, Answer::Status(200..=299) | Answer::Echo(200..=299));
        state.arrived.push(request);
        self.changed.notify_all();
        while state.held && !state.stopped {
            state = self.changed.wait(state).unwrap();
        }
        answer
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Arrived>> {
    let Some(first) = line(stream)? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let value = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
    let mut body = Vec::new();
    if value("transfer-encoding").is_some() {
        loop {
            let size = line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..])?;
            line(stream)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = value("content-length") {
        body.resize(length.parse().map_err(io::Error::other)?, 0);
        stream.read_exact(&mut body)?;
    }
    Ok(Some(Arrived { method, path, headers, body, at: Instant::now(), taken: false }))
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
}
