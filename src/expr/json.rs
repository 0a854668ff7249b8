//! What expressions are evaluated over.

use serde_json::Value;

use crate::model::{Excerpt, Needs};

/// A JSON value: all of it, or as far as it was needed. What is not needed is not there.
#[derive(Debug, Clone, Copy)]
pub struct JsonRef<'v>(Form<'v>);

#[derive(Debug, Clone, Copy)]
enum Form<'v> {
    Value(&'v Value),
    /// What the needs left of an object.
    Members(&'v Needs, &'v [(usize, Excerpt)]),
    /// What the needs of each element left of a list.
    Elements(&'v Needs, &'v [Excerpt]),
}

/// What is needed of what nobody looks at.
pub(super) static NOTHING: Needs = Needs::nothing();

/// A step from a value into it, borrowed from the payload.
#[derive(Debug, Clone, Copy)]
pub(super) enum WayStep<'v> {
    Name(&'v str),
    Index(usize),
}

// === impl JsonRef ===

impl<'v> JsonRef<'v> {
    /// A part that was read as far as `needs` say.
    #[must_use]
    pub fn part(needs: &'v Needs, part: &'v Excerpt) -> Self {
        Self(match part {
            Excerpt::Value(value) => Form::Value(value),
            Excerpt::Members(members) => Form::Members(needs, members),
            Excerpt::Elements(elements) => Form::Elements(needs.each.as_deref().unwrap_or(&NOTHING), elements),
        })
    }

    /// All of the value. `None` where only parts of it were needed: that is so of nothing that an expression finds in what was
    /// kept for it.
    #[must_use]
    pub const fn value(self) -> Option<&'v Value> {
        match self.0 {
            Form::Value(value) => Some(value),
            Form::Members(..) | Form::Elements(..) => None,
        }
    }

    /// The member of this name, where it is an object that has one.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        match self.0 {
            Form::Value(Value::Object(members)) => members.get(name).map(Self::from),
            Form::Members(needs, members) => {
                let at = needs.position(name)?;
                let (_, member) = members.iter().find(|(place, _)| *place == at)?;
                Some(Self::part(&needs.names.get(at)?.1, member))
            }
            Form::Value(_) | Form::Elements(..) => None,
        }
    }

    /// The same with its name.
    pub(super) fn member(self, name: &str) -> Option<(&'v str, Self)> {
        match self.0 {
            Form::Value(Value::Object(members)) => {
                members.get_key_value(name).map(|(name, value)| (&**name, value.into()))
            }
            Form::Members(needs, members) => {
                let at = needs.position(name)?;
                kept(needs, members.iter().find(|(place, _)| *place == at)?)
            }
            Form::Value(_) | Form::Elements(..) => None,
        }
    }

    /// The element at this place, where it is a list that has one.
    pub(super) fn element(self, index: usize) -> Option<Self> {
        match self.0 {
            Form::Value(Value::Array(elements)) => elements.get(index).map(Self::from),
            Form::Elements(each, elements) => elements.get(index).map(|element| Self::part(each, element)),
            Form::Value(_) | Form::Members(..) => None,
        }
    }

    /// How many elements it has, where it is a list.
    pub(super) const fn elements(self) -> Option<usize> {
        match self.0 {
            Form::Value(Value::Array(elements)) => Some(elements.len()),
            Form::Elements(_, elements) => Some(elements.len()),
            Form::Value(_) | Form::Members(..) => None,
        }
    }

    /// How many elements or members it has; none where it is neither list nor object.
    pub(super) fn size(self) -> usize {
        match self.0 {
            Form::Value(Value::Array(elements)) => elements.len(),
            Form::Value(Value::Object(members)) => members.len(),
            Form::Value(_) => 0,
            Form::Elements(_, elements) => elements.len(),
            Form::Members(_, members) => members.len(),
        }
    }

    /// Those, in order.
    pub(super) fn for_each_child(self, mut act: impl FnMut(WayStep<'v>, Self)) {
        match self.0 {
            Form::Value(Value::Array(elements)) => {
                elements.iter().enumerate().for_each(|(index, value)| act(WayStep::Index(index), value.into()));
            }
            Form::Value(Value::Object(members)) => {
                members.iter().for_each(|(name, value)| act(WayStep::Name(name), value.into()));
            }
            Form::Value(_) => {}
            Form::Elements(each, elements) => {
                let parts = elements.iter().map(|element| Self::part(each, element));
                parts.enumerate().for_each(|(index, part)| act(WayStep::Index(index), part));
            }
            Form::Members(needs, members) => {
                let parts = members.iter().filter_map(|member| kept(needs, member));
                parts.for_each(|(name, part)| act(WayStep::Name(name), part));
            }
        }
    }
}

#[cfg(test)]
impl JsonRef<'_> {
    /// All that there is of it.
    pub(crate) fn to_value(self) -> Value {
        let mut children = Vec::new();
        self.for_each_child(|step, child| children.push((step, child.to_value())));
        let name = |step| if let WayStep::Name(name) = step { name.to_owned() } else { unreachable!() };
        match self.0 {
            Form::Value(value) => value.clone(),
            Form::Members(..) => children.into_iter().map(|(step, child)| (name(step), child)).collect(),
            Form::Elements(..) => children.into_iter().map(|(_, child)| child).collect(),
        }
    }
}

impl<'v> From<&'v Value> for JsonRef<'v> {
    fn from(value: &'v Value) -> Self {
        Self(Form::Value(value))
    }
}

fn kept<'v>(needs: &'v Needs, (place, member): &'v (usize, Excerpt)) -> Option<(&'v str, JsonRef<'v>)> {
    needs.names.get(*place).map(|(name, needs)| (&**name, JsonRef::part(needs, member)))
}
