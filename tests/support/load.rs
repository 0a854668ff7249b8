//! Providers under load: threads that send one event after the other, and know which were acknowledged.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::http::{self, Response};
use super::sign::Headers;
use super::{Destination, eventually};

/// One request of a provider.
pub struct Sent {
    pub path: String,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// The ids of its events: promised once it is acknowledged.
    pub ids: Vec<String>,
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Acknowledged with 2xx.
    pub acknowledged: BTreeSet<String>,
    /// Answered otherwise: the statuses.
    pub refused: Vec<u16>,
}

/// Senders at work.
pub struct Load {
    senders: Vec<JoinHandle<Outcome>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
}

/// Whether the long forms are asked for: `HOOKSWITCH_LONG_TESTS=1`.
pub fn long() -> bool {
    std::env::var("HOOKSWITCH_LONG_TESTS").is_ok_and(|value| value != "0" && !value.is_empty())
}

// === impl Load ===

impl Load {
    /// Starts `senders` that send what `request` makes of a sender and a number, until they are stopped or the gateway
    /// does not answer any more.
    pub fn start(
        address: SocketAddr,
        senders: usize,
        request: impl Fn(usize, usize) -> Sent + Send + Sync + 'static,
    ) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let request = Arc::new(request);
        let start = |sender| {
            let (stop, acknowledged, request) = (Arc::clone(&stop), Arc::clone(&acknowledged), Arc::clone(&request));
            thread::spawn(move || {
                let mut outcome = Outcome::default();
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let sent = request(sender, number);
                    // Killed, or about to be: then nothing was promised.
                    let Ok(response) = http::try_send(address, "POST", &sent.path, &sent.headers, &sent.body) else {
                        break;
                    };
                    if (200..300).contains(&response.status) {
                        outcome.acknowledged.extend(sent.ids);
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    } else {
                        outcome.refused.push(response.status);
                        // As long as a provider would wait, only shorter: not to spin.
                        thread::sleep(Duration::from_millis(2));
                    }
                }
                outcome
            })
        };
        let senders = (0..senders).map(start).collect();
        Self { senders, stop, acknowledged }
    }

    /// Waits until this many more requests were acknowledged.
    pub fn wait_for_more(&self, count: usize) {
        let wanted = self.acknowledged.load(Ordering::SeqCst) + count;
        eventually("requests are acknowledged", || (self.acknowledged.load(Ordering::SeqCst) >= wanted).then_some(()));
    }

    /// Waits for senders that have nobody to send to any more, or stops them.
    pub fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Outcome::default();
        for sender in self.senders {
            let outcome = sender.join().unwrap();
            all.acknowledged.extend(outcome.acknowledged);
            all.refused.extend(outcome.refused);
        }
        all
    }
}

/// A plain event to a route under `auth: none`.
pub fn event(path: &str, id: &str, padding: usize) -> Sent {
    let body = serde_json::json!({ "type": "t", "id": id, "padding": "x".repeat(padding) });
    Sent { path: path.to_owned(), headers: Vec::new(), body: body.to_string().into_bytes(), ids: vec![id.to_owned()] }
}

/// Which of `promised` was never taken by a destination at a path.
pub fn missing(destination: &Destination, path: &str, promised: &BTreeSet<String>) -> Vec<String> {
    let arrived: BTreeSet<String> = destination
        .arrived()
        .iter()
        .filter(|arrived| arrived.taken && arrived.path == path)
        .map(|arrived| arrived.json()["id"].as_str().expect("an id").to_owned())
        .collect();
    promised.difference(&arrived).cloned().collect()
}

/// Fails where one of `promised` was never taken by a destination at a path.
pub fn assert_arrived(destination: &Destination, path: &str, promised: &BTreeSet<String>) {
    let missing = missing(destination, path, promised);
    assert!(missing.is_empty(), "{} of {} never came to {path}: {missing:?}", missing.len(), promised.len());
}

/// Fails where the answer is not the one that has a provider come back.
pub fn assert_come_back(response: &Response) {
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(response.header("retry-after").is_some(), "no Retry-After");
}
