//! `destinations.NAME:`, an HTTP endpoint.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{OAuth2, Sign, Tls};
use crate::config::{At, Named, Percent, Rate, Span};
use crate::model::Secret;

/// `destinations.NAME:`, an HTTP endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
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
    /// How what is sent is signed.
    #[serde(default)]
    pub sign: Option<At<Sign>>,
    /// Whom we trust, and the certificate that we show.
    #[serde(default)]
    pub tls: Option<At<Tls>>,
    /// Whether it may have an address that is not public. Default true.
    #[serde(default)]
    pub allow_private: Option<At<bool>>,
    /// What a 2xx has to say to be a delivery: a logical expression (RFC 9535) over `status`, `headers`, `body`.
    #[serde(default)]
    pub success: Option<At<String>>,
    /// How long one attempt may take, to the end of the response. Default `30s`.
    #[serde(default)]
    pub timeout: Option<At<Span>>,
    /// How many attempts may be under way at once. Default 32.
    #[serde(default)]
    pub concurrency: Option<At<u32>>,
    /// How many attempts may be begun in a time, over all of its deliveries. Default: as many as come.
    #[serde(default)]
    pub rate: Option<At<Rate>>,
    /// When no attempts are made because it fails. On by default.
    #[serde(default)]
    pub breaker: Option<At<Breaker>>,
    /// When a failed attempt is made again.
    #[serde(default)]
    pub retry: Retry,
    /// What its bodies are, for a delivery that does not say its own.
    #[serde(default)]
    pub format: Option<At<Format>>,
}

/// `auth:` of a destination.
#[derive(Debug, Deserialize, JsonSchema)]
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
    /// `Authorization: Bearer ...` with a token that we ask for (RFC 6749, section 4.4).
    Oauth2(Box<OAuth2>),
}

/// `retry:`, exponential backoff with full jitter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
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

/// `breaker:`, when no attempts are made because the destination fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "by shape")]
#[schemars(rename = "Breaker", untagged)]
pub enum Breaker {
    /// Attempts are made however often they fail.
    #[serde(rename = "text")]
    Off(Off),
    /// Its settings.
    #[serde(rename = "mapping")]
    On(Box<BreakerSettings>),
}

/// `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Off;

/// `breaker:` as a mapping.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename = "breaker", deny_unknown_fields)]
pub struct BreakerSettings {
    /// After how many failed attempts in a row it opens. Default 10.
    #[serde(default)]
    pub failures: Option<At<u32>>,
    /// At which share of failed attempts it opens too. Default: at none.
    #[serde(default)]
    pub rate: Option<At<Percent>>,
    /// Over which time `rate` is taken. Default `30s`.
    #[serde(default)]
    pub window: Option<At<Span>>,
    /// How many attempts `rate` needs at least. Default 20.
    #[serde(default)]
    pub min_attempts: Option<At<u32>>,
    /// How long it is open the first time. Default `10s`.
    #[serde(default)]
    pub cool_down: Option<At<Span>>,
    /// The most that it is ever open before it is tried again. Default `5m`.
    #[serde(default)]
    pub max_cool_down: Option<At<Span>>,
}

/// What a delivery's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
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
