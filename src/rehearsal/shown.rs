//! What is shown of an answer, a body and a request. Credentials are masked unless a person asks for them.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::pipeline::Told;
use crate::pipeline::deliver::Outbound;

/// Whether credentials are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sight {
    /// As `***`.
    #[default]
    Masked,
    /// As they are: only for a person who asked for it.
    Plain,
}

/// What the provider would hear.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: Fields,
    /// The body.
    pub body: Body,
}

/// The request of a first attempt, to the byte.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The header fields, by name.
    pub headers: Fields,
    /// The body.
    pub body: Body,
    /// What tells masked values from one another: the digest of each, by what it is of. It is shown to nobody.
    #[serde(skip)]
    pub(super) hidden: Vec<(String, Digest)>,
    /// The header fields that its signature is in.
    #[serde(skip)]
    pub(super) signature: Vec<String>,
}

type Digest = [u8; 32];

/// Header fields by name. One that stands several times is several entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fields(pub Vec<(String, String)>);

/// A body: text, or bytes that are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body(pub Bytes);

const MASK: &str = "***";

// === impl Answer ===

impl From<Told> for Answer {
    fn from(told: Told) -> Self {
        Self { status: told.status, headers: Fields::of(&told.headers, Sight::Plain), body: Body(told.body) }
    }
}

// === impl Sent ===

impl Sent {
    pub(super) fn of(outbound: Outbound, sight: Sight) -> Self {
        let url = match sight {
            Sight::Masked => outbound.masked_url(),
            Sight::Plain => Url::as_str(&outbound.url).to_owned(),
        };
        let wire = outbound.wire_headers();
        let hidden = if sight == Sight::Masked { hidden(&outbound, &url, &wire) } else { Vec::new() };
        let headers = Fields::of(&wire, sight);
        let (method, body) = (outbound.method.to_string(), Body(outbound.body));
        Self { method, url, headers, body, hidden, signature: Vec::new() }
    }
}

// === impl Fields ===

impl Fields {
    fn of(headers: &HeaderMap, sight: Sight) -> Self {
        let mut fields: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.as_str().to_owned(), shown(value, sight))).collect();
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self(fields)
    }

    /// The first value under `name`, which is compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The digests of what is masked.
fn hidden(outbound: &Outbound, shown_url: &str, headers: &HeaderMap) -> Vec<(String, Digest)> {
    let url = Url::as_str(&outbound.url);
    let of_url = (url != shown_url).then(|| ("url".to_owned(), Sha256::digest(url).into()));
    let of_headers = headers.iter().filter(|(_, value)| value.is_sensitive());
    let of_headers = of_headers.map(|(name, value)| (format!("headers.{name}"), Sha256::digest(value).into()));
    of_url.into_iter().chain(of_headers).collect()
}

/// Of a credential the scheme before it is shown (RFC 9110, section 11.4): it is not secret, and what is often wrong.
fn shown(value: &HeaderValue, sight: Sight) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    if !value.is_sensitive() || sight == Sight::Plain {
        return text.into_owned();
    }
    match text.split_once(' ') {
        Some((scheme @ ("Bearer" | "Basic"), _)) => format!("{scheme} {MASK}"),
        _ => MASK.to_owned(),
    }
}

// === impl Body ===

impl Body {
    /// The body as text, where it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The body between quotes, where it is text, and else how long it is.
    pub(super) fn quoted(&self) -> String {
        self.text().map_or_else(|| format!("{} bytes that are no text", self.0.len()), |text| format!("{text:?}"))
    }
}

/// Text as it is; other bytes as `{ "base64": ... }`.
impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        use serde::ser::SerializeMap as _;

        if let Some(text) = self.text() {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &base64::engine::general_purpose::STANDARD.encode(&self.0))?;
        map.end()
    }
}
