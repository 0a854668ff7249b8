//! `handshake:` and `respond:`, what a provider is answered.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Encoding, HashFunction, Key, OneOrMany};
use crate::config::{At, Named, Tree};

/// A request that is answered on the spot, and never becomes an event.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// What the request must have: selector to value. All must hold.
    #[serde(rename = "match")]
    pub matches: Named<At<Expectation>>,
    /// A predicate over the body that must hold as well.
    #[serde(default, rename = "if")]
    pub condition: Option<At<String>>,
    /// Whether it is answered before it is verified. Default `after_auth`.
    #[serde(default)]
    pub when: HandshakeMoment,
    /// What `{signature}` is in the answer.
    #[serde(default)]
    pub sign: Option<At<HandshakeSign>>,
    /// The answer.
    pub reply: At<Reply>,
    /// An address to be visited once, which is how some providers are told yes.
    #[serde(default)]
    pub confirm: Option<At<Confirm>>,
}

/// `sign:` of a handshake: one of the two schemes. The route's first secret signs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandshakeSign {
    /// RFC 2104.
    #[serde(default)]
    pub hmac: Option<At<ReplyHmac>>,
    /// RFC 8032.
    #[serde(default)]
    pub ed25519: Option<At<ReplyEd25519>>,
    /// How the signature is written. Default `hex`.
    #[serde(default)]
    pub encoding: Option<At<Encoding>>,
}

/// `sign.hmac:` of a handshake.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyHmac {
    /// The hash function.
    pub hash: HashFunction,
    /// What the secret's text is.
    #[serde(default)]
    pub key: Key,
    /// What is signed, in the words of `auth.hmac.content`.
    pub content: At<String>,
}

/// `sign.ed25519:` of a handshake.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyEd25519 {
    /// What the secret's text is.
    #[serde(default)]
    pub key: Key,
    /// The secret's bytes, repeated to 32, are the seed of the key pair. There is no other way to sign.
    pub seed: bool,
    /// What is signed, in the words of `auth.hmac.content`.
    pub content: At<String>,
}

/// `confirm:` of a handshake.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The selector of the address, which has to be `https` and of one of `hosts`.
    pub url: At<String>,
    /// The hosts that are visited; `*` is any run of characters without a dot.
    pub hosts: At<Vec<At<String>>>,
}

/// What a selected value must be: `hello`, `[hello, hi]`, `{ not: hello }`, `{ exists: true }` or `{ secret: role }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "ExpectationShape")]
pub enum Expectation {
    /// This, or one of these.
    Is(OneOrMany<String>),
    /// There, and neither this nor one of these.
    Not(OneOrMany<String>),
    /// There (`true`) or not there (`false`).
    Exists(bool),
    /// The route's secret of this name. It signs nothing.
    Secret(String),
}

/// How an [`Expectation`] is written.
#[derive(Deserialize, JsonSchema)]
#[serde(rename = "by shape")]
#[schemars(rename = "ExpectationShape", untagged)]
enum ExpectationShape {
    #[serde(rename = "other")]
    Is(OneOrMany<String>),
    /// `not`, `exists` or `secret`.
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
    /// The route's secret of this name.
    Secret(String),
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
    /// (the event's), `ids` (all events' of a batch) and `outcome`. In a handshake's, text can hold parts of the request in
    /// braces, as in `auth.hmac.content`, and `{signature}`.
    #[serde(default)]
    pub body: Option<Tree>,
    /// A body of plain text in place of `body`, with parts of the request in braces.
    #[serde(default)]
    pub text: Option<At<String>>,
    /// Further header fields, with parts of the request in braces.
    #[serde(default)]
    pub headers: Named<At<String>>,
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
            ExpectationShape::Match(Match::Secret(role)) => Self::Secret(role),
        }
    }
}
