//! Credentials that are sent as they are, and signed tokens.
//!
//! What a token says of itself is only read to choose what is tried, and for the words: nothing of it is believed.

use http::header::AUTHORIZATION;
use serde_json::{Map, Value};

use super::mutation::{Change, Mutation};
use super::scheme::{encoding_name, hash_name};
use super::trial::Trial;
use crate::config::At;
use crate::config::file::{self, Auth, Encoding, HashFunction, JwtAlgorithm};
use crate::signing::decode;

/// What stands before credentials.
const PREFIXES: [&str; 6] = ["", "Bearer ", "bearer ", "Token ", "Basic ", "JWT "];
const ALGORITHMS: [(&str, JwtAlgorithm); 12] = [
    ("HS256", JwtAlgorithm::HS256),
    ("HS384", JwtAlgorithm::HS384),
    ("HS512", JwtAlgorithm::HS512),
    ("RS256", JwtAlgorithm::RS256),
    ("RS384", JwtAlgorithm::RS384),
    ("RS512", JwtAlgorithm::RS512),
    ("PS256", JwtAlgorithm::PS256),
    ("PS384", JwtAlgorithm::PS384),
    ("PS512", JwtAlgorithm::PS512),
    ("ES256", JwtAlgorithm::ES256),
    ("ES384", JwtAlgorithm::ES384),
    ("EdDSA", JwtAlgorithm::EdDSA),
];

/// What a token says, wherever it stands in a header.
pub(super) struct Token {
    pub(super) algorithm: Option<(&'static str, JwtAlgorithm)>,
    pub(super) claims: Map<String, Value>,
}

// === impl Token ===

impl Token {
    /// The token of a request.
    pub(super) fn of(trial: &Trial) -> Option<Self> {
        let text = trial.places().iter().find_map(|place| {
            let name = place.strip_prefix("header:")?;
            Some(trial.request.headers.get(name)?.to_str().ok()?.rsplit(' ').next()?.to_owned())
        })?;
        let mut parts = text.split('.');
        let mut json = || -> Option<Map<String, Value>> {
            serde_json::from_slice(&decode(Encoding::Base64url, parts.next()?)?).ok()
        };
        let (header, claims) = (json()?, json()?);
        let named = header.get("alg").and_then(Value::as_str);
        let algorithm = ALGORITHMS.into_iter().find(|(name, _)| Some(*name) == named);
        Some(Self { algorithm, claims })
    }
}

/// Every way in which a credential may be meant otherwise.
pub(super) fn mutations(trial: &Trial) -> Vec<Mutation> {
    let mut mutations = prefixes(trial);
    match &trial.case.auth.value {
        Auth::Basic(_) => mutations.extend(user(trial)),
        Auth::Token(_) => mutations.push(basic()),
        Auth::Jwt(jwt) => {
            mutations.extend(algorithm(trial, jwt));
            mutations.extend(claims(jwt));
            mutations.extend(hashes(jwt));
            mutations.push(any_key());
        }
        _ => {}
    }
    mutations
}

/// Another word before the credential, or none.
pub(super) fn prefixes(trial: &Trial) -> Vec<Mutation> {
    if !matches!(trial.case.auth.value, Auth::Token(_) | Auth::Jwt(_)) {
        return Vec::new();
    }
    PREFIXES
        .into_iter()
        .map(|prefix| {
            let words = if prefix.is_empty() {
                "nothing stands before the credential, and the description has a prefix: say `prefix: \"\"`".to_owned()
            } else {
                format!(
                    "`{}` stands before the credential, and the description has another prefix or none: say `prefix: \"{prefix}\"`",
                    prefix.trim_end()
                )
            };
            Mutation::new("token_prefix", words, move |trial| {
                let place = match &mut trial.case.auth.value {
                    Auth::Token(token) => &mut token.prefix,
                    Auth::Jwt(jwt) => &mut jwt.prefix,
                    _ => return false,
                };
                *place = Some(prefix.to_owned());
                true
            })
        })
        .collect()
}

/// The user name that the request has.
fn user(trial: &Trial) -> Option<Mutation> {
    let given = trial.request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let given = String::from_utf8(decode(Encoding::Base64, given.split_once(' ')?.1.trim())?).ok()?;
    let (name, _) = given.split_once(':')?;
    let name = name.to_owned();
    let words = "the password is right, and the user name is another than the expected one: give the provider the one that the \
                 description has, or write the secret as `user:password`";
    Some(Mutation::new("basic_user", words, move |trial| {
        // A secret that has a name in it is right but for that.
        let _ = super::secret::rewrite(trial, |text| text.split_once(':').map(|(_, password)| password.to_owned()));
        trial.case.auth.value = Auth::Basic(file::Basic { username: Some(At::nowhere(name.clone())) });
        true
    }))
}

fn basic() -> Mutation {
    let words = "the secret is sent as a user name and a password (RFC 7617): say `auth: { basic: {} }`";
    Mutation::new("token_is_basic", words, |trial| {
        trial.case.auth.value = Auth::Basic(file::Basic { username: None });
        true
    })
}

fn algorithm(trial: &Trial, jwt: &file::Jwt) -> Option<Mutation> {
    let (name, algorithm) = Token::of(trial)?.algorithm?;
    if jwt.algorithms.iter().any(|known| known.value == algorithm) {
        return None;
    }
    let known: Vec<&str> = ALGORITHMS
        .into_iter()
        .filter(|(_, of)| jwt.algorithms.iter().any(|known| known.value == *of))
        .map(|(name, _)| name)
        .collect();
    let words = format!(
        "the token is signed with {name}, and `algorithms` has {}: add {name} there, if the provider's documents say so",
        known.join(", ")
    );
    Some(Mutation::new("jwt_algorithm", words, move |trial| {
        let Auth::Jwt(jwt) = &mut trial.case.auth.value else { return false };
        jwt.algorithms = At::nowhere(vec![At::nowhere(algorithm)]);
        true
    }))
}

/// The claims without one of those that are asked for.
fn claims(jwt: &file::Jwt) -> Vec<Mutation> {
    let asked = &jwt.claims;
    let mut mutations = Vec::new();
    let dropping = |id, words: String, drop: fn(&mut file::Jwt)| {
        Mutation::new(id, words, move |trial| {
            let Auth::Jwt(jwt) = &mut trial.case.auth.value else { return false };
            drop(jwt);
            true
        })
    };
    let another = |claim: &str| {
        format!(
            "the signature is right, but the token's `{claim}` is missing or another than `claims.{claim}` says: compare the two"
        )
    };
    if asked.aud.is_some() {
        mutations.push(dropping("jwt_aud", another("aud"), |jwt| jwt.claims.aud = None));
    }
    if asked.iss.is_some() {
        mutations.push(dropping("jwt_iss", another("iss"), |jwt| jwt.claims.iss = None));
    }
    if asked.sub.is_some() {
        mutations.push(dropping("jwt_sub", another("sub"), |jwt| jwt.claims.sub = None));
    }
    for name in &asked.require {
        let name = name.value.clone();
        let words = format!("the signature is right, but the token has no `{name}`, which `claims.require` names");
        mutations.push(Mutation::new("jwt_require", words, move |trial| {
            let Auth::Jwt(jwt) = &mut trial.case.auth.value else { return false };
            jwt.claims.require.retain(|known| known.value != name);
            true
        }));
    }
    if jwt.max_age.is_some() {
        let words = "the signature is right, but the token has no `iat`, by which `max_age` knows its age".to_owned();
        mutations.push(dropping("jwt_iat", words, |jwt| jwt.max_age = None));
    }
    mutations
}

/// The hash of the body, of another function or written otherwise.
fn hashes(jwt: &file::Jwt) -> Vec<Mutation> {
    let Some(described) = &jwt.body_hash else { return Vec::new() };
    let claim = described.claim.clone();
    let mut mutations = Vec::new();
    for hash in [HashFunction::Sha256, HashFunction::Sha1, HashFunction::Sha512] {
        for encoding in [Encoding::Hex, Encoding::Base64, Encoding::Base64url] {
            let change = Change::new(
                "jwt_body_hash",
                format!(
                    "the token's `{claim}` is the body's {} in {1}: say `body_hash: {{ claim: {claim}, hash: {0}, encoding: {1} }}`",
                    hash_name(hash),
                    encoding_name(encoding)
                ),
            );
            mutations.push(Mutation::several(vec![change], move |trial| {
                let Auth::Jwt(jwt) = &mut trial.case.auth.value else { return false };
                let Some(described) = &mut jwt.body_hash else { return false };
                described.value.hash = hash;
                described.value.encoding = Some(At::nowhere(encoding));
                true
            }));
        }
    }
    mutations
}

/// The keys, whatever they are called.
fn any_key() -> Mutation {
    let words = "the key is right, but it goes by another `kid` than the token names: the key is an old one, or of another account";
    Mutation::new("jwt_kid", words, |trial| {
        let mut changed = false;
        if let Some(key) = trial.case.key.as_ref().and_then(|key| nameless(key)) {
            trial.case.key = Some(key.into());
            changed = true;
        }
        changed | super::secret::rewrite(trial, |text| nameless(text.as_bytes()))
    })
}

/// A set of keys, or a key, without names.
fn nameless(text: &[u8]) -> Option<String> {
    let mut value: Value = serde_json::from_slice(text).ok()?;
    let mut removed = value.as_object_mut()?.remove("kid").is_some();
    for key in value.get_mut("keys").and_then(Value::as_array_mut).into_iter().flatten() {
        removed |= key.as_object_mut().is_some_and(|key| key.remove("kid").is_some());
    }
    removed.then(|| value.to_string())
}
