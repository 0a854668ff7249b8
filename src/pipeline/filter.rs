//! The fourth stage: which deliveries want an event.

use regex::RegexSet;

use crate::config::{At, Place, Problem, Problems, file};
use crate::expr::{EvalError, Predicate};
use crate::model::{Event, Lane};

/// A compiled filter.
#[derive(Debug)]
pub struct Filter(Node);

/// The compiled filters of a route: which of its lanes want an event.
#[derive(Debug)]
pub struct Wants {
    /// What the route itself wants; everything where it does not say.
    route: Option<Filter>,
    /// Its lanes, each with what it wants of that.
    lanes: Vec<(Lane, Option<Filter>)>,
}

#[derive(Debug)]
enum Node {
    Expression(Predicate),
    Types(RegexSet),
    All(Vec<Node>),
    Any(Vec<Node>),
    None(Vec<Node>),
}

// === impl Filter ===

impl Filter {
    /// Compiles a filter, and with it the `types` that may stand beside it. `None` where there is neither, or where
    /// one of them has a problem.
    pub fn compile(
        filter: Option<&At<file::Filter>>,
        types: Option<&At<Vec<At<String>>>>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut parts: Vec<Node> = Vec::new();
        parts.extend(types.and_then(|globs| types_node(globs, problems)));
        parts.extend(filter.and_then(|filter| node(filter, problems)));
        match parts.len() {
            0 | 1 => parts.pop().map(Self),
            _ => Some(Self(Node::All(parts))),
        }
    }

    /// Whether it lets the event through.
    ///
    /// # Errors
    /// Where an expression visits too many nodes of the event.
    pub fn matches(&self, event: &Event) -> Result<bool, EvalError> {
        self.0.matches(event)
    }
}

// === impl Wants ===

impl Wants {
    /// The filters of a route and of its lanes.
    #[must_use]
    pub const fn new(route: Option<Filter>, lanes: Vec<(Lane, Option<Filter>)>) -> Self {
        Self { route, lanes }
    }

    /// The lanes that want the event.
    ///
    /// # Errors
    /// Where an expression visits too many nodes of the event.
    pub fn lanes(&self, event: &Event) -> Result<Vec<Lane>, EvalError> {
        if !wanted(self.route.as_ref(), event)? {
            return Ok(Vec::new());
        }
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for (lane, filter) in &self.lanes {
            if wanted(filter.as_ref(), event)? {
                lanes.push(lane.clone());
            }
        }
        Ok(lanes)
    }
}

fn wanted(filter: Option<&Filter>, event: &Event) -> Result<bool, EvalError> {
    filter.map_or(Ok(true), |filter| filter.matches(event))
}

// === impl Node ===

impl Node {
    fn matches(&self, event: &Event) -> Result<bool, EvalError> {
        match self {
            Self::Expression(predicate) => predicate.holds(event.document()),
            Self::Types(globs) => Ok(globs.is_match(event.kind())),
            Self::All(nodes) => nodes.iter().try_fold(true, |all, node| Ok(all && node.matches(event)?)),
            Self::Any(nodes) => any(nodes, event),
            Self::None(nodes) => any(nodes, event).map(|any| !any),
        }
    }
}

fn any(nodes: &[Node], event: &Event) -> Result<bool, EvalError> {
    nodes.iter().try_fold(false, |any, node| Ok(any || node.matches(event)?))
}

fn node(filter: &At<file::Filter>, problems: &mut Problems) -> Option<Node> {
    match &filter.value {
        file::Filter::Expression(text) => expression(text, problems),
        file::Filter::Block(block) => self::block(block, filter.place, problems),
    }
}

fn expression(text: &At<String>, problems: &mut Problems) -> Option<Node> {
    let predicate = match Predicate::parse(text) {
        Ok(predicate) => predicate,
        Err(error) => {
            problems.push(Problem::expression(text.place, "the filter", &error.message, error.expected));
            return None;
        }
    };
    if let Some(why) = predicate.never_holds() {
        problems.push(Problem::error(text.place, format!("this filter lets no event through: {why}")));
    }
    Some(Node::Expression(predicate))
}

fn block(block: &file::FilterBlock, place: Place, problems: &mut Problems) -> Option<Node> {
    let mut parts = Vec::new();
    parts.extend(block.types.as_ref().and_then(|globs| types_node(globs, problems)));
    let mut list = |key: &str, filters: &Option<Vec<At<file::Filter>>>, make: fn(Vec<Node>) -> Node| {
        let Some(filters) = filters else { return };
        if filters.is_empty() {
            problems.push(Problem::error(place, format!("`{key}` is empty")).expected("a list of filters"));
        }
        parts.push(make(filters.iter().filter_map(|filter| node(filter, problems)).collect()));
    };
    list("all", &block.all, Node::All);
    list("any", &block.any, Node::Any);
    list("not", &block.not, Node::None);
    if parts.is_empty() {
        problems.push(
            Problem::error(place, "this filter says nothing")
                .expected("an expression, or `types`, `all`, `any` or `not`"),
        );
    }
    Some(Node::All(parts))
}

fn types_node(globs: &At<Vec<At<String>>>, problems: &mut Problems) -> Option<Node> {
    if globs.is_empty() {
        problems.push(Problem::error(globs.place, "`types` is empty: no event would be wanted"));
    }
    for glob in globs.iter().filter(|glob| glob.is_empty()) {
        problems.push(
            Problem::error(glob.place, "an event's type is never empty")
                .expected("a type such as order.created, or order.*"),
        );
    }
    let patterns = globs.iter().map(|glob| format!("^(?s:{})$", regex::escape(glob).replace(r"\*", ".*")));
    match RegexSet::new(patterns) {
        Ok(set) => Some(Node::Types(set)),
        Err(_) => {
            problems.push(Problem::error(globs.place, "these types are too many or too long"));
            None
        }
    }
}
