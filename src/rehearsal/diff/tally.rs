//! How often what differs, and the first few of each kind.
//!
//! It is filled by several at once, each its own, and put together at the end. Which examples are kept depends on nothing but
//! their place among the requests, so that the same requests give the same report however many threads looked at them.

use std::collections::BTreeMap;

use super::{Change, Comparison, Example, Kind, Subject};

/// How often what differs.
#[derive(Debug, Default)]
pub struct Tally {
    /// What was looked at.
    pub counted: Counted,
    /// What differs.
    pub changes: BTreeMap<Key, Group>,
    /// What cannot be told, by route and reason.
    pub undecided: BTreeMap<(String, &'static str), u64>,
    /// What both refuse, by route and reason.
    pub refused: BTreeMap<(String, &'static str), u64>,
    most: usize,
}

/// What was looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many requests.
    pub requests: u64,
    /// How many events they have.
    pub events: u64,
    /// How many of the requests belong to a route that is the same in both.
    pub skipped: u64,
    /// For how many of the requests something differs.
    pub differing: u64,
    /// For how many it cannot be told whether the new configuration would verify them.
    pub undecided: u64,
}

/// What changes are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The route.
    pub route: String,
    /// What it is about.
    pub subject: Subject,
    /// How it differs.
    pub kind: Kind,
}

/// Changes of one kind.
#[derive(Debug, Default)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// In how many of them which part differs.
    pub parts: BTreeMap<&'static str, u64>,
    examples: Kept<Example>,
}

/// Where a request stands among all: its page, and its place there.
type Place = (u64, usize);

/// The first few.
#[derive(Debug)]
struct Kept<T>(BTreeMap<(Place, usize), T>);

// === impl Tally ===

impl Tally {
    /// Nothing yet; of each kind so many examples are kept.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Adds what differs for the request at a place.
    pub fn add(&mut self, place: Place, comparison: Comparison) {
        let Comparison { route, events, skipped, undecided, refused, changes } = comparison;
        // What no route has is refused by both.
        let route = route.unwrap_or_default();
        self.counted.requests += 1;
        self.counted.events += events;
        self.counted.skipped += u64::from(skipped);
        self.counted.differing += u64::from(!changes.is_empty());
        self.counted.undecided += u64::from(undecided.is_some());
        if let Some(why) = undecided {
            *self.undecided.entry((route.clone(), why)).or_default() += 1;
        }
        if let Some(why) = refused {
            *self.refused.entry((route.clone(), why)).or_default() += 1;
        }
        for (index, Change { subject, kind, example }) in changes.into_iter().enumerate() {
            let group = self.changes.entry(Key { route: route.clone(), subject, kind }).or_default();
            group.count += 1;
            for part in &example.parts {
                *group.parts.entry(*part).or_default() += 1;
            }
            group.examples.extend([((place, index), example)], self.most);
        }
    }

    /// The two together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let Self { counted, changes, undecided, refused, most: _ } = other;
        self.counted.requests += counted.requests;
        self.counted.events += counted.events;
        self.counted.skipped += counted.skipped;
        self.counted.differing += counted.differing;
        self.counted.undecided += counted.undecided;
        for (key, group) in changes {
            let mine = self.changes.entry(key).or_default();
            mine.count += group.count;
            for (part, count) in group.parts {
                *mine.parts.entry(part).or_default() += count;
            }
            mine.examples.extend(group.examples.0, self.most);
        }
        for (key, count) in undecided {
            *self.undecided.entry(key).or_default() += count;
        }
        for (key, count) in refused {
            *self.refused.entry(key).or_default() += count;
        }
        self
    }

    /// Whether anything differs in one of these ways.
    #[must_use]
    pub fn has(&self, kinds: &[Kind]) -> bool {
        self.changes.keys().any(|key| kinds.contains(&key.kind))
    }
}

// === impl Group ===

impl Group {
    /// The first few of them.
    pub fn examples(&self) -> impl Iterator<Item = &Example> {
        self.examples.0.values()
    }
}

// === impl Kept ===

impl<T> Kept<T> {
    fn extend(&mut self, more: impl IntoIterator<Item = ((Place, usize), T)>, most: usize) {
        for (place, example) in more {
            let is_late = self.0.len() >= most && self.0.last_key_value().is_none_or(|(last, _)| *last < place);
            if !is_late {
                self.0.insert(place, example);
            }
            while self.0.len() > most {
                self.0.pop_last();
            }
        }
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}
