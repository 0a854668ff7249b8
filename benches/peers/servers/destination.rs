//! The destination: counts what arrives by its event id, and answers 200. By hand on TCP, since it shares a core with the
//! load and has to cost little.
//!
//! | path | does |
//! | --- | --- |
//! | `/d/N` | takes a delivery; each `N` is counted by itself |
//! | `/hang` | never answers |
//! | `/counts` | `{requests, distinct, twice}` over all `N` |
//! | `/ids/N` | the ranges of ids that `/d/N` has |
//! | `/last` | the last delivery's body |
//! | `/reset/ID` | forgets all, and counts ids from this one on |

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http;
use crate::ids::Ids;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Bytes read at once: any delivery but those of the tests of body sizes.
const READ: usize = 16 << 10;

#[derive(Default)]
struct Counts {
    first: u64,
    requests: u64,
    twice: u64,
    ids: Vec<Ids>,
    last: Vec<u8>,
}

enum Answer {
    Taken,
    Said(String),
    Never,
}

/// Serves until it is killed.
pub fn run(address: SocketAddr) {
    super::on_one_thread(async {
        let counts = Rc::new(RefCell::new(Counts::default()));
        let listener = TcpListener::bind(address).await.unwrap();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let counts = Rc::clone(&counts);
            tokio::task::spawn_local(serve(stream, counts));
        }
    });
}

async fn serve(mut stream: TcpStream, counts: Rc<RefCell<Counts>>) -> Option<()> {
    let (mut buffer, mut filled) = (vec![0; READ], 0);
    loop {
        let Some(head) = http::head(&buffer[..filled]) else {
            filled += read(&mut stream, &mut buffer, filled).await?;
            continue;
        };
        if http::header(&buffer[..head.length], b"expect").is_some() {
            stream.write_all(CONTINUE).await.ok()?;
        }
        let length = loop {
            let body = head.body.or_else(|| http::chunked(&buffer[head.length..filled]));
            match body {
                Some(body) if head.length + body <= filled => break head.length + body,
                _ => filled += read(&mut stream, &mut buffer, filled).await?,
            }
        };
        let answer = counts.borrow_mut().take(&buffer[..head.length], &buffer[head.length..length]);
        match answer {
            Answer::Taken => stream.write_all(OK).await.ok()?,
            Answer::Said(text) => {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            Answer::Never => std::future::pending().await,
        }
        if head.close {
            return None;
        }
        buffer.copy_within(length..filled, 0);
        filled -= length;
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, filled: usize) -> Option<usize> {
    if filled == buffer.len() {
        buffer.resize(filled * 2, 0);
    }
    stream.read(&mut buffer[filled..]).await.ok().filter(|count| *count > 0)
}

// === impl Counts ===

impl Counts {
    fn take(&mut self, head: &[u8], body: &[u8]) -> Answer {
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if let Some(number) = path.strip_prefix(b"/d/") {
            let id = http::header(head, b"x-event-id").and_then(number_of).unwrap_or_default();
            self.count(number_of(number).unwrap_or_default(), id, body);
            return Answer::Taken;
        }
        let path = std::str::from_utf8(path).unwrap_or_default();
        let path = path.trim_start_matches('/');
        match path.split_once('/').unwrap_or((path, "")) {
            ("hang", _) => Answer::Never,
            ("counts", _) => {
                let distinct: u64 = self.ids.iter().map(|ids| ids.distinct).sum();
                Answer::Said(
                    json!({ "requests": self.requests, "distinct": distinct, "twice": self.twice }).to_string(),
                )
            }
            ("ids", number) => {
                let ids = number.parse().ok().and_then(|number: usize| self.ids.get(number));
                Answer::Said(json!(ids.map(Ids::ranges).unwrap_or_default()).to_string())
            }
            ("last", _) => Answer::Said(String::from_utf8_lossy(&self.last).into_owned()),
            ("reset", first) => {
                *self = Self { first: first.parse().unwrap_or_default(), ..Self::default() };
                Answer::Said(String::new())
            }
            _ => Answer::Taken,
        }
    }

    fn count(&mut self, number: u64, id: u64, body: &[u8]) {
        let (number, first) = ((number as usize).min(1000), self.first);
        if number >= self.ids.len() {
            self.ids.resize_with(number + 1, || Ids::from(first));
        }
        // What is left of a run before: late, and not of this one.
        if id < first {
            return;
        }
        self.requests += 1;
        self.twice += u64::from(!self.ids[number].insert(id));
        self.last.clear();
        self.last.extend_from_slice(&body[..body.len().min(4096)]);
    }
}

fn number_of(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
