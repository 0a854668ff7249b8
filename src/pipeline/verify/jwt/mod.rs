//! `auth.jwt`: a signed token (RFC 7519).
//!
//! The token's own `alg` only chooses among the algorithms of the configuration, which are all of one family
//! of keys: a key is never used for what it is not. Its own `kid` only chooses among keys that we have, or that a pinned host
//! gives us.

mod claims;
mod key;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::claims::Claims;
use self::key::{Family, KnownKey, algorithm_name};
use super::credential::Credential;
use super::fetched::{KeySet, Plaid, SIMULATED_KEY, Source, Wanted};
use super::sign::Signing;
use super::{Proof, Rejection, SignError, Unsigned};
use crate::config::file::{Encoding, JwtAlgorithm};
use crate::config::{At, Problem, Problems, file};
use crate::model::{NamedSecret, Secret, Timestamp};
use crate::signing::{Message, decode, encode};

const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);
const BEARER: &str = "Bearer ";

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Jwt {
    pub(super) credential: Credential,
    algorithms: Vec<JwtAlgorithm>,
    keys: Keys,
    claims: Claims,
}

#[derive(Debug)]
enum Keys {
    /// In the order of the secrets; several of one name where its text can be read in several encodings, or is a set.
    Known(Vec<KnownKey>),
    /// By the `kid` of a token.
    Fetched(Source),
}

/// A token taken apart, nothing of it to be believed yet.
struct Parts<'t> {
    /// What is signed: the header and the claims as sent.
    message: &'t str,
    /// The header's `alg`.
    algorithm: String,
    /// The header's `kid`.
    key_id: Option<String>,
    claims: &'t str,
    signature: &'t str,
}

// === impl Jwt ===

impl Jwt {
    /// `roles` are secrets that verify nothing, and may be what keys are asked for with.
    pub(super) fn compile(
        file: &file::Jwt,
        secrets: &[At<NamedSecret>],
        roles: &[At<NamedSecret>],
        problems: &mut Problems,
    ) -> Option<Self> {
        let default = At::nowhere("header:Authorization".to_owned());
        let credential =
            Credential::compile(file.from.as_ref().unwrap_or(&default), file.prefix.as_deref(), BEARER, problems);
        let family = Family::of(&file.algorithms, problems);
        let keys = family.and_then(|family| match &file.keys {
            None => family.keys(file, secrets, problems).map(Keys::Known),
            Some(keys) if family == Family::Secret => {
                let problem = Problem::error(keys.place, "shared secrets are not fetched");
                problems.push(problem.expected("RS, PS, ES or EdDSA in `algorithms`"));
                None
            }
            Some(keys) => source(keys, roles, problems).map(Keys::Fetched),
        });
        let leeway = file.leeway.as_ref().map_or(DEFAULT_LEEWAY, |span| span.value.0);
        Some(Self {
            credential: credential?,
            algorithms: file.algorithms.iter().map(|algorithm| algorithm.value).collect(),
            keys: keys?,
            claims: Claims::compile(file, leeway, problems)?,
        })
    }

    pub(super) fn prove(&self, message: &Message<'_>, now: Timestamp) -> Result<Proof, Rejection> {
        let token = self.credential.read(message)?;
        let parts = Parts::of(&token)?;
        let algorithm = self
            .algorithms
            .iter()
            .find(|algorithm| algorithm_name(**algorithm) == parts.algorithm)
            .ok_or(Rejection::WrongAlgorithm)?;
        let secret = self.signer(&parts, *algorithm)?;
        let claims: Map<String, Value> = read_json(parts.claims)?;
        let signed_at = self.claims.check(&claims, message.scope.body, now)?;
        Ok(Proof { secret, signed_at })
    }

    /// The algorithm by which we sign.
    pub(super) fn algorithm(&self) -> Option<JwtAlgorithm> {
        self.algorithms.first().copied()
    }

    /// The longest that a token is taken.
    pub(super) fn longest(&self) -> Duration {
        self.claims.longest()
    }

    /// Whether a token is for one body alone.
    pub(super) const fn covers_body(&self) -> bool {
        self.claims.covers_body()
    }

    /// Where its keys are fetched from, if they are.
    pub(super) const fn source(&self) -> Option<&Source> {
        match &self.keys {
            Keys::Known(_) => None,
            Keys::Fetched(source) => Some(source),
        }
    }

    /// What has to be fetched before the token can be judged.
    pub(super) fn wanted(&self, message: &Message<'_>, now: Timestamp) -> Result<Option<Wanted>, Rejection> {
        let Some(source) = self.source() else { return Ok(None) };
        let token = self.credential.read(message)?;
        let parts = Parts::of(&token)?;
        if !self.algorithms.iter().any(|algorithm| algorithm_name(*algorithm) == parts.algorithm) {
            return Err(Rejection::WrongAlgorithm);
        }
        source.wanted_id(&parts.key_id.ok_or(Rejection::UnknownKey)?, now)
    }

    /// Signs a token that says no more than [`Claims`] asks for.
    pub(super) fn sign(&self, request: &mut Unsigned, signing: &Signing<'_>) -> Result<(), SignError> {
        let algorithm = *self.algorithms.first().ok_or(SignError::NoSecret)?;
        let known = match &self.keys {
            Keys::Known(keys) => Some(keys.first().ok_or(SignError::NoSecret)?),
            Keys::Fetched(_) => None,
        };
        let mut header = format!(r#"{{"typ":"JWT","alg":"{}""#, algorithm_name(algorithm));
        let key_id = known.map_or(Some(SIMULATED_KEY), |key| key.id.as_deref());
        if let Some(id) = key_id {
            header.push_str(&format!(r#","kid":{}"#, Value::from(id)));
        }
        header.push('}');
        let claims = Value::Object(self.claims.to_satisfy(&request.body, signing.now)).to_string();
        let part = |json: &str| encode(Encoding::Base64url, json.as_bytes());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = match known.filter(|_| Family::of_one(algorithm) == Family::Secret) {
            Some(known) => known.sign(algorithm, message.as_bytes()),
            None => signing.private.and_then(|key| key.sign(&[message.as_bytes().into()])),
        };
        let signature = encode(Encoding::Base64url, &signing.tag(signature.ok_or(SignError::PublicKey)?));
        self.credential.write(request, &format!("{message}.{signature}"))
    }

    /// The name of the secret that signed the token. Every key is tried, whether or not one matched.
    fn signer(&self, parts: &Parts<'_>, algorithm: JwtAlgorithm) -> Result<Option<Arc<str>>, Rejection> {
        // The library is as strict, but does not tell a bad form from a bad signature.
        read_base64(parts.signature)?;
        let algorithm = key::library_algorithm(algorithm);
        let signed = |key| {
            jsonwebtoken::crypto::verify(parts.signature, parts.message.as_bytes(), key, algorithm).unwrap_or(false)
        };
        match &self.keys {
            Keys::Known(keys) => {
                let mut matched = None;
                for known in keys.iter().filter(|known| known.may_be(parts.key_id.as_deref())) {
                    matched = matched.or(signed(&known.key).then_some(&known.name));
                }
                matched.map(|name| Some(Arc::clone(name))).ok_or(Rejection::Mismatch)
            }
            Keys::Fetched(source) => {
                let key = source.key_of(parts.key_id.as_deref().ok_or(Rejection::UnknownKey)?)?;
                if key.as_token().is_some_and(signed) { Ok(None) } else { Err(Rejection::Mismatch) }
            }
        }
    }
}

/// Where keys are fetched from.
fn source(keys: &At<file::JwtKeys>, roles: &[At<NamedSecret>], problems: &mut Problems) -> Option<Source> {
    match &keys.value {
        file::JwtKeys::Jwks(address) => KeySet::source(address, problems),
        file::JwtKeys::Plaid(plaid) => {
            let mut role = |name: &str| -> Option<Secret> {
                let found = roles.iter().find(|secret| &*secret.name == name && !secret.value.value.is_empty());
                if found.is_none() {
                    let problem = Problem::error(keys.place, format!("the route has no secret called `{name}`"));
                    problems.push(problem.expected("`client_id` and `secret` of the Plaid account under `secrets`"));
                }
                found.map(|secret| secret.value.value.clone())
            };
            let (client_id, secret) = (role("client_id"), role("secret"));
            Plaid::source(plaid, client_id?, secret?, problems)
        }
    }
}

// === impl Parts ===

impl<'t> Parts<'t> {
    /// The three parts of the compact form (RFC 7515, section 7.1), none of them empty but the signature of an
    /// unsigned token.
    fn of(token: &'t str) -> Result<Self, Rejection> {
        let (message, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Rejection::Malformed)?;
        if claims.contains('.') {
            return Err(Rejection::Malformed);
        }
        let header: Map<String, Value> = read_json(header)?;
        // RFC 7515, section 4.1.11: we understand no extension, so none may be critical.
        if header.contains_key("crit") {
            return Err(Rejection::Malformed);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(Rejection::Malformed)?.to_owned();
        let key_id = header.get("kid").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { message, algorithm, key_id, claims, signature })
    }
}

/// Reads a part of the token that is JSON.
fn read_json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, Rejection> {
    serde_json::from_slice(&read_base64(part)?).map_err(|_| Rejection::Malformed)
}

/// Reads a part of the token: Base 64 for URLs, never padded (RFC 7515, section 2).
fn read_base64(part: &str) -> Result<Vec<u8>, Rejection> {
    let unpadded = Some(part).filter(|part| !part.contains('='));
    unpadded.and_then(|part| decode(Encoding::Base64url, part)).ok_or(Rejection::Malformed)
}
