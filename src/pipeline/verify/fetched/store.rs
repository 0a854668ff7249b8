//! What is known of keys that are fetched, and how often may be asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{FetchedKey, Learned};
use crate::model::Timestamp;
use crate::pipeline::verify::Rejection;

/// How many keys are kept of a route.
const KEYS: usize = 64;
/// How long it is known that there is no key of a name.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// How long one that did not answer is left alone.
const MISSED_FOR: Duration = Duration::from_secs(2);
/// How many may be asked for at once, and after how long for one more.
const ASKS: u32 = 20;
const ONE_MORE_AFTER: Duration = Duration::from_secs(3);

/// What is known of the keys of a route.
#[derive(Debug, Default)]
pub(super) struct Store(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    keys: HashMap<Box<str>, Entry>,
    /// How many were asked for of late, and when that was last counted down.
    asked: u32,
    counted_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Entry {
    found: Result<Arc<FetchedKey>, Rejection>,
    until: Timestamp,
}

// === impl Store ===

impl Store {
    /// Whether it is known what key has this name, or that none has.
    pub(super) fn knows(&self, id: &str, now: Timestamp) -> bool {
        self.known().keys.get(id).is_some_and(|entry| now < entry.until)
    }

    /// Whether one more may be asked for, which then is counted.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        let mut known = self.known();
        let since = known.counted_at.map_or(Duration::ZERO, |at| now.since(at));
        let more = u32::try_from(since.as_millis() / ONE_MORE_AFTER.as_millis()).unwrap_or(u32::MAX);
        if more > 0 || known.counted_at.is_none() {
            known.counted_at = Some(now);
            known.asked = known.asked.saturating_sub(more);
        }
        let may = known.asked < ASKS;
        known.asked += u32::from(may);
        may
    }

    /// The key of this name. What was known once is good until it is known better: who asks looks at
    /// [`knows`](Self::knows) first.
    pub(super) fn get(&self, id: &str) -> Result<Arc<FetchedKey>, Rejection> {
        match self.known().keys.get(id) {
            Some(entry) => entry.found.clone(),
            None => Err(Rejection::KeyUnavailable),
        }
    }

    /// Keeps what came back. A name that is not in it has no key.
    pub(super) fn put(&self, id: &str, learned: Learned, now: Timestamp) {
        let until = now.after(learned.lifetime);
        let mut known = self.known();
        for (name, key) in learned.keys {
            known.keep(name, Entry { found: Ok(Arc::new(key)), until });
        }
        drop(known);
        if !self.knows(id, now) {
            self.unknown(id, now);
        }
    }

    /// There is no key of this name.
    pub(super) fn unknown(&self, id: &str, now: Timestamp) {
        self.known().keep(id.into(), Entry { found: Err(Rejection::UnknownKey), until: now.after(UNKNOWN_FOR) });
    }

    /// Nothing came back. A key that was known stays so for a while.
    pub(super) fn missed(&self, id: &str, now: Timestamp) {
        let until = now.after(MISSED_FOR);
        let mut known = self.known();
        match known.keys.get_mut(id) {
            Some(entry) if entry.found.is_ok() => entry.until = until,
            _ => known.keep(id.into(), Entry { found: Err(Rejection::KeyUnavailable), until }),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked with it left whole entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Known ===

impl Known {
    fn keep(&mut self, id: Box<str>, entry: Entry) {
        if self.keys.len() >= KEYS && !self.keys.contains_key(&id) {
            let first = self.keys.iter().min_by_key(|(_, entry)| entry.until).map(|(id, _)| id.clone());
            first.and_then(|id| self.keys.remove(&id));
        }
        self.keys.insert(id, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn learned(names: &[&str], seconds: u64) -> Learned {
        let key = || FetchedKey::Token(jsonwebtoken::DecodingKey::from_secret(b"k"));
        let keys = names.iter().map(|name| ((*name).into(), key())).collect();
        Learned { keys, lifetime: Duration::from_secs(seconds) }
    }

    fn after(seconds: u64) -> Timestamp {
        NOW.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_key_is_known_as_long_as_it_may_be_kept_and_no_key_for_a_minute() {
        let store = Store::default();
        assert!(!store.knows("a", NOW) && store.get("a").unwrap_err() == Rejection::KeyUnavailable);
        store.put("b", learned(&["a"], 100), NOW);
        assert!(store.get("a").is_ok() && store.knows("a", after(99)) && !store.knows("a", after(100)));
        assert_eq!(store.get("b").unwrap_err(), Rejection::UnknownKey);
        assert!(store.knows("b", after(59)) && !store.knows("b", after(60)));
    }

    #[test]
    fn a_key_outlives_whom_it_came_from() {
        let store = Store::default();
        store.put("a", learned(&["a"], 10), NOW);
        store.missed("a", after(11));
        assert!(store.knows("a", after(12)) && store.get("a").is_ok());
        store.missed("z", NOW);
        assert_eq!(store.get("z").unwrap_err(), Rejection::KeyUnavailable);
        assert!(!store.knows("z", after(3)));
    }

    #[test]
    fn whoever_invents_names_wears_out_a_budget_that_comes_back() {
        let store = Store::default();
        assert_eq!((0..100).filter(|_| store.may_ask(NOW)).count(), 20);
        assert_eq!((0..100).filter(|_| store.may_ask(after(7))).count(), 2);
        assert_eq!((0..100).filter(|_| store.may_ask(after(1_000_000))).count(), 20);
    }

    #[test]
    fn so_many_keys_are_kept_and_those_that_last_longest() {
        let store = Store::default();
        store.put("kept", learned(&["kept"], 1_000_000), NOW);
        for n in 0..1_000 {
            store.unknown(&format!("{n}"), NOW);
        }
        assert!(store.get("kept").is_ok());
        assert_eq!(store.known().keys.len(), KEYS);
    }
}
