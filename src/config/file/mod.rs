//! What the YAML says: the shape of `routes.yaml`, one type a block.
//!
//! Nothing here is checked beyond its shape: names are not resolved, expressions are text. That is
//! `routing::compile`'s work. Unknown keys are refused everywhere.

mod auth;
mod destination;
mod event;
mod handshake;
mod jwt;
mod outbound;
mod provider;
mod route;
mod samples;
mod signed;
mod test;

use schemars::JsonSchema;
use serde::Deserialize;

use super::decode::every;
use super::{At, ByteSize, Named, Span};
use crate::model::Secret;

pub use auth::{Auth, Basic, Sns, Token};
pub use destination::{Breaker, BreakerSettings, Destination, DestinationAuth, Format, Off, Retry};
pub use event::{BodyForm, Choice, EventMap};
pub use handshake::{
    Confirm, Expectation, Handshake, HandshakeMoment, HandshakeSign, Reply, ReplyEd25519, ReplyHmac, Respond,
};
pub use jwt::{ClaimedHash, Claims, Jwt, JwtAlgorithm, JwtKeys, PlaidKeys};
pub use outbound::{AuthStyle, OAuth2, Sign, SignHmac, SignSignature, SignTimestamp, StandardWebhooks, Tls};
pub use provider::{About, Provider};
pub use route::{Delivery, Filter, FilterBlock, OnDeadLetter, Route, Window};
pub use samples::{HandshakeSample, Sample, SampleEvent, SampleReply, Samples};
pub use signed::{
    BodyHash, Certificate, EcdsaFormat, EcdsaP256, Ed25519, Encoding, HashFunction, Hmac, Key, KeyedHash, Padding,
    Ports, Rsa, Signature, SignatureList, TimestampFormat, TimestampRule, UrlRule,
};
pub use test::{Expect, ExpectedDelivery, ExpectedEvent, Filtered, Tamper, Test, TestFile};

/// The whole file.
#[derive(Debug, Deserialize, JsonSchema)]
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
    /// Requests and what is to come of them, for `hookswitch test`.
    #[serde(default, deserialize_with = "every")]
    pub tests: Vec<At<Test>>,
}

/// `admin:`, the listener for metrics, health and control.
#[derive(Debug, Default, Deserialize, JsonSchema)]
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Queue {
    /// In a directory of this machine.
    Embedded(EmbeddedQueue),
}

/// `queue.embedded:`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedQueue {
    /// The directory. Default `./data`, relative to where the gateway was started.
    #[serde(default)]
    pub path: Option<At<String>>,
    /// About how many bytes the pending and the dead deliveries may take. Default: what the disk holds.
    #[serde(default)]
    pub max_bytes: Option<At<ByteSize>>,
    /// How old the oldest pending delivery may be. Default: any age.
    #[serde(default)]
    pub max_age: Option<At<Span>>,
    /// About how many bytes what was delivered may take. Default `1GiB`.
    #[serde(default)]
    pub max_retained: Option<At<ByteSize>>,
}

/// `limits:`, bounds on what a client may cost.
#[derive(Debug, Default, Deserialize, JsonSchema)]
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

impl<T> OneOrMany<T> {
    /// All of them.
    #[must_use]
    pub const fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many.as_slice(),
        }
    }
}
