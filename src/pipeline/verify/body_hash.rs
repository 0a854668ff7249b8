//! A signed part of a request that is the hash of its body, where the body itself is not signed.

use std::borrow::Cow;

use subtle::ConstantTimeEq;

use super::{Rejection, SignError, Unsigned};
use crate::config::file::{Encoding, HashFunction};
use crate::config::{Problems, file};
use crate::expr::Selector;
use crate::signing::{Message, compile_selector, decode, digest, encode};

/// `body_hash:`, compiled.
#[derive(Debug)]
pub(super) struct BodyHash {
    from: Selector,
    hash: HashFunction,
    encoding: Encoding,
}

// === impl BodyHash ===

impl BodyHash {
    pub(super) fn compile(file: &file::BodyHash, problems: &mut Problems) -> Option<Self> {
        let encoding = file.encoding.as_ref().map_or(Encoding::Hex, |encoding| encoding.value);
        Some(Self { from: compile_selector(&file.from, problems)?, hash: file.hash, encoding })
    }

    /// Where the hash is.
    pub(super) const fn selector(&self) -> &Selector {
        &self.from
    }

    pub(super) fn needs_json(&self) -> bool {
        self.from.needs_json()
    }

    /// Whether the request's body has the hash that it says.
    pub(super) fn check(&self, message: &Message<'_>) -> Result<(), Rejection> {
        let given = message.one(&self.from)?.ok_or(Rejection::IncompleteContent)?;
        let given = decode(self.encoding, &given).ok_or(Rejection::Malformed)?;
        let same = digest(self.hash, &[Cow::Borrowed(message.scope.body)]).ct_eq(&given);
        if bool::from(same) { Ok(()) } else { Err(Rejection::Mismatch) }
    }

    /// Puts the hash where [`Self::check`] finds it.
    pub(super) fn write(&self, request: &mut Unsigned) -> Result<(), SignError> {
        let hash = encode(self.encoding, &digest(self.hash, &[Cow::Borrowed(&request.body)]));
        request.put(&self.from, &hash)
    }
}
