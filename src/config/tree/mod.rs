//! The text as a tree of nodes that know their place.
//!
//! Nothing is typed yet: a node is what stands in the file. A node also remembers what the decoder
//! found out about it, so that decoding can go on after a mistake.

mod anchors;
mod build;
mod open;
mod scalar;

use std::cell::Cell;

use super::Place;

pub(super) use build::{Built, build};
pub(super) use scalar::Resolved;

/// One value of the file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it stands. For what an alias stands for: where the alias stands.
    pub(super) place: Place,
    /// What it is.
    pub(super) content: Content,
    state: Cell<State>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A single value, in whatever notation.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the file and without duplicate keys.
    Mapping(Vec<Entry>),
}

/// A single value.
#[derive(Clone)]
pub(super) struct Scalar {
    /// Its text, unquoted and unescaped.
    pub(super) text: String,
    /// How it came to be.
    pub(super) form: Form,
}

/// How a scalar came to be, which says what it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Written without quotes: a number, if it looks like one.
    Plain,
    /// Written in quotes, or as a block: text.
    Quoted,
    /// Holds what came from outside of the file: text, or a number where a number is wanted. Never
    /// shown.
    Interpolated,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key: a scalar.
    pub(super) key: Node,
    /// The value.
    pub(super) value: Node,
    role: Cell<Role>,
}

/// What the key of an entry is, for a decoder that knows which keys there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Not looked at yet, or what it says.
    AsWritten,
    /// Unknown, reported, and most probably this.
    Means(&'static str),
    /// Unknown and reported.
    Unknown,
}

/// What the decoder found out about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// It stands under a misspelt key: if it does not fit there, the guess was wrong.
    Guessed,
    /// It was reported, or lacks a part that was: as if it were not there.
    Broken,
}

// === impl Node ===

impl Node {
    fn new(place: Place, content: Content) -> Self {
        Self { place, content, state: Cell::new(State::Sound) }
    }

    fn scalar(place: Place, text: String, form: Form) -> Self {
        Self::new(place, Content::Scalar(Scalar { text, form }))
    }

    /// The text of a scalar; nothing for a list or mapping.
    pub(super) fn text(&self) -> &str {
        match &self.content {
            Content::Scalar(scalar) => &scalar.text,
            Content::Sequence(_) | Content::Mapping(_) => "",
        }
    }

    /// Whether there is nothing: an empty value, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.resolve() == Resolved::Null)
    }

    /// Whether it does not count any more.
    pub(super) fn is_broken(&self) -> bool {
        self.state.get() == State::Broken
    }

    /// Takes it out. Says whether the reason is worth reporting.
    pub(super) fn break_off(&self) -> bool {
        self.state.replace(State::Broken) == State::Sound
    }
}

// === impl Entry ===

impl Entry {
    fn new(key: Node, value: Node) -> Self {
        Self { key, value, role: Cell::new(Role::AsWritten) }
    }

    /// What its key is.
    pub(super) fn role(&self) -> Role {
        self.role.get()
    }

    /// Notes that its key is unknown, and what it probably means.
    pub(super) fn set_unknown(&self, meaning: Option<&'static str>) {
        let Some(meaning) = meaning else { return self.role.set(Role::Unknown) };
        self.role.set(Role::Means(meaning));
        if matches!(self.value.content, Content::Scalar(_)) && !self.value.is_broken() {
            self.value.state.set(State::Guessed);
        }
    }

    /// The key to decode it under.
    pub(super) fn field(&self) -> Option<&str> {
        match self.role.get() {
            Role::AsWritten => Some(self.key.text()),
            Role::Means(field) => Some(field),
            Role::Unknown => None,
        }
    }
}

// === impl Scalar ===

impl std::fmt::Debug for Scalar {
    // The text may be a secret, and a node does not know.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scalar({:?}, {} bytes)", self.form, self.text.len())
    }
}
