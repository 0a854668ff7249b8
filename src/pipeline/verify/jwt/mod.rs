//! `auth.jwt`: a signed token (RFC 7519).
//!
//! The token's own `alg` only chooses among the algorithms of the configuration, which are all of one family
//! of keys: a key is never used for what it is not.

mod claims;
mod key;

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::claims::Claims;
use self::key::{Family, algorithm_name};
use super::credential::Credential;
use super::{Proof, Rejection, SignError, Unsigned};
use crate::config::file::{Encoding, JwtAlgorithm};
use crate::config::{At, Problems, file};
use crate::model::{NamedSecret, Timestamp};
use crate::signing::{Message, decode, encode};

const DEFAULT_LEEWAY: Duration = Duration::from_secs(60);
const BEARER: &str = "Bearer ";

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Jwt {
    pub(super) credential: Credential,
    algorithms: Vec<JwtAlgorithm>,
    /// In the order of the secrets; several of one name where its text can be read in several encodings.
    keys: Vec<(Arc<str>, DecodingKey)>,
    claims: Claims,
}

/// A token taken apart, nothing of it to be believed yet.
struct Parts<'t> {
    /// What is signed: the header and the claims as sent.
    message: &'t str,
    /// The header's `alg`.
    algorithm: String,
    claims: &'t str,
    signature: &'t str,
}

// === impl Jwt ===

impl Jwt {
    pub(super) fn compile(file: &file::Jwt, secrets: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        let default = At::nowhere("header:Authorization".to_owned());
        let credential =
            Credential::compile(file.from.as_ref().unwrap_or(&default), file.prefix.as_deref(), BEARER, problems);
        let family = Family::of(&file.algorithms, problems);
        let keys = family.and_then(|family| family.keys(file, secrets, problems));
        let leeway = file.leeway.as_ref().map_or(DEFAULT_LEEWAY, |span| span.value.0);
        Some(Self {
            credential: credential?,
            algorithms: file.algorithms.iter().map(|algorithm| algorithm.value).collect(),
            keys: keys?,
            claims: Claims::compile(&file.claims, leeway),
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
        let signed_at = self.claims.check(&claims, now)?;
        Ok(Proof { secret: Some(Arc::clone(secret)), signed_at })
    }

    /// Signs a token that says no more than [`Claims`] asks for.
    pub(super) fn sign(&self, request: &mut Unsigned, now: Timestamp) -> Result<(), SignError> {
        let algorithm = *self.algorithms.first().ok_or(SignError::NoSecret)?;
        if Family::of_one(algorithm) != Family::Secret {
            return Err(SignError::PublicKey);
        }
        let (_, key) = self.keys.first().ok_or(SignError::NoSecret)?;
        let key = key.try_get_as_bytes().map_err(|_| SignError::PublicKey)?;
        let token = encode_token(algorithm, key, &self.claims.to_satisfy(now))?;
        self.credential.write(request, &token)
    }

    /// The name of the secret that signed the token. Every key is tried, whether or not one matched.
    fn signer(&self, parts: &Parts<'_>, algorithm: JwtAlgorithm) -> Result<&Arc<str>, Rejection> {
        // The library is as strict, but does not tell a bad form from a bad signature.
        read_base64(parts.signature)?;
        let mut matched = None;
        for (name, key) in &self.keys {
            let algorithm = key::library_algorithm(algorithm);
            let verified = jsonwebtoken::crypto::verify(parts.signature, parts.message.as_bytes(), key, algorithm);
            matched = matched.or(verified.unwrap_or(false).then_some(name));
        }
        matched.ok_or(Rejection::Mismatch)
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
        Ok(Self { message, algorithm, claims, signature })
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

fn encode_token(algorithm: JwtAlgorithm, key: &[u8], claims: &Map<String, Value>) -> Result<String, SignError> {
    let header = format!(r#"{{"typ":"JWT","alg":"{}"}}"#, algorithm_name(algorithm));
    let claims = Value::Object(claims.clone()).to_string();
    let part = |json: &str| encode(Encoding::Base64url, json.as_bytes());
    let message = format!("{}.{}", part(&header), part(&claims));
    let key = jsonwebtoken::EncodingKey::from_secret(key);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, key::library_algorithm(algorithm))
        .map_err(|_| SignError::PublicKey)?;
    Ok(format!("{message}.{signature}"))
}
