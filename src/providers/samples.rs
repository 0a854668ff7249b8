//! What providers send, to be signed and sent by whoever plays one.

use bytes::Bytes;
use serde_json::Value;

use crate::config::{At, Named, Problem, Tree, file, load};
use crate::model::Timestamp;

/// The file that a provider's samples are in.
pub(super) const FILE: &str = "samples.yaml";

/// The samples of a provider.
#[derive(Debug, Clone)]
pub struct Samples {
    /// What the route's secret has to be, where a sample has it in it.
    pub secret: Option<String>,
    /// The secrets that have a role of their own, by name.
    pub roles: Vec<(String, String)>,
    /// When the samples were signed, where they have the time in them.
    pub now: Option<Timestamp>,
    /// Requests that have events.
    pub samples: Vec<Sample>,
    /// Requests that are answered on the spot.
    pub handshakes: Vec<HandshakeSample>,
}

/// A request, with the events that are to come of it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// The method.
    pub method: String,
    /// The query, without the `?`.
    pub query: String,
    /// The values of the path's parameters.
    pub path_params: Vec<(Box<str>, Box<str>)>,
    /// The header fields that the provider sets beside those that signing sets.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Every event of it, in order.
    pub events: Vec<file::SampleEvent>,
}

/// A request that is answered on the spot, with its answer.
#[derive(Debug, Clone)]
pub struct HandshakeSample {
    /// The request. It has no events.
    pub request: Sample,
    /// Whether the provider signs it.
    pub signed: bool,
    /// The answer.
    pub reply: SampleReply,
}

/// The answer to a handshake, as far as it is said.
#[derive(Debug, Clone)]
pub struct SampleReply {
    /// The status.
    pub status: u16,
    /// The body, where it is JSON.
    pub json: Option<Value>,
    /// The body, where it is text.
    pub text: Option<String>,
    /// Header fields that it has.
    pub headers: Vec<(String, String)>,
    /// The address that is visited before.
    pub visited: Option<String>,
}

// === impl Samples ===

impl Samples {
    pub(super) fn parse(yaml: &str, files: &[(&str, &str)]) -> Result<Self, Vec<Problem>> {
        let read = load::parse_samples(yaml)?;
        let mut problems = Vec::new();
        let mut samples = Vec::new();
        for (name, sample) in read.samples.iter() {
            let body = match (&sample.body, &sample.file) {
                (body, None) => body.as_ref().map(bytes).unwrap_or_default(),
                (None, Some(file)) => match files.iter().find(|(known, _)| *known == file.value) {
                    Some((_, text)) => Bytes::copy_from_slice(text.as_bytes()),
                    None => {
                        problems.push(Problem::error(file.place, format!("there is no file `{}`", file.value)));
                        continue;
                    }
                },
                (Some(_), Some(file)) => {
                    problems.push(Problem::error(file.place, "a sample has one body").expected("`body`, or `file`"));
                    continue;
                }
            };
            let json = sample.body.as_ref().is_some_and(|body| !body.value.is_string()) || sample.file.is_some();
            let sample = sample.value.clone();
            let request =
                Request { method: sample.method, query: sample.query, path: sample.path, headers: sample.headers };
            samples.push(Sample { events: sample.events, ..request.sample(&name.value, body, json) });
        }
        let now = read.now.as_ref().map(|now| (now, Timestamp::from_rfc3339(now)));
        if let Some((given, None)) = now {
            problems.push(Problem::error(given.place, "this is no time").expected("RFC 3339"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            secret: read.secret,
            roles: read.secrets.iter().map(|(name, secret)| (name.value.clone(), secret.value.clone())).collect(),
            now: now.and_then(|(_, now)| now),
            samples,
            handshakes: read.handshakes.iter().map(|(name, sample)| HandshakeSample::of(&name.value, sample)).collect(),
        })
    }
}

// === impl HandshakeSample ===

impl HandshakeSample {
    fn of(name: &str, sample: &At<file::HandshakeSample>) -> Self {
        let sample = sample.value.clone();
        let body = sample.body.as_ref().map(bytes).unwrap_or_default();
        let json = sample.body.as_ref().is_some_and(|body| !body.value.is_string());
        let request =
            Request { method: sample.method, query: sample.query, path: sample.path, headers: sample.headers };
        let file::SampleReply { status, body: answer, text, headers, visited } = sample.reply;
        Self {
            request: request.sample(name, body, json),
            signed: sample.signed,
            reply: SampleReply { status, json: answer.map(|tree| tree.value), text, headers: pairs(headers), visited },
        }
    }
}

/// The head of a sample.
struct Request {
    method: Option<String>,
    query: Option<String>,
    path: Named<String>,
    headers: Named<String>,
}

impl Request {
    fn sample(self, name: &str, body: Bytes, json: bool) -> Sample {
        let mut headers = pairs(self.headers);
        if json && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        Sample {
            name: name.to_owned(),
            method: self.method.unwrap_or_else(|| "POST".to_owned()),
            query: self.query.unwrap_or_default(),
            path_params: pairs(self.path).into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            headers,
            body,
            events: Vec::new(),
        }
    }
}

fn pairs(named: Named<String>) -> Vec<(String, String)> {
    named.0.into_iter().map(|(name, value)| (name.value, value)).collect()
}

/// Text as it is, anything else as JSON.
fn bytes(tree: &Tree) -> Bytes {
    match &tree.value {
        Value::String(text) => Bytes::copy_from_slice(text.as_bytes()),
        value => Bytes::from(value.to_string()),
    }
}
