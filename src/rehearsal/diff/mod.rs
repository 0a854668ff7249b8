//! What another configuration would do otherwise with requests that came: verdicts, events, deliveries, to the byte.
//!
//! A request is rehearsed twice, by the configuration in force and by the other, at the time at which it came, and what comes
//! of it is compared. Nothing is sent. What is found is counted, and of each kind the first few are kept as examples, so that
//! the memory that it takes does not grow with the requests.
//!
//! # What is known of verification
//!
//! A kept request has lost its credentials, so not every scheme can judge it again. It was verified when it came, and its
//! [`Evidence`] says by which scheme and which secret. Where both configurations have that scheme and
//! that secret, both verify it as it was. Where they do not, it is verified again as of the time at which it came: a success is
//! one; a refusal is one where everything that the scheme looks at was kept. In every other case it *cannot be told*: that is
//! counted by itself with the reason, and what comes after verification is compared as if both had verified it. The old side
//! believes what was believed: that is what happened, unless its file is another one by now and can judge for itself.
//!
//! # What is skipped
//!
//! Where a route, its provider, its destinations and what holds for every route are the same text in both files, nothing can
//! differ, and nothing is rehearsed. `the_same_route_has_no_differences` holds it.
//!
//! # What is not shown
//!
//! Credentials, as everywhere; that one differs is told by a digest. What came out of a variable whose name says secret, or
//! out of a file. And of a route that masks anything in either configuration, every value: where in a delivery a masked value
//! has gone is not followed, so none is shown. [`Veil`] is the one place where that is decided.
//!
//! | file | holds |
//! | --- | --- |
//! | `side` | a configuration, and what its routes are made of |
//! | `verdict` | what is known of a kept request's verification |
//! | `compare` | where two rehearsals of a request differ |
//! | `delivery` | where two deliveries of an event differ |
//! | `veil` | what is shown of a value |
//! | `tally` | how often what differs, and examples |

mod compare;
mod delivery;
mod side;
mod tally;
#[cfg(test)]
mod tests;
mod veil;
mod verdict;

use std::sync::Arc;

use serde::Serialize;

pub use self::side::Side;
pub use self::tally::{Counted, Group, Key, Tally};
pub use self::veil::Veil;

use self::verdict::Verification;
use super::difference::Difference;
use super::{NotStaged, Rehearsal, Sight, stage};
use crate::model::{Evidence, Timestamp};
use crate::pipeline::verify::Unsigned;

/// The configuration in force, and the one that it is compared with.
#[derive(Debug)]
pub struct Sides {
    old: Side,
    new: Side,
    /// What came out of secret variables and out of files.
    secrets: Vec<String>,
    /// Whether there is a value in them that was made up.
    made_up: bool,
    /// Whether what cannot differ is rehearsed all the same: only a test asks for it.
    thorough: bool,
}

/// A request that came.
pub struct Specimen {
    /// What it is called in examples.
    pub name: String,
    /// The request.
    pub request: Unsigned,
    /// When it came.
    pub at: Timestamp,
    /// Whose it is, where its path does not say.
    pub route: Option<String>,
    /// Where it is from.
    pub origin: Origin,
}

/// Where a request is from.
#[derive(Debug)]
pub enum Origin {
    /// A gateway has kept it: it was verified when it came.
    Kept {
        /// How it was verified.
        evidence: Evidence,
        /// How many of its events are kept.
        events: u64,
    },
    /// It was captured, with everything that it had.
    Captured {
        /// Whether it is signed before it is rehearsed, as the provider would with the first secret of each configuration.
        sign: bool,
    },
}

/// What differs for a request.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The route that it belongs to: by the old configuration, or else by the new one; `None` where neither has its path.
    pub route: Option<String>,
    /// How many events it has, as far as anybody knows: nobody looks for those of a captured request that is skipped.
    pub events: u64,
    /// Whether its route is the same in both: nothing was rehearsed.
    pub skipped: bool,
    /// Why its verification cannot be told.
    pub undecided: Option<&'static str>,
    /// Why both refuse it: then there is nothing to compare.
    pub refused: Option<&'static str>,
    /// What differs.
    pub changes: Vec<Change>,
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// How it differs.
    pub kind: Kind,
    /// The one that it was found at.
    pub example: Example,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A request.
    Request,
    /// An event of one.
    Event,
    /// The delivery of this name.
    Delivery(String),
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A request that was accepted would be refused.
    Refused,
    /// A request that was refused would be accepted.
    Accepted,
    /// It would not be there any more.
    Lost,
    /// It would be there.
    Gained,
    /// It would be there with something else in it.
    Changed,
    /// In place of a delivery there would be a dead letter.
    Dead,
    /// In place of a dead letter there would be a delivery.
    Mended,
}

/// One of those for which something differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The request: its id, or where it was captured.
    pub request: String,
    /// When it came.
    pub at: String,
    /// The event's id; `None` for a request, and where it is masked.
    pub event: Option<String>,
    /// The event's type; likewise.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Why.
    pub why: Vec<String>,
    /// Where it differs.
    pub differences: Vec<Difference>,
    /// How many more places differ.
    pub more: usize,
    /// What parts of it differ: `body`, `url`, `headers`, …
    #[serde(skip)]
    pub parts: Vec<&'static str>,
}

// === impl Sides ===

impl Sides {
    /// Two configurations.
    #[must_use]
    pub fn new(old: Side, new: Side) -> Self {
        let secrets = [&old, &new].into_iter().flat_map(|side| side.secrets.iter().cloned()).collect();
        Self { old, new, secrets, made_up: false, thorough: false }
    }

    /// The same where values in them were made up: a secret may be one, and then it refuses what was verified.
    #[must_use]
    pub fn with_made_up(self) -> Self {
        Self { made_up: true, ..self }
    }

    /// The same, that also rehearses what cannot differ.
    #[cfg(test)]
    pub(super) fn thoroughly(self) -> Self {
        Self { thorough: true, ..self }
    }

    /// The configuration in force.
    #[must_use]
    pub const fn old(&self) -> &Side {
        &self.old
    }

    /// The other.
    #[must_use]
    pub const fn new_side(&self) -> &Side {
        &self.new
    }

    /// The routes that have something to do with a request of this name, or path: of the old side and of the new.
    fn routes(&self, specimen: &Specimen) -> [Option<Arc<str>>; 2] {
        [&self.old, &self.new].map(|side| side.route_of(specimen))
    }

    /// Whether a request belongs to this route on either side.
    #[must_use]
    pub fn is_of(&self, specimen: &Specimen, route: &str) -> bool {
        self.routes(specimen).into_iter().flatten().any(|name| *name == *route)
    }

    /// What the new configuration would do otherwise with a request.
    #[must_use]
    pub fn compare(&self, specimen: Specimen) -> Comparison {
        let [old, new] = self.routes(&specimen);
        let name = old.as_ref().or(new.as_ref()).map(ToString::to_string);
        let events = match &specimen.origin {
            Origin::Kept { events, .. } => *events,
            Origin::Captured { .. } => 0,
        };
        let is_same = old == new && old.as_ref().is_some_and(|name| self.old.is_same(&self.new, name));
        if is_same && !self.thorough {
            return Comparison { route: name, events, skipped: true, ..Comparison::default() };
        }
        let verification = self.verification(&specimen, old.as_deref(), new.as_deref());
        let masks = [(&self.old, &old), (&self.new, &new)];
        let is_masked = masks.into_iter().any(|(side, name)| name.as_ref().is_some_and(|name| side.masks(name)));
        let veil = Veil::new(is_masked, &self.secrets);
        let Verification { old: believed_before, new: believed, undecided } = verification;
        let before = rehearse(&self.old, &specimen, believed_before);
        let after = rehearse(&self.new, &specimen, believed);
        let changes = compare::changes(&specimen, &before, &after, veil);
        let events = events.max(before.events.len().max(after.events.len()) as u64);
        let refused = before.refused.as_ref().zip(after.refused.as_ref()).map(|(refused, _)| refused.reason);
        Comparison { route: name, events, skipped: false, undecided, refused, changes }
    }

    fn verification(&self, specimen: &Specimen, old: Option<&str>, new: Option<&str>) -> Verification {
        match &specimen.origin {
            Origin::Captured { .. } => Verification::default(),
            Origin::Kept { evidence, .. } => verdict::of_kept(self, (old, new), specimen, evidence),
        }
    }
}

/// What a configuration makes of it. Where it is believed, it is not verified.
fn rehearse(side: &Side, specimen: &Specimen, believed: Option<Evidence>) -> Rehearsal {
    let (table, at) = (side.table(), specimen.at);
    let mut staged = match stage(table, specimen.request.clone(), specimen.route.as_deref()) {
        Ok(staged) => staged,
        Err(NotStaged::NoRoute { .. } | NotStaged::Unknown { .. } | NotStaged::Parameters { .. }) => {
            return Rehearsal::without_route(table, &specimen.request, at);
        }
    };
    if matches!(specimen.origin, Origin::Captured { sign: true }) {
        // What cannot be signed is left as it is, and then refused: that says why.
        let _ = staged.sign(at);
    }
    match believed {
        Some(evidence) => staged.rehearse_believed(at, Sight::Masked, evidence),
        None => staged.rehearse(at, Sight::Masked),
    }
}

// === impl Kind ===

impl Kind {
    /// Every one of them.
    pub const ALL: [Self; 7] =
        [Self::Refused, Self::Accepted, Self::Lost, Self::Gained, Self::Changed, Self::Dead, Self::Mended];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Accepted => "accepted",
            Self::Lost => "lost",
            Self::Gained => "gained",
            Self::Changed => "changed",
            Self::Dead => "dead",
            Self::Mended => "mended",
        }
    }
}

// === impl Subject ===

impl Subject {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Event => "event",
            Self::Delivery(_) => "delivery",
        }
    }

    /// The delivery's name, if it is one.
    #[must_use]
    pub fn delivery(&self) -> Option<&str> {
        match self {
            Self::Delivery(name) => Some(name),
            Self::Request | Self::Event => None,
        }
    }
}
