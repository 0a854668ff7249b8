//! A route without a provider: a CloudEvents request for what it is (CloudEvents 1.0, HTTP protocol binding 1.0.2,
//! section 3), any other JSON by `$.type` and `$.id`.

use std::ops::Range;
use std::sync::Arc;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::media::Media;
use super::spans::Spans;
use super::{Draft, Kept, MAX_EVENTS, NotAnEvent, attributes, parse, with_data};
use crate::expr::{JsonRef, Needs, Query, Step, as_text};
use crate::model::Excerpt;
use crate::pipeline::Received;

/// What is read of a body.
#[derive(Debug)]
pub(super) struct Open {
    /// Of an event in the JSON format.
    structured: Reading,
    data: Query,
    mark: usize,
    /// Of any other JSON.
    plain: Reading,
    /// Of the data of an event that is in the header fields.
    binary: Reading,
}

/// What is read of one form of a body, and what of the document goes with the event then.
#[derive(Debug, Default)]
struct Reading {
    needs: Needs,
    kept: Option<Arc<Needs>>,
}

// === impl Open ===

impl Open {
    /// `None` never happens: the path is one of names.
    pub(super) fn new() -> Option<Self> {
        let mut structured = Needs::members(&["specversion", "id", "type", "source", "subject", "time", "data_base64"]);
        let data = Query::parse("$.data").ok()?;
        let mark = structured.mark(&data)?;
        let plain = Needs::members(&["id", "type", "subject", "time"]);
        let reading = |needs| Reading { needs, kept: None };
        Some(Self { structured: reading(structured), data, mark, plain: reading(plain), binary: Reading::default() })
    }

    /// From now on so much of the data is read with what makes the event, and goes with it as part of its document.
    pub(super) fn keep(&mut self, document: &Needs, data: &Needs) {
        let Self { structured, plain, binary, .. } = self;
        structured.needs.add_within(&self.data, data);
        structured.kept = Some(with_data(document, &structured.needs.within(&self.data)));
        for reading in [plain, binary] {
            reading.needs.add(data);
            reading.kept = Some(with_data(document, &reading.needs));
        }
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
            Media::Careless | Media::Text | Media::Lines | Media::Other => Err(NotAnEvent::MediaType),
        }
    }

    /// Section 3.2, structured content mode.
    fn structured(&self, received: &Received) -> Result<Draft, NotAnEvent> {
        let Some(read) = self.structured.needs.read(&received.body) else {
            let body = parse(&received.body)?;
            let mut spans = spans(received)?;
            return object((&body).into(), || spans.range(&[Step::Name("data".to_owned())]));
        };
        let draft = object(read.json(), || read.marks.get(self.mark).cloned().flatten())?;
        Ok(Draft { kept: self.structured.keep(|| read.take(&self.data)), ..draft })
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
        let (read, data) = if empty { (Excerpt::NOTHING, 0..0) } else { read_body(received, &self.binary.needs)? };
        Ok(Draft {
            id: required("id", "ce-id")?,
            kind: required("type", "ce-type")?,
            subject: header("ce-subject"),
            time: header("ce-time").and_then(|time| attributes::time(&time)),
            source: Some(required("source", "ce-source")?),
            data,
            kept: self.binary.keep(|| read),
        })
    }

    fn plain(&self, received: &Received) -> Result<Draft, NotAnEvent> {
        let (read, data) = read_body(received, &self.plain.needs)?;
        let body = JsonRef::part(&self.plain.needs, &read);
        let text = |name: &str| {
            let value = body.get(name)?.value().filter(|value| value.is_string() || value.is_number())?;
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
            kept: self.plain.keep(|| read),
        })
    }
}

// === impl Reading ===

impl Reading {
    fn keep(&self, data: impl FnOnce() -> Excerpt) -> Option<Kept> {
        self.kept.as_ref().map(|needs| Kept { needs: Arc::clone(needs), data: data() })
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
            .map(|(index, event)| {
                object(event.into(), || spans.range(&[Step::Index(index), Step::Name("data".to_owned())]))
            })
            .collect(),
    }
}

/// One event in the JSON format (CloudEvents 1.0, JSON event format 1.0.2); `data` is where its `data` stands.
fn object(event: JsonRef<'_>, data: impl FnOnce() -> Option<Range<usize>>) -> Result<Draft, NotAnEvent> {
    let text = |name: &str| event.get(name)?.value()?.as_str().filter(|text| !text.is_empty());
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
        kept: None,
    })
}

/// Section 3.1.3.2: values are percent-encoded UTF-8.
fn attribute(headers: &HeaderMap, name: &str) -> Option<Box<str>> {
    let value = headers.get(name)?.to_str().ok()?;
    let decoded = percent_decode_str(value).decode_utf8().ok()?;
    (!decoded.is_empty()).then(|| decoded.into())
}

/// As much of the body as is needed, and where it stands without the white space around it.
fn read_body(received: &Received, needs: &Needs) -> Result<(Excerpt, Range<usize>), NotAnEvent> {
    if let Some(read) = needs.read(&received.body) {
        let range = read.range.clone();
        return Ok((read.into_excerpt(), range));
    }
    let body = parse(&received.body)?;
    Ok((Excerpt::Value(body), spans(received)?.range(&[]).unwrap_or_default()))
}

fn spans(received: &Received) -> Result<Spans<'_>, NotAnEvent> {
    Spans::over(&received.body).ok_or(NotAnEvent::NotJson { line: 1, column: 0 })
}

fn missing(what: &'static str, looked_at: String) -> NotAnEvent {
    NotAnEvent::Missing { what, looked_at }
}
