//! What an evaluation may cost.

use crate::expr::EvalError;

/// What one query or predicate may spend. A visit takes some ten nanoseconds, so this is about a
/// millisecond; an event of some hundred kilobytes still fits several times over.
const EVALUATION: usize = 100_000;

/// What rendering one template may spend. It copies what it finds, and a body of a megabyte (half a
/// million nodes at worst) may have to be copied whole.
const RENDERING: usize = 1_000_000;

/// Comparing, copying or counting this many bytes of text costs as much as visiting a node.
const TEXT_PER_NODE: usize = 64;

/// The same for a regular expression, whose step is several times as dear.
const MATCHED_TEXT_PER_NODE: usize = 16;

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

    /// Pays for matching `bytes` of text against a pattern.
    pub(in crate::expr) fn match_text(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.visit(1 + bytes / MATCHED_TEXT_PER_NODE)
    }
}
