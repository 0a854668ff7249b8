//! What may have gone wrong, undone.

use super::trial::Trial;

/// One difference between what was judged and what would be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name, for programs.
    pub id: &'static str,
    /// What is wrong and what to do, in a sentence or two. Nothing of a secret or a signature is in it.
    pub words: String,
}

/// A trial as it would be if something had not gone wrong.
pub(super) struct Mutation {
    pub(super) changes: Vec<Change>,
    apply: Box<dyn Fn(&mut Trial) -> bool>,
}

// === impl Mutation ===

impl Mutation {
    /// `apply` says whether it changed anything.
    pub(super) fn new(
        id: &'static str,
        words: impl Into<String>,
        apply: impl Fn(&mut Trial) -> bool + 'static,
    ) -> Self {
        Self { changes: vec![Change { id, words: words.into() }], apply: Box::new(apply) }
    }

    /// The same where several things are different at once.
    pub(super) fn several(changes: Vec<Change>, apply: impl Fn(&mut Trial) -> bool + 'static) -> Self {
        Self { changes, apply: Box::new(apply) }
    }

    /// Changes a trial; whether it did.
    pub(super) fn apply(&self, trial: &mut Trial) -> bool {
        (self.apply)(trial)
    }
}

// === impl Change ===

impl Change {
    pub(super) fn new(id: &'static str, words: impl Into<String>) -> Self {
        Self { id, words: words.into() }
    }
}
