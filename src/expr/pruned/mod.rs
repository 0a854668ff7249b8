//! Reads as much of a JSON text as is needed, and checks all of it.
//!
//! What is not needed is gone through once and takes no memory. The grammar is that of serde_json, whose word is the last:
//! where this reader gives up it is asked, so that it may be stricter and must never be laxer.

mod grammar;

use std::ops::Range;

use serde_json::{Map, Value};

use super::json::NOTHING;
use super::needs::Pruned;
use crate::model::{Excerpt, Needs};

/// So many members are made room for at once, and none before there is one: a list of small objects must not take much more
/// than it is.
const AT_ONCE: usize = 12;

/// Reads a text as far as `needs` says.
pub(super) fn read<'n>(text: &[u8], needs: &'n Needs) -> Option<Pruned<'n>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, marks: vec![None; needs.marks] };
    reader.token()?;
    let from = reader.at;
    let value = reader.value(needs)?;
    let range = from..reader.at;
    reader.token().is_none().then_some(Pruned { needs, value, range, marks: reader.marks })
}

struct Reader<'t> {
    text: &'t str,
    /// The same.
    bytes: &'t [u8],
    at: usize,
    depth: u8,
    marks: Vec<Option<Range<usize>>>,
}

// === impl Reader ===

impl Reader<'_> {
    /// One value, as far as it is needed.
    fn value(&mut self, needs: &Needs) -> Option<Excerpt> {
        if needs.whole {
            return self.whole(needs).map(Excerpt::Value);
        }
        let first = self.token()?;
        let from = self.at;
        let value = match (first, needs.each.as_deref()) {
            (b'{', _) if needs.object => {
                self.nested(|reader| reader.object(needs)).map(|all| Excerpt::Value(Value::Object(all)))?
            }
            (b'{', _) => self.nested(|reader| reader.members(needs))?,
            (b'[', Some(each)) => self.nested(|reader| reader.elements(each))?,
            _ => self.skip().map(|()| Excerpt::NOTHING)?,
        };
        self.mark(needs, from);
        Some(value)
    }

    /// One value that is needed whole.
    fn whole(&mut self, needs: &Needs) -> Option<Value> {
        let first = self.token()?;
        let from = self.at;
        let value = match first {
            b'{' => self.nested(|reader| reader.object(needs)).map(Value::Object)?,
            b'[' => self.nested(Self::array)?,
            b'"' => Value::String(self.quoted()?.text()?.into_owned()),
            b'-' | b'0'..=b'9' => Value::Number(serde_json::from_str(self.number()?).ok()?),
            b't' => self.word("true").map(|()| Value::Bool(true))?,
            b'f' => self.word("false").map(|()| Value::Bool(false))?,
            _ => self.word("null").map(|()| Value::Null)?,
        };
        self.mark(needs, from);
        Some(value)
    }

    /// An object of which a few members are needed.
    fn members(&mut self, needed: &Needs) -> Option<Excerpt> {
        let mut members: Vec<(usize, Excerpt)> = Vec::new();
        let mut more = self.opens(b'}')?;
        let mut first = true;
        while more {
            let name = self.name(&mut first)?;
            match name.among(needed)?.and_then(|at| Some((at, needed.names.get(at)?))) {
                Some((at, (_, needs))) => match members.iter().position(|(place, _)| *place == at) {
                    None => {
                        if members.is_empty() {
                            members.reserve_exact(needed.names.len().min(AT_ONCE));
                        }
                        members.push((at, self.value(needs)?));
                    }
                    Some(known) => {
                        self.unmark(needs);
                        let last = self.value(needs)?;
                        members.get_mut(known)?.1 = last;
                    }
                },
                None => self.skip()?,
            }
            more = self.goes_on(b'}')?;
        }
        Some(Excerpt::Members(members))
    }

    fn elements(&mut self, each: &Needs) -> Option<Excerpt> {
        let mut elements = Vec::new();
        let mut more = self.opens(b']')?;
        while more {
            elements.push(self.value(each)?);
            more = self.goes_on(b']')?;
        }
        Some(Excerpt::Elements(elements))
    }

    /// An object that is needed whole. The needs are for what is marked in it.
    fn object(&mut self, needs: &Needs) -> Option<Map<String, Value>> {
        let mut members = Map::new();
        let mut more = self.opens(b'}')?;
        let mut first = true;
        while more {
            let name = self.name(&mut first)?;
            let needs = name.among(needs)?.and_then(|at| needs.names.get(at)).map_or(&NOTHING, |(_, needs)| needs);
            self.unmark(needs);
            let value = self.whole(needs)?;
            members.insert(name.text()?.into_owned(), value);
            more = self.goes_on(b'}')?;
        }
        Some(members)
    }

    fn array(&mut self) -> Option<Value> {
        let mut elements = Vec::new();
        let mut more = self.opens(b']')?;
        while more {
            elements.push(self.whole(&NOTHING)?);
            more = self.goes_on(b']')?;
        }
        Some(Value::Array(elements))
    }

    fn mark(&mut self, needs: &Needs, from: usize) {
        if let Some(slot) = needs.mark.and_then(|mark| self.marks.get_mut(mark)) {
            *slot = Some(from..self.at);
        }
    }

    /// Of two equal names the last counts, and nothing of the first.
    fn unmark(&mut self, needs: &Needs) {
        needs.for_each_mark(&mut |mark| self.marks.get_mut(mark).into_iter().for_each(|slot| *slot = None));
    }
}
