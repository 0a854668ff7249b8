//! Algorithms and the keys that fit them.

use std::sync::Arc;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::config::file::{Encoding, JwtAlgorithm};
use crate::config::{At, Problem, Problems, file};
use crate::model::NamedSecret;
use crate::pipeline::verify::fetched::key_of;
use crate::signing::{KeyRule, decode};

/// How long the modulus of an RSA key may be. RFC 7518, section 3.3, sets the lower bound, the library the upper.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 2048 / 8..=8192 / 8;

/// Algorithms that one key can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// A shared secret.
    Secret,
    Rsa,
    /// NIST's elliptic curves.
    Ec,
    /// Edwards curves.
    Ed,
}

/// A key of the configuration.
#[derive(Debug)]
pub(super) struct KnownKey {
    /// The name of its secret.
    pub(super) name: Arc<str>,
    /// The `kid` of those tokens that it is for; any where it has none.
    pub(super) id: Option<Box<str>>,
    pub(super) key: DecodingKey,
}

// === impl KnownKey ===

impl KnownKey {
    /// Whether a token that names this key may be signed with it.
    pub(super) fn may_be(&self, id: Option<&str>) -> bool {
        match (&self.id, id) {
            (Some(own), Some(named)) => **own == *named,
            // A set of which no key is named is tried through (RFC 7515, section 4.1.4: `kid` is a hint).
            _ => true,
        }
    }

    /// The signature of a message. `None` where this is no shared secret.
    pub(super) fn sign(&self, algorithm: JwtAlgorithm, message: &[u8]) -> Option<Vec<u8>> {
        let key = jsonwebtoken::EncodingKey::from_secret(self.key.try_get_as_bytes().ok()?);
        let signature = jsonwebtoken::crypto::sign(message, &key, library_algorithm(algorithm)).ok()?;
        decode(Encoding::Base64url, &signature)
    }
}

// === impl Family ===

impl Family {
    pub(super) const fn of_one(algorithm: JwtAlgorithm) -> Self {
        match algorithm {
            JwtAlgorithm::HS256 | JwtAlgorithm::HS384 | JwtAlgorithm::HS512 => Self::Secret,
            JwtAlgorithm::RS256 | JwtAlgorithm::RS384 | JwtAlgorithm::RS512 => Self::Rsa,
            JwtAlgorithm::PS256 | JwtAlgorithm::PS384 | JwtAlgorithm::PS512 => Self::Rsa,
            JwtAlgorithm::ES256 | JwtAlgorithm::ES384 => Self::Ec,
            JwtAlgorithm::EdDSA => Self::Ed,
        }
    }

    /// The one family of all of them.
    pub(super) fn of(algorithms: &At<Vec<At<JwtAlgorithm>>>, problems: &mut Problems) -> Option<Self> {
        let Some(first) = algorithms.first() else {
            let problem = Problem::error(algorithms.place, "no algorithm is named, so no token would be taken");
            problems.push(problem.expected("such as `[HS256]`"));
            return None;
        };
        let family = Self::of_one(first.value);
        let mut alike = true;
        for other in algorithms.iter().filter(|other| Self::of_one(other.value) != family) {
            alike = false;
            let (name, first) = (algorithm_name(other.value), algorithm_name(first.value));
            let problem = Problem::error(other.place, format!("one key cannot be for both {first} and {name}"));
            problems.push(problem.expected("algorithms of one family: HS, RS and PS, ES, or EdDSA"));
        }
        alike.then_some(family)
    }

    /// The key of each secret, in every encoding in which it can be read.
    pub(super) fn keys(
        self,
        file: &file::Jwt,
        secrets: &[At<NamedSecret>],
        problems: &mut Problems,
    ) -> Option<Vec<KnownKey>> {
        let rule = KeyRule::compile(&file.key, file.algorithms.place, problems)?;
        let mut keys = Vec::new();
        let mut sound = true;
        for secret in secrets {
            let read: Vec<(Option<Box<str>>, DecodingKey)> = match self {
                Self::Secret => shared(&rule, secret, problems).into_iter().map(|key| (None, key)).collect(),
                _ if secret.value.value.expose().trim_start().starts_with('{') => {
                    set(&file.algorithms, secret, problems)
                }
                _ => self.public(&file.algorithms, secret, problems).into_iter().map(|key| (None, key)).collect(),
            };
            sound &= !read.is_empty();
            keys.extend(read.into_iter().map(|(id, key)| KnownKey { name: Arc::clone(&secret.name), id, key }));
        }
        sound.then_some(keys)
    }

    fn public(
        self,
        algorithms: &[At<JwtAlgorithm>],
        secret: &At<NamedSecret>,
        problems: &mut Problems,
    ) -> Option<DecodingKey> {
        let pem = secret.value.value.expose().trim();
        if pem.is_empty() {
            return None;
        }
        let labelled = pem.starts_with("-----BEGIN PUBLIC KEY-----")
            || (self == Self::Rsa && pem.starts_with("-----BEGIN RSA PUBLIC KEY-----"));
        let key = match self {
            _ if !labelled => None,
            Self::Secret => None,
            Self::Rsa => DecodingKey::from_rsa_pem(pem.as_bytes()).ok(),
            Self::Ec => DecodingKey::from_ec_pem(pem.as_bytes()).ok(),
            Self::Ed => DecodingKey::from_ed_pem(pem.as_bytes()).ok(),
        };
        let key = key.filter(|key| algorithms.iter().any(|algorithm| fits(key, algorithm.value)));
        if key.is_none() {
            let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm_name(algorithm.value)).collect();
            let names = names.join(" or ");
            problems.push(
                Problem::error(secret.place, format!("the secret `{}` is no public key for {names}", secret.name))
                    .expected(format!(
                        "a public key for {names} in PEM: `-----BEGIN PUBLIC KEY-----` and what follows"
                    )),
            );
        }
        key
    }
}

/// The keys of a set (RFC 7517, section 5), or of one entry of it. Those for other algorithms are passed over.
fn set(
    algorithms: &[At<JwtAlgorithm>],
    secret: &At<NamedSecret>,
    problems: &mut Problems,
) -> Vec<(Option<Box<str>>, DecodingKey)> {
    let text = secret.value.value.expose();
    let entries = serde_json::from_str::<JwkSet>(text)
        .map(|set| set.keys)
        .or_else(|_| serde_json::from_str::<Jwk>(text).map(|jwk| vec![jwk]))
        .unwrap_or_default();
    let keys: Vec<_> = entries
        .iter()
        .filter_map(|jwk| Some((jwk.common.key_id.as_deref().map(Into::into), key_of(jwk)?)))
        .filter(|(_, key)| algorithms.iter().any(|algorithm| fits(key, algorithm.value)))
        .collect();
    if keys.is_empty() {
        let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm_name(algorithm.value)).collect();
        let problem = Problem::error(secret.place, format!("the secret `{}` has no key that fits", secret.name));
        problems.push(problem.expected(format!("a set of keys (RFC 7517) with one for {}", names.join(" or "))));
    }
    keys
}

/// Keys of a shared secret. A public key is refused as one: who knows it could sign with it.
fn shared(rule: &KeyRule, secret: &At<NamedSecret>, problems: &mut Problems) -> Vec<DecodingKey> {
    if secret.value.value.expose().contains("-----BEGIN") {
        problems.push(
            Problem::error(secret.place, format!("the secret `{}` is a key in PEM, not a shared secret", secret.name))
                .expected("the provider's shared secret, or RS, PS, ES or EdDSA in `algorithms`"),
        );
        return Vec::new();
    }
    rule.read(secret, problems).iter().map(|key| DecodingKey::from_secret(key)).collect()
}

/// Whether a key can verify what an algorithm signs. The PEM reader tells families apart; it knows nothing of
/// curves, and does not look into an RSA key, which would then fail each request instead of the load.
fn fits(key: &DecodingKey, algorithm: JwtAlgorithm) -> bool {
    let Ok(jwk) = Jwk::from_decoding_key(key, None) else { return false };
    match (jwk.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(key), JwtAlgorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), JwtAlgorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::EllipticCurve(_), _) => false,
        (AlgorithmParameters::RSA(key), _) => {
            decode(Encoding::Base64url, &key.n).is_some_and(|modulus| RSA_BYTES.contains(&modulus.len()))
        }
        _ => true,
    }
}

/// The algorithm as tokens name it (RFC 7518, section 3.1).
pub(super) const fn algorithm_name(algorithm: JwtAlgorithm) -> &'static str {
    match algorithm {
        JwtAlgorithm::HS256 => "HS256",
        JwtAlgorithm::HS384 => "HS384",
        JwtAlgorithm::HS512 => "HS512",
        JwtAlgorithm::RS256 => "RS256",
        JwtAlgorithm::RS384 => "RS384",
        JwtAlgorithm::RS512 => "RS512",
        JwtAlgorithm::PS256 => "PS256",
        JwtAlgorithm::PS384 => "PS384",
        JwtAlgorithm::PS512 => "PS512",
        JwtAlgorithm::ES256 => "ES256",
        JwtAlgorithm::ES384 => "ES384",
        JwtAlgorithm::EdDSA => "EdDSA",
    }
}

/// The algorithm as the library names it.
pub(super) const fn library_algorithm(algorithm: JwtAlgorithm) -> Algorithm {
    match algorithm {
        JwtAlgorithm::HS256 => Algorithm::HS256,
        JwtAlgorithm::HS384 => Algorithm::HS384,
        JwtAlgorithm::HS512 => Algorithm::HS512,
        JwtAlgorithm::RS256 => Algorithm::RS256,
        JwtAlgorithm::RS384 => Algorithm::RS384,
        JwtAlgorithm::RS512 => Algorithm::RS512,
        JwtAlgorithm::PS256 => Algorithm::PS256,
        JwtAlgorithm::PS384 => Algorithm::PS384,
        JwtAlgorithm::PS512 => Algorithm::PS512,
        JwtAlgorithm::ES256 => Algorithm::ES256,
        JwtAlgorithm::ES384 => Algorithm::ES384,
        JwtAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}
