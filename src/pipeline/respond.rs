//! What a provider hears after each outcome.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Value, json};

use crate::config::{At, Problem, Problems, file};
use crate::expr::Template;

/// A provider's `respond:`, compiled.
#[derive(Debug, Default)]
pub struct Respond {
    accepted: Option<Reply>,
    filtered: Option<Reply>,
    duplicate: Option<Reply>,
    invalid: Option<Reply>,
    unauthorized: Option<Reply>,
    unavailable: Option<Reply>,
}

/// What is answered after an outcome.
#[derive(Debug)]
struct Reply {
    fixed: Fixed,
    headers: HeaderMap,
    text: Option<String>,
    body: Option<Template>,
}

/// What of an answer is the same for every request.
#[derive(Debug)]
pub(super) struct Fixed {
    status: Option<u16>,
}

/// What a provider hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields; among them the content type of the body.
    pub headers: HeaderMap,
    /// The body; `None` where there is to be the one that the outcome has by itself.
    pub body: Option<Bytes>,
}

/// How a request ended, as far as its answer depends on the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Stored.
    Accepted,
    /// Authentic, but no delivery wants any of it.
    Filtered,
    /// All of it was stored before.
    Duplicate,
    /// Authentic, but without an event that can be read.
    Invalid,
    /// Not verified.
    Unauthorized,
    /// The queue cannot keep it.
    Unavailable,
}

// === impl Respond ===

impl Respond {
    /// Compiles a provider's answers.
    pub fn compile(file: &file::Respond, problems: &mut Problems) -> Self {
        let mut reply = |reply: &Option<At<file::Reply>>| reply.as_ref().map(|reply| Reply::compile(reply, problems));
        let respond = Self {
            accepted: reply(&file.accepted),
            filtered: reply(&file.filtered),
            duplicate: reply(&file.duplicate),
            invalid: reply(&file.invalid),
            unauthorized: reply(&file.unauthorized),
            unavailable: reply(&file.unavailable),
        };
        respond.check(file, problems);
        respond
    }

    /// The answer of an ending; `status` is what it has by itself. `ids` are the ids of the request's events.
    #[must_use]
    pub fn render(&self, ending: Ending, status: u16, ids: &[&str]) -> Answer {
        let reply = match ending {
            Ending::Accepted => &self.accepted,
            Ending::Filtered => self.filtered_or_accepted(),
            Ending::Duplicate => self.duplicate_or_accepted(),
            Ending::Invalid => &self.invalid,
            Ending::Unauthorized => &self.unauthorized,
            Ending::Unavailable => &self.unavailable,
        };
        let Some(reply) = reply else { return Answer::new(status) };
        let mut answer = Answer { headers: reply.headers.clone(), ..Answer::new(reply.fixed.status(status)) };
        if let Some(text) = &reply.text {
            answer.set_text(text.clone());
        } else if let Some(template) = &reply.body {
            let scope = json!({ "id": ids.first(), "ids": ids, "outcome": ending.as_str() });
            let body = template.render(&scope).ok().flatten();
            body.filter(|body| !body.is_null()).iter().for_each(|body| answer.set_json(body));
        }
        answer
    }

    const fn filtered_or_accepted(&self) -> &Option<Reply> {
        if self.filtered.is_some() { &self.filtered } else { &self.accepted }
    }

    const fn duplicate_or_accepted(&self) -> &Option<Reply> {
        if self.duplicate.is_some() { &self.duplicate } else { &self.accepted }
    }

    /// A provider must never take what was not kept, or not verified, for done.
    fn check(&self, file: &file::Respond, problems: &mut Problems) {
        for (reply, what) in [(&file.unavailable, "unavailable"), (&file.unauthorized, "unauthorized")] {
            if let Some(status) = reply.as_ref().and_then(|reply| reply.status.as_ref())
                && status.value < 400
            {
                problems.push(
                    Problem::error(
                        status.place,
                        format!(
                            "`{what}` cannot be answered as a success: the provider would not send the event again"
                        ),
                    )
                    .expected("a status from 400 to 599"),
                );
            }
        }
        if let Some(status) = file.accepted.as_ref().and_then(|reply| reply.status.as_ref())
            && status.value >= 300
        {
            problems.push(
                Problem::error(
                    status.place,
                    "`accepted` must be answered as a success: the provider would send the event again",
                )
                .expected("a status from 200 to 299"),
            );
        }
    }
}

// === impl Ending ===

impl Ending {
    /// The word, as in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Filtered => "filtered",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::Unavailable => "unavailable",
        }
    }
}

// === impl Reply ===

impl Reply {
    fn compile(file: &At<file::Reply>, problems: &mut Problems) -> Self {
        let fixed = Fixed::compile(file, problems);
        let mut headers = HeaderMap::new();
        for (name, text) in file.headers.iter() {
            let value = HeaderValue::from_str(text);
            if value.is_err() {
                problems.push(Problem::error(text.place, "this is no value of a header").expected("printable text"));
            }
            if let Some((name, value)) = Fixed::header_name(name, problems).zip(value.ok()) {
                headers.append(name, value);
            }
        }
        let body = file.body.as_ref().and_then(|tree| match Template::compile(&tree.value) {
            Ok(template) => Some(template),
            Err(errors) => {
                problems.extend(errors.into_iter().map(|(pointer, error)| {
                    Problem::expression(tree.place(&pointer), "the body", &error.message, error.expected)
                }));
                None
            }
        });
        Self { fixed, headers, text: file.text.as_ref().map(|text| text.value.clone()), body }
    }
}

// === impl Fixed ===

impl Fixed {
    /// Compiles what of an answer is the same for every request, and checks what cannot be together.
    pub(super) fn compile(file: &At<file::Reply>, problems: &mut Problems) -> Self {
        if let Some(status) = &file.status
            && !(200..600).contains(&status.value)
        {
            problems.push(
                Problem::error(status.place, format!("{} is not a status", status.value))
                    .expected("a number from 200 to 599"),
            );
        }
        if let (Some(text), Some(_)) = (&file.text, &file.body) {
            problems.push(Problem::error(text.place, "an answer has one body").expected("`text`, or `body`"));
        }
        Self { status: file.status.as_ref().map(|status| status.value) }
    }

    /// The name of a header field that an answer may have.
    pub(super) fn header_name(name: &At<String>, problems: &mut Problems) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        let parsed = parsed.filter(|name| ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name));
        if parsed.is_none() {
            problems.push(
                Problem::error(name.place, format!("`{}` is no header of an answer", name.value))
                    .expected("a header such as `X-Hook-Secret`"),
            );
        }
        parsed
    }

    /// The status; `default` where it does not say.
    pub(super) fn status(&self, default: u16) -> u16 {
        self.status.unwrap_or(default)
    }
}

// === impl Answer ===

impl Answer {
    /// An answer of this status that has the body which the outcome has by itself.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: None }
    }

    /// Makes its body JSON.
    pub fn set_json(&mut self, body: &Value) {
        self.set(Bytes::from(body.to_string()), "application/json");
    }

    /// Makes its body plain text. No text is no body.
    pub fn set_text(&mut self, text: String) {
        if text.is_empty() {
            self.body = Some(Bytes::new());
        } else {
            self.set(text.into(), "text/plain; charset=utf-8");
            // It may be what somebody else wrote: no browser is to take it for a page.
            self.headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        }
    }

    /// What the configuration says of the content type stays.
    fn set(&mut self, body: Bytes, content_type: &'static str) {
        self.body = Some(body);
        self.headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn compile(respond: &str) -> (Respond, Vec<Problem>) {
        let provider = load::parse_provider(&format!("auth: none\nrespond: {respond}")).unwrap();
        let mut problems = Problems::new();
        let respond = Respond::compile(&provider.respond, &mut problems);
        (respond, problems.sorted())
    }

    fn json_of(answer: &Answer) -> Option<Value> {
        answer.body.as_ref().map(|body| serde_json::from_slice(body).unwrap())
    }

    #[test]
    fn what_a_provider_does_not_say_is_as_it_is() {
        let silent = Respond::default();
        for ending in [Ending::Accepted, Ending::Filtered, Ending::Duplicate, Ending::Invalid, Ending::Unavailable] {
            assert_eq!(silent.render(ending, 418, &["1"]), Answer::new(418), "{}", ending.as_str());
        }
    }

    #[test]
    fn what_is_filtered_or_a_duplicate_is_answered_as_accepted_unless_it_says_otherwise() {
        let (respond, _) = compile("{ accepted: { status: 200 }, duplicate: { status: 208 } }");
        assert_eq!(respond.render(Ending::Accepted, 202, &[]).status, 200);
        assert_eq!(respond.render(Ending::Filtered, 202, &[]).status, 200);
        assert_eq!(respond.render(Ending::Duplicate, 202, &[]).status, 208);
        assert_eq!(respond.render(Ending::Invalid, 422, &[]).status, 422);
    }

    #[test]
    fn a_body_knows_the_ids_and_the_outcome() {
        let (respond, _) = compile("{ accepted: { body: { first: $.id, all: '$.ids[*]', is: $.outcome } } }");
        let told = respond.render(Ending::Accepted, 202, &["a", "b"]);
        assert_eq!(told.status, 202);
        assert_eq!(json_of(&told), Some(json!({ "first": "a", "all": ["a", "b"], "is": "accepted" })));
        assert_eq!(told.headers["content-type"], "application/json");
        let none = respond.render(Ending::Filtered, 202, &[]);
        assert_eq!(json_of(&none), Some(json!({ "first": null, "all": [], "is": "filtered" })));
    }

    #[test]
    fn a_body_that_cannot_be_filled_leaves_the_status() {
        let (respond, _) = compile("{ invalid: { status: 200, body: { x: { $path: $.nope, $required: true } } } }");
        assert_eq!(respond.render(Ending::Invalid, 422, &[]), Answer::new(200));
    }

    #[test]
    fn a_text_is_a_body_as_it_is_and_no_text_is_none() {
        let (respond, _) = compile(
            "{ accepted: { text: '[accepted]', headers: { X-A: b } }, filtered: { text: '', headers: { Content-Type: text/xml } } }",
        );
        let told = respond.render(Ending::Accepted, 202, &[]);
        assert_eq!(told.body.as_deref(), Some(&b"[accepted]"[..]));
        assert_eq!(
            (&told.headers["content-type"], &told.headers["x-a"]),
            (&HeaderValue::from_static("text/plain; charset=utf-8"), &HeaderValue::from_static("b"))
        );
        let told = respond.render(Ending::Filtered, 202, &[]);
        assert_eq!(told.body.as_deref(), Some(&b""[..]));
    }

    #[test]
    fn a_provider_never_takes_what_was_not_kept_for_done_nor_what_was_for_failed() {
        for wrong in [
            "{ unavailable: { status: 200 } }",
            "{ unavailable: { status: 399 } }",
            "{ unauthorized: { status: 204 } }",
            "{ accepted: { status: 500 } }",
            "{ accepted: { status: 302 } }",
            "{ invalid: { status: 600 } }",
            "{ filtered: { status: 101 } }",
            "{ duplicate: { body: '{$.id' } }",
            "{ accepted: { body: {}, text: a } }",
            "{ accepted: { headers: { 'X A': b } } }",
            "{ accepted: { headers: { Content-Length: '7' } } }",
        ] {
            let (_, problems) = compile(wrong);
            assert_eq!(problems.len(), 1, "{wrong}: {problems:?}");
        }
        assert!(compile("{ invalid: { status: 200 }, unavailable: { status: 429 } }").1.is_empty());
    }
}
