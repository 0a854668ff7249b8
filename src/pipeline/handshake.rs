//! Requests that are answered on the spot and never become an event: challenges, greetings, pings.

use serde_json::Value;

use crate::config::{At, Problem, Problems, file};
use crate::expr::{RequestScope, Selected, Selector};
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
        let scope = RequestScope { json: json.as_ref(), envelope: json.as_ref(), ..received.scope() };
        let reply = &likely.find(|handshake| handshake.matches(&scope))?.reply;
        let body = reply.body(json.as_ref().unwrap_or(&Value::Null))?;
        Some((reply.status(200), body.unwrap_or_default()))
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
