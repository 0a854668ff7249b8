//! A node as a `serde::Deserializer`.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Expected, SeqAccess, Visitor};

use super::Context;
use super::error::{Error, Mistake};
use super::mapping::{self, Entries, spoken};
use super::place::{AT, PlacedAccess};
use super::variant;
use crate::config::tree::{Content, Node, Resolved, Scalar};

/// A node, and where its problems go.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeDeserializer<'n> {
    pub(super) node: &'n Node,
    pub(super) context: &'n Context,
}

/// The items of a list, without those that were broken off.
struct Items<'n> {
    items: std::slice::Iter<'n, Node>,
    context: &'n Context,
}

// === impl NodeDeserializer ===

impl<'n> NodeDeserializer<'n> {
    pub(super) fn new(node: &'n Node, context: &'n Context) -> Self {
        context.visits.set(context.visits.get() + 1);
        Self { node, context }
    }

    /// Reports what went wrong with this very node.
    pub(super) fn settle<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Err(Error::Here(mistake)) => Err(self.fail(mistake)),
            Err(Error::Missing(key)) => {
                Err(self.fail(Mistake { message: format!("`{key}` is missing"), expected: None }))
            }
            settled => settled,
        }
    }

    /// Reports a mistake and breaks the node off.
    pub(super) fn fail(self, mistake: Mistake) -> Error {
        self.context.break_off(self.node, mistake.at(self.node.place));
        Error::Reported
    }

    pub(super) fn mismatch(self, expected: impl std::fmt::Display) -> Error {
        self.fail(Mistake::mismatch(expected, found(self.node)))
    }

    fn scalar(self, expected: impl std::fmt::Display) -> Result<&'n Scalar, Error> {
        match &self.node.content {
            Content::Scalar(scalar) if scalar.resolve() != Resolved::Null => Ok(scalar),
            _ => Err(self.mismatch(expected)),
        }
    }

    fn whole<T: TryFrom<u64> + TryFrom<i64>>(self, least: impl ToString, most: impl ToString) -> Result<T, Error> {
        let expected = || format!("a whole number from {} to {}", least.to_string(), most.to_string());
        let number = match self.scalar(expected())?.resolve_wanted() {
            Resolved::Unsigned(number) => T::try_from(number).ok(),
            Resolved::Negative(number) => T::try_from(number).ok(),
            Resolved::Null | Resolved::Bool(_) | Resolved::Float(_) | Resolved::Text => None,
        };
        number.ok_or_else(|| match found(self.node) {
            "a number" => {
                self.fail(Mistake { message: format!("expected {}", expected()), expected: Some(expected()) })
            }
            found => self.fail(Mistake::mismatch(expected(), found)),
        })
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.whole::<$type>(<$type>::MIN, <$type>::MAX)?;
            self.settle(visitor.$visit(number))
        })*
    };
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.node.content {
            Content::Scalar(scalar) => match scalar.resolve() {
                Resolved::Null => visitor.visit_unit(),
                Resolved::Bool(value) => visitor.visit_bool(value),
                Resolved::Negative(value) => visitor.visit_i64(value),
                Resolved::Unsigned(value) => visitor.visit_u64(value),
                Resolved::Float(value) => visitor.visit_f64(value),
                Resolved::Text => visitor.visit_str(&scalar.text),
            },
            Content::Sequence(items) => visitor.visit_seq(Items { items: items.iter(), context: self.context }),
            Content::Mapping(entries) => visitor.visit_map(Entries::new(entries, self.context)),
        };
        self.settle(result)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.scalar("true or false")?.resolve_wanted() {
            Resolved::Bool(value) => self.settle(visitor.visit_bool(value)),
            _ => Err(self.mismatch("true or false")),
        }
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    #[expect(clippy::cast_precision_loss, reason = "a fraction is wanted, and a whole number is written")]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = match self.scalar("a number")?.resolve_wanted() {
            Resolved::Unsigned(number) => number as f64,
            Resolved::Negative(number) => number as f64,
            Resolved::Float(number) => number,
            Resolved::Null | Resolved::Bool(_) | Resolved::Text => return Err(self.mismatch("a number")),
        };
        self.settle(visitor.visit_f64(number))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    /// Any scalar is text where text is wanted, as it is written: `0123` keeps its zero.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let expected = (&visitor as &dyn Expected).to_string();
        let expected = if expected == "a string" { "text" } else { &expected };
        let scalar = self.scalar(expected)?;
        self.settle(visitor.visit_str(&scalar.text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    /// A key without a value is a mistake: `filter:` with nothing behind it would let everything pass.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() {
            let message = "there is no value here".to_owned();
            return Err(self.fail(Mistake { message, expected: Some("a value, or no such key".to_owned()) }));
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { self.settle(visitor.visit_unit()) } else { Err(self.mismatch("nothing")) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        let result =
            if name == AT { visitor.visit_seq(PlacedAccess::new(self)) } else { visitor.visit_newtype_struct(self) };
        self.settle(result)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.content {
            Content::Sequence(items) => {
                self.settle(visitor.visit_seq(Items { items: items.iter(), context: self.context }))
            }
            Content::Scalar(_) | Content::Mapping(_) => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    /// A mapping with nothing in it may be left out: `providers:` whose entries are all comments.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let entries = mapping::entries(self)?;
        self.settle(visitor.visit_map(Entries::new(entries, self.context)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        mapping::decode_struct(self, &spoken(name), fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        variant::decode_enum(self, name, variants, visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

// === impl Items ===

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let next = self.items.by_ref().find(|item| !item.is_broken());
        next.map(|item| seed.deserialize(NodeDeserializer::new(item, self.context))).transpose()
    }
}

/// What a node is, in a word.
pub(super) fn found(node: &Node) -> &'static str {
    match &node.content {
        Content::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => "nothing",
            Resolved::Bool(_) => "true or false",
            Resolved::Negative(_) | Resolved::Unsigned(_) | Resolved::Float(_) => "a number",
            Resolved::Text => "text",
        },
        Content::Sequence(_) => "a list",
        Content::Mapping(_) => "a mapping",
    }
}
