//! The answer to a handshake: a template over the body, with parts of the request in its text.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::config::{At, Problem, Problems, Tree, file};
use crate::expr::Template;
use crate::pipeline::Answer;
use crate::pipeline::respond::Fixed;
use crate::signing::{Content, Context, Fill, Message};

/// The answer to a handshake.
#[derive(Debug)]
pub(super) struct ReplyText {
    fixed: Fixed,
    headers: Vec<(HeaderName, Content)>,
    text: Option<Content>,
    body: Option<Shape>,
}

/// A body, as far as parts of the request stand in it.
#[derive(Debug)]
enum Shape {
    Template(Template),
    Text(Content),
    Object(Vec<(String, Self)>),
    List(Vec<Self>),
}

// === impl ReplyText ===

impl ReplyText {
    pub(super) fn compile(file: &At<file::Reply>, context: &Context<'_>, problems: &mut Problems) -> Option<Self> {
        let fixed = Fixed::compile(file, problems);
        let mut headers = Vec::new();
        for (name, text) in file.headers.iter() {
            let name = Fixed::header_name(name, problems);
            let content = Content::compile_shown(text, context, problems);
            headers.extend(name.zip(content));
        }
        let text = match &file.text {
            None => None,
            Some(text) => Some(Content::compile_shown(text, context, problems)?),
        };
        let body = match &file.body {
            None => None,
            Some(tree) => Some(Shape::compile(tree, &tree.value, "", context, problems)?),
        };
        Some(Self { fixed, headers, text, body })
    }

    /// The answer to a request; `None` where that lacks what is asked for.
    pub(super) fn answer(&self, message: &Message<'_>, json: Option<&Value>, fill: Fill<'_>) -> Option<Answer> {
        let mut answer = Answer::new(self.fixed.status(200));
        for (name, content) in &self.headers {
            let value = HeaderValue::from_str(&content.text(message, fill)?).ok()?;
            answer.headers.append(name, value);
        }
        if let Some(text) = &self.text {
            answer.set_text(text.text(message, fill)?);
        } else if let Some(shape) = &self.body
            && let Some(body) = shape.render(message, json.unwrap_or(&Value::Null), fill)?
        {
            answer.set_json(&body);
        }
        Some(answer)
    }
}

// === impl Shape ===

impl Shape {
    fn compile(
        tree: &Tree,
        value: &Value,
        pointer: &str,
        context: &Context<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        match value {
            Value::String(text) if has_request_hole(text) => {
                let text = At::new(text.clone(), tree.place(pointer));
                Content::compile_shown(&text, context, problems).map(Self::Text)
            }
            Value::Object(members) if value_has_request_hole(value) => {
                let members = members.iter().map(|(name, value)| {
                    let inner = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    Some((name.clone(), Self::compile(tree, value, &inner, context, problems)?))
                });
                members.collect::<Option<Vec<_>>>().map(Self::Object)
            }
            Value::Array(items) if value_has_request_hole(value) => {
                let items = items.iter().enumerate();
                let items =
                    items.map(|(at, item)| Self::compile(tree, item, &format!("{pointer}/{at}"), context, problems));
                items.collect::<Option<Vec<_>>>().map(Self::List)
            }
            _ => match Template::compile(value) {
                Ok(template) => Some(Self::Template(template)),
                Err(errors) => {
                    problems.extend(errors.into_iter().map(|(inner, error)| {
                        let place = tree.place(&format!("{pointer}{inner}"));
                        Problem::expression(place, "the body", &error.message, error.expected)
                    }));
                    None
                }
            },
        }
    }

    /// `None` where the request lacks what is asked for; nothing where the template comes to nothing.
    fn render(&self, message: &Message<'_>, json: &Value, fill: Fill<'_>) -> Option<Option<Value>> {
        Some(match self {
            Self::Template(template) => template.render(json).ok()?,
            Self::Text(content) => Some(Value::String(content.text(message, fill)?)),
            Self::Object(members) => {
                let mut object = Map::new();
                for (name, shape) in members {
                    if let Some(value) = shape.render(message, json, fill)? {
                        object.insert(name.clone(), value);
                    }
                }
                Some(Value::Object(object))
            }
            Self::List(items) => {
                let items = items.iter().map(|item| item.render(message, json, fill));
                Some(Value::Array(items.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()))
            }
        })
    }
}

fn value_has_request_hole(value: &Value) -> bool {
    match value {
        Value::String(text) => has_request_hole(text),
        Value::Array(items) => items.iter().any(value_has_request_hole),
        Value::Object(members) => members.values().any(value_has_request_hole),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether there is something in braces that is no path of the body.
fn has_request_hole(text: &str) -> bool {
    !text.starts_with('$') && text.replace("{{", "").split('{').skip(1).any(|hole| !hole.starts_with(['$', '@']))
}
