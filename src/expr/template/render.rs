//! From a template and an event to what goes out.

use serde_json::{Map, Value};

use super::{Node, Otherwise};
use crate::expr::jsonpath::{Budget, Scope};
use crate::expr::{Escape, EvalError, Query, RenderError};

/// What `node` becomes; `None` where it is a path at which there is nothing.
pub(super) fn render(node: &Node, scope: Scope<'_>, budget: &mut Budget) -> Result<Option<Value>, RenderError> {
    budget.visit(1)?;
    match node {
        Node::Literal(value) => Ok(Some(copy(value, budget)?)),
        Node::Path { query, otherwise } => render_path(query, otherwise, scope, budget),
        Node::Text(text) => Ok(Some(Value::String(text.render_within(scope, Escape::None, budget)?))),
        Node::Array(elements) => {
            let mut rendered = Vec::with_capacity(elements.len());
            for element in elements {
                rendered.extend(render(element, scope, budget)?);
            }
            Ok(Some(Value::Array(rendered)))
        }
        Node::Object(members) => {
            let mut rendered = Map::with_capacity(members.len());
            for (name, member) in members {
                if let Some(value) = render(member, scope, budget)? {
                    rendered.insert(name.text.clone(), value);
                }
            }
            Ok(Some(Value::Object(rendered)))
        }
        Node::Each { items, element } => {
            let mut rendered = Vec::new();
            for item in items_of(items, scope, budget)? {
                rendered.extend(render(element, Scope { root: scope.root, current: item.into() }, budget)?);
            }
            Ok(Some(Value::Array(rendered)))
        }
    }
}

fn render_path(
    query: &Query,
    otherwise: &Otherwise,
    scope: Scope<'_>,
    budget: &mut Budget,
) -> Result<Option<Value>, RenderError> {
    let found = if query.is_singular() {
        query.first_within(scope, budget)?.map(|value| copy(value, budget)).transpose()?
    } else {
        let found = query.all_within(scope, budget)?;
        let given = !found.is_empty() || matches!(otherwise, Otherwise::Absent);
        let copies = found.into_iter().map(|value| copy(value, budget)).collect::<Result<_, _>>()?;
        given.then_some(Value::Array(copies))
    };
    match (found, otherwise) {
        (Some(value), _) => Ok(Some(value)),
        (None, Otherwise::Absent) => Ok(None),
        (None, Otherwise::Default(default)) => render(default, scope, budget),
        (None, Otherwise::Required) => Err(RenderError::Missing { path: query.as_str().to_owned() }),
    }
}

/// What an `$each` goes through: the matches, or the elements of the one array that its path leads to.
pub(super) fn items_of<'v>(query: &Query, scope: Scope<'v>, budget: &mut Budget) -> Result<Vec<&'v Value>, EvalError> {
    if !query.is_singular() {
        return query.all_within(scope, budget);
    }
    Ok(match query.first_within(scope, budget)? {
        Some(Value::Array(elements)) => {
            budget.visit(elements.len())?;
            elements.iter().collect()
        }
        found => found.into_iter().collect(),
    })
}

/// A copy that is paid for before it is made: a template may ask for the whole event once for each of its items.
fn copy(value: &Value, budget: &mut Budget) -> Result<Value, EvalError> {
    pay_for(value, budget)?;
    Ok(value.clone())
}

pub(super) fn pay_for(value: &Value, budget: &mut Budget) -> Result<(), EvalError> {
    let (mut pending, mut next) = (Vec::new(), Some(value));
    while let Some(value) = next {
        match value {
            Value::String(text) => budget.read(text.len())?,
            Value::Array(elements) => {
                budget.visit(1 + elements.len())?;
                pending.extend(elements);
            }
            Value::Object(members) => {
                for name in members.keys() {
                    budget.read(name.len())?;
                }
                pending.extend(members.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => budget.visit(1)?,
        }
        next = pending.pop();
    }
    Ok(())
}
