//! From a template and an event to the text of what goes out, without a document in between.

use serde::Serialize;
use serde_json::Value;

use super::render::{items_of, pay_for};
use super::{Node, Otherwise};
use crate::expr::jsonpath::{Budget, Scope};
use crate::expr::{Escape, EvalError, Query, RenderError};

/// Writes what `node` becomes; `false`, and nothing is written, where it is a path at which there is nothing. Where it fails
/// some of it may be written.
pub(super) fn write(
    node: &Node,
    scope: Scope<'_>,
    budget: &mut Budget,
    text: &mut Vec<u8>,
) -> Result<bool, RenderError> {
    budget.visit(1)?;
    match node {
        Node::Literal(value) => copy(value, budget, text)?,
        Node::Path { query, otherwise } => return write_path(query, otherwise, scope, budget, text),
        Node::Text(holes) => push(&holes.render_within(scope, Escape::None, budget)?, text),
        Node::Array(elements) => {
            let mut list = List::open(b'[', text);
            for element in elements {
                list.part(text, |text| write(element, scope, budget, text))?;
            }
            text.push(b']');
        }
        Node::Object(members) => {
            let mut list = List::open(b'{', text);
            for (name, member) in members {
                list.part(text, |text| {
                    text.extend_from_slice(name.written.as_bytes());
                    write(member, scope, budget, text)
                })?;
            }
            text.push(b'}');
        }
        Node::Each { items, element } => {
            let mut list = List::open(b'[', text);
            for item in items_of(items, scope, budget)? {
                list.part(text, |text| write(element, Scope { root: scope.root, current: item.into() }, budget, text))?;
            }
            text.push(b']');
        }
    }
    Ok(true)
}

fn write_path(
    query: &Query,
    otherwise: &Otherwise,
    scope: Scope<'_>,
    budget: &mut Budget,
    text: &mut Vec<u8>,
) -> Result<bool, RenderError> {
    if query.is_singular() {
        if let Some(value) = query.first_within(scope, budget)? {
            copy(value, budget, text)?;
            return Ok(true);
        }
    } else {
        let found = query.all_within(scope, budget)?;
        if !found.is_empty() || matches!(otherwise, Otherwise::Absent) {
            let mut list = List::open(b'[', text);
            for value in found {
                list.part(text, |text| copy(value, budget, text).map(|()| true))?;
            }
            text.push(b']');
            return Ok(true);
        }
    }
    match otherwise {
        Otherwise::Absent => Ok(false),
        Otherwise::Default(default) => write(default, scope, budget, text),
        Otherwise::Required => Err(RenderError::Missing { path: query.as_str().to_owned() }),
    }
}

fn copy(value: &Value, budget: &mut Budget, text: &mut Vec<u8>) -> Result<(), EvalError> {
    pay_for(value, budget)?;
    push(value, text);
    Ok(())
}

/// Text and documents always have a JSON, and a vector takes all of it.
fn push(value: &(impl Serialize + ?Sized), text: &mut Vec<u8>) {
    let _ = serde_json::to_writer(text, value);
}

/// The parts of an array or an object, with commas between those that are there.
struct List {
    is_empty: bool,
}

// === impl List ===

impl List {
    fn open(bracket: u8, text: &mut Vec<u8>) -> Self {
        text.push(bracket);
        Self { is_empty: true }
    }

    /// Adds what `write` writes; where that says `false`, nothing.
    fn part<E>(&mut self, text: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>) -> Result<(), E> {
        let before = text.len();
        if !self.is_empty {
            text.push(b',');
        }
        if write(text)? {
            self.is_empty = false;
        } else {
            text.truncate(before);
        }
        Ok(())
    }
}
