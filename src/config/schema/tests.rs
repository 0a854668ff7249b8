//! The schema and the decoder know the same keys: a walk through both at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use proptest::prelude::*;
use regex::Regex;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::*;
use crate::config::{ByteSize, Percent, Rate, Span};

/// A walk through a type as serde sees it, and through a schema beside it. A `Deserialize` ends with its first error: so
/// each goes down one way to a leaf, and the walk begins again until all ways are done.
struct Walk<'s> {
    schema: &'s Value,
    done: RefCell<BTreeSet<String>>,
    /// How many mappings and enums were compared.
    compared: RefCell<BTreeSet<String>>,
}

/// A deserializer of what the schema says.
#[derive(Clone)]
struct Step<'s> {
    walk: &'s Walk<'s>,
    schema: &'s Value,
    path: String,
    /// The definitions that it is in.
    within: Vec<String>,
}

/// The end of a way.
#[derive(Debug)]
struct End;

impl fmt::Display for End {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for End {}

impl de::Error for End {
    fn custom<T: fmt::Display>(mistake: T) -> Self {
        panic!("{mistake}")
    }
}

fn walk<'de, T: Deserialize<'de>>(schema: &Value) -> usize {
    let walk = Walk { schema, done: RefCell::default(), compared: RefCell::default() };
    for _ in 0..10_000 {
        let step = Step { walk: &walk, schema, path: String::new(), within: Vec::new() };
        assert!(T::deserialize(step).is_err());
        if walk.done.borrow().contains("") {
            return walk.compared.into_inner().len();
        }
    }
    panic!("the walk has no end: {:#?}", walk.done);
}

impl<'s> Step<'s> {
    fn is_done(&self) -> bool {
        self.walk.done.borrow().contains(&self.path)
    }

    fn end<T>(&self) -> Result<T, End> {
        self.walk.done.borrow_mut().insert(self.path.clone());
        Err(End)
    }

    fn down(&self, key: &str, schema: &'s Value) -> Self {
        Self { schema, path: format!("{}/{key}", self.path), ..self.clone() }
    }

    /// The schema, what its reference stands for, and its alternatives.
    fn ways(&self) -> Vec<&'s Value> {
        let resolved = match self.definition() {
            Some(name) => &self.walk.schema["definitions"][name],
            None => self.schema,
        };
        let mut ways = vec![resolved];
        let mut at = 0;
        while let Some(way) = ways.get(at).copied() {
            ways.extend(way["anyOf"].as_array().into_iter().flatten());
            at += 1;
        }
        ways
    }

    fn definition(&self) -> Option<&'s str> {
        self.schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/"))
    }

    /// The step into a definition, which ends where it is in it already.
    fn entered(mut self) -> Result<Self, End> {
        if let Some(name) = self.definition() {
            if self.within.iter().any(|within| within == name) {
                return self.end();
            }
            self.within.push(name.to_owned());
        }
        Ok(self)
    }

    fn leaf<T>(&self, wanted: &str, fits: impl Fn(&Value) -> bool) -> Result<T, End> {
        assert!(self.ways().into_iter().any(fits), "{}: no {wanted} in {}", self.path, self.schema);
        self.end()
    }

    fn keys(&self, field: &str) -> BTreeSet<&'s str> {
        let ways = self.ways();
        let objects = ways.iter().filter_map(|way| way[field].as_object());
        objects.flatten().map(|(key, _)| key.as_str()).collect()
    }

    fn words(&self) -> BTreeSet<&'s str> {
        let ways = self.ways();
        ways.iter().filter_map(|way| way["enum"].as_array()).flatten().filter_map(Value::as_str).collect()
    }

    fn value(&self, key: &str) -> Self {
        let ways = self.ways();
        let found = ways.iter().find_map(|way| way["properties"].get(key));
        self.down(key, found.unwrap_or_else(|| panic!("{}: no key {key}", self.path)))
    }

    fn compare(&self, keys: &BTreeSet<&str>, known: &[&'static str]) {
        assert_eq!(*keys, known.iter().copied().collect(), "{}", self.path);
        self.walk.compared.borrow_mut().insert(self.path.clone());
    }

    fn of_struct<'de, V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, End> {
        self.compare(&self.keys("properties"), fields);
        let closed = self.ways().into_iter().filter(|way| way["properties"].is_object());
        closed.for_each(|way| assert_eq!(way["additionalProperties"], false, "{}", self.path));
        let next = fields.iter().find(|field| !self.value(field).is_done());
        match next {
            Some(field) => visitor.visit_map(Field { field, value: Some(self.value(field)) }),
            None => self.end(),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, End> {
            self.leaf("whole number", |way| {
                has_type(way, "integer") && way["minimum"] == 0 && way["maximum"] == <$type>::MAX
            })
        })*
    };
}

fn has_type(way: &Value, name: &str) -> bool {
    way["type"] == name || way["type"].as_array().is_some_and(|types| types.contains(&json!(name)))
}

impl<'de> de::Deserializer<'de> for Step<'_> {
    type Error = End;

    /// A template.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, End> {
        self.leaf("value of any shape", |way| way["if"]["type"] == json!(["object", "array", "number", "boolean"]))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, _: V) -> Result<V::Value, End> {
        self.leaf("boolean", |way| has_type(way, "boolean"))
    }

    numbers! { deserialize_u16 u16, deserialize_u32 u32, deserialize_u64 u64, }

    fn deserialize_str<V: Visitor<'de>>(self, _: V) -> Result<V::Value, End> {
        let is_text =
            |way: &Value| way["else"]["type"] == "string" || way["pattern"].is_string() || way["enum"].is_array();
        self.leaf("text", is_text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, End> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let ways = self.ways();
        let items = ways.iter().find(|way| has_type(way, "array")).and_then(|way| way.get("items"));
        let item = self.down("[]", items.unwrap_or_else(|| panic!("{}: no list", self.path)));
        if item.is_done() { self.end() } else { visitor.visit_seq(Item(Some(item))) }
    }

    /// Names.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        let value = self.down("*", &self.schema["additionalProperties"]);
        assert!(value.schema.is_object(), "{}: no mapping of names", self.path);
        if value.is_done() { self.end() } else { visitor.visit_map(Field { field: "name", value: Some(value) }) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, End> {
        self.entered()?.of_struct(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, End> {
        let step = self.entered()?;
        let by_shape = name == "by shape";
        if !by_shape {
            let keys: BTreeSet<&str> = step.words().union(&step.keys("properties")).copied().collect();
            step.compare(&keys, variants);
        }
        let way = |variant: &str| Self { path: format!("{}<{variant}>", step.path), ..step.clone() };
        match variants.iter().find(|variant| !way(variant).is_done()) {
            Some(name) => visitor.visit_enum(Variant { name, step: way(name), by_shape }),
            None => step.end(),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, End> {
        panic!("{}: a key that serde does not know", self.path)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct Field<'s> {
    field: &'static str,
    value: Option<Step<'s>>,
}

impl<'de> MapAccess<'de> for Field<'_> {
    type Error = End;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, End> {
        self.value.as_ref().map(|_| seed.deserialize(Key(self.field))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, End> {
        seed.deserialize(self.value.take().ok_or(End)?)
    }
}

/// A key or a name, which may want its place.
struct Key(&'static str);

impl<'de> de::Deserializer<'de> for Key {
    type Error = End;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, End> {
        visitor.visit_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, End> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Item<'s>(Option<Step<'s>>);

impl<'de> SeqAccess<'de> for Item<'_> {
    type Error = End;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, End> {
        self.0.take().map(|item| seed.deserialize(item)).transpose()
    }
}

struct Variant<'s> {
    name: &'static str,
    step: Step<'s>,
    by_shape: bool,
}

impl<'s> Variant<'s> {
    fn content(self) -> Step<'s> {
        let content = if self.by_shape { self.step.clone() } else { self.step.value(self.name) };
        Step { path: self.step.path, ..content }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = End;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), End> {
        let name: de::value::StrDeserializer<'_, End> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = End;

    fn unit_variant(self) -> Result<(), End> {
        assert!(self.step.words().contains(self.name), "{}", self.step.path);
        self.step.end()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, End> {
        seed.deserialize(self.content())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, End> {
        panic!("{}: a variant with several values", self.step.path)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, End> {
        self.content().of_struct(fields, visitor)
    }
}

#[test]
fn every_key_and_word_of_the_decoder_is_in_the_schema_and_no_other() {
    let compared = walk::<ConfigFile>(&of_file());
    assert!(compared > 60, "only {compared} were compared");
    assert!(walk::<Provider>(&of_provider()) > 20);
}

/// Every schema below one, with the key it stands under.
fn each(schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        visit(key, value);
    }
    match schema {
        Value::Object(parts) => parts.values().for_each(|part| each(part, visit)),
        Value::Array(parts) => parts.iter().for_each(|part| each(part, visit)),
        _ => {}
    }
}

#[test]
fn every_key_says_what_it_is_to_a_person_who_never_saw_the_source() {
    for schema in [of_file(), of_provider()] {
        each(&schema, &mut |key, value| {
            let description = value["description"].as_str().unwrap_or_default();
            assert!(description.len() > 3, "{key} has no description");
            assert!(!description.contains("[`") && !description.contains("::"), "{key}: a link of rustdoc");
        });
    }
}

#[test]
fn a_reference_stands_for_a_number_in_the_file_and_for_nothing_in_a_provider_of_its_own() {
    let status = "/event/properties/status";
    for (schema, expected) in [(of_file(), json!(["integer", "string"])), (of_provider(), json!("integer"))] {
        let mut found = Vec::new();
        each(&schema, &mut |key, value| found.extend((key == "status").then(|| value["type"].clone())));
        assert!(!found.is_empty() && found.iter().all(|kind| *kind == expected), "{status}: {found:?}");
    }
    let reference = Regex::new(decoded::REFERENCE).unwrap();
    for text in ["${N}", "a${N:-x}b", "${N:-}", "${file:/run/x}", "$ ${_1}", "$${A} ${B}"] {
        assert!(reference.is_match(text), "{text}");
    }
    for text in ["$${N}", "${", "${}", "${1A}", "${$.data}", "${A-b}", "$N", "N"] {
        assert!(!reference.is_match(text), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_pattern_takes_what_the_parser_takes(
        text in "(([0-9]{1,3})(d|h|m|s|ms|B|KB|KiB|MB|MiB|GB|GiB|TB|iB|/s|/m|/h|/d|%)?){0,3}",
    ) {
        let takes = |pattern: &str| !text.is_empty() && Regex::new(pattern).unwrap().is_match(&text);
        prop_assert_eq!(takes(values::SPAN), text.parse::<Span>().is_ok(), "{}", &text);
        prop_assert_eq!(takes(values::SIZE), text.parse::<ByteSize>().is_ok(), "{}", &text);
        prop_assert_eq!(takes(values::RATE), text.parse::<Rate>().is_ok(), "{}", &text);
        prop_assert_eq!(takes(values::PERCENT), text.parse::<Percent>().is_ok(), "{}", &text);
    }
}
