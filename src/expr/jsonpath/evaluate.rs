//! Running a program.
//!
//! A query runs segment by segment over a list of nodes, which is the order that RFC 9535 prescribes, and
//! walks descendants with a stack of its own: the program recurses by the nesting of filters alone, which
//! `syntax` bounds. Every node that is looked at is paid for.

use std::rc::Rc;

use serde_json::Value;

use super::budget::Budget;
use super::compare::{Datum, compare};
use super::program::{Extent, Hop, Logical, Operand, Origin, Path, Pattern, Segment, Selector, Steps, position};
use super::regexp::Regexp;
use crate::expr::EvalError;

/// What `$` and `@` are.
#[derive(Debug, Clone, Copy)]
pub(in crate::expr) struct Scope<'v> {
    pub(in crate::expr) root: &'v Value,
    pub(in crate::expr) current: &'v Value,
}

/// A node on its way through a query: bare, or with the way to it.
pub(in crate::expr) trait Node<'v>: Clone {
    fn value(&self) -> &'v Value;
    fn member(&self, name: &'v str, value: &'v Value) -> Self;
    fn element(&self, index: usize, value: &'v Value) -> Self;
}

/// A node with the way to it, which it shares with its siblings.
#[derive(Debug, Clone)]
pub(in crate::expr) struct Located<'v> {
    value: &'v Value,
    way: Option<Rc<Way<'v>>>,
}

#[derive(Debug)]
struct Way<'v> {
    before: Option<Rc<Self>>,
    last: WayStep<'v>,
}

/// A step of a way, borrowed from the payload.
#[derive(Debug, Clone, Copy)]
pub(in crate::expr) enum WayStep<'v> {
    Name(&'v str),
    Index(usize),
}

/// The node that a singular query finds.
pub(in crate::expr) fn singular<'v>(origin: Origin, hops: &[Hop], scope: Scope<'v>) -> Option<&'v Value> {
    hops.iter().try_fold(scope.start(origin), |node, hop| hop.from(node))
}

/// Every node that a query finds from `start`, which is what its origin is in `scope`.
pub(in crate::expr) fn nodes<'v, N: Node<'v>>(
    path: &Path,
    start: N,
    root: &'v Value,
    budget: &mut Budget,
) -> Result<Vec<N>, EvalError> {
    let mut run = Run { root, budget };
    let mut found = vec![start];
    match &path.steps {
        Steps::Singular(hops) => {
            for hop in hops {
                found = found.iter().filter_map(|node| hop_to(node, hop)).collect();
            }
        }
        Steps::Many(segments) => {
            for segment in segments {
                let mut next = Vec::new();
                for node in &found {
                    run.segment(segment, node, &mut next)?;
                }
                found = next;
            }
        }
    }
    Ok(found)
}

/// Whether a logical expression holds.
pub(in crate::expr) fn holds(logical: &Logical, scope: Scope<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    match logical {
        Logical::Or(alternatives) => {
            for alternative in alternatives {
                if holds(alternative, scope, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Logical::And(conditions) => {
            for condition in conditions {
                if !holds(condition, scope, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Logical::Not(inner) => holds(inner, scope, budget).map(|holds| !holds),
        Logical::Exists(path) => exists(path, scope, budget),
        Logical::Compare(comparison) => {
            budget.visit(1)?;
            let left = datum(&comparison.left, scope, budget)?;
            let right = datum(&comparison.right, scope, budget)?;
            compare(comparison.operator, left, right, budget)
        }
        Logical::Matches { subject, pattern } => matches_pattern(subject, pattern, scope, budget),
    }
}

/// The state of one run.
struct Run<'v, 'b> {
    root: &'v Value,
    budget: &'b mut Budget,
}

fn exists(path: &Path, scope: Scope<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    budget.visit(1)?;
    match &path.steps {
        Steps::Singular(hops) => Ok(singular(path.origin, hops, scope).is_some()),
        Steps::Many(_) => Ok(!values(path, scope, budget)?.is_empty()),
    }
}

fn values<'v>(path: &Path, scope: Scope<'v>, budget: &mut Budget) -> Result<Vec<&'v Value>, EvalError> {
    nodes(path, scope.start(path.origin), scope.root, budget)
}

fn datum<'a>(operand: &'a Operand, scope: Scope<'a>, budget: &mut Budget) -> Result<Datum<'a>, EvalError> {
    Ok(match operand {
        Operand::Literal(value) => Datum::Value(value),
        Operand::Query(Path { origin, steps: Steps::Singular(hops) }) => singular(*origin, hops, scope).into(),
        Operand::Query(path) | Operand::ValueOf(path) => match *values(path, scope, budget)? {
            [value] => Datum::Value(value),
            _ => Datum::Nothing,
        },
        Operand::Count(path) => Datum::Count(values(path, scope, budget)?.len()),
        Operand::Length(inner) => match datum(inner, scope, budget)? {
            Datum::Value(Value::String(text)) => {
                budget.read(text.len())?;
                Datum::Count(text.chars().count())
            }
            Datum::Value(Value::Array(elements)) => Datum::Count(elements.len()),
            Datum::Value(Value::Object(members)) => Datum::Count(members.len()),
            _ => Datum::Nothing,
        },
    })
}

fn matches_pattern(
    subject: &Operand,
    pattern: &Pattern,
    scope: Scope<'_>,
    budget: &mut Budget,
) -> Result<bool, EvalError> {
    let Datum::Value(Value::String(text)) = datum(subject, scope, budget)? else { return Ok(false) };
    match pattern {
        Pattern::Fixed(regexp) => regexp.is_match(text, budget),
        Pattern::Void => Ok(false),
        Pattern::Dynamic { source, extent } => matches_dynamic(text, source, *extent, scope, budget),
    }
}

fn matches_dynamic(
    text: &str,
    source: &Operand,
    extent: Extent,
    scope: Scope<'_>,
    budget: &mut Budget,
) -> Result<bool, EvalError> {
    match datum(source, scope, budget)? {
        Datum::Value(Value::String(pattern)) => {
            Regexp::new(pattern, extent).map_or(Ok(false), |regexp| regexp.is_match(text, budget))
        }
        _ => Ok(false),
    }
}

fn hop_to<'v, N: Node<'v>>(node: &N, hop: &Hop) -> Option<N> {
    match (hop, node.value()) {
        (Hop::Name(name), Value::Object(members)) => {
            members.get_key_value(&**name).map(|(name, value)| node.member(name, value))
        }
        (Hop::Index(index), Value::Array(elements)) => {
            let index = position(*index, elements.len())?;
            elements.get(index).map(|value| node.element(index, value))
        }
        _ => None,
    }
}

// === impl Run ===

impl<'v> Run<'v, '_> {
    fn segment<N: Node<'v>>(&mut self, segment: &Segment, node: &N, found: &mut Vec<N>) -> Result<(), EvalError> {
        match segment {
            Segment::Child(selectors) => self.select(selectors, node, found),
            Segment::Descendant(selectors) => {
                let mut pending = vec![node.clone()];
                while let Some(node) = pending.pop() {
                    self.select(selectors, &node, found)?;
                    let first = pending.len();
                    self.children(&node, &mut pending)?;
                    // The first child is visited first: it has to be on top.
                    if let Some(children) = pending.get_mut(first..) {
                        children.reverse();
                    }
                }
                Ok(())
            }
        }
    }

    fn select<N: Node<'v>>(&mut self, selectors: &[Selector], node: &N, found: &mut Vec<N>) -> Result<(), EvalError> {
        for selector in selectors {
            self.budget.visit(1)?;
            match selector {
                Selector::Hop(hop) => found.extend(hop_to(node, hop)),
                Selector::Wildcard => self.children(node, found)?,
                Selector::Slice { start, end, step } => self.slice(node, (*start, *end, *step), found)?,
                Selector::Filter(logical) => {
                    let mut children = Vec::new();
                    self.children(node, &mut children)?;
                    for child in children {
                        if holds(logical, Scope { root: self.root, current: child.value() }, self.budget)? {
                            found.push(child);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn children<N: Node<'v>>(&mut self, node: &N, found: &mut Vec<N>) -> Result<(), EvalError> {
        match node.value() {
            Value::Array(elements) => {
                self.budget.visit(elements.len())?;
                found.extend(elements.iter().enumerate().map(|(index, value)| node.element(index, value)));
            }
            Value::Object(members) => {
                self.budget.visit(members.len())?;
                found.extend(members.iter().map(|(name, value)| node.member(name, value)));
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 9535, section 2.3.4.2.2.
    fn slice<N: Node<'v>>(
        &mut self,
        node: &N,
        (start, end, step): (Option<i64>, Option<i64>, i64),
        found: &mut Vec<N>,
    ) -> Result<(), EvalError> {
        let Value::Array(elements) = node.value() else { return Ok(()) };
        let Ok(len) = i64::try_from(elements.len()) else { return Ok(()) };
        let from_start = |bound: i64| if bound >= 0 { bound } else { len + bound };
        let mut take = |index: i64| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            found.extend(elements.get(index).map(|value| node.element(index, value)));
            self.budget.visit(1)
        };
        if step > 0 {
            let mut index = start.map_or(0, from_start).clamp(0, len);
            let upper = end.map_or(len, from_start).clamp(0, len);
            while index < upper {
                take(index)?;
                index += step;
            }
        } else if step < 0 {
            let mut index = start.map_or(len - 1, from_start).clamp(-1, len - 1);
            let lower = end.map_or(-1, from_start).clamp(-1, len - 1);
            while index > lower {
                take(index)?;
                index += step;
            }
        }
        Ok(())
    }
}

// === impl Scope ===

impl<'v> Scope<'v> {
    /// The scope outside of any filter and any `$do`.
    pub(in crate::expr) const fn at(root: &'v Value) -> Self {
        Self { root, current: root }
    }

    pub(in crate::expr) const fn start(self, origin: Origin) -> &'v Value {
        match origin {
            Origin::Root => self.root,
            Origin::Current => self.current,
        }
    }
}

// === impl Located ===

impl<'v> Located<'v> {
    pub(in crate::expr) const fn root(value: &'v Value) -> Self {
        Self { value, way: None }
    }

    /// The steps to the node, the first one first.
    pub(in crate::expr) fn way(&self) -> Vec<WayStep<'v>> {
        let mut steps: Vec<_> =
            std::iter::successors(self.way.as_deref(), |way| way.before.as_deref()).map(|way| way.last).collect();
        steps.reverse();
        steps
    }

    fn step(&self, last: WayStep<'v>, value: &'v Value) -> Self {
        Self { value, way: Some(Rc::new(Way { before: self.way.clone(), last })) }
    }
}

impl<'v> Node<'v> for Located<'v> {
    fn value(&self) -> &'v Value {
        self.value
    }

    fn member(&self, name: &'v str, value: &'v Value) -> Self {
        self.step(WayStep::Name(name), value)
    }

    fn element(&self, index: usize, value: &'v Value) -> Self {
        self.step(WayStep::Index(index), value)
    }
}

impl<'v> Node<'v> for &'v Value {
    fn value(&self) -> &'v Value {
        self
    }

    fn member(&self, _name: &'v str, value: &'v Value) -> Self {
        value
    }

    fn element(&self, _index: usize, value: &'v Value) -> Self {
        value
    }
}
