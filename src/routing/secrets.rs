//! The secrets of a route at run time: which of them verified requests, how many, and when last.
//!
//! The names and values are the configuration's, and change with it. What was seen of a secret belongs to its value, and
//! goes over a reload, and over a change of its name: who rotates often moves `new` to `old`, and must not be told that the
//! next `new` was used already.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::model::{NamedSecret, Secret, Timestamp};

/// The secrets of a route, in the order of the file: new signatures would be made with the first.
#[derive(Debug, Default)]
pub struct Secrets(Box<[RouteSecret]>);

/// A secret of a route.
#[derive(Debug)]
pub struct RouteSecret {
    /// Its name: a metric label.
    pub name: Arc<str>,
    value: Secret,
    /// None before the configuration is in force.
    seen: OnceLock<Arc<Seen>>,
}

/// What was seen of a secret's value.
#[derive(Debug)]
struct Seen {
    known_since: Timestamp,
    mark: u16,
    /// In milliseconds; [`NEVER`] before the first.
    last_used: AtomicI64,
    verified: AtomicU64,
}

const NEVER: i64 = i64::MIN;

// === impl Secrets ===

impl Secrets {
    pub(super) fn new(secrets: impl IntoIterator<Item = NamedSecret>) -> Self {
        let secret = |NamedSecret { name, value }| RouteSecret { name, value, seen: OnceLock::new() };
        Self(secrets.into_iter().map(secret).collect())
    }

    /// The secret of this name verified a request.
    pub fn used(&self, name: &str, at: Timestamp) {
        if let Some(seen) = self.0.iter().find(|secret| &*secret.name == name).and_then(|secret| secret.seen.get()) {
            seen.last_used.store(at.as_millis(), Ordering::Relaxed);
            seen.verified.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &RouteSecret> {
        self.0.iter()
    }

    /// Whether one has this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|secret| &*secret.name == name)
    }

    /// Takes over what `old`, those of the same route before a reload, have seen of the same values.
    pub(super) fn keep(&self, old: &Self) {
        for secret in &self.0 {
            let same = |other: &&RouteSecret| other.value.expose() == secret.value.expose();
            let of_its_name = old.0.iter().filter(same).find(|other| other.name == secret.name);
            if let Some(seen) = of_its_name.or_else(|| old.0.iter().find(same)).and_then(|old| old.seen.get()) {
                let _ = secret.seen.set(Arc::clone(seen));
            }
        }
    }
}

// === impl RouteSecret ===

impl RouteSecret {
    /// Whether it is known since when it is there.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.seen.get().is_some()
    }

    /// It is there since, and was used last, at these times. The first call alone counts.
    pub fn know(&self, route: &str, since: Timestamp, last_used: Option<Timestamp>) {
        let last_used = AtomicI64::new(last_used.map_or(NEVER, Timestamp::as_millis));
        let mark = mark(route, since, &self.value);
        let _ = self.seen.set(Arc::new(Seen { known_since: since, mark, last_used, verified: AtomicU64::new(0) }));
    }

    /// Since when it is looked for. What was before that is not known.
    #[must_use]
    pub fn known_since(&self) -> Option<Timestamp> {
        self.seen.get().map(|seen| seen.known_since)
    }

    /// When it last verified a request.
    #[must_use]
    pub fn last_used(&self) -> Option<Timestamp> {
        let millis = self.seen.get()?.last_used.load(Ordering::Relaxed);
        (millis != NEVER).then(|| Timestamp::from_millis(millis))
    }

    /// How many requests it verified since the process began.
    #[must_use]
    pub fn verified(&self) -> u64 {
        self.seen.get().map_or(0, |seen| seen.verified.load(Ordering::Relaxed))
    }

    /// Tells, after a restart, whether the name has the same value still.
    #[must_use]
    pub fn mark(&self) -> Option<u16> {
        self.seen.get().map(|seen| seen.mark)
    }

    /// Whether this mark is that of the value.
    #[must_use]
    pub fn has_mark(&self, route: &str, known_since: Timestamp, given: u16) -> bool {
        mark(route, known_since, &self.value) == given
    }
}

/// Two bytes of a hash: enough to tell one value of a name from the next, and far too little to try values against. With
/// another route or time they are others.
fn mark(route: &str, known_since: Timestamp, value: &Secret) -> u16 {
    let mut hash = Sha256::new_with_prefix(b"hookswitch secret\0");
    hash.update(route);
    hash.update([0]);
    hash.update(known_since.as_millis().to_le_bytes());
    hash.update(value.expose());
    let [first, second, ..]: [u8; 32] = hash.finalize().into();
    u16::from_le_bytes([first, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn secrets(given: &[(&str, &str)]) -> Secrets {
        Secrets::new(given.iter().map(|(name, value)| NamedSecret::new(*name, Secret::new((*value).to_owned()))))
    }

    fn in_force(given: &[(&str, &str)]) -> Secrets {
        let secrets = secrets(given);
        secrets.iter().for_each(|secret| secret.know("in", NOW, None));
        secrets
    }

    fn last(secrets: &Secrets) -> Vec<Option<Timestamp>> {
        secrets.iter().map(RouteSecret::last_used).collect()
    }

    #[test]
    fn a_use_is_of_the_secret_of_its_name() {
        let all = in_force(&[("new", "b"), ("old", "a")]);
        all.used("old", NOW);
        all.used("old", NOW.after(std::time::Duration::from_secs(1)));
        all.used("another", NOW);
        assert_eq!(last(&all), [None, Some(Timestamp::from_seconds(1_700_000_001))]);
        assert_eq!(all.iter().map(RouteSecret::verified).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn what_was_seen_belongs_to_the_value_and_not_to_the_name() {
        let before = in_force(&[("new", "b"), ("old", "a")]);
        before.used("new", NOW);
        let after = secrets(&[("new", "c"), ("old", "b")]);
        after.keep(&before);
        assert_eq!(last(&after), [None, Some(NOW)]);
        assert!(after.iter().map(RouteSecret::is_known).eq([false, true]), "nobody knows the new one yet");
        // What is under way with the configuration before counts still.
        before.used("new", NOW.after(std::time::Duration::from_secs(5)));
        assert_eq!(last(&after)[1], last(&before)[0]);
    }

    #[test]
    fn a_mark_is_the_values_at_its_place() {
        let [given, same, other] = ["a", "a", "b"].map(|value| in_force(&[("x", value)]));
        let mark = given.0[0].mark().unwrap();
        assert!(same.0[0].has_mark("in", NOW, mark));
        assert!(!other.0[0].has_mark("in", NOW, mark));
        assert!(!same.0[0].has_mark("out", NOW, mark));
        assert!(!same.0[0].has_mark("in", NOW.after(std::time::Duration::from_millis(1)), mark));
    }
}
