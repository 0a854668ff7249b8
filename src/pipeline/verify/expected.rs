//! Texts that a credential must equal, compared in constant time.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Texts that a credential must equal one of.
///
/// Digests are compared, not texts, so that the time says nothing of the expected text's length either.
pub(super) struct Expected(Vec<(Arc<str>, [u8; 32])>);

// === impl Expected ===

impl Expected {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a text under the name that it is counted by.
    pub(super) fn push(&mut self, name: &Arc<str>, text: &[u8]) {
        self.0.push((Arc::clone(name), Sha256::digest(text).into()));
    }

    /// The name of the text that `given` equals. All are compared, whether or not one matched.
    pub(super) fn matching(&self, given: &[u8]) -> Option<&Arc<str>> {
        let given: [u8; 32] = Sha256::digest(given).into();
        let mut matched = None;
        for (name, digest) in &self.0 {
            let same = bool::from(digest.ct_eq(&given));
            matched = matched.or(same.then_some(name));
        }
        matched
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the digests: a short token can be found from its digest.
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
