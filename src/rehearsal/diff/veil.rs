//! What is shown of a value.
//!
//! The seam for `mask:`: what a masked path of an event has become in a delivery is known to nobody but the template, so under
//! a veil nothing is shown that could come from an event. Who can tell which paths of a body are free of masked values can
//! let those through here.

use std::borrow::Cow;

use crate::rehearsal::difference::Difference;
use crate::rehearsal::{DeadLetter, Why};

/// What is shown of values, and what is hidden.
#[derive(Debug, Clone, Copy)]
pub struct Veil<'s> {
    closed: bool,
    secrets: &'s [String],
}

/// Stands in for what is not shown.
const MASK: &str = "***";

// === impl Veil ===

impl<'s> Veil<'s> {
    /// Hides `secrets` wherever they stand and, where the route masks anything, every value of its events.
    #[must_use]
    pub const fn new(masks: bool, secrets: &'s [String]) -> Self {
        Self { closed: masks, secrets }
    }

    /// Something that comes from an event.
    pub(super) fn of_event(&self, text: &str) -> Option<String> {
        (!self.closed).then(|| self.without_secrets(text).into_owned())
    }

    /// A difference of something that comes from an event: under a veil, that there is one.
    pub(super) fn difference(&self, part: &str, path: &str, was: &str, is: &str) -> Difference {
        if self.closed {
            return Difference::new(part, MASK, MASK);
        }
        Difference::new(&self.without_secrets(path), &self.without_secrets(was), &self.without_secrets(is))
    }

    /// Why a filter decided. What it saw comes from an event, what it asked for from the configuration.
    pub(super) fn why(&self, why: &Why) -> String {
        if !self.closed {
            return self.without_secrets(&why.to_string()).into_owned();
        }
        let holds = if why.cause.holds { "holds" } else { "does not hold" };
        self.without_secrets(&format!("{}: `{}` {holds}", why.part, why.cause.text)).into_owned()
    }

    /// Why a delivery would be a dead letter.
    pub(super) fn dead(&self, dead: &DeadLetter) -> String {
        match self.closed {
            true => dead.reason.to_owned(),
            false => format!("{}: {}", dead.reason, self.without_secrets(&dead.detail)),
        }
    }

    fn without_secrets<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = Cow::Borrowed(text);
        for secret in self.secrets.iter().filter(|secret| text.contains(secret.as_str())) {
            shown = Cow::Owned(shown.replace(secret.as_str(), MASK));
        }
        shown
    }
}
