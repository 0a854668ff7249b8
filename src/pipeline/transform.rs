//! What goes out: the body of a delivery, by its transform and format.
//!
//! Data that is not reshaped goes out byte for byte as it came in. It is never parsed and written again, so a 64-bit
//! id, `1.10` and the order of keys survive.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::config::{Place, Problem, Problems, Tree, file};
use crate::expr::{JsonRef, Needs, RenderError, Template, view};
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
    needs: Needs,
    /// The one path of a template that is nothing else, for the error where there is nothing at it.
    path: Box<str>,
}

/// What most transforms come to, in bytes.
const USUAL: usize = 512;
/// How many header fields most requests have.
const FIELDS: usize = 8;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// CloudEvents HTTP binding 1.0, section 3.2.
const CLOUDEVENTS_JSON: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");

/// What a `ce-` field may not hold as it is (CloudEvents HTTP binding 1.0, section 3.1.3.2): space, `"`, `%` and
/// everything outside of the printable ASCII characters.
const CE_ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

const CE_SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");
const CE_ID: HeaderName = HeaderName::from_static("ce-id");
const CE_SOURCE: HeaderName = HeaderName::from_static("ce-source");
const CE_TYPE: HeaderName = HeaderName::from_static("ce-type");
const CE_SUBJECT: HeaderName = HeaderName::from_static("ce-subject");
const CE_TIME: HeaderName = HeaderName::from_static("ce-time");
const CE_PROVIDER: HeaderName = HeaderName::from_static("ce-provider");
const CE_ROUTE: HeaderName = HeaderName::from_static("ce-route");

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

    /// What it looks at in an event's document.
    pub fn add_needs(&self, needs: &mut Needs) {
        self.transform.iter().for_each(|transform| needs.add(&transform.needs));
    }

    /// Renders the body for an event.
    ///
    /// # Errors
    /// Where the event lacks what the transform requires.
    pub fn render(&self, event: &Event) -> Result<Payload, RenderError> {
        let data = match &self.transform {
            Some(transform) => transform.render((&view(event, &transform.needs)).into())?,
            None => event.request().document().slice_ref(event.data_bytes()),
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
            Ok(template) => {
                let mut needs = Needs::nothing();
                template.add_needs(&mut needs);
                Some(Self { template, needs, path: path.into() })
            }
            Err(errors) => {
                problems.extend(errors.into_iter().map(|(pointer, error)| Problem {
                    expected: error.expected,
                    ..Problem::error(tree.place(&pointer), error.message)
                }));
                None
            }
        }
    }

    fn render(&self, document: JsonRef<'_>) -> Result<Bytes, RenderError> {
        let nothing = || RenderError::Missing { path: self.path.as_ref().into() };
        let mut text = Vec::with_capacity(USUAL);
        if self.template.write(document, &mut text)? { Ok(text.into()) } else { Err(nothing()) }
    }
}

// === impl Payload ===

impl Payload {
    fn json(body: Bytes) -> Self {
        Self { headers: described(JSON), body }
    }

    fn raw(event: &Event) -> Self {
        let content_type =
            event.request().content_type().and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
        let headers = content_type.map_or_else(HeaderMap::new, described);
        Self { headers, body: event.request().body.clone() }
    }

    /// CloudEvents JSON format 1.0, section 3.
    fn structured(attributes: &Attributes, data: &[u8]) -> Self {
        let mut body = Vec::with_capacity(data.len() + 512);
        body.extend_from_slice(br#"{"specversion":"1.0""#);
        for (name, _, value) in context(attributes) {
            push_name(&mut body, name);
            // Nothing keeps a string from being JSON, or a vector from growing.
            let _ = serde_json::to_writer(&mut body, value);
        }
        if !data.is_empty() {
            body.extend_from_slice(br#","datacontenttype":"application/json","data":"#);
            body.extend_from_slice(data);
        }
        body.push(b'}');
        Self { headers: described(CLOUDEVENTS_JSON), body: body.into() }
    }

    /// CloudEvents HTTP binding 1.0, section 3.1.
    fn binary(attributes: &Attributes, data: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(2 * FIELDS);
        headers.insert(CE_SPECVERSION, HeaderValue::from_static("1.0"));
        for (_, name, value) in context(attributes) {
            let value = Cow::from(utf8_percent_encode(value, CE_ESCAPED));
            // What is encoded is printable ASCII.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if !data.is_empty() {
            headers.insert(CONTENT_TYPE, JSON);
        }
        Self { headers, body: data }
    }
}

/// The attributes that an event has, in the order of the specification, each by its name and that of its field. An
/// attribute is never empty (CloudEvents 1.0, section 3): one without a value is left out.
fn context(attributes: &Attributes) -> impl Iterator<Item = (&'static str, HeaderName, &str)> {
    [
        ("id", CE_ID, &*attributes.id),
        ("source", CE_SOURCE, &*attributes.source),
        ("type", CE_TYPE, &*attributes.kind),
        ("subject", CE_SUBJECT, attributes.subject.as_deref().unwrap_or_default()),
        ("time", CE_TIME, attributes.time.as_deref().unwrap_or_default()),
        ("provider", CE_PROVIDER, &*attributes.provider),
        ("route", CE_ROUTE, &*attributes.route),
    ]
    .into_iter()
    .filter(|(_, _, value)| !value.is_empty())
}

/// Header fields that say what a body is, with room for those of the destination.
fn described(content_type: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(FIELDS);
    headers.insert(CONTENT_TYPE, content_type);
    headers
}

/// Appends the name of another member to an object that has one already.
fn push_name(object: &mut Vec<u8>, name: &str) {
    object.extend_from_slice(b",\"");
    object.extend_from_slice(name.as_bytes());
    object.extend_from_slice(b"\":");
}
#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::ops::Range;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::At;
    use crate::model::{Headers, Request, sample};

    /// A 64-bit id, a decimal with its zero, white space, and keys out of order.
    const DATA: &str = r#"{"z": 9007199254740993, "price":1.10, "name":"Zoë" }"#;

    fn event_at(body: &str, data: Range<usize>) -> Event {
        let value = body.get(data.clone()).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let request = Request {
            headers: Headers::from_iter([("Content-Type", "application/vnd.shop+json")]),
            ..sample::request(body)
        };
        let attributes = Attributes {
            id: "evt \"1\"\n".into(),
            subject: Some("100% Zoë €".into()),
            time: Some("2026-11-22T02:00:00Z".into()),
            ..sample::attributes("orders", "order.created")
        };
        Event::new(attributes, Arc::new(request), data, value)
    }

    fn event() -> Event {
        event_at(DATA, 0..DATA.len())
    }

    fn delivery(transform: Option<Value>, format: Option<file::Format>) -> file::Delivery {
        let places = HashMap::from([
            (String::new(), Place { line: 1, ..Place::default() }),
            ("/name".to_owned(), Place { line: 2, ..Place::default() }),
        ]);
        file::Delivery {
            to: At::nowhere("crm".into()),
            name: None,
            types: None,
            filter: None,
            transform: transform.map(|value| Tree { value, places }),
            format: format.map(|format| At::new(format, Place { line: 3, ..Place::default() })),
            order_by: None,
            on_dead_letter: None,
        }
    }

    fn shape(transform: Option<Value>, format: Option<file::Format>) -> Shape {
        let mut problems = Problems::new();
        let shape = Shape::compile(&delivery(transform, format), None, &mut problems);
        shape.unwrap_or_else(|| panic!("{problems:?}"))
    }

    fn rendered(transform: Option<Value>, format: Option<file::Format>) -> (String, Option<String>) {
        let payload = shape(transform, format).render(&event()).unwrap();
        let content_type = payload.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
        (String::from_utf8(payload.body.to_vec()).unwrap(), content_type)
    }

    fn json_type() -> Option<String> {
        Some("application/json".to_owned())
    }

    #[test]
    fn without_a_transform_it_is_a_cloudevent_around_the_received_bytes() {
        let (body, content_type) = rendered(None, None);
        assert_eq!(content_type.as_deref(), Some("application/cloudevents+json; charset=utf-8"));
        assert_eq!(
            body,
            format!(
                r#"{{"specversion":"1.0","id":"evt \"1\"\n","source":"/hooks/shop","type":"order.created","subject":"100% Zoë €","time":"2026-11-22T02:00:00Z","provider":"shop","route":"orders","datacontenttype":"application/json","data":{DATA}}}"#
            )
        );
        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["data"]["z"], json!(9_007_199_254_740_993_u64));
    }

    #[test]
    fn a_transforms_result_goes_out_as_json_or_as_data() {
        let template = json!({ "who": "$.data.name" });
        assert_eq!(rendered(Some(template.clone()), None), (r#"{"who":"Zoë"}"#.to_owned(), json_type()));
        let (body, _) = rendered(Some(template.clone()), Some(file::Format::Cloudevents));
        assert!(body.ends_with(r#","data":{"who":"Zoë"}}"#), "{body}");
        let (body, content_type) = rendered(Some(template), Some(file::Format::CloudeventsBinary));
        assert_eq!((body.as_str(), content_type), (r#"{"who":"Zoë"}"#, json_type()));
    }

    #[test]
    fn json_is_the_data_and_raw_the_body_with_its_own_content_type() {
        assert_eq!(rendered(None, Some(file::Format::Json)), (DATA.to_owned(), json_type()));
        let body = r#"{"events":[{"a":1},{"a":2}]}"#;
        let event = event_at(body, 19..26);
        let json = shape(None, Some(file::Format::Json)).render(&event).unwrap();
        assert_eq!(json.body, r#"{"a":2}"#.as_bytes());
        let raw = shape(None, Some(file::Format::Raw)).render(&event).unwrap();
        assert_eq!(raw.body, body.as_bytes());
        assert_eq!(raw.headers[CONTENT_TYPE], "application/vnd.shop+json");
    }

    #[test]
    fn binary_mode_has_its_attributes_in_percent_encoded_header_fields() {
        let payload = shape(None, Some(file::Format::CloudeventsBinary)).render(&event()).unwrap();
        assert_eq!(payload.body, DATA.as_bytes());
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", "evt%20%221%22%0A"),
            ("ce-source", "/hooks/shop"),
            ("ce-type", "order.created"),
            ("ce-subject", "100%25%20Zo%C3%AB%20%E2%82%AC"),
            ("ce-time", "2026-11-22T02:00:00Z"),
            ("ce-provider", "shop"),
            ("ce-route", "orders"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(payload.headers[name], value, "{name}");
        }
        assert_eq!(payload.headers.len(), 9);
    }

    #[test]
    fn an_event_without_data_is_an_event_without_data() {
        let event = event_at("", 0..0);
        let structured = shape(None, None).render(&event).unwrap();
        let read: Value = serde_json::from_slice(&structured.body).unwrap();
        assert!(read.get("data").is_none() && read.get("datacontenttype").is_none(), "{read}");
        let binary = shape(None, Some(file::Format::CloudeventsBinary)).render(&event).unwrap();
        assert!(binary.body.is_empty() && !binary.headers.contains_key(CONTENT_TYPE));
    }

    #[test]
    fn a_deliverys_format_comes_before_its_destinations() {
        let mut problems = Problems::new();
        let with = |format, problems: &mut Problems| {
            Shape::compile(&delivery(None, format), Some(file::Format::Raw), problems).unwrap().format
        };
        assert_eq!(with(None, &mut problems), file::Format::Raw);
        assert_eq!(with(Some(file::Format::Json), &mut problems), file::Format::Json);
    }

    #[test]
    fn a_transform_that_comes_to_nothing_is_an_error_that_names_its_path() {
        for template in [json!("$.data.email"), json!({ "$path": "$.data.email" })] {
            let error = shape(Some(template), None).render(&event()).unwrap_err();
            assert_eq!(error, RenderError::Missing { path: "$.data.email".to_owned() });
        }
    }

    #[test]
    fn a_transform_that_raw_would_ignore_is_a_problem_where_raw_stands() {
        let template = || Some(json!({ "who": "$.data.name" }));
        let lines = |delivery: &file::Delivery, default| {
            let mut problems = Problems::new();
            assert!(Shape::compile(delivery, default, &mut problems).is_none());
            problems.sorted().iter().map(|problem| problem.place.line).collect::<Vec<_>>()
        };
        assert_eq!(lines(&delivery(template(), Some(file::Format::Raw)), None), [3]);
        assert_eq!(lines(&delivery(template(), None), Some(file::Format::Raw)), [1]);
    }

    #[test]
    fn a_template_that_does_not_compile_is_a_problem_at_its_part() {
        let mut problems = Problems::new();
        let delivery = delivery(Some(json!({ "name": "$.[" })), None);
        assert!(Shape::compile(&delivery, None, &mut problems).is_none());
        assert_eq!(problems.sorted().first().map(|problem| problem.place.line), Some(2));
    }
}
