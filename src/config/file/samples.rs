//! `samples.yaml`: what a provider sends, and what is to come of it.

use serde::Deserialize;

use crate::config::{At, Named, Tree};

/// The samples of a provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Where they are from: a page of the provider's.
    #[serde(default)]
    pub source: Option<String>,
    /// What the route's secret has to be, where a sample has it in it. Else one is made up.
    #[serde(default)]
    pub secret: Option<String>,
    /// The secrets that have a role of their own.
    #[serde(default)]
    pub secrets: Named<At<String>>,
    /// When the samples were signed, where they have the time in them: RFC 3339.
    #[serde(default)]
    pub now: Option<At<String>>,
    /// Requests that have events, by name.
    #[serde(default)]
    pub samples: Named<At<Sample>>,
    /// Requests that are answered on the spot, by name.
    #[serde(default)]
    pub handshakes: Named<At<HandshakeSample>>,
}

/// A request that has events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The method. Default `POST`.
    #[serde(default)]
    pub method: Option<String>,
    /// The query, without the `?`.
    #[serde(default)]
    pub query: Option<String>,
    /// The values of the path's parameters.
    #[serde(default)]
    pub path: Named<String>,
    /// The header fields that the provider sets beside those that signing sets.
    #[serde(default)]
    pub headers: Named<String>,
    /// The body: text as it is, anything else as JSON.
    #[serde(default)]
    pub body: Option<Tree>,
    /// Or a file beside this one that has it.
    #[serde(default)]
    pub file: Option<At<String>>,
    /// Every event of it, in order.
    pub events: Vec<SampleEvent>,
}

/// An event of a sample, as far as it is said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleEvent {
    /// `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `id`; where it is not said, it is a hash.
    #[serde(default)]
    pub id: Option<String>,
    /// `subject`.
    #[serde(default)]
    pub subject: Option<String>,
    /// `time`.
    #[serde(default)]
    pub time: Option<String>,
}

/// A request that is answered on the spot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandshakeSample {
    /// Whether the provider signs it.
    pub signed: bool,
    /// The method. Default `POST`.
    #[serde(default)]
    pub method: Option<String>,
    /// The query, without the `?`.
    #[serde(default)]
    pub query: Option<String>,
    /// The values of the path's parameters.
    #[serde(default)]
    pub path: Named<String>,
    /// The header fields.
    #[serde(default)]
    pub headers: Named<String>,
    /// The body.
    #[serde(default)]
    pub body: Option<Tree>,
    /// What is to be answered.
    pub reply: SampleReply,
}

/// The answer to a handshake, as far as it is said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleReply {
    /// The status.
    pub status: u16,
    /// The body, where it is JSON.
    #[serde(default)]
    pub body: Option<Tree>,
    /// The body, where it is text.
    #[serde(default)]
    pub text: Option<String>,
    /// Header fields that it has.
    #[serde(default)]
    pub headers: Named<String>,
    /// The address that is visited before.
    #[serde(default)]
    pub visited: Option<String>,
}
