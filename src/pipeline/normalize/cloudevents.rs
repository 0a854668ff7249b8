//! A route without a provider: a CloudEvents request for what it is (CloudEvents 1.0, HTTP protocol binding 1.0.2,
//! section 3), any other JSON by `$.type` and `$.id`.

use std::ops::Range;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::media::Media;
use super::spans::Spans;
use super::{Draft, MAX_EVENTS, NotAnEvent, attributes, parse};
use crate::expr::{Needs, Query, Step, as_text};
use crate::pipeline::Received;

/// What is read of a body.
#[derive(Debug)]
pub(super) struct Open {
    /// Of an event in the JSON format.
    structured: Needs,
    data: Query,
    mark: usize,
    /// Of any other JSON.
    plain: Needs,
    /// Of the data of an event that is in the header fields.
    binary: Needs,
    /// Whether what was read of the data goes with the event.
    keeps: bool,
}

// === impl Open ===

impl Open {
    /// `None` never happens: the path is one of names.
    pub(super) fn new() -> Option<Self> {
        let mut structured = Needs::members(&["specversion", "id", "type", "source", "subject", "time", "data_base64"]);
        let data = Query::parse("$.data").ok()?;
        let mark = structured.mark(&data)?;
        let plain = Needs::members(&["id", "type", "subject", "time"]);
        Some(Self { structured, data, mark, plain, binary: Needs::nothing(), keeps: false })
    }

    /// From now on so much of the data is read with what makes the event, and goes with it.
    pub(super) fn keep(&mut self, data: &Needs) {
        self.keeps = true;
        self.structured.add_within(&self.data, data);
        self.plain.add(data);
        self.binary.add(data);
    }

    /// The events of a request.
    pub(super) fn read(&self, received: &Received) -> Result<Vec<Draft>, NotAnEvent> {
        let media = Media::of(&received.headers)?;
        match media {
            Media::CloudEventBatch => batch(received),
            Media::CloudEvent => self.structured(received).map(|draft| vec![draft]),
            Media::Json | Media::Unsaid if received.headers.contains_key("ce-specversion") => {
                self.binary(received).map(|draft| vec![draft])
            }
            Media::Json | Media::Unsaid => self.plain(received).map(|draft| vec![draft]),
            Media::Careless | Media::Other => Err(NotAnEvent::MediaType),
        }
    }

    /// Section 3.2, structured content mode.
    fn structured(&self, received: &Received) -> Result<Draft, NotAnEvent> {
        let Some(mut read) = self.structured.read(&received.body) else {
            let body = parse(&received.body)?;
            let mut spans = spans(received)?;
            return object(&body, || spans.range(&[Step::Name("data".to_owned())]));
        };
        let draft = object(&read.value, || read.marks.get(self.mark).cloned().flatten())?;
        Ok(Draft { read: self.keeps.then(|| read.take(&self.data)), ..draft })
    }

    /// Section 3.1, binary content mode.
    fn binary(&self, received: &Received) -> Result<Draft, NotAnEvent> {
        let header = |name: &str| attribute(&received.headers, name);
        let required = |name: &'static str, field: &'static str| {
            header(field).ok_or_else(|| missing(name, format!("header:{field}")))
        };
        if !required("specversion", "ce-specversion")?.starts_with("1.") {
            return Err(missing("specversion 1.0", "header:ce-specversion".to_owned()));
        }
        let empty = received.body.is_empty();
        let (read, data) = if empty { (Value::Null, 0..0) } else { read_body(received, &self.binary)? };
        Ok(Draft {
            id: required("id", "ce-id")?,
            kind: required("type", "ce-type")?,
            subject: header("ce-subject"),
            time: header("ce-time").and_then(|time| attributes::time(&time)),
            source: Some(required("source", "ce-source")?),
            data,
            read: self.keeps.then_some(read),
        })
    }

    fn plain(&self, received: &Received) -> Result<Draft, NotAnEvent> {
        let (body, data) = read_body(received, &self.plain)?;
        let text = |name: &str| {
            let value = body.get(name).filter(|value| value.is_string() || value.is_number())?;
            as_text(value).filter(|text| !text.is_empty()).map(Box::from)
        };
        let id = text("id").unwrap_or_else(|| hex::encode(Sha256::digest(&received.body)).into());
        Ok(Draft {
            id,
            kind: text("type").ok_or_else(|| missing("type", "$.type".to_owned()))?,
            subject: text("subject"),
            time: text("time").and_then(|time: Box<str>| attributes::time(&time)),
            source: None,
            data,
            read: self.keeps.then_some(body),
        })
    }
}

/// Section 3.3, batched content mode.
fn batch(received: &Received) -> Result<Vec<Draft>, NotAnEvent> {
    let body = parse(&received.body)?;
    let mut spans = spans(received)?;
    let none = || NotAnEvent::NoEvents { looked_at: "$[*]".to_owned() };
    let events = body.as_array().ok_or_else(none)?;
    match events.len() {
        0 => Err(none()),
        n if n > MAX_EVENTS => Err(NotAnEvent::TooManyEvents { limit: MAX_EVENTS }),
        _ => events
            .iter()
            .enumerate()
            .map(|(index, event)| object(event, || spans.range(&[Step::Index(index), Step::Name("data".to_owned())])))
            .collect(),
    }
}

/// One event in the JSON format (CloudEvents 1.0, JSON event format 1.0.2); `data` is where its `data` stands.
fn object(event: &Value, data: impl FnOnce() -> Option<Range<usize>>) -> Result<Draft, NotAnEvent> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let required = |name: &'static str| text(name).ok_or_else(|| missing(name, format!("$.{name}")));
    if !required("specversion")?.starts_with("1.") {
        return Err(missing("specversion 1.0", "$.specversion".to_owned()));
    }
    if event.get("data_base64").is_some() {
        return Err(missing("JSON data", "$.data (binary data in $.data_base64 is not taken)".to_owned()));
    }
    Ok(Draft {
        id: required("id")?.into(),
        kind: required("type")?.into(),
        subject: text("subject").map(Into::into),
        time: text("time").and_then(attributes::time),
        source: Some(required("source")?.into()),
        data: data().unwrap_or_default(),
        read: None,
    })
}

/// Section 3.1.3.2: values are percent-encoded UTF-8.
fn attribute(headers: &HeaderMap, name: &str) -> Option<Box<str>> {
    let value = headers.get(name)?.to_str().ok()?;
    let decoded = percent_decode_str(value).decode_utf8().ok()?;
    (!decoded.is_empty()).then(|| decoded.into())
}

/// As much of the body as is needed, and where it stands without the white space around it.
fn read_body(received: &Received, needs: &Needs) -> Result<(Value, Range<usize>), NotAnEvent> {
    if let Some(read) = needs.read(&received.body) {
        return Ok((read.value, read.range));
    }
    let body = parse(&received.body)?;
    Ok((body, spans(received)?.range(&[]).unwrap_or_default()))
}

fn spans(received: &Received) -> Result<Spans<'_>, NotAnEvent> {
    Spans::over(&received.body).ok_or(NotAnEvent::NotJson { line: 1, column: 0 })
}

fn missing(what: &'static str, looked_at: String) -> NotAnEvent {
    NotAnEvent::Missing { what, looked_at }
}
