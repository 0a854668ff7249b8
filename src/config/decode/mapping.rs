//! Mappings: by name, and as blocks whose keys are known.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor};

use super::Context;
use super::error::{Error, Mistake};
use super::node::NodeDeserializer;
use crate::config::Problem;
use crate::config::secrets::shown_name;
use crate::config::tree::{Content, Entry, Node, Role};

/// How many names a problem lists as what was expected.
const FEW: usize = 14;

/// The entries of a mapping whose keys are anything, without those that were broken off.
pub(super) struct Entries<'n> {
    entries: std::slice::Iter<'n, Entry>,
    value: Option<&'n Node>,
    context: &'n Context,
}

/// The entries of a block, by the field that each of them means.
struct Fields<'n> {
    entries: std::slice::Iter<'n, Entry>,
    value: Option<&'n Node>,
    context: &'n Context,
}

/// The entries of the mapping that the node is.
pub(super) fn entries<'n>(deserializer: NodeDeserializer<'n>) -> Result<&'n [Entry], Error> {
    match &deserializer.node.content {
        Content::Mapping(entries) => Ok(entries),
        Content::Scalar(_) if deserializer.node.is_null() => Ok(&[]),
        Content::Scalar(_) | Content::Sequence(_) => Err(deserializer.mismatch("a mapping")),
    }
}

/// Decodes a block. `name` says what it is, for a person.
pub(super) fn decode_struct<'de, V: Visitor<'de>>(
    deserializer: NodeDeserializer<'_>,
    name: &str,
    fields: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Error> {
    let context = deserializer.context;
    let entries = entries(deserializer)?;
    report_unknown(entries, name, fields, context);
    match visitor.visit_map(Fields { entries: entries.iter(), value: None, context }) {
        Err(Error::Missing(field)) if entries.iter().any(|entry| entry.field() == Some(field)) => {
            // It is there, but was broken off: that was reported.
            context.break_off_quietly(deserializer.node);
            Err(Error::Reported)
        }
        Err(Error::Missing(field)) => {
            let message = format!("{name} needs `{field}`");
            Err(deserializer.fail(Mistake { message, expected: Some(format!("`{field}`")) }))
        }
        result => deserializer.settle(result),
    }
}

/// Reports each key that is none of `known`, once, and notes which it probably means.
pub(super) fn report_unknown(entries: &[Entry], name: &str, known: &'static [&'static str], context: &Context) {
    for entry in entries {
        let key = entry.key.text();
        if entry.role() != Role::AsWritten || known.contains(&key) {
            continue;
        }
        let problem = Problem::error(entry.key.place, format!("unknown key `{}` in {name}", shown_name(key)));
        let problem = expecting(problem, known).suggest(key, known.iter().copied());
        let meaning = problem.did_you_mean.as_deref().and_then(|meant| known.iter().find(|name| **name == meant));
        let is_free = meaning.filter(|meant| !entries.iter().any(|other| other.field() == Some(meant)));
        entry.set_unknown(is_free.copied());
        context.report(problem);
    }
}

/// Says which names there are, if they are few.
pub(super) fn expecting(problem: Problem, known: &[&str]) -> Problem {
    match known {
        [] => problem,
        [only] => problem.expected(format!("`{only}`")),
        _ if known.len() > FEW => problem,
        _ => problem.expected(format!("one of `{}`", known.join("`, `"))),
    }
}

/// What a block is called, for a person: the name of its type in small letters.
pub(super) fn spoken(type_name: &str) -> String {
    match type_name {
        "ConfigFile" | "TestFile" => return "the file".to_owned(),
        "ExpectedEvent" => return "the expected event".to_owned(),
        "ExpectedDelivery" => return "the expected delivery".to_owned(),
        "EventMap" => return "`event`".to_owned(),
        "TimestampRule" => return "`timestamp`".to_owned(),
        "SignatureList" => return "`list`".to_owned(),
        "FilterBlock" => return "the filter".to_owned(),
        "EmbeddedQueue" => return "`embedded`".to_owned(),
        "Route" | "Delivery" | "Destination" | "Provider" | "Reply" | "Test" => {}
        _ => return format!("`{}`", type_name.to_lowercase()),
    }
    format!("the {}", type_name.to_lowercase())
}

// === impl Entries ===

impl<'n> Entries<'n> {
    pub(super) fn new(entries: &'n [Entry], context: &'n Context) -> Self {
        Self { entries: entries.iter(), value: None, context }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.entries.by_ref().find(|entry| !entry.value.is_broken()) else { return Ok(None) };
        self.value = Some(&entry.value);
        seed.deserialize(NodeDeserializer::new(&entry.key, self.context)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        decode_value(self.value, self.context, seed)
    }
}

// === impl Fields ===

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        for entry in self.entries.by_ref() {
            if let (Some(field), false) = (entry.field(), entry.value.is_broken()) {
                self.value = Some(&entry.value);
                let key: StrDeserializer<'_, Error> = field.into_deserializer();
                return seed.deserialize(key).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        decode_value(self.value, self.context, seed)
    }
}

fn decode_value<'de, V: DeserializeSeed<'de>>(
    value: Option<&Node>,
    context: &Context,
    seed: V,
) -> Result<V::Value, Error> {
    // A visitor asks for a value only after its key.
    let value = value.ok_or(Error::Reported)?;
    seed.deserialize(NodeDeserializer::new(value, context))
}
