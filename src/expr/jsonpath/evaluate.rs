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
use crate::expr::json::{JsonRef, WayStep};

/// What `$` and `@` are.
#[derive(Debug, Clone, Copy)]
pub(in crate::expr) struct Scope<'v> {
    pub(in crate::expr) root: JsonRef<'v>,
    pub(in crate::expr) current: JsonRef<'v>,
}

/// A node on its way through a query: bare, or with the way to it.
pub(in crate::expr) trait Node<'v>: Clone {
    fn value(&self) -> JsonRef<'v>;
    fn child(&self, step: WayStep<'v>, value: JsonRef<'v>) -> Self;
}

/// A node with the way to it, which it shares with its siblings.
#[derive(Debug, Clone)]
pub(in crate::expr) struct Located<'v> {
    value: JsonRef<'v>,
    way: Option<Rc<Way<'v>>>,
}

#[derive(Debug)]
struct Way<'v> {
    before: Option<Rc<Self>>,
    last: WayStep<'v>,
}

/// The value of the node that a singular query finds.
pub(in crate::expr) fn singular<'v>(origin: Origin, hops: &[Hop], scope: Scope<'v>) -> Option<&'v Value> {
    reaches(origin, hops, scope)?.value()
}

/// The node itself, of which nothing more may be known than that it is there.
pub(in crate::expr) fn reaches<'v>(origin: Origin, hops: &[Hop], scope: Scope<'v>) -> Option<JsonRef<'v>> {
    hops.iter().try_fold(scope.start(origin), |node, hop| hop.from(node))
}

/// Every node that a query finds from `start`, which is what its origin is in `scope`.
pub(in crate::expr) fn nodes<'v, N: Node<'v>>(
    path: &Path,
    start: N,
    root: JsonRef<'v>,
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
            let mut next = Vec::new();
            for segment in segments {
                for node in &found {
                    run.segment(segment, node, &mut next)?;
                }
                std::mem::swap(&mut found, &mut next);
                next.clear();
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
    root: JsonRef<'v>,
    budget: &'b mut Budget,
}

/// Whether a query finds anything: of a node that a singular one finds nothing need be known, as
/// [`Needs`](crate::model::Needs) say.
pub(in crate::expr) fn exists(path: &Path, scope: Scope<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    budget.visit(1)?;
    match &path.steps {
        Steps::Singular(hops) => Ok(reaches(path.origin, hops, scope).is_some()),
        Steps::Many(_) => Ok(!values(path, scope, budget)?.is_empty()),
    }
}

/// The value of every node that a query finds.
pub(in crate::expr) fn values<'v>(
    path: &Path,
    scope: Scope<'v>,
    budget: &mut Budget,
) -> Result<Vec<&'v Value>, EvalError> {
    let found = nodes(path, scope.start(path.origin), scope.root, budget)?;
    Ok(found.into_iter().filter_map(JsonRef::value).collect())
}

/// What an operand stands for.
pub(in crate::expr) fn datum<'a>(
    operand: &'a Operand,
    scope: Scope<'a>,
    budget: &mut Budget,
) -> Result<Datum<'a>, EvalError> {
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
    let value = node.value();
    match hop {
        Hop::Name(name) => value.member(name).map(|(name, value)| node.child(WayStep::Name(name), value)),
        Hop::Index(index) => {
            let index = position(*index, value.elements()?)?;
            value.element(index).map(|value| node.child(WayStep::Index(index), value))
        }
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
        let value = node.value();
        self.budget.visit(value.size())?;
        value.for_each_child(|step, value| found.push(node.child(step, value)));
        Ok(())
    }

    /// RFC 9535, section 2.3.4.2.2.
    fn slice<N: Node<'v>>(
        &mut self,
        node: &N,
        (start, end, step): (Option<i64>, Option<i64>, i64),
        found: &mut Vec<N>,
    ) -> Result<(), EvalError> {
        let value = node.value();
        let Some(Ok(len)) = value.elements().map(i64::try_from) else { return Ok(()) };
        let from_start = |bound: i64| if bound >= 0 { bound } else { len + bound };
        let mut take = |index: i64| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            found.extend(value.element(index).map(|value| node.child(WayStep::Index(index), value)));
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
    pub(in crate::expr) fn at(root: impl Into<JsonRef<'v>>) -> Self {
        let root = root.into();
        Self { root, current: root }
    }

    pub(in crate::expr) const fn start(self, origin: Origin) -> JsonRef<'v> {
        match origin {
            Origin::Root => self.root,
            Origin::Current => self.current,
        }
    }
}

// === impl Located ===

impl<'v> Located<'v> {
    pub(in crate::expr) const fn root(value: JsonRef<'v>) -> Self {
        Self { value, way: None }
    }

    /// The steps to the node, the first one first.
    pub(in crate::expr) fn way(&self) -> Vec<WayStep<'v>> {
        let mut steps: Vec<_> =
            std::iter::successors(self.way.as_deref(), |way| way.before.as_deref()).map(|way| way.last).collect();
        steps.reverse();
        steps
    }
}

impl<'v> Node<'v> for Located<'v> {
    fn value(&self) -> JsonRef<'v> {
        self.value
    }

    fn child(&self, last: WayStep<'v>, value: JsonRef<'v>) -> Self {
        Self { value, way: Some(Rc::new(Way { before: self.way.clone(), last })) }
    }
}

impl<'v> Node<'v> for JsonRef<'v> {
    fn value(&self) -> Self {
        *self
    }

    fn child(&self, _step: WayStep<'v>, value: Self) -> Self {
        value
    }
}
