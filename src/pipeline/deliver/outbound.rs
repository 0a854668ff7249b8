//! The request of one attempt.

use std::fmt;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use url::Url;

use super::Target;
use super::address::{AddressError, RenderedUrl};
use super::exchange::ANYTHING;
use super::fields::{ATTEMPT, IDEMPOTENCY_KEY, is_named_like_a_secret};
use super::oauth::Token;
use crate::expr::RenderError;
use crate::model::{DeliveryId, Event, Reason, Timestamp};
use crate::pipeline::Payload;
use crate::signing::SigningError;

/// The request of one attempt, as it is sent: what a rehearsal shows. `Host`, `Content-Length` and `Accept` are added
/// on the wire.
///
/// Header values that may be secret are marked ([`HeaderValue::is_sensitive`]). The URL may hold the event's values.
#[derive(Clone)]
#[non_exhaustive]
pub struct Outbound {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: RenderedUrl,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no request for an event. Another attempt would fail the same way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The event lacks what the transform, the URL or a header asks for.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The rendered URL may not be called.
    #[error(transparent)]
    Url(#[from] AddressError),
    /// A rendered header value may not be sent.
    #[error("the rendered value of the header `{name}` has a line break or another control character in it")]
    Header {
        /// The header's name.
        name: HeaderName,
    },
    /// The request lacks what is signed.
    #[error("the request cannot be signed: {0}")]
    Sign(#[from] SigningError),
}

/// What stands in for an access token where nobody is asked for one.
const SOME_TOKEN: HeaderValue = HeaderValue::from_static("Bearer <token of oauth2>");
/// What stands in for a value that may be secret.
const MASK: &str = "***";
const AGENT: HeaderValue = HeaderValue::from_static(concat!("hookswitch/", env!("CARGO_PKG_VERSION")));

// === impl Outbound ===

impl Outbound {
    /// The request of attempt `number` (the first is 1) of the delivery `id`, signed as of `now`. A destination's own
    /// header fields replace those of the payload. An access token, which is asked for as it is sent, is not in it.
    ///
    /// # Errors
    /// Where the event does not fill the URL or a header, or fills them with what may not be sent, or lacks what is signed.
    pub fn new(
        target: &Target,
        event: &Event,
        payload: Payload,
        id: DeliveryId,
        number: u32,
        now: Timestamp,
    ) -> Result<Self, OutboundError> {
        Self::unsigned(target, event, payload, id, number)?.signed(target, now)
    }

    /// The request of the first attempt, for a rehearsal: nobody is asked for an access token, and what stands in for one is
    /// in it.
    ///
    /// # Errors
    /// As [`Outbound::new`], and where there is no payload.
    pub fn rehearsed(
        target: &Target,
        event: &Event,
        payload: Result<Payload, RenderError>,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Self, OutboundError> {
        let mut unsigned = Self::unsigned(target, event, payload?, id, 1)?;
        if target.tokens.is_some() {
            unsigned.headers.insert(AUTHORIZATION, SOME_TOKEN);
        }
        unsigned.signed(target, now)
    }

    /// The header fields as they are sent, with those that are added on the wire.
    #[must_use]
    pub fn wire_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.entry(ACCEPT).or_insert(ANYTHING);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        if let Ok(host) = HeaderValue::try_from(format!("{}{port}", self.url.host_str().unwrap_or_default())) {
            headers.insert(HOST, host);
        }
        headers
    }

    /// The URL with what may be a secret in its query masked.
    #[must_use]
    pub fn masked_url(&self) -> String {
        let url = Url::as_str(&self.url);
        let Some((before, query)) = url.split_once('?') else { return url.to_owned() };
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) if !value.is_empty() && is_named_like_a_secret(&name.to_lowercase()) => {
                    format!("{name}={MASK}")
                }
                _ => pair.to_owned(),
            })
            .collect();
        format!("{before}?{}", pairs.join("&"))
    }

    /// The request before it is signed.
    pub(super) fn unsigned(
        target: &Target,
        event: &Event,
        payload: Payload,
        id: DeliveryId,
        number: u32,
    ) -> Result<Self, OutboundError> {
        let Payload { mut headers, body } = payload;
        let url = target.address.render(event)??;
        headers.insert(USER_AGENT, AGENT);
        target.fields.render(event, &mut headers)?.map_err(|name| OutboundError::Header { name })?;
        headers.insert(ATTEMPT, HeaderValue::from(number));
        let mut key = [0; 32];
        // It is as long as that takes, and hex digits are always a header value.
        if hex::encode_to_slice(id.as_bytes(), &mut key).is_ok()
            && let Ok(key) = HeaderValue::from_bytes(&key)
        {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        Ok(Self { method: target.method.clone(), url, headers, body })
    }

    /// Says who we are by an access token.
    pub(super) fn authorize(&mut self, token: &Token) {
        self.headers.insert(AUTHORIZATION, token.header.clone());
    }

    /// Signs it as of `now`, where the destination's requests are signed. Nothing of it may change afterwards.
    pub(super) fn signed(mut self, target: &Target, now: Timestamp) -> Result<Self, OutboundError> {
        if let Some(signer) = &target.signer {
            signer.sign(&mut self, now)?;
        }
        Ok(self)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

// === impl OutboundError ===

impl OutboundError {
    /// The reason under which an attempt that could not be made is counted.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Render(_) => Reason::Transform,
            Self::Sign(_) => Reason::Sign,
            Self::Url(_) | Self::Header { .. } => Reason::InvalidRequest,
        }
    }
}
