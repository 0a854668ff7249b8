//! What goes out: the body of a delivery, by its transform and format.
//!
//! Data that is not reshaped goes out byte for byte as it came in. It is never parsed and written again, so a 64-bit
//! id, `1.10` and the order of keys survive.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::config::{Place, Problem, Problems, Tree, file};
use crate::expr::{RenderError, Template};
use crate::model::{Attributes, Event};

/// The compiled `transform` and `format` of a delivery.
#[derive(Debug)]
pub struct Shape {
    format: file::Format,
    transform: Option<Transform>,
}

/// A rendered body with the header fields that describe it.
#[derive(Debug, Clone)]
pub struct Payload {
    /// `content-type`, and the `ce-` fields of CloudEvents binary mode.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

#[derive(Debug)]
struct Transform {
    template: Template,
    /// The one path of a template that is nothing else, for the error where there is nothing at it.
    path: Box<str>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// CloudEvents HTTP binding 1.0, section 3.2.
const CLOUDEVENTS_JSON: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");

/// What a `ce-` field may not hold as it is (CloudEvents HTTP binding 1.0, section 3.1.3.2): space, `"`, `%` and
/// everything outside of the printable ASCII characters.
const CE_ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

// === impl Shape ===

impl Shape {
    /// Compiles a delivery's transform and format; `default_format` is its destination's.
    pub fn compile(
        delivery: &file::Delivery,
        default_format: Option<file::Format>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let format = delivery.format.as_ref().map(|format| format.value).or(default_format);
        let format = format.unwrap_or(match delivery.transform {
            Some(_) => file::Format::Json,
            None => file::Format::Cloudevents,
        });
        let Some(tree) = &delivery.transform else { return Some(Self { format, transform: None }) };
        let transform = Transform::compile(tree, problems);
        if format == file::Format::Raw {
            let place = delivery.format.as_ref().map_or_else(|| tree.place(""), |format| format.place);
            problems.push(raw_with_transform(place));
            return None;
        }
        Some(Self { format, transform: Some(transform?) })
    }

    /// Renders the body for an event.
    ///
    /// # Errors
    /// Where the event lacks what the transform requires.
    pub fn render(&self, event: &Event) -> Result<Payload, RenderError> {
        let data = match &self.transform {
            Some(transform) => transform.render(event.document())?,
            None => event.request().body.slice_ref(event.data_bytes()),
        };
        Ok(match self.format {
            file::Format::Cloudevents => Payload::structured(event.attributes(), &data),
            file::Format::CloudeventsBinary => Payload::binary(event.attributes(), data),
            file::Format::Raw => Payload::raw(event),
            file::Format::Json => Payload::json(data),
        })
    }
}

fn raw_with_transform(place: Place) -> Problem {
    Problem::error(place, "`format: raw` sends the received bytes, so the transform would do nothing")
        .expected("another format, or no transform")
}

// === impl Transform ===

impl Transform {
    fn compile(tree: &Tree, problems: &mut Problems) -> Option<Self> {
        let path = tree.value.as_str().or_else(|| tree.value.get("$path")?.as_str()).unwrap_or("$");
        match Template::compile(&tree.value) {
            Ok(template) => Some(Self { template, path: path.into() }),
            Err(errors) => {
                problems.extend(errors.into_iter().map(|(pointer, error)| Problem {
                    expected: error.expected,
                    ..Problem::error(tree.place(&pointer), error.message)
                }));
                None
            }
        }
    }

    fn render(&self, document: &Value) -> Result<Bytes, RenderError> {
        let nothing = || RenderError::Missing { path: self.path.as_ref().into() };
        Ok(self.template.render(document)?.ok_or_else(nothing)?.to_string().into())
    }
}

// === impl Payload ===

impl Payload {
    fn json(body: Bytes) -> Self {
        Self { headers: HeaderMap::from_iter([(CONTENT_TYPE, JSON)]), body }
    }

    fn raw(event: &Event) -> Self {
        let content_type =
            event.request().content_type().and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
        let headers = content_type.map(|value| (CONTENT_TYPE, value)).into_iter().collect();
        Self { headers, body: event.request().body.clone() }
    }

    /// CloudEvents JSON format 1.0, section 3.
    fn structured(attributes: &Attributes, data: &[u8]) -> Self {
        let mut body = Vec::with_capacity(data.len() + 512);
        body.extend_from_slice(br#"{"specversion":"1.0""#);
        for (name, value) in context(attributes) {
            push_member(&mut body, name, Value::from(value).to_string().as_bytes());
        }
        if !data.is_empty() {
            push_member(&mut body, "datacontenttype", br#""application/json""#);
            push_member(&mut body, "data", data);
        }
        body.push(b'}');
        Self { headers: HeaderMap::from_iter([(CONTENT_TYPE, CLOUDEVENTS_JSON)]), body: body.into() }
    }

    /// CloudEvents HTTP binding 1.0, section 3.1.
    fn binary(attributes: &Attributes, data: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(10);
        headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
        headers.extend(context(attributes).filter_map(|(name, value)| ce_field(name, value)));
        if !data.is_empty() {
            headers.insert(CONTENT_TYPE, JSON);
        }
        Self { headers, body: data }
    }
}

/// The attributes that an event has, in the order of the specification. An attribute is never empty
/// (CloudEvents 1.0, section 3): one without a value is left out.
fn context(attributes: &Attributes) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("id", &*attributes.id),
        ("source", &*attributes.source),
        ("type", &*attributes.kind),
        ("subject", attributes.subject.as_deref().unwrap_or_default()),
        ("time", attributes.time.as_deref().unwrap_or_default()),
        ("provider", &*attributes.provider),
        ("route", &*attributes.route),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
}

/// Appends a member to an object that has one already. `json` is one JSON text.
fn push_member(object: &mut Vec<u8>, name: &str, json: &[u8]) {
    object.extend_from_slice(b",\"");
    object.extend_from_slice(name.as_bytes());
    object.extend_from_slice(b"\":");
    object.extend_from_slice(json);
}

/// `None` never happens: what is encoded is printable ASCII, and the names are ours.
fn ce_field(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let value = utf8_percent_encode(value, CE_ESCAPED).to_string();
    Some((HeaderName::try_from(format!("ce-{name}")).ok()?, HeaderValue::try_from(value).ok()?))
}
