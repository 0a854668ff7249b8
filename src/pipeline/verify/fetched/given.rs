//! A key that a person gives in place of what would be fetched: to look at a captured request without a network.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use super::{FetchedKey, PLANTED, Source, Wanted, key_of};
use crate::model::Timestamp;
use crate::pipeline::verify::Verifier;
use crate::pipeline::verify::fetched::Learned;

// === impl Verifier ===

impl Verifier {
    /// Takes a key in for what is wanted: what would come back, a certificate or a public key in PEM, a JWK or a set of them.
    /// A key without a name is taken for the one that is wanted. Whether there is a key in it.
    pub fn give(&self, wanted: &Wanted, text: &[u8], now: Timestamp) -> bool {
        self.scheme.source().is_some_and(|source| source.give(&wanted.id, text, now))
    }
}

// === impl Source ===

impl Source {
    fn give(&self, id: &str, text: &[u8], now: Timestamp) -> bool {
        let key = |key: FetchedKey| Learned { keys: vec![(id.into(), key)], lifetime: PLANTED };
        let public = SubjectPublicKeyInfoDer::from_pem_slice(text).ok();
        let learned = jwk(id, text)
            .map(|found| found.map_or_else(nothing, key))
            .or_else(|| public.and_then(|spki| self.directory.of_public(&spki)).map(key))
            .or_else(|| self.directory.read(id, text));
        let Some(learned) = learned else { return false };
        self.store.put(id, learned, now);
        true
    }
}

/// The key of a JWK, or of the first of a set, that has this name or none. No key where all have other names.
fn jwk(id: &str, text: &[u8]) -> Option<Option<FetchedKey>> {
    let set = serde_json::from_slice::<JwkSet>(text).map(|set| set.keys);
    let keys = set.or_else(|_| serde_json::from_slice::<Jwk>(text).map(|key| vec![key])).ok()?;
    let mine = |jwk: &&Jwk| jwk.common.key_id.as_deref().is_none_or(|name| name == id);
    Some(keys.iter().find(mine).and_then(key_of).map(FetchedKey::Token))
}

fn nothing() -> Learned {
    Learned { keys: Vec::new(), lifetime: PLANTED }
}

/// The key of tokens in a public key.
pub(super) fn of_spki(spki: &[u8]) -> Option<FetchedKey> {
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        crate::signing::encode(crate::config::file::Encoding::Base64, spki)
    );
    let readers = [DecodingKey::from_ec_pem, DecodingKey::from_rsa_pem, DecodingKey::from_ed_pem];
    readers.into_iter().find_map(|read| read(pem.as_bytes()).ok()).map(FetchedKey::Token)
}
