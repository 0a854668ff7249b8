//! The keys of a scheme in which a signature covers what `content` says.

use std::borrow::Cow;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::fetched::{Source, Wanted};
use super::{Rejection, SignError};
use crate::config::file::{Encoding, HashFunction};
use crate::config::{At, Place, Problem, Problems, file};
use crate::model::{NamedSecret, Timestamp};
use crate::signing::{Content, Fill, KeyRule, MacKey, Message, PrivateKey, PublicKey, PublicScheme, digest, mac_keys};

/// The keys of a scheme, in the order of the secrets; several of one name where a secret's text can be read in several
/// encodings.
#[derive(Debug)]
pub(super) enum Keys {
    Mac(Vec<(Arc<str>, MacKey)>),
    /// The secret is in what is hashed.
    Hash(HashFunction, Vec<NamedSecret>),
    Public(PublicScheme, Vec<Public>),
    /// The key comes from elsewhere, and the secret, if there is one, is in what is signed.
    Fetched(PublicScheme, Source, Vec<NamedSecret>),
}

/// A public key, and the private one where that is made of the secret.
#[derive(Debug)]
pub(super) struct Public {
    name: Arc<str>,
    key: PublicKey,
    private: Option<PrivateKey>,
}

// === impl Keys ===

impl Keys {
    pub(super) fn mac(
        file: &file::Hmac,
        secrets: &[At<NamedSecret>],
        place: Place,
        problems: &mut Problems,
    ) -> Option<Self> {
        mac_keys(file.hash, &file.key, secrets, place, problems).map(Self::Mac)
    }

    pub(super) fn hash(hash: HashFunction, secrets: &[At<NamedSecret>]) -> Self {
        Self::Hash(hash, plain(secrets))
    }

    pub(super) fn fetched(scheme: PublicScheme, source: Source, secrets: &[At<NamedSecret>]) -> Self {
        Self::Fetched(scheme, source, plain(secrets))
    }

    /// The public keys that the secrets are: in PEM, or in the encodings of `key`, of which `default` is the one where it
    /// names none.
    pub(super) fn public(
        scheme: PublicScheme,
        key: &file::Key,
        default: Encoding,
        secrets: &[At<NamedSecret>],
        place: Place,
        problems: &mut Problems,
    ) -> Option<Self> {
        let rule = KeyRule::compile_or(key, default, place, problems)?;
        let mut keys = Vec::new();
        let mut sound = true;
        for secret in secrets {
            let text = secret.value.value.expose();
            let read: Vec<PublicKey> = if text.contains("-----BEGIN") {
                PublicKey::from_pem(scheme, text).into_iter().collect()
            } else {
                let read = rule.read(secret, &mut Problems::new());
                read.iter().filter_map(|bytes| PublicKey::from_bytes(scheme, bytes)).collect()
            };
            // An empty secret has its own problem.
            if read.is_empty() && !text.is_empty() {
                problems.push(no_public_key(scheme, &rule, secret));
            }
            sound &= !read.is_empty();
            keys.extend(read.into_iter().map(|key| Public { name: Arc::clone(&secret.name), key, private: None }));
        }
        sound.then_some(Self::Public(scheme, keys))
    }

    /// The key pairs of Ed25519 whose seeds the secrets are.
    pub(super) fn seeded(
        key: &file::Key,
        secrets: &[At<NamedSecret>],
        place: Place,
        problems: &mut Problems,
    ) -> Option<Self> {
        let rule = KeyRule::compile(key, place, problems)?;
        let mut keys = Vec::new();
        for secret in secrets {
            for bytes in rule.read(secret, problems) {
                let private = PrivateKey::from_seed(&bytes)?;
                let key = PublicKey::from_bytes(PublicScheme::Ed25519, &private.public())?;
                keys.push(Public { name: Arc::clone(&secret.name), key, private: Some(private) });
            }
        }
        (!keys.is_empty()).then_some(Self::Public(PublicScheme::Ed25519, keys))
    }

    pub(super) fn needs_json(&self) -> bool {
        matches!(self, Self::Fetched(_, source, _) if source.needs_json())
    }

    /// The scheme of public keys.
    pub(super) const fn public_scheme(&self) -> Option<PublicScheme> {
        match self {
            Self::Public(scheme, _) | Self::Fetched(scheme, ..) => Some(*scheme),
            Self::Mac(_) | Self::Hash(..) => None,
        }
    }

    pub(super) const fn source(&self) -> Option<&Source> {
        match self {
            Self::Fetched(_, source, _) => Some(source),
            _ => None,
        }
    }

    pub(super) fn wanted(&self, message: &Message<'_>, now: Timestamp) -> Result<Option<Wanted>, Rejection> {
        match self {
            Self::Fetched(_, source, _) => source.wanted(message, now),
            _ => Ok(None),
        }
    }

    /// The text of the first secret, where that is in what is signed.
    pub(super) fn first_secret(&self) -> Option<&str> {
        match self {
            Self::Hash(_, secrets) | Self::Fetched(_, _, secrets) => {
                secrets.first().map(|secret| secret.value.expose())
            }
            Self::Mac(_) | Self::Public(..) => None,
        }
    }

    /// The name of the secret by which one of the candidates is right. Every key is tried, whether or not one matched.
    pub(super) fn matching<'a>(
        &'a self,
        message: &Message<'a>,
        candidates: &[Vec<u8>],
        content: &'a Content,
        fill: Fill<'a>,
    ) -> Result<Option<Arc<str>>, Rejection> {
        let mut matched = None;
        match self {
            Self::Mac(keys) => {
                let parts = content.parts(message, fill)?;
                for (name, key) in keys {
                    let same = is_one_of(candidates, &key.tag(&parts));
                    matched = matched.or(same.then_some(name));
                }
            }
            Self::Hash(hash, secrets) => {
                for secret in secrets {
                    let parts = content.parts(message, Fill { secret: Some(secret.value.expose()), ..fill })?;
                    let same = is_one_of(candidates, &digest(*hash, &parts));
                    matched = matched.or(same.then_some(&secret.name));
                }
            }
            Self::Public(_, keys) => {
                let parts = content.parts(message, fill)?;
                for Public { name, key, .. } in keys {
                    let right = candidates.iter().any(|candidate| key.verifies(&parts, candidate));
                    matched = matched.or(right.then_some(name));
                }
            }
            Self::Fetched(scheme, source, secrets) => {
                let key = source.key(message)?;
                for secret in secrets {
                    let parts = content.parts(message, Fill { secret: Some(secret.value.expose()), ..fill })?;
                    let right = candidates
                        .iter()
                        .any(|candidate| key.as_public(*scheme).is_some_and(|key| key.verifies(&parts, candidate)));
                    matched = matched.or(right.then_some(&secret.name));
                }
            }
        }
        Ok(matched.map(Arc::clone))
    }

    /// Signs by the first of the keys, or by the private key that whoever plays the sender has.
    pub(super) fn sign(&self, parts: &[Cow<'_, [u8]>], private: Option<&PrivateKey>) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Mac(keys) => keys.first().map(|(_, key)| key.tag(parts)).ok_or(SignError::NoSecret),
            Self::Hash(hash, _) => Ok(digest(*hash, parts)),
            Self::Public(_, keys) => {
                let own = keys.first().and_then(|key| key.private.as_ref());
                private.or(own).and_then(|key| key.sign(parts)).ok_or(SignError::PublicKey)
            }
            Self::Fetched(..) => private.and_then(|key| key.sign(parts)).ok_or(SignError::PublicKey),
        }
    }
}

fn plain(secrets: &[At<NamedSecret>]) -> Vec<NamedSecret> {
    secrets.iter().map(|secret| secret.value.clone()).collect()
}

fn is_one_of(candidates: &[Vec<u8>], tag: &[u8]) -> bool {
    let mut found = false;
    for candidate in candidates {
        found |= bool::from(tag.ct_eq(candidate));
    }
    found
}

fn no_public_key(scheme: PublicScheme, rule: &KeyRule, secret: &At<NamedSecret>) -> Problem {
    let what = match scheme {
        PublicScheme::Ed25519 => "Ed25519",
        PublicScheme::EcdsaP256(_) => "ECDSA with the curve P-256",
        PublicScheme::Rsa(..) => "RSA of at least 2048 bits",
    };
    Problem::error(secret.place, format!("the secret `{}` is no public key for {what}", secret.name))
        .expected(format!("the provider's public key: {}, or PEM with `-----BEGIN PUBLIC KEY-----`", rule.encodings()))
}
