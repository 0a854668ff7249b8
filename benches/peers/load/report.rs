//! What came of a load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ids::{Ids, Range};

/// The longest latency that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// What a load prints.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// How long requests were begun.
    pub seconds: f64,
    /// Acknowledged until then.
    pub acknowledged_in_time: u64,
    /// Arrived at the destination until then.
    pub delivered_in_time: u64,
    /// Acknowledged at all, which has those that were under way at the end.
    pub acknowledged: Vec<Range>,
    /// How often each status came.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub errors: u64,
    /// Latencies in milliseconds, of all answers.
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

pub struct Tally {
    latencies: Histogram<u64>,
    statuses: BTreeMap<u16, u64>,
    acknowledged: Ids,
    errors: u64,
}

// === impl Report ===

impl Report {
    /// Answers that were no acknowledgement, and requests without an answer.
    pub fn refused(&self) -> u64 {
        let answered: u64 = self.statuses.iter().filter(|(status, _)| !good(**status)).map(|(_, count)| count).sum();
        answered + self.errors
    }

    /// What came in place of acknowledgements, such as `503: 12`.
    pub fn refusals(&self) -> String {
        let bad = self.statuses.iter().filter(|(status, _)| !good(**status));
        let mut said: Vec<String> = bad.map(|(status, count)| format!("{status}: {count}")).collect();
        if self.errors > 0 {
            said.push(format!("no answer: {}", self.errors));
        }
        said.join(", ")
    }

    /// How many were acknowledged.
    pub fn total(&self) -> u64 {
        self.acknowledged.iter().map(|(from, to)| to - from).sum()
    }
}

// === impl Tally ===

impl Tally {
    pub fn new(first: u64) -> Self {
        let latencies = Histogram::new_with_bounds(1, LONGEST, 3).unwrap();
        Self { latencies, statuses: BTreeMap::new(), acknowledged: Ids::from(first), errors: 0 }
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.distinct
    }

    /// Counts an answer, or that there was none.
    pub fn count(&mut self, id: u64, status: Option<u16>, waited: Duration) {
        let Some(status) = status else {
            self.errors += 1;
            return;
        };
        *self.statuses.entry(status).or_default() += 1;
        self.latencies.saturating_record(u64::try_from(waited.as_micros()).unwrap_or(LONGEST));
        if good(status) {
            self.acknowledged.insert(id);
        }
    }

    pub fn report(&self, seconds: f64, acknowledged_in_time: u64, delivered_in_time: u64) -> Report {
        let at = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1000.0;
        Report {
            seconds,
            acknowledged_in_time,
            delivered_in_time,
            acknowledged: self.acknowledged.ranges(),
            statuses: self.statuses.clone(),
            errors: self.errors,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

/// How many different deliveries the destination has.
pub async fn delivered(destination: SocketAddr) -> u64 {
    async fn ask(destination: SocketAddr) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(destination).await?;
        stream.write_all(b"GET /counts HTTP/1.1\r\nConnection: close\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }
    let text = ask(destination).await.unwrap_or_default();
    let counts: Value =
        text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default();
    counts["distinct"].as_u64().unwrap_or_default()
}

fn good(status: u16) -> bool {
    (200..300).contains(&status)
}
