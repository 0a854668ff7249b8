//! The rotation of secrets: what is seen of each, so that one can tell when an old one may go.
//!
//! A request that verifies leaves its time with its route's secret, in memory: that is all it costs. A chore looks every few
//! seconds, and has the store note what changed where that says something new: a secret that is used after a pause at once,
//! one that is used all the time each minute, and everything at an orderly stop. So a restart knows when each was last used,
//! a killed process forgets a minute of a busy secret and seconds of a rare one, and no request waits for a disk.

mod advice;
mod metrics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::model::Timestamp;
use crate::queue::{Home, SecretUse};
use crate::routing::{RouteSecret, RouteTable};

pub(super) use self::advice::reports;
pub use self::advice::{Advice, SecretReport};
pub(super) use self::metrics::RotationMetrics;

/// What is known of secrets, and what of it is noted in the store.
#[derive(Debug, Default)]
pub(super) struct Rotation(Mutex<Uses>);

#[derive(Debug, Default)]
struct Uses {
    known: ByName,
    /// What the store has.
    noted: ByName,
    /// Whether the last note could not be written.
    failing: bool,
}

/// By route and secret.
type ByName = BTreeMap<(Arc<str>, Arc<str>), SecretUse>;

/// How often it is looked whether there is something to note.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How far what is noted of a secret that is used all the time may be behind.
const BEHIND: Duration = Duration::from_secs(60);

// === impl Rotation ===

impl Rotation {
    /// With what the store has noted. Where that cannot be read it counts from now on.
    pub(super) async fn load(store: &dyn Home) -> Self {
        let noted = store.secret_uses().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "when secrets were last used cannot be read: it counts from now on");
            Vec::new()
        });
        let noted = by_name(noted);
        Self(Mutex::new(Uses { known: noted.clone(), noted, failing: false }))
    }

    /// Tells the secrets of a table that is about to be in force what is known of them. `before` is the table that was:
    /// what it saw counts, also where it comes back later.
    pub(super) async fn begin(&self, table: &RouteTable, before: Option<&RouteTable>, now: Timestamp) {
        let mut uses = self.0.lock().await;
        if let Some(before) = before {
            uses.gather(before);
        }
        for route in table.routes() {
            for secret in route.secrets.iter().filter(|secret| !secret.is_known()) {
                match uses.of_value(&route.name, secret) {
                    Some(seen) => secret.know(&route.name, seen.known_since, seen.last_used),
                    None => secret.know(&route.name, now, None),
                }
            }
        }
    }

    /// Has the store note what it does not know, where it is time for that.
    pub(super) async fn note_what_is_due(&self, table: &RouteTable, store: &dyn Home) {
        let mut uses = self.0.lock().await;
        uses.gather(table);
        if uses.unnoted().any(|(noted, known)| is_due(noted, known)) {
            uses.note(store).await;
        }
    }

    /// Has the store note all of it.
    pub(super) async fn note_all(&self, table: &RouteTable, store: &dyn Home) {
        let mut uses = self.0.lock().await;
        uses.gather(table);
        uses.note(store).await;
    }
}

// === impl Uses ===

impl Uses {
    /// Takes in what the secrets of a table have seen.
    fn gather(&mut self, table: &RouteTable) {
        for route in table.routes() {
            for secret in route.secrets.iter() {
                let Some((known_since, mark)) = secret.known_since().zip(secret.mark()) else { continue };
                let key = (Arc::clone(&route.name), Arc::clone(&secret.name));
                let (route, name) = key.clone();
                let seen = SecretUse { route, secret: name, mark, known_since, last_used: secret.last_used() };
                self.known.insert(key, seen);
            }
        }
    }

    /// What is known of a secret's value: under its name, or under another of the route.
    fn of_value(&self, route: &Arc<str>, secret: &RouteSecret) -> Option<&SecretUse> {
        let same = |seen: &&SecretUse| secret.has_mark(route, seen.known_since, seen.mark);
        let of_its_name = self.known.get(&(Arc::clone(route), Arc::clone(&secret.name)));
        let of_route = || self.known.range((Arc::clone(route), "".into())..).map(|(_, seen)| seen);
        of_its_name.filter(same).or_else(|| of_route().take_while(|seen| seen.route == *route).find(same))
    }

    /// What is known and not noted, with what is noted instead.
    fn unnoted(&self) -> impl Iterator<Item = (Option<&SecretUse>, &SecretUse)> {
        let all = self.known.iter().map(|(key, known)| (self.noted.get(key), known));
        all.filter(|(noted, known)| *noted != Some(*known))
    }

    async fn note(&mut self, store: &dyn Home) {
        let unnoted: Vec<SecretUse> = self.unnoted().map(|(_, known)| known.clone()).collect();
        if unnoted.is_empty() {
            return;
        }
        match store.note_secret_uses(unnoted.clone()).await {
            Ok(()) => {
                self.noted.extend(by_name(unnoted));
                self.failing = false;
            }
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "when secrets were last used cannot be noted: a restart would forget it");
                }
                self.failing = true;
            }
        }
    }
}

fn by_name(uses: Vec<SecretUse>) -> ByName {
    uses.into_iter().map(|one| ((Arc::clone(&one.route), Arc::clone(&one.secret)), one)).collect()
}

/// Whether what is known says so much more than what is noted that it has to be noted now.
fn is_due(noted: Option<&SecretUse>, known: &SecretUse) -> bool {
    let Some(noted) = noted else { return true };
    let another = (noted.mark, noted.known_since) != (known.mark, known.known_since);
    another
        || match (noted.last_used, known.last_used) {
            (Some(noted), Some(known)) => known.since(noted) >= BEHIND || known < noted,
            (noted, known) => noted != known,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_after_a_pause_is_noted_at_once_and_one_of_many_each_minute() {
        let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
        let used =
            |last_used| SecretUse { route: "in".into(), secret: "old".into(), mark: 7, known_since: at(0), last_used };
        assert!(is_due(None, &used(None)), "that it is there now is worth a note");
        assert!(!is_due(Some(&used(None)), &used(None)));
        assert!(is_due(Some(&used(None)), &used(Some(at(1)))));
        assert!(!is_due(Some(&used(Some(at(1)))), &used(Some(at(60)))));
        assert!(is_due(Some(&used(Some(at(1)))), &used(Some(at(61)))));
        assert!(is_due(Some(&used(Some(at(61)))), &used(Some(at(1)))), "the clock was set back");
        assert!(is_due(Some(&used(None)), &SecretUse { mark: 8, ..used(None) }), "another value");
    }
}
