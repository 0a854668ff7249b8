//! Whether a secret is needed still, as far as one can see from outside of the provider.

use std::sync::Arc;
use std::time::Duration;

use crate::model::Timestamp;
use crate::routing::{Route, RouteSecret, RouteTable};

/// A secret of a route, as a person looks at it. Nothing in it is the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReport {
    /// The route's name.
    pub route: Arc<str>,
    /// The secret's name.
    pub secret: Arc<str>,
    /// Whether it is the route's first: what new signatures would be made with.
    pub first: bool,
    /// Since when it is looked for.
    pub known_since: Option<Timestamp>,
    /// When it last verified a request.
    pub last_used: Option<Timestamp>,
    /// How many requests it verified since the gateway started.
    pub verifications: u64,
    /// The other secrets of the route that verified requests after it last did, or since it is known where it never did.
    pub used_since: Vec<Arc<str>>,
    /// Whether it is needed still.
    pub advice: Advice,
    /// Whether it may be removed: it is not the first, and others have long had all the traffic.
    pub removable: bool,
}

/// Whether a secret is needed still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// It verifies requests, or the route had too few since to tell.
    InUse,
    /// It never verified one.
    Unused,
    /// It did, and since then others had all of the traffic, for a day at least.
    Idle,
}

/// For how long others must have had all of the traffic. A provider that takes over a new secret goes to and fro between the
/// two for minutes, while its machines learn of it; what it sends once a day still comes with the old one then.
const QUIET: Duration = Duration::from_secs(24 * 60 * 60);

/// Every secret of every route, or of the one that is named, in the order of the file.
#[must_use]
pub(in crate::app) fn reports(table: &RouteTable, only: Option<&str>) -> Vec<SecretReport> {
    let routes = table.routes().iter().filter(|route| only.is_none_or(|only| &*route.name == only));
    routes.flat_map(|route| of_route(route)).collect()
}

fn of_route(route: &Route) -> Vec<SecretReport> {
    let secrets: Vec<Sight> = route.secrets.iter().map(Sight::of).collect();
    secrets.iter().enumerate().map(|(index, secret)| report(&route.name, &secrets, index, secret)).collect()
}

/// What is seen of a secret at one moment: of what is read twice, the second may differ.
struct Sight {
    name: Arc<str>,
    known_since: Option<Timestamp>,
    last_used: Option<Timestamp>,
    verifications: u64,
}

fn report(route: &Arc<str>, all: &[Sight], index: usize, secret: &Sight) -> SecretReport {
    let since = secret.last_used.or(secret.known_since);
    let later = |other: &&Sight| other.last_used.is_some() && other.last_used > since;
    let others = all.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other).filter(later);
    let (used_since, times): (Vec<Arc<str>>, Vec<Option<Timestamp>>) =
        others.map(|other| (Arc::clone(&other.name), other.last_used)).unzip();
    let latest = times.into_iter().flatten().max();
    let quiet = latest.zip(since).is_some_and(|(latest, since)| latest.since(since) >= QUIET);
    let advice = match secret.last_used {
        None => Advice::Unused,
        Some(_) if quiet => Advice::Idle,
        Some(_) => Advice::InUse,
    };
    SecretReport {
        route: Arc::clone(route),
        secret: Arc::clone(&secret.name),
        first: index == 0,
        known_since: secret.known_since,
        last_used: secret.last_used,
        verifications: secret.verifications,
        used_since,
        advice,
        removable: quiet && index > 0,
    }
}

// === impl Sight ===

impl Sight {
    fn of(secret: &RouteSecret) -> Self {
        Self {
            name: Arc::clone(&secret.name),
            known_since: secret.known_since(),
            last_used: secret.last_used(),
            verifications: secret.verified(),
        }
    }
}

// === impl Advice ===

impl Advice {
    /// The word: in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in_use",
            Self::Unused => "unused",
            Self::Idle => "idle",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60;

    /// Two secrets, the new one first, each with the hour in which it was last used, if it was. Both are known since hour 0.
    fn advised(new: Option<i64>, old: Option<i64>) -> [(Advice, bool); 2] {
        let at = |hour: i64| Timestamp::from_seconds(1_700_000_000 + hour * HOUR);
        let sight = |name: &str, last: Option<i64>| Sight {
            name: name.into(),
            known_since: Some(at(0)),
            last_used: last.map(at),
            verifications: 0,
        };
        let all = [sight("new", new), sight("old", old)];
        [0, 1].map(|index| {
            let report = report(&"in".into(), &all, index, &all[index]);
            (report.advice, report.removable)
        })
    }

    #[test]
    fn the_old_one_may_go_once_the_new_one_had_all_the_traffic_for_a_day() {
        use Advice::{Idle, InUse, Unused};
        for (new, old, expected) in [
            (None, None, [(Unused, false), (Unused, false)]),
            (None, Some(1), [(Unused, false), (InUse, false)]),
            (Some(2), Some(1), [(InUse, false), (InUse, false)]),
            (Some(24), Some(1), [(InUse, false), (InUse, false)]),
            (Some(25), Some(1), [(InUse, false), (Idle, true)]),
            // The provider went back, or never took the new one: that is no reason to remove the first.
            (Some(1), Some(25), [(Idle, false), (InUse, false)]),
            (None, Some(25), [(Unused, false), (InUse, false)]),
            // One that nobody has had to do with since it is known.
            (Some(23), None, [(InUse, false), (Unused, false)]),
            (Some(24), None, [(InUse, false), (Unused, true)]),
        ] {
            assert_eq!(advised(new, old), expected, "{new:?} {old:?}");
        }
    }

    #[test]
    fn a_secret_that_is_alone_is_in_use_however_long_nothing_came() {
        let long_ago = Some(Timestamp::from_seconds(1));
        let alone = [Sight { name: "default".into(), known_since: long_ago, last_used: long_ago, verifications: 1 }];
        let report = report(&"in".into(), &alone, 0, &alone[0]);
        assert_eq!((report.advice, report.removable), (Advice::InUse, false));
    }
}
