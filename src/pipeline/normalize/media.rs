//! What a request says its body is.

use http::{HeaderMap, header};

use super::NotAnEvent;

/// What a request says its body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// It does not say.
    Unsaid,
    /// JSON.
    Json,
    /// `application/cloudevents+json`.
    CloudEvent,
    /// `application/cloudevents-batch+json`.
    CloudEventBatch,
    /// What HTTP clients put in by themselves when they are given text, whatever it is. It may be a form.
    Careless,
    /// `text/plain`.
    Text,
    /// A JSON text a line.
    Lines,
    /// Anything else.
    Other,
}

impl Media {
    /// What a request says its body is.
    ///
    /// # Errors
    /// Where the body is compressed.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, NotAnEvent> {
        if headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            return Err(NotAnEvent::ContentEncoding);
        }
        let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Self::Unsaid) };
        if value == "application/json" {
            return Ok(Self::Json);
        }
        let Ok(value) = value.to_str() else { return Ok(Self::Other) };
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(match essence.as_str() {
            "" => Self::Unsaid,
            "application/cloudevents+json" => Self::CloudEvent,
            "application/cloudevents-batch+json" => Self::CloudEventBatch,
            "application/json" | "text/json" => Self::Json,
            "application/x-www-form-urlencoded" | "application/octet-stream" => Self::Careless,
            "text/plain" => Self::Text,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Self::Lines
            }
            other if other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        })
    }
}
