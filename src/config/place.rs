//! Where in the file a value stands.

use std::collections::HashMap;
use std::ops::Deref;

use serde_json::Value;

/// Where in the file a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The line, from 1; 0 where the value stands in no file.
    pub line: u32,
    /// The column in characters, from 1; 0 where the value stands in no file.
    pub column: u32,
    /// The first byte of the value in the file.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// A value and its place.
#[derive(Debug, Clone, Default)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// A mapping from names to values, in the order of the file, each name with its place.
#[derive(Debug, Clone)]
pub struct Named<T>(pub Vec<(At<String>, T)>);

/// A value of any shape, such as a template, and the place of each of its parts.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The value.
    pub value: Value,
    /// The place of each part, by its JSON Pointer (RFC 6901); the whole is under the empty pointer.
    pub places: HashMap<String, Place>,
}

// === impl Tree ===

impl Tree {
    /// The place of the part at `pointer`, or of the nearest part around it that has one.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return *place;
            }
            match pointer.rfind('/') {
                Some(parent) => pointer = pointer.get(..parent).unwrap_or_default(),
                None => return Place::default(),
            }
        }
    }
}

// === impl At ===

impl<T> At<T> {
    /// A value at a place.
    pub const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// A value that stands in no file: a default.
    pub fn nowhere(value: T) -> Self {
        Self { value, place: Place::default() }
    }
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

// === impl Named ===

impl<T> Named<T> {
    /// The value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n.value == name).map(|(_, value)| value)
    }

    /// Every name and value, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&At<String>, &T)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Every name, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.value.as_str())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
