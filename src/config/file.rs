//! What the YAML says: the shape of `routes.yaml`, one type a block.
//!
//! Nothing here is checked beyond its shape: names are not resolved, expressions are text. That is
//! `routing::compile`'s work. Unknown keys are refused everywhere.

use serde::Deserialize;

use super::decode::every;
use super::{At, ByteSize, Named, Span, Tree};
use crate::model::Secret;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Where webhooks come in: address and port. Default `0.0.0.0:8080`.
    #[serde(default)]
    pub listen: Option<At<String>>,
    /// The address that providers were given, for schemes that sign the URL. Never the Host header.
    #[serde(default)]
    pub public_url: Option<At<String>>,
    /// The admin listener.
    #[serde(default)]
    pub admin: Admin,
    /// Where deliveries wait.
    #[serde(default)]
    pub queue: Option<At<Queue>>,
    /// Bounds on what a client may cost.
    #[serde(default)]
    pub limits: Limits,
    /// The user's own providers, in the form of the built-in ones.
    #[serde(default)]
    pub providers: Named<At<Provider>>,
    /// Where deliveries go.
    #[serde(default)]
    pub destinations: Named<At<Destination>>,
    /// Which requests are taken, and for what.
    #[serde(default, deserialize_with = "every")]
    pub routes: Vec<At<Route>>,
}

/// `admin:`, the listener for metrics, health and control.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port. Default `127.0.0.1:9090`.
    #[serde(default)]
    pub listen: Option<At<String>>,
    /// The bearer token that its callers present; required unless `listen` is loopback.
    #[serde(default)]
    pub token: Option<At<Secret>>,
}

/// `queue:`, where deliveries wait.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Queue {
    /// In a directory of this machine.
    Embedded(EmbeddedQueue),
}

/// `queue.embedded:`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedQueue {
    /// The directory. Default `./data`, relative to where the gateway was started.
    #[serde(default)]
    pub path: Option<At<String>>,
}

/// `limits:`, bounds on what a client may cost.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest body of a route that does not say its own. Default `10MiB`.
    #[serde(default)]
    pub max_body: Option<At<ByteSize>>,
    /// How long a client may take to send a request's head. Default `10s`.
    #[serde(default)]
    pub header_timeout: Option<At<Span>>,
    /// How long a client may take to send a request's body. Default `30s`.
    #[serde(default)]
    pub body_timeout: Option<At<Span>>,
    /// How many connections may be open at once. Default 10,000.
    #[serde(default)]
    pub max_connections: Option<At<u32>>,
    /// How long a stop waits for requests and attempts under way. Default `25s`.
    #[serde(default)]
    pub shutdown_grace: Option<At<Span>>,
}

/// A provider: who sends, as data.
#[derive(Debug, Clone, Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
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

/// `auth:`, a scheme as its key.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Whoever sends is believed.
    None,
    /// A header (or another part of the request) equals the secret.
    Token(Token),
    /// RFC 7617: the secret is `user:password`, or the password where `username` is given.
    Basic(Basic),
    /// RFC 2104: a keyed hash of what `content` says.
    Hmac(Hmac),
    /// RFC 7519: a signed token.
    Jwt(Jwt),
}

/// `auth.token:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The selector of what must equal the secret.
    pub from: At<String>,
    /// What stands before it, such as `Bearer `.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// `auth.basic:`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user name, where the secret is the password alone.
    #[serde(default)]
    pub username: Option<At<String>>,
}

/// `auth.hmac:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The hash function.
    pub hash: HashFunction,
    /// What the secret's text is.
    #[serde(default)]
    pub key: Key,
    /// Where the signature is and how it is written.
    pub signature: Signature,
    /// Where the signed time is and how old it may be.
    #[serde(default)]
    pub timestamp: Option<At<TimestampRule>>,
    /// What is signed: text with `{body} {timestamp} {id} {method} {url} {header:x} {query:x} {$.path}`.
    /// Default `{body}`.
    #[serde(default)]
    pub content: Option<At<String>>,
}

/// `hash:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashFunction {
    /// SHA-1: only where the provider has nothing better.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// `key:`, how the secret's text becomes key bytes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// One encoding, or several where the provider does not say: the key is tried in each in which
    /// the secret can be read. Default `text`.
    #[serde(default)]
    pub encoding: Option<At<OneOrMany<Encoding>>>,
    /// Text before the key that is not part of it, such as `whsec_`.
    #[serde(default)]
    pub strip_prefix: Option<String>,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The text's own UTF-8 bytes. Only for keys.
    Text,
    /// Base 16, either case.
    Hex,
    /// Base 64 with padding (RFC 4648, section 4), canonical.
    Base64,
    /// Base 64 for URLs (RFC 4648, section 5), with or without padding, canonical.
    Base64url,
}

/// One of something, or a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename = "by shape")]
pub enum OneOrMany<T> {
    /// One.
    #[serde(rename = "other")]
    One(T),
    /// A list.
    #[serde(rename = "list")]
    Many(Vec<T>),
}

/// `signature:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The selector of the signature; of several, any that matches will do.
    pub from: At<OneOrMany<At<String>>>,
    /// What stands before it, such as `sha256=`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Where the value is a list of several, how it is taken apart.
    #[serde(default)]
    pub list: Option<At<SignatureList>>,
    /// How the signature's bytes are written. Default `hex`.
    #[serde(default)]
    pub encoding: Option<At<Encoding>>,
}

/// `signature.list:`, such as `t=1,v1=ab,v1=cd`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureList {
    /// What stands between two items: `,`.
    pub separator: At<String>,
    /// What stands between an item's key and value: `=`. Without it items have no key.
    #[serde(default)]
    pub pair: Option<At<String>>,
    /// The key of the items that are signatures: `v1`.
    #[serde(default)]
    pub key: Option<At<String>>,
}

/// `timestamp:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampRule {
    /// The selector of the time, or `signature:KEY` for an item of the signature's list.
    pub from: At<String>,
    /// How it is written. Default `unix`.
    #[serde(default)]
    pub format: TimestampFormat,
    /// How old a request may be. Default `5m`.
    #[serde(default)]
    pub tolerance: Option<At<Span>>,
    /// Whether it may be no further ahead than `tolerance` either. Default true.
    #[serde(default)]
    pub symmetric: Option<bool>,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampFormat {
    /// Seconds since the Unix epoch.
    #[default]
    Unix,
    /// Milliseconds since the Unix epoch.
    UnixMs,
    /// RFC 3339.
    Rfc3339,
    /// The date of HTTP (RFC 9110, section 5.6.7).
    HttpDate,
}

/// `auth.jwt:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The selector of the token. Default `header:Authorization`.
    #[serde(default)]
    pub from: Option<At<String>>,
    /// What stands before it. Default `Bearer ` where it comes from `Authorization`, else nothing.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The algorithms that are taken; a token's own `alg` is never believed beyond these. All of
    /// one family.
    pub algorithms: At<Vec<At<JwtAlgorithm>>>,
    /// What the secret's text is, for HS algorithms. For the others the secret is a public key in PEM.
    #[serde(default)]
    pub key: Key,
    /// What the claims must say.
    #[serde(default)]
    pub claims: Claims,
    /// How far the clocks may be apart for `exp` and `nbf`. Default `60s`.
    #[serde(default)]
    pub leeway: Option<At<Span>>,
}

/// `claims:` of `auth.jwt`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// `aud` must be, or contain, this or one of these.
    #[serde(default)]
    pub aud: Option<OneOrMany<String>>,
    /// `iss` must be this or one of these.
    #[serde(default)]
    pub iss: Option<OneOrMany<String>>,
    /// `sub` must be this.
    #[serde(default)]
    pub sub: Option<String>,
    /// Claims that must be there, such as `exp`. `exp` and `nbf` are checked wherever they are.
    #[serde(default)]
    pub require: Vec<At<String>>,
}

/// RFC 7518, section 3.1, and RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names of RFC 7518, section 3.1, and RFC 8037")]
pub enum JwtAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// A request that is answered on the spot, and never becomes an event.
#[derive(Debug, Clone, Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
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
#[derive(Deserialize)]
#[serde(rename = "by shape")]
enum ExpectationShape {
    #[serde(rename = "other")]
    Is(OneOrMany<String>),
    #[serde(rename = "mapping")]
    Match(Match),
}

/// The mapping that an [`Expectation`] can be, known to its writer by the key it stands under.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Match {
    Not(OneOrMany<String>),
    Exists(bool),
}

/// When a handshake is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeMoment {
    /// Before verification: whoever asks is answered.
    BeforeAuth,
    /// After it.
    #[default]
    AfterAuth,
}

/// An answer.
#[derive(Debug, Clone, Default, Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventMap {
    /// Where the body is a list of envelopes, their query (`$[*]`). A body in which it finds nothing is
    /// one envelope.
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
}

/// One way to a value; of a list the first that gives one is taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename = "by shape", deny_unknown_fields)]
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
#[derive(Debug, Clone, Default, Deserialize)]
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

/// `destinations.NAME:`, an HTTP endpoint.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Its URL, with `{$.path}` where the event's values go in, percent-encoded.
    pub url: At<String>,
    /// Default `POST`.
    #[serde(default)]
    pub method: Option<At<String>>,
    /// Header fields to send; values are text with `{$.path}`.
    #[serde(default)]
    pub headers: Named<At<String>>,
    /// Who we say we are.
    #[serde(default)]
    pub auth: Option<At<DestinationAuth>>,
    /// How long one attempt may take, to the end of the response. Default `30s`.
    #[serde(default)]
    pub timeout: Option<At<Span>>,
    /// How many attempts may be under way at once. Default 32.
    #[serde(default)]
    pub concurrency: Option<At<u32>>,
    /// When a failed attempt is made again.
    #[serde(default)]
    pub retry: Retry,
    /// What its bodies are, for a delivery that does not say its own.
    #[serde(default)]
    pub format: Option<At<Format>>,
}

/// `auth:` of a destination.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DestinationAuth {
    /// `Authorization: Bearer ...` (RFC 6750).
    Bearer(At<Secret>),
    /// `Authorization: Basic ...` (RFC 7617).
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A header field of its own.
    Header {
        /// Its name.
        name: At<String>,
        /// Its value.
        value: Secret,
    },
}

/// `retry:`, exponential backoff with full jitter.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts are made in all. Default 15.
    #[serde(default)]
    pub max_attempts: Option<At<u32>>,
    /// How long after it was accepted a delivery is given up. Default `3d`.
    #[serde(default)]
    pub max_age: Option<At<Span>>,
    /// The most that is waited before the second attempt. Default `1s`.
    #[serde(default)]
    pub initial: Option<At<Span>>,
    /// The most that is ever waited. Default `1h`.
    #[serde(default)]
    pub max: Option<At<Span>>,
    /// Statuses after which no further attempt is made. Default 400, 410, 413, 422.
    #[serde(default)]
    pub give_up_on: Option<At<Vec<At<u16>>>>,
}

/// What a delivery's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// CloudEvents 1.0 in structured mode: one JSON object. The transform's result is its `data`.
    Cloudevents,
    /// CloudEvents 1.0 in binary mode: attributes as `ce-` header fields, the data as the body.
    CloudeventsBinary,
    /// The received bytes and content type.
    Raw,
    /// The transform's result, or the event's data, as JSON.
    Json,
}

/// `routes[]:`, which requests are taken, and for what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name, unique: a metric label.
    pub name: At<String>,
    /// The inbound path; `{name}` is one segment, kept as a path parameter.
    pub path: At<String>,
    /// Who sends.
    #[serde(default)]
    pub provider: Option<At<String>>,
    /// How requests are verified: where there is no provider, or in place of the provider's own.
    #[serde(default)]
    pub auth: Option<At<Auth>>,
    /// The secret.
    #[serde(default)]
    pub secret: Option<At<Secret>>,
    /// Several secrets by name: any may match, each is counted.
    #[serde(default)]
    pub secrets: Option<At<Named<At<Secret>>>>,
    /// Which events the route wants at all.
    #[serde(default)]
    pub filter: Option<At<Filter>>,
    /// How long an event's id is remembered. Default `24h`.
    #[serde(default)]
    pub dedup: Option<At<Dedup>>,
    /// The largest body.
    #[serde(default)]
    pub max_body: Option<At<ByteSize>>,
    /// Where its events go.
    #[serde(deserialize_with = "every")]
    pub deliver: Vec<At<Delivery>>,
}

/// `dedup:` of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedup {
    /// `off`: nothing is a duplicate.
    Off,
    /// How long an event's id is remembered.
    Window(Span),
}

/// `deliver[]:`, one destination of a route's events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The destination's name.
    pub to: At<String>,
    /// Its own name, unique in the route. Default: that of the destination.
    #[serde(default)]
    pub name: Option<At<String>>,
    /// Which events it wants, by type; the same as `filter: { types: [...] }`.
    #[serde(default)]
    pub types: Option<Vec<At<String>>>,
    /// Which events it wants.
    #[serde(default)]
    pub filter: Option<At<Filter>>,
    /// What it gets: a template.
    #[serde(default)]
    pub transform: Option<Tree>,
    /// What its body is.
    #[serde(default)]
    pub format: Option<At<Format>>,
}

/// A filter: an expression, or a block whose entries must all hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename = "by shape")]
pub enum Filter {
    /// An RFC 9535 logical expression in which `$` is the event.
    #[serde(rename = "text")]
    Expression(At<String>),
    /// A block.
    #[serde(rename = "mapping")]
    Block(FilterBlock),
}

/// A filter's block: every entry that is there must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterBlock {
    /// The type is like one of these; `*` is any run of characters.
    #[serde(default)]
    pub types: Option<Vec<At<String>>>,
    /// All hold.
    #[serde(default)]
    pub all: Option<Vec<At<Filter>>>,
    /// One holds.
    #[serde(default)]
    pub any: Option<Vec<At<Filter>>>,
    /// None holds.
    #[serde(default)]
    pub not: Option<Vec<At<Filter>>>,
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
