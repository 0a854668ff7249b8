//! Enums: a word, or a mapping with one key; and unions, which are told apart by shape.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor};

use super::error::{Error, Mistake};
use super::mapping::{self, expecting, report_unknown, spoken};
use super::node::NodeDeserializer;
use crate::config::Problem;
use crate::config::secrets::shown_name;
use crate::config::tree::{Content, Form, Node};

/// The name of an enum whose variants are shapes of a node: `text`, `list`, `mapping`, and `other` for
/// those of the three that are not there. Where serde's `untagged` would try each variant and forget why
/// none fits, this says which shapes there are, and keeps every place.
const BY_SHAPE: &str = "by shape";

/// A variant that was found.
struct Found<'n> {
    name: &'static str,
    content: Payload<'n>,
}

/// What comes with a variant.
enum Payload<'n> {
    /// The word stands alone.
    None(NodeDeserializer<'n>),
    /// This.
    Value(NodeDeserializer<'n>),
}

pub(super) fn decode_enum<'de, V: Visitor<'de>>(
    deserializer: NodeDeserializer<'_>,
    name: &'static str,
    variants: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Error> {
    let found = if name == BY_SHAPE {
        shape(deserializer, variants)?
    } else {
        match &deserializer.node.content {
            Content::Mapping(_) => keyed(deserializer, name, variants)?,
            Content::Scalar(_) | Content::Sequence(_) => word(deserializer, variants)?,
        }
    };
    deserializer.settle(visitor.visit_enum(found))
}

fn shape<'n>(deserializer: NodeDeserializer<'n>, shapes: &'static [&'static str]) -> Result<Found<'n>, Error> {
    let own = match deserializer.node.content {
        Content::Scalar(_) if deserializer.node.is_null() => "nothing",
        Content::Scalar(_) => "text",
        Content::Sequence(_) => "list",
        Content::Mapping(_) => "mapping",
    };
    let found = shapes.iter().find(|shape| **shape == own).or_else(|| shapes.iter().find(|shape| **shape == "other"));
    match found {
        Some(name) => Ok(Found { name, content: Payload::Value(deserializer) }),
        None => {
            let shapes: Vec<&str> =
                shapes.iter().map(|shape| if *shape == "text" { "text" } else { article(shape) }).collect();
            Err(deserializer.mismatch(shapes.join(" or ")))
        }
    }
}

fn article(shape: &str) -> &'static str {
    if shape == "list" { "a list" } else { "a mapping" }
}

/// `hmac: {...}`
fn keyed<'n>(
    deserializer: NodeDeserializer<'n>,
    name: &'static str,
    variants: &'static [&'static str],
) -> Result<Found<'n>, Error> {
    let context = deserializer.context;
    let entries = mapping::entries(deserializer)?;
    report_unknown(entries, &spoken(enum_name(name)), variants, context);
    let mut known = entries.iter().filter_map(|entry| {
        let field = entry.field()?;
        variants.iter().find(|variant| **variant == field).map(|variant| (*variant, entry))
    });
    match (known.next(), known.next()) {
        (Some((_, entry)), None) if entry.value.is_broken() => {
            context.break_off_quietly(deserializer.node);
            Err(Error::Reported)
        }
        (Some((name, entry)), None) => {
            Ok(Found { name, content: Payload::Value(NodeDeserializer::new(&entry.value, context)) })
        }
        (Some((first, _)), Some((second, entry))) => {
            let problem =
                Problem::error(entry.key.place, format!("`{second}` beside `{first}`: there can be only one"));
            context.break_off(deserializer.node, problem);
            Err(Error::Reported)
        }
        (None, _) if entries.is_empty() => {
            let problem = Problem::error(deserializer.node.place, "there is nothing in this mapping");
            context.break_off(deserializer.node, expecting(problem, variants));
            Err(Error::Reported)
        }
        (None, _) => {
            context.break_off_quietly(deserializer.node);
            Err(Error::Reported)
        }
    }
}

/// `none`
fn word<'n>(deserializer: NodeDeserializer<'n>, variants: &'static [&'static str]) -> Result<Found<'n>, Error> {
    let Content::Scalar(scalar) = &deserializer.node.content else {
        return Err(deserializer.mismatch("one of the names that are known here"));
    };
    if let Some(name) = variants.iter().find(|variant| **variant == scalar.text) {
        return Ok(Found { name, content: Payload::None(deserializer) });
    }
    let given = match scalar.form {
        Form::Interpolated => "the interpolated value is not known here".to_owned(),
        _ if deserializer.node.is_null() => "there is no value here".to_owned(),
        Form::Plain | Form::Quoted => format!("`{}` is not known here", shown_name(&scalar.text)),
    };
    let problem = expecting(Problem::error(deserializer.node.place, given), variants);
    let problem = match scalar.form {
        Form::Interpolated => problem,
        Form::Plain | Form::Quoted => problem.suggest(&scalar.text, variants.iter().copied()),
    };
    deserializer.context.break_off(deserializer.node, problem);
    Err(Error::Reported)
}

/// Two enums have longer names than the keys that they stand under.
fn enum_name(name: &'static str) -> &'static str {
    if name == "DestinationAuth" { "Auth" } else { name }
}

// === impl Found ===

impl<'de, 'n> EnumAccess<'de> for Found<'n> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'n> Found<'n> {
    fn value(&self) -> Result<NodeDeserializer<'n>, Error> {
        match self.content {
            Payload::Value(value) => Ok(value),
            Payload::None(word) => {
                let expected = format!("`{}: ...`", self.name);
                let message = format!("`{}` needs its settings", self.name);
                Err(word.fail(Mistake { message, expected: Some(expected) }))
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Found<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            Payload::None(_) => Ok(()),
            Payload::Value(value) if is_empty(value.node) => Ok(()),
            Payload::Value(value) => {
                let message = format!("`{}` has no settings", self.name);
                Err(value.fail(Mistake { message, expected: Some(format!("`{}` alone", self.name)) }))
            }
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        serde::Deserializer::deserialize_tuple(self.value()?, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let name = if self.name == "mapping" { "this mapping".to_owned() } else { format!("`{}`", self.name) };
        mapping::decode_struct(self.value()?, &name, fields, visitor)
    }
}

fn is_empty(node: &Node) -> bool {
    node.is_null() || matches!(&node.content, Content::Mapping(entries) if entries.is_empty())
}
