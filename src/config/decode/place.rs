//! `At`, `Named` and `Tree`: values that know their place.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::SeqDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::{Map, Number, Value};

use super::MAX_PROBLEMS;
use super::error::Error;
use super::node::NodeDeserializer;
use crate::config::{At, Named, Place, Tree};

/// The name under which `At` asks for a place and a value. From any other deserializer it gets the value
/// alone.
pub(super) const AT: &str = "At, a value and its place";

/// A place on its way through serde: line, column, start and end.
type Packed = (u32, u32, usize, usize);

/// A place, then the value there.
pub(super) struct PlacedAccess<'n> {
    deserializer: NodeDeserializer<'n>,
    next: Part,
}

enum Part {
    Place,
    Value,
    Nothing,
}

struct AtVisitor<T>(PhantomData<T>);

struct NamedVisitor<T>(PhantomData<T>);

struct EveryVisitor<T>(PhantomData<T>);

/// A value of any shape whose parts know their place.
enum Shape {
    Leaf(Value),
    List(Vec<At<Shape>>),
    Mapping(Named<At<Shape>>),
}

struct ShapeVisitor;

// === impl PlacedAccess ===

impl<'n> PlacedAccess<'n> {
    pub(super) fn new(deserializer: NodeDeserializer<'n>) -> Self {
        Self { deserializer, next: Part::Place }
    }
}

impl<'de> SeqAccess<'de> for PlacedAccess<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        match std::mem::replace(&mut self.next, Part::Nothing) {
            Part::Place => {
                self.next = Part::Value;
                let Place { line, column, start, end } = self.deserializer.node.place;
                let parts = [line as usize, column as usize, start, end];
                seed.deserialize(SeqDeserializer::new(parts.into_iter())).map(Some)
            }
            Part::Value => seed.deserialize(self.deserializer).map(Some),
            Part::Nothing => Ok(None),
        }
    }
}

// === impl At ===

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(AT, AtVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value and its place")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<At<T>, D::Error> {
        T::deserialize(deserializer).map(At::nowhere)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
        let place: Option<Packed> = parts.next_element()?;
        let (line, column, start, end) = place.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let value = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        Ok(At::new(value, Place { line, column, start, end }))
    }
}

// === impl Named ===

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let (mut entries, mut failed) = (Vec::new(), None);
        while let Some(key) = map.next_key()? {
            // On with the next: what is wrong there is found at once too.
            match map.next_value() {
                Ok(value) => entries.push((key, value)),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(Named(entries)), Err)
    }
}

// === impl Vec ===

/// A list, each of whose items is looked at, even where one before it is wrong.
pub(in crate::config) fn every<'de, D: Deserializer<'de>, T: Deserialize<'de>>(list: D) -> Result<Vec<T>, D::Error> {
    list.deserialize_seq(EveryVisitor(PhantomData))
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for EveryVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let (mut items, mut failed) = (Vec::new(), None);
        // More failures than problems are listed are of no use, and a list could fail for ever.
        for _ in 0..=MAX_PROBLEMS {
            loop {
                match list.next_element() {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => return failed.map_or(Ok(items), Err),
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
        }
        failed.map_or(Ok(items), Err)
    }
}

// === impl Tree ===

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let root = At::<Shape>::deserialize(deserializer)?;
        let mut places = HashMap::new();
        let value = unfold(root, String::new(), &mut places);
        Ok(Self { value, places })
    }
}

/// The value of a part, noting its places under `pointer`. The depth is that of the file's tree.
fn unfold(part: At<Shape>, pointer: String, places: &mut HashMap<String, Place>) -> Value {
    let value = match part.value {
        Shape::Leaf(value) => value,
        Shape::List(items) => {
            let items = items.into_iter().enumerate();
            Value::Array(items.map(|(index, item)| unfold(item, format!("{pointer}/{index}"), places)).collect())
        }
        Shape::Mapping(Named(entries)) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                let value = unfold(value, format!("{pointer}/{escaped}"), places);
                object.insert(key.value, value);
            }
            Value::Object(object)
        }
    };
    places.insert(pointer, part.place);
    value
}

// === impl Shape ===

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can say")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Leaf(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        Ok(Shape::Leaf(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Shape, E> {
        let number = Number::from_f64(value);
        number.map(|number| Shape::Leaf(number.into())).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
        NamedVisitor(PhantomData).visit_map(map).map(Shape::Mapping)
    }
}
