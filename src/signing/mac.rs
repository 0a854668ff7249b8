//! A keyed hash (RFC 2104) with its key.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::config::file::HashFunction;

/// A keyed hash function. The key is taken in once; each message starts from a copy of that state.
pub struct MacKey(State);

/// A hash function that has taken in a key.
enum State {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

// === impl MacKey ===

impl MacKey {
    /// `None` never happens: RFC 2104 takes keys of any length.
    #[must_use]
    pub fn new(hash: HashFunction, key: &[u8]) -> Option<Self> {
        let state = match hash {
            HashFunction::Sha1 => State::Sha1(Hmac::new_from_slice(key).ok()?),
            HashFunction::Sha256 => State::Sha256(Hmac::new_from_slice(key).ok()?),
            HashFunction::Sha512 => State::Sha512(Hmac::new_from_slice(key).ok()?),
        };
        Some(Self(state))
    }

    /// The tag of a message that is in `parts`, one after the other.
    #[must_use]
    pub fn tag(&self, parts: &[Cow<'_, [u8]>]) -> Vec<u8> {
        match &self.0 {
            State::Sha1(mac) => tag(mac.clone(), parts),
            State::Sha256(mac) => tag(mac.clone(), parts),
            State::Sha512(mac) => tag(mac.clone(), parts),
        }
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(***)")
    }
}

fn tag(mut mac: impl Mac, parts: &[Cow<'_, [u8]>]) -> Vec<u8> {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_that_of_rfc_4231_and_rfc_2202_however_the_message_is_cut() {
        // RFC 4231, section 4.3, and RFC 2202, section 3, test case 2.
        let parts: Vec<Cow<'_, [u8]>> = [&b"what do ya want "[..], b"", b"for nothing?"].map(Cow::Borrowed).to_vec();
        for (hash, tag) in [
            (HashFunction::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (HashFunction::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                HashFunction::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            assert_eq!(hex::encode(MacKey::new(hash, b"Jefe").unwrap().tag(&parts)), tag);
        }
    }
}
