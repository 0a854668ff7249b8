//! Hashes without a key.

use std::borrow::Cow;

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::config::file::HashFunction;

/// The hash of a message that is in `parts`, one after the other.
#[must_use]
pub fn digest(hash: HashFunction, parts: &[Cow<'_, [u8]>]) -> Vec<u8> {
    match hash {
        HashFunction::Sha1 => of::<Sha1>(parts),
        HashFunction::Sha256 => of::<Sha256>(parts),
        HashFunction::Sha512 => of::<Sha512>(parts),
    }
}

fn of<D: Digest>(parts: &[Cow<'_, [u8]>]) -> Vec<u8> {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_fips_180_4_however_the_message_is_cut() {
        let parts: Vec<Cow<'_, [u8]>> = [&b"a"[..], b"", b"bc"].map(Cow::Borrowed).to_vec();
        for (hash, start) in [
            (HashFunction::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (HashFunction::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (HashFunction::Sha512, "ddaf35a193617abacc417349ae204131"),
        ] {
            assert!(hex::encode(digest(hash, &parts)).starts_with(start));
        }
    }
}
