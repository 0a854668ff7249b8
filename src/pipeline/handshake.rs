//! Requests that are answered on the spot and never become an event: challenges, greetings, pings.

use serde_json::Value;

use crate::config::{At, Problem, Problems, file};
use crate::expr::{JsonRef, RequestScope, Selected, Selector};
use crate::pipeline::{Received, Reply};

pub use crate::config::file::HandshakeMoment as Moment;

/// A provider's handshakes, compiled.
#[derive(Debug, Default)]
pub struct Handshakes(Vec<Handshake>);

#[derive(Debug)]
struct Handshake {
    moment: Moment,
    conditions: Vec<(Selector, file::Expectation)>,
    reply: Reply,
}

// === impl Handshakes ===

impl Handshakes {
    /// Compiles a provider's handshakes, tried in this order.
    pub fn compile(handshakes: &[At<file::Handshake>], problems: &mut Problems) -> Self {
        Self(handshakes.iter().map(|handshake| Handshake::compile(handshake, problems)).collect())
    }

    /// Whether there are any: then other methods than POST are worth a look.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The answer to a request that is a handshake at this moment, if it is one: status and body. One whose answer
    /// asks for what the request does not have is none.
    #[must_use]
    pub fn answer(&self, received: &Received, moment: Moment) -> Option<(u16, Value)> {
        // The body is parsed only where everything else says that it is one.
        let may_be = |handshake: &&Handshake| handshake.moment == moment && handshake.may_match(received);
        let mut likely = self.0.iter().filter(may_be).peekable();
        likely.peek()?;
        let json: Option<Value> = serde_json::from_slice(&received.body).ok();
        let root = json.as_ref().map(JsonRef::from);
        let scope = RequestScope { json: root, envelope: root, ..received.scope() };
        let reply = &likely.find(|handshake| handshake.matches(&scope))?.reply;
        let body = reply.body(json.as_ref().unwrap_or(&Value::Null))?;
        Some((reply.status(200), body.unwrap_or_default()))
    }
}

impl Handshakes {
    /// Which of them [`Handshakes::answer`] takes a request for, from 0: for a rehearsal.
    #[must_use]
    pub fn which(&self, received: &Received, moment: Moment) -> Option<usize> {
        let json: Option<Value> = serde_json::from_slice(&received.body).ok();
        let root = json.as_ref().map(JsonRef::from);
        let scope = RequestScope { json: root, envelope: root, ..received.scope() };
        self.0.iter().position(|handshake| handshake.moment == moment && handshake.matches(&scope))
    }
}

impl Handshake {
    fn compile(file: &file::Handshake, problems: &mut Problems) -> Self {
        if file.matches.is_empty() {
            problems.push(
                Problem::error(file.reply.place, "a handshake that matches everything leaves no events")
                    .expected("a selector and its value under `match`"),
            );
        }
        let mut conditions = Vec::new();
        for (selector, expectation) in file.matches.iter() {
            match Selector::parse(selector) {
                Ok(selector) => conditions.push((selector, expectation.value.clone())),
                Err(error) => {
                    problems.push(Problem::expression(selector.place, "the selector", &error.message, error.expected))
                }
            }
        }
        Self { moment: file.when, conditions, reply: Reply::compile(&file.reply, problems) }
    }

    /// Whether every condition holds that can be told without parsing the body.
    fn may_match(&self, received: &Received) -> bool {
        let scope = received.scope();
        self.conditions.iter().filter(|(selector, _)| !selector.needs_json()).all(|condition| holds(condition, &scope))
    }

    fn matches(&self, scope: &RequestScope<'_>) -> bool {
        self.conditions.iter().all(|condition| holds(condition, scope))
    }
}

fn holds((selector, expectation): &(Selector, file::Expectation), scope: &RequestScope<'_>) -> bool {
    let value = match selector.select(scope) {
        Ok(Selected::One(value) | Selected::Several(value)) => Some(value),
        Ok(Selected::Nothing) | Err(_) => None,
    };
    let is_one_of =
        |wanted: &file::OneOrMany<String>| value.as_deref().map(|value| wanted.as_slice().iter().any(|w| w == value));
    match expectation {
        file::Expectation::Is(wanted) => is_one_of(wanted) == Some(true),
        file::Expectation::Not(unwanted) => is_one_of(unwanted) == Some(false),
        file::Expectation::Exists(there) => value.is_some() == *there,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::config::load;
    use crate::model::Timestamp;

    fn compile(handshakes: &str) -> (Handshakes, Vec<Problem>) {
        let provider = load::parse_provider(&format!("auth: none\nhandshake: {handshakes}")).unwrap();
        let mut problems = Problems::new();
        let handshakes = Handshakes::compile(&provider.handshake, &mut problems);
        (handshakes, problems.sorted())
    }

    fn received(query: &str, body: &str) -> Received {
        Received {
            method: Method::POST,
            path: "/hooks".into(),
            query: query.into(),
            path_params: vec![("hook".into(), "Hello".into())],
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            received_at: Timestamp::from_seconds(0),
        }
    }

    fn answer(handshakes: &str, query: &str, body: &str) -> Option<(u16, Value)> {
        let (handshakes, problems) = compile(handshakes);
        assert!(problems.is_empty(), "{problems:?}");
        handshakes.answer(&received(query, body), Moment::AfterAuth)
    }

    const CHALLENGE: &str = "[{ match: { $.type: url_verification }, reply: { body: { challenge: $.challenge } } }]";

    #[test]
    fn a_challenge_is_answered_with_what_it_asks_for() {
        let told = answer(CHALLENGE, "", r#"{"type":"url_verification","challenge":"c"}"#);
        assert_eq!(told, Some((200, json!({ "challenge": "c" }))));
    }

    #[test]
    fn what_is_no_handshake_goes_on() {
        for body in [r#"{"type":"event"}"#, "{}", "not json", ""] {
            assert_eq!(answer(CHALLENGE, "", body), None, "{body}");
        }
    }

    #[test]
    fn a_handshake_whose_answer_cannot_be_given_is_none() {
        let required = "[{ match: { $.a: x }, reply: { body: { c: { $path: $.c, $required: true } } } }]";
        assert_eq!(answer(required, "", r#"{"a":"x"}"#), None);
        assert!(answer(required, "", r#"{"a":"x","c":1}"#).is_some());
    }

    #[test]
    fn every_condition_must_hold() {
        let both = "[{ match: { 'query:mode': [a, b], 'query:token': { exists: true }, 'path:hook': { not: Bye } }, \
                    reply: { status: 204 } }]";
        assert_eq!(answer(both, "mode=b&token=1", ""), Some((204, Value::Null)));
        for query in ["mode=c&token=1", "mode=a", "token=1", ""] {
            assert_eq!(answer(both, query, ""), None, "{query}");
        }
    }

    #[test]
    fn not_wants_the_value_to_be_there() {
        let not = "[{ match: { 'query:mode': { not: [a, b] } }, reply: {} }]";
        assert_eq!(answer(not, "mode=c", ""), Some((200, Value::Null)));
        assert_eq!(answer(not, "mode=b", ""), None);
        assert_eq!(answer(not, "", ""), None);
        let absent = "[{ match: { 'query:mode': { exists: false } }, reply: {} }]";
        assert!(answer(absent, "", "").is_some() && answer(absent, "mode=c", "").is_none());
    }

    #[test]
    fn each_is_answered_at_its_moment_and_the_first_wins() {
        let (handshakes, _) = compile(
            "[{ match: { 'path:hook': Hello }, when: before_auth, reply: { status: 201 } }, \
             { match: { 'path:hook': Hello }, reply: { status: 202 } }, \
             { match: { 'path:hook': Hello }, reply: { status: 203 } }]",
        );
        let status = |moment| handshakes.answer(&received("", ""), moment).map(|(status, _)| status);
        assert_eq!(status(Moment::BeforeAuth), Some(201));
        assert_eq!(status(Moment::AfterAuth), Some(202));
    }

    #[test]
    fn one_that_takes_everything_or_cannot_be_read_is_a_problem() {
        for handshakes in [
            "[{ match: {}, reply: {} }]",
            "[{ match: { hedaer:X: a }, reply: {} }]",
            "[{ match: { $.a: x }, reply: { status: 199 } }]",
            "[{ match: { $.a: x }, reply: { body: '{$.a' } }]",
        ] {
            assert_eq!(compile(handshakes).1.len(), 1, "{handshakes}");
        }
        assert!(compile("[]").0.is_empty());
    }
}
