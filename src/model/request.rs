//! A request as it was received: what is stored, once, for all of its events.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Headers, Reading, Timestamp};

/// Names one received request: a UUID of version 7 (RFC 9562), so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub Uuid);

/// How a request was verified. It is kept with its events, so that one can later say why each
/// was believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The auth scheme, as the file names it: `hmac`, `jwt`, `none`, …
    pub scheme: Box<str>,
    /// The name of the secret that matched; `None` under `auth: none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Arc<str>>,
    /// The signed timestamp less our clock, in milliseconds: negative where the sender's is
    /// behind. `None` where the scheme has no timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<i64>,
    /// Which attempt of the provider's this was, in its own count; `None` where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The fingerprint of the configuration that was in force.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub configuration: Arc<str>,
    /// How the body is read as JSON.
    #[serde(
        default,
        skip_serializing_if = "is_json",
        serialize_with = "write_reading",
        deserialize_with = "read_reading"
    )]
    pub reading: Reading,
}

/// A verified request: the exact bytes, what of the head is kept, and how it was verified. Its `Debug` shows nothing
/// that the sender wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// When its last byte had arrived.
    pub received_at: Timestamp,
    /// The method: `POST` nearly always.
    pub method: Box<str>,
    /// The path as sent, without the query.
    pub path: Box<str>,
    /// The query as sent, without the `?`; empty where there is none.
    pub query: Box<str>,
    /// The values of the route's path parameters, by name, in path order.
    pub path_params: Vec<(Box<str>, Box<str>)>,
    /// The header fields that are kept. Credentials are not.
    pub headers: Headers,
    /// The body, byte for byte.
    pub body: Bytes,
    /// How it was verified.
    pub evidence: Evidence,
    /// The body as JSON, where it is something else: by [`Evidence::reading`].
    pub json: Option<Bytes>,
}

// === impl RequestId ===

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

// === impl Request ===

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("received_at", &self.received_at)
            .field("bytes", &self.body.len())
            .field("evidence", &self.evidence)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The JSON in which its events' data stand: the body, or what it is read as.
    #[must_use]
    pub fn document(&self) -> &Bytes {
        self.json.as_ref().unwrap_or(&self.body)
    }

    /// The `Content-Type` as sent.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get("content-type")
    }
}

fn is_json(reading: &Reading) -> bool {
    *reading == Reading::Json
}

fn write_reading<S: Serializer>(reading: &Reading, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reading)
}

fn read_reading<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reading, D::Error> {
    String::deserialize(deserializer).map(|text| Reading::from_text(&text))
}
