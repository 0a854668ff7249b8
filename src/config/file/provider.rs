//! `providers.NAME:`, who sends.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Auth, OneOrMany};
use crate::config::{At, Named, Tree};

/// A provider: who sends, as data.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What it is and where it is documented, for `hookswitch providers`.
    #[serde(default)]
    pub about: Option<About>,
    /// How its requests are verified. Never off by omission.
    pub auth: At<Auth>,
    /// Requests that are answered on the spot.
    #[serde(default)]
    pub handshake: Vec<At<Handshake>>,
    /// Where in a request its events are.
    #[serde(default)]
    pub event: Option<At<EventMap>>,
    /// What it wants to hear.
    #[serde(default)]
    pub respond: Respond,
}

/// `about:`, what a person should know of a provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What it is, in a line.
    pub title: String,
    /// The provider's own page.
    #[serde(default)]
    pub docs: Option<String>,
    /// What `secret` is in the provider's words, and where to find it.
    #[serde(default)]
    pub secret: Option<String>,
    /// What is not documented or contradicts itself, and what we do about it.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A request that is answered on the spot, and never becomes an event.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// What the request must have: selector to value. All must hold.
    #[serde(rename = "match")]
    pub matches: Named<At<Expectation>>,
    /// Whether it is answered before it is verified. Default `after_auth`.
    #[serde(default)]
    pub when: HandshakeMoment,
    /// The answer.
    pub reply: At<Reply>,
}

/// What a selected value must be: `hello`, `[hello, hi]`, `{ not: hello }` or `{ exists: true }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "ExpectationShape")]
pub enum Expectation {
    /// This, or one of these.
    Is(OneOrMany<String>),
    /// There, and neither this nor one of these.
    Not(OneOrMany<String>),
    /// There (`true`) or not there (`false`).
    Exists(bool),
}

/// How an [`Expectation`] is written.
#[derive(Deserialize, JsonSchema)]
#[serde(rename = "by shape")]
#[schemars(rename = "ExpectationShape", untagged)]
enum ExpectationShape {
    #[serde(rename = "other")]
    Is(OneOrMany<String>),
    /// `not` or `exists`.
    #[serde(rename = "mapping")]
    Match(Match),
}

/// The mapping that an [`Expectation`] can be, known to its writer by the key it stands under.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Match {
    /// There, and neither this nor one of these.
    Not(OneOrMany<String>),
    /// There (`true`) or not there (`false`).
    Exists(bool),
}

/// When a handshake is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeMoment {
    /// Before verification: whoever asks is answered.
    BeforeAuth,
    /// After it.
    #[default]
    AfterAuth,
}

/// An answer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The status. Default: what the outcome has by itself; 200 for a handshake.
    #[serde(default)]
    pub status: Option<At<u16>>,
    /// The body, a template: for a handshake, over the request's body; for `respond`, over `id`
    /// (the event's), `ids` (all events' of a batch) and `outcome`.
    #[serde(default)]
    pub body: Option<Tree>,
}

/// `event:`, where in a request its events are. In its selectors `$` is the received body, or the
/// split element where it splits; `envelope:$...` is then what holds the element.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventMap {
    /// Where the body is a list of envelopes, their query: `$[0:]`, which finds the elements of a list alone (`$[*]`
    /// finds the members of an object too). A body in which it finds nothing is one envelope.
    #[serde(default)]
    pub batch: Option<At<String>>,
    /// The query, over an envelope, of the elements that are an event each; of several, the first that
    /// finds any.
    #[serde(default)]
    pub split: Option<OneOrMany<At<String>>>,
    /// What becomes `type`.
    #[serde(rename = "type")]
    pub kind: At<OneOrMany<At<Choice>>>,
    /// What becomes `id`. Default: the body's SHA-256, or that of type and element where it splits.
    #[serde(default)]
    pub id: Option<At<OneOrMany<At<Choice>>>>,
    /// What becomes `time`.
    #[serde(default)]
    pub time: Option<At<OneOrMany<At<Choice>>>>,
    /// What becomes `subject`.
    #[serde(default)]
    pub subject: Option<At<OneOrMany<At<Choice>>>>,
    /// The query of what becomes `data`. Default: the whole body, or the split element.
    #[serde(default)]
    pub data: Option<OneOrMany<At<String>>>,
    /// Queries that must find something, else the request is invalid.
    #[serde(default)]
    pub require: Vec<At<String>>,
    /// Which attempt of the provider's a request is, in its own count: of the head, not of the body. It is kept with the
    /// events.
    #[serde(default)]
    pub attempt: Option<At<OneOrMany<At<Choice>>>>,
}

/// One way to a value; of a list the first that gives one is taken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename = "by shape", deny_unknown_fields)]
#[schemars(rename = "Choice", untagged)]
pub enum Choice {
    /// A selector, or text with selectors in braces: `{envelope:$.event.id}:{$.uuid}`.
    #[serde(rename = "text")]
    Select(String),
    /// A fixed value where a predicate over the body (or the split element) holds.
    #[serde(rename = "mapping")]
    When {
        /// The predicate.
        when: At<String>,
        /// The value.
        value: String,
    },
}

/// `respond:`, what the provider hears after each outcome.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// Stored. Default 202 `{"id": ...}`.
    #[serde(default)]
    pub accepted: Option<At<Reply>>,
    /// Authentic, but no delivery wants any of it. Default: as `accepted`.
    #[serde(default)]
    pub filtered: Option<At<Reply>>,
    /// Seen before. Default: as `accepted`.
    #[serde(default)]
    pub duplicate: Option<At<Reply>>,
    /// Authentic, but not JSON or without an event. Default 422, or 415 for another media type.
    #[serde(default)]
    pub invalid: Option<At<Reply>>,
    /// Not verified. Default 401.
    #[serde(default)]
    pub unauthorized: Option<At<Reply>>,
    /// The queue cannot keep it. Default 503; the status stays an error whatever this says.
    #[serde(default)]
    pub unavailable: Option<At<Reply>>,
}

// === impl Expectation ===

impl From<ExpectationShape> for Expectation {
    fn from(shape: ExpectationShape) -> Self {
        match shape {
            ExpectationShape::Is(values) => Self::Is(values),
            ExpectationShape::Match(Match::Not(values)) => Self::Not(values),
            ExpectationShape::Match(Match::Exists(exists)) => Self::Exists(exists),
        }
    }
}
