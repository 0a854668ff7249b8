//! From the tree to the types of `file`, collecting every problem.
//!
//! A `Deserialize` ends with its first error, and takes its visitor along. So decoding is repeated: what
//! was reported is broken off the tree, which then decodes one problem further. A part that cannot do
//! without what was broken off goes too, without a word. Lists and named entries do not wait for that:
//! they go on with the next, so that the repetitions are few.

mod error;
mod mapping;
mod node;
mod place;
mod variant;

use std::cell::{Cell, RefCell};

use serde::de::DeserializeOwned;

pub(super) use self::place::every;

use self::error::Error;
use self::node::NodeDeserializer;
use super::tree::Node;
use super::{Place, Problem};

/// How many problems are listed. With more than this something else is wrong with the file.
pub(super) const MAX_PROBLEMS: usize = 100;

/// How many nodes may be looked at in all the repetitions. An honest file takes a few thousand.
const MAX_VISITS: usize = 2_000_000;

/// What all deserializers of a tree share.
#[derive(Debug, Default)]
struct Context {
    problems: RefCell<Vec<Problem>>,
    /// How many nodes were broken off.
    broken: Cell<usize>,
    visits: Cell<usize>,
}

/// Decodes a tree as far as it goes, and says what is wrong with the rest. `known` problems count
/// towards the limit.
pub(super) fn decode<T: DeserializeOwned>(root: &Node, known: usize) -> (Option<T>, Vec<Problem>) {
    let context = Context::default();
    if root.is_broken() {
        return (None, Vec::new());
    }
    let decoded = loop {
        let broken = context.broken.get();
        let deserializer = NodeDeserializer::new(root, &context);
        match deserializer.settle(T::deserialize(deserializer)) {
            Ok(decoded) => break Some(decoded),
            Err(Error::Reported) if !root.is_broken() && context.broken.get() > broken && !context.is_full(known) => {}
            Err(_) => break None,
        }
    };
    let is_full = context.is_full(known);
    let mut problems = context.problems.into_inner();
    if is_full {
        problems.sort_by_key(|problem| problem.place);
        problems.truncate(MAX_PROBLEMS.saturating_sub(known));
        let last = problems.last().map(|problem| problem.place).unwrap_or_default();
        problems.push(and_more(last));
    }
    (decoded, problems)
}

/// Says that not all problems are listed.
pub(super) fn and_more(place: Place) -> Problem {
    Problem::error(place, "there may be more problems: mend the ones before this first")
}

// === impl Context ===

impl Context {
    fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Takes `node` out, and reports why unless it stood under a key that was only guessed.
    fn break_off(&self, node: &Node, problem: Problem) {
        if self.break_off_quietly(node) {
            self.report(problem);
        }
    }

    /// Takes `node` out because of something that was reported already. Says whether a further reason
    /// would be worth reporting.
    fn break_off_quietly(&self, node: &Node) -> bool {
        if node.is_broken() {
            return false;
        }
        self.broken.set(self.broken.get() + 1);
        node.break_off()
    }

    fn is_full(&self, known: usize) -> bool {
        known + self.problems.borrow().len() > MAX_PROBLEMS || self.visits.get() > MAX_VISITS
    }
}
