//! Sets of keys (RFC 7517): in the configuration, or at an address.

use std::time::Duration;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use url::Url;

use super::{Directory, FetchedKey, KeyRequest, Learned, Source, token_key};
use crate::config::{At, Problem, Problems};
use crate::pipeline::verify::Rejection;
use crate::signing::PrivateKey;

/// How long a set is good for. A key that is not in it is asked for before.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// A set has a few keys: those in force and those to come.
const MOST: usize = 32;

/// A set of keys at an address.
#[derive(Debug)]
pub(in crate::pipeline::verify) struct KeySet(Url);

// === impl KeySet ===

impl KeySet {
    pub(in crate::pipeline::verify) fn source(address: &At<String>, problems: &mut Problems) -> Option<Source> {
        match Url::parse(address) {
            Ok(url) if url.scheme() == "https" && url.has_host() => Some(Source::new(Self(url), None)),
            _ => {
                problems.push(
                    Problem::error(address.place, "keys are fetched over TLS, and this is no such address")
                        .expected("an address that begins with `https://`"),
                );
                None
            }
        }
    }
}

impl Directory for KeySet {
    fn request(&self, _id: &str) -> Result<KeyRequest, Rejection> {
        Ok(KeyRequest::get(self.0.clone()))
    }

    fn read(&self, _id: &str, answer: &[u8]) -> Option<Learned> {
        let set: JwkSet = serde_json::from_slice(answer).ok()?;
        let named = set.keys.iter().take(MOST).filter_map(|jwk| Some((jwk.common.key_id.as_deref()?, key_of(jwk)?)));
        let keys = named.map(|(name, key)| (name.into(), FetchedKey::Token(key))).collect();
        Some(Learned { keys, lifetime: LIFETIME })
    }

    fn of(&self, private: &PrivateKey) -> Option<FetchedKey> {
        token_key(private)
    }
}

/// The key of an entry of a set. A shared secret is none: a set is public.
pub(in crate::pipeline::verify) fn key_of(jwk: &Jwk) -> Option<DecodingKey> {
    use jsonwebtoken::jwk::AlgorithmParameters::OctetKey;
    if matches!(jwk.algorithm, OctetKey(_)) { None } else { DecodingKey::from_jwk(jwk).ok() }
}
