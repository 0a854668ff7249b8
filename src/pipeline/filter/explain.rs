//! Why a delivery wants an event, or does not: for a rehearsal.
//!
//! It goes the way of the filter itself, so that its verdict is the filter's own.

use std::fmt;

use serde::Serialize;

use super::{Filter, Node, Wants};
use crate::expr::{Cause, EvalError, Explanation, JsonRef, Seen, view};
use crate::model::{Event, Lane};

/// Whether a filter lets an event through, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it does.
    pub holds: bool,
    /// The parts of it that decided.
    pub because: Vec<Why>,
}

/// A part of a filter that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// Where it stands: `filter`, `types`, `filter.any[1]`, `route.filter`.
    pub part: String,
    /// The expression, or the types, that were asked.
    #[serde(flatten)]
    pub cause: Cause,
}

/// What a lane makes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The lane.
    pub lane: Lane,
    /// Whether it wants the event; where the route does not, no lane does.
    pub decision: Decision,
    /// What the event is to be in order with, where it wants it.
    pub order_key: Option<Box<str>>,
}

// === impl Wants ===

impl Wants {
    /// What each of the lanes makes of the event, and why: the verdicts are those of [`Wants::deliveries`].
    ///
    /// # Errors
    /// Where an expression visits too many nodes of the event.
    pub fn explain(&self, event: &Event) -> Result<Vec<Wish>, EvalError> {
        let view = view(event, &self.needs);
        let document = JsonRef::from(&view);
        let of_route = self.route.as_ref().map(|filter| filter.explain("route.", event, document)).transpose()?;
        let refused = of_route.filter(|decision| !decision.holds);
        let mut wishes = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let (decision, order_key) = match (&refused, &lane.filter) {
                (Some(refused), _) => (refused.clone(), None),
                (None, Some(filter)) => match filter.explain("", event, document)? {
                    decision if decision.holds => (decision, lane.delivery(document)?.order_key),
                    decision => (decision, None),
                },
                (None, None) => (Decision::unasked(), lane.delivery(document)?.order_key),
            };
            wishes.push(Wish { lane: lane.lane.clone(), decision, order_key });
        }
        Ok(wishes)
    }
}

// === impl Filter ===

impl Filter {
    /// Why it lets the event through, or does not. `whose` is put before where its parts stand.
    fn explain(&self, whose: &str, event: &Event, document: JsonRef<'_>) -> Result<Decision, EvalError> {
        match &self.node {
            Node::Types(_) => self.node.explain(&format!("{whose}types"), event, document),
            // `types` beside a filter: a block that is written nowhere.
            Node::Block(nodes) if self.beside => first(nodes, false, |_, node| {
                let part = if matches!(node, Node::Types(_)) { "types" } else { "filter" };
                node.explain(&format!("{whose}{part}"), event, document)
            }),
            node => node.explain(&format!("{whose}filter"), event, document),
        }
    }
}

// === impl Node ===

impl Node {
    fn explain(&self, at: &str, event: &Event, document: JsonRef<'_>) -> Result<Decision, EvalError> {
        let item = |index: usize, node: &Self| node.explain(&format!("{at}[{index}]"), event, document);
        match self {
            Self::Expression(predicate) => Ok(Decision::of(at, predicate.explain(document)?)),
            Self::Types(globs) => {
                let holds = globs.set.is_match(event.kind());
                let text = format!("[{}]", globs.written.join(", "));
                let saw = vec![Seen { what: "$.type".to_owned(), value: Some(format!("{:?}", event.kind())) }];
                Ok(Decision { holds, because: vec![Why { part: at.to_owned(), cause: Cause { text, holds, saw } }] })
            }
            Self::Block(nodes) => first(nodes, false, |_, node| {
                let part = match node {
                    Self::Types(_) => ".types",
                    Self::All(_) => ".all",
                    Self::Any(_) => ".any",
                    Self::None(_) => ".not",
                    Self::Expression(_) | Self::Block(_) => "",
                };
                node.explain(&format!("{at}{part}"), event, document)
            }),
            Self::All(nodes) => first(nodes, false, item),
            Self::Any(nodes) => first(nodes, true, item),
            Self::None(nodes) => first(nodes, true, item).map(|any| Decision { holds: !any.holds, ..any }),
        }
    }
}

/// The first node that decides for all of them, as one that is `decisive` does; without one, they decided together.
fn first<'n>(
    nodes: &'n [Node],
    decisive: bool,
    explain: impl Fn(usize, &'n Node) -> Result<Decision, EvalError>,
) -> Result<Decision, EvalError> {
    let mut together = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let decision = explain(index, node)?;
        if decision.holds == decisive {
            return Ok(decision);
        }
        together.extend(decision.because);
    }
    Ok(Decision { holds: !decisive, because: together })
}

// === impl Decision ===

impl Decision {
    /// Of what has no filter.
    const fn unasked() -> Self {
        Self { holds: true, because: Vec::new() }
    }

    fn of(at: &str, explanation: Explanation) -> Self {
        let why = |cause| Why { part: at.to_owned(), cause };
        Self { holds: explanation.holds, because: explanation.because.into_iter().map(why).collect() }
    }
}

// === impl Why ===

/// On one line: where it stands, the part, and what it saw.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holds = if self.cause.holds { "holds" } else { "does not hold" };
        write!(f, "{}: `{}` {holds}", self.part, self.cause.text)?;
        for (index, seen) in self.cause.saw.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { ", " })?;
            match &seen.value {
                Some(value) => write!(f, "{} is {value}", seen.what)?,
                None => write!(f, "{} is not there", seen.what)?,
            }
        }
        Ok(())
    }
}
