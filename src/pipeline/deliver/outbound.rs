//! The request of one attempt.

use std::fmt;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use url::Url;

use super::Target;
use super::address::AddressError;
use super::fields::{ATTEMPT, IDEMPOTENCY_KEY};
use crate::expr::RenderError;
use crate::model::{DeliveryId, Event, Reason};
use crate::pipeline::Payload;

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
    pub url: Url,
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
}

const AGENT: HeaderValue = HeaderValue::from_static(concat!("hookswitch/", env!("CARGO_PKG_VERSION")));

// === impl Outbound ===

impl Outbound {
    /// The request of attempt `number` (the first is 1) of the delivery `id`. A destination's own header fields
    /// replace those of the payload.
    ///
    /// # Errors
    /// Where the event does not fill the URL or a header, or fills them with what may not be sent.
    pub fn new(
        target: &Target,
        event: &Event,
        payload: Payload,
        id: DeliveryId,
        number: u32,
    ) -> Result<Self, OutboundError> {
        let Payload { mut headers, body } = payload;
        let document = event.document();
        let url = target.address.render(document)??;
        headers.insert(USER_AGENT, AGENT);
        target.fields.render(document, &mut headers)?.map_err(|name| OutboundError::Header { name })?;
        headers.insert(ATTEMPT, HeaderValue::from(number));
        // Hex digits: always a header value.
        if let Ok(key) = HeaderValue::try_from(id.to_string()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        Ok(Self { method: target.method.clone(), url, headers, body })
    }

    /// As what the client sends.
    pub(super) fn into_request(self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method, self.url);
        *request.headers_mut() = self.headers;
        *request.body_mut() = Some(self.body.into());
        request
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
            Self::Url(_) | Self::Header { .. } => Reason::InvalidRequest,
        }
    }
}
