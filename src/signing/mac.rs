//! A keyed hash (RFC 2104) with its key.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::hmac as aws_lc;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha512;

use crate::config::file::HashFunction;

/// A keyed hash function. The key is taken in once; each message starts from a copy of that state.
pub struct MacKey(State);

/// A hash function that has taken in a key.
enum State {
    Sha1(Hmac<Sha1>),
    /// Nearly all sign with it. Where a CPU has no instructions for SHA-256 this takes half of the time that sha2 takes, and
    /// what TLS needs is linked anyway.
    Sha256(Box<aws_lc::Key>),
    Sha512(Hmac<Sha512>),
}

// === impl MacKey ===

impl MacKey {
    /// `None` never happens: RFC 2104 takes keys of any length.
    #[must_use]
    pub fn new(hash: HashFunction, key: &[u8]) -> Option<Self> {
        let state = match hash {
            HashFunction::Sha1 => State::Sha1(Hmac::new_from_slice(key).ok()?),
            HashFunction::Sha256 => State::Sha256(Box::new(aws_lc::Key::new(aws_lc::HMAC_SHA256, key))),
            HashFunction::Sha512 => State::Sha512(Hmac::new_from_slice(key).ok()?),
        };
        Some(Self(state))
    }

    /// The tag of a message that is in `parts`, one after the other.
    #[must_use]
    pub fn tag(&self, parts: &[Cow<'_, [u8]>]) -> Vec<u8> {
        match &self.0 {
            State::Sha1(mac) => tag(mac.clone(), parts),
            State::Sha256(key) => {
                let mut mac = aws_lc::Context::with_key(key);
                parts.iter().for_each(|part| mac.update(part));
                mac.sign().as_ref().to_vec()
            }
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
    fn a_key_may_be_empty_or_longer_than_a_block() {
        // The first by Python's hmac, the second by RFC 4231, section 4.7.
        let long: [Cow<'_, [u8]>; 1] = [Cow::Borrowed(b"Test Using Larger Than Block-Size Key - Hash Key First")];
        let tag = |key: &[u8], parts: &[Cow<'_, [u8]>]| {
            hex::encode(MacKey::new(HashFunction::Sha256, key).unwrap().tag(parts))
        };
        assert_eq!(tag(b"", &[]), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
        assert_eq!(tag(&[0xaa; 131], &long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

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
