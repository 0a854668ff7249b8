//! What the gateway would do with a request, and why: without a queue, and without the network.
//!
//! A request is staged for its route ([`stage`]), signed as its provider would where that is asked for, and rehearsed: it
//! goes through the very stages that the gateway runs, in the order of `app::exchange`, and then each of its deliveries to
//! the request that its first attempt would send. What comes of it is a [`Rehearsal`], plain data.
//!
//! Two things are not what they would be. Whether an event is a duplicate of one that came before is known to the queue
//! alone; and an access token is not asked for: what stands in for one is shown.
//!
//! | file | holds |
//! | --- | --- |
//! | `staged` | a request that has its route |
//! | `run` | the line, stage by stage |
//! | `sender` | whoever plays a provider: requests that are signed as theirs, and what a forger does to them |
//! | `diff` | what another configuration would do otherwise, request by request |
//! | `difference` | where two values differ |
//! | `suite` | tests of a configuration: requests, and what is to come of them |
//! | `shown` | what is shown of an answer, a body and a request, and what is masked |

pub mod diff;
mod difference;
mod run;
mod sender;
mod shown;
mod staged;
pub mod suite;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::value::RawValue;

pub use self::difference::Difference;
pub use self::sender::{NotSent, Sender};
pub use self::shown::{Answer, Body, Fields, Sent, Sight};
pub use self::staged::{NotStaged, Staged, stage};

pub use crate::pipeline::filter::Why;

/// What the gateway would do with a request.
#[derive(Debug, Clone, Serialize)]
pub struct Rehearsal {
    /// Whether the provider would hear a success.
    pub accepted: bool,
    /// What the provider would hear.
    pub answer: Answer,
    /// The time at which it was rehearsed, RFC 3339.
    pub at: String,
    /// The request.
    pub request: Asked,
    /// The route's name; `None` where none has the path.
    pub route: Option<String>,
    /// The handshake that it was answered as.
    pub handshake: Option<Handshaken>,
    /// Whether it was believed; `None` where it did not come to that.
    pub verdict: Option<Verdict>,
    /// Why it was refused.
    pub refused: Option<Refused>,
    /// Its events.
    pub events: Vec<Occurrence>,
}

/// The request that was rehearsed.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// How long the body is.
    pub bytes: usize,
}

/// A request that was answered on the spot.
#[derive(Debug, Clone, Serialize)]
pub struct Handshaken {
    /// Which of the provider's handshakes it is, from 1.
    pub number: usize,
    /// When it was answered: `before_auth` or `after_auth`.
    pub when: &'static str,
    /// The host that the gateway would visit to confirm it, before it answers. A rehearsal does not.
    pub visits: Option<String>,
}

/// Whether a request was believed.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The auth scheme.
    pub scheme: &'static str,
    /// `verified`, or the word for why not.
    pub result: &'static str,
    /// The name of the secret that matched.
    pub secret: Option<String>,
    /// The signed time less the time of the rehearsal, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// The word for it, which the log and the metrics have.
    pub reason: &'static str,
    /// What is wrong, as the log says it: the provider is told less.
    pub detail: String,
    /// What can be checked.
    pub next_step: Option<String>,
}

/// An event, and what would become of it.
#[derive(Debug, Clone, Serialize)]
pub struct Occurrence {
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The CloudEvents `source`.
    pub source: String,
    /// The CloudEvents `subject`.
    pub subject: Option<String>,
    /// The CloudEvents `time`.
    pub time: Option<String>,
    /// The provider's name; empty where the route has none.
    pub provider: String,
    /// Its data, byte for byte as received; `None` where it has none.
    pub data: Option<Box<RawValue>>,
    /// The event of this request, from 1, of which it is a duplicate: nothing of it is delivered.
    pub duplicate_of: Option<usize>,
    /// What each delivery of the route makes of it.
    pub deliveries: Vec<Delivery>,
}

/// What a delivery of the route makes of an event.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// Its name.
    pub name: String,
    /// Its destination's name.
    pub destination: String,
    /// Whether it wants the event.
    pub wanted: bool,
    /// The parts of the filters that decided; empty where there is none.
    pub because: Vec<Why>,
    /// What the event is to be in order with.
    pub order_key: Option<String>,
    /// The request of the first attempt.
    pub request: Option<Sent>,
    /// What it would become in place of a request.
    pub dead_letter: Option<DeadLetter>,
}

/// A delivery that cannot be attempted.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// The reason under which it is counted.
    pub reason: &'static str,
    /// What is wrong.
    pub detail: String,
    /// What can be done about it.
    pub next_step: &'static str,
}

// === impl Verdict ===

impl Verdict {
    /// Of a request that was believed.
    pub const VERIFIED: &'static str = "verified";
}
