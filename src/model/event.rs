//! One normalized occurrence.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Excerpt, Needs, Request};

/// The context attributes of an event, as CloudEvents 1.0 names them (section 3.1), with the
/// extensions `provider` and `route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// `id`: with the route, what makes two events the same.
    pub id: Box<str>,
    /// `source`: a URI reference (RFC 3986, section 4.1), the path the request came in on.
    pub source: Box<str>,
    /// `type`: what happened, in the provider's words.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// `subject`: what it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Box<str>>,
    /// `time`: when it happened, RFC 3339, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Box<str>>,
    /// Extension: the provider's name; empty where the route has none.
    pub provider: Arc<str>,
    /// Extension: the route's name.
    pub route: Arc<str>,
}

/// One normalized occurrence: its attributes, and the part of its request's body that is its
/// data.
///
/// A request may carry many events. They share the [`Request`], so the bytes are in memory, and
/// in the queue, once. Its `Debug` shows the id and nothing of the payload.
pub struct Event {
    attributes: Attributes,
    request: Arc<Request>,
    data: Range<usize>,
    document: OnceLock<Value>,
    kept: Option<Kept>,
}

/// The document as far as it was needed by those that were known to look at it.
struct Kept {
    needs: Arc<Needs>,
    document: Excerpt,
}

/// All data is JSON.
const DATA_CONTENT_TYPE: &str = "application/json";

// === impl Event ===

impl Event {
    /// The members that the [document](Self::document) of an event may have.
    pub const MEMBERS: [&str; 12] = [
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "data",
        "provider",
        "route",
        "headers",
        "query",
        "path",
    ];

    /// Puts an event together.
    ///
    /// `data` is where in the request's [document](Request::document) the event's data stands, `value` the same bytes
    /// parsed; an empty range with `Value::Null` where the event has no data.
    #[must_use]
    pub fn new(attributes: Attributes, request: Arc<Request>, data: Range<usize>, value: Value) -> Self {
        let document = OnceLock::from(document(&attributes, &request, value));
        Self { attributes, request, data, document, kept: None }
    }

    /// The same of data that was checked to be JSON: it is parsed where somebody needs all of it.
    #[must_use]
    pub const fn unparsed(attributes: Attributes, request: Arc<Request>, data: Range<usize>) -> Self {
        Self { attributes, request, data, document: OnceLock::new(), kept: None }
    }

    /// The same with its data parsed.
    #[must_use]
    pub fn with_data(self, value: Value) -> Self {
        Self::new(self.attributes, self.request, self.data, value)
    }

    /// The same with as much of its document as is needed for `needs`.
    #[must_use]
    pub fn with_kept(self, needs: Arc<Needs>, document: Excerpt) -> Self {
        Self { kept: Some(Kept { needs, document }), ..self }
    }

    /// Its context attributes.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The CloudEvents `id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.attributes.id
    }

    /// The CloudEvents `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.attributes.kind
    }

    /// The request that carried it.
    #[must_use]
    pub const fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// Where its data stands in the request's [document](Request::document).
    #[must_use]
    pub const fn data_range(&self) -> &Range<usize> {
        &self.data
    }

    /// Its data byte for byte as received, or as a body that is no JSON is read: one JSON text, or nothing.
    #[must_use]
    pub fn data_bytes(&self) -> &[u8] {
        self.request.document().get(self.data.clone()).unwrap_or_default()
    }

    /// What `$` is in filters and transforms: the attributes and `data`, and beside them
    /// `headers` (lower-case names), `query` and `path` (the path's parameters).
    #[must_use]
    pub fn document(&self) -> &Value {
        self.document.get_or_init(|| {
            // It was JSON when it was received, or else there is none.
            let data = serde_json::from_slice(self.data_bytes()).unwrap_or_default();
            document(&self.attributes, &self.request, data)
        })
    }

    /// The document, where it was put together already.
    #[must_use]
    pub fn known_document(&self) -> Option<&Value> {
        self.document.get()
    }

    /// The document as far as it is kept, where that has all of `needs`; with those that it is kept for.
    #[must_use]
    pub fn kept(&self, needs: &Needs) -> Option<(&Needs, &Excerpt)> {
        self.kept.as_ref().filter(|kept| kept.needs.covers(needs)).map(|kept| (&*kept.needs, &kept.document))
    }

    /// One of the members of the document beside `data`.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Value> {
        let Attributes { id, source, kind, subject, time, provider, route } = &self.attributes;
        Some(match name {
            "id" => Value::from(&**id),
            "source" => Value::from(&**source),
            "type" => Value::from(&**kind),
            "provider" => Value::from(&**provider),
            "route" => Value::from(&**route),
            "datacontenttype" => Value::from(DATA_CONTENT_TYPE),
            "subject" => Value::from(subject.as_deref()?),
            "time" => Value::from(time.as_deref()?),
            "headers" => first_values(self.request.headers.iter()),
            "query" => query(&self.request.query),
            "path" => first_values(self.request.path_params.iter().map(|(name, value)| (&**name, &**value))),
            _ => return None,
        })
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attributes { id, route, .. } = &self.attributes;
        f.debug_struct("Event").field("id", id).field("route", route).field("data", &self.data).finish_non_exhaustive()
    }
}

fn document(attributes: &Attributes, request: &Request, data: Value) -> Value {
    let mut root = Map::new();
    let mut put = |name: &str, value: &str| {
        root.insert(name.to_owned(), Value::from(value));
    };
    put("id", &attributes.id);
    put("source", &attributes.source);
    put("type", &attributes.kind);
    put("provider", &attributes.provider);
    put("route", &attributes.route);
    put("datacontenttype", DATA_CONTENT_TYPE);
    if let Some(subject) = &attributes.subject {
        put("subject", subject);
    }
    if let Some(time) = &attributes.time {
        put("time", time);
    }
    root.insert("data".to_owned(), data);
    root.insert("headers".to_owned(), first_values(request.headers.iter()));
    root.insert("query".to_owned(), query(&request.query));
    root.insert("path".to_owned(), first_values(request.path_params.iter().map(|(name, value)| (&**name, &**value))));
    Value::Object(root)
}

fn query(query: &str) -> Value {
    let mut values = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        values.entry(name).or_insert_with(|| Value::from(value));
    }
    Value::Object(values)
}

fn first_values<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut values = Map::new();
    for (name, value) in fields {
        values.entry(name).or_insert_with(|| Value::from(value));
    }
    Value::Object(values)
}
