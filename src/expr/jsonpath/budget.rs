//! What an evaluation may cost.

use crate::expr::EvalError;

/// What one query or predicate may spend. A visit takes some ten nanoseconds, so this is about a
/// millisecond; and `$..id`, which visits each node twice, still searches 50 000 nodes, a body of about a
/// megabyte.
const EVALUATION: usize = 100_000;

/// What rendering one template may spend. It copies what it finds, and a body of a megabyte (half a
/// million nodes at worst) may have to be copied whole.
const RENDERING: usize = 1_000_000;

/// Comparing, copying or counting this many bytes of text costs as much as visiting a node.
const TEXT_PER_NODE: usize = 64;

/// The same for a regular expression of up to [`POSITIONS_PER_SHARE`] positions. It mostly takes some
/// nanoseconds a byte, and at worst ten a byte and position: a second in all, where sender and pattern do
/// their worst.
const MATCHED_TEXT_PER_NODE: usize = 16;

/// A larger regular expression pays once more for each of so many positions.
const POSITIONS_PER_SHARE: usize = 32;

/// A count of the nodes that may yet be visited.
#[derive(Debug)]
pub(in crate::expr) struct Budget {
    left: usize,
    limit: usize,
}

// === impl Budget ===

impl Budget {
    pub(in crate::expr) const fn for_evaluation() -> Self {
        Self { left: EVALUATION, limit: EVALUATION }
    }

    pub(in crate::expr) const fn for_rendering() -> Self {
        Self { left: RENDERING, limit: RENDERING }
    }

    /// Pays for visiting `nodes`.
    pub(in crate::expr) fn visit(&mut self, nodes: usize) -> Result<(), EvalError> {
        match self.left.checked_sub(nodes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(EvalError::Budget { limit: self.limit }),
        }
    }

    /// Pays for going through `bytes` of text.
    pub(in crate::expr) fn read(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.visit(1 + bytes / TEXT_PER_NODE)
    }

    /// Pays for matching `bytes` of text against a pattern of so many `positions`.
    pub(in crate::expr) fn match_text(&mut self, bytes: usize, positions: usize) -> Result<(), EvalError> {
        let shares = 1 + positions / POSITIONS_PER_SHARE;
        self.visit(1 + (bytes / MATCHED_TEXT_PER_NODE).saturating_mul(shares))
    }
}
