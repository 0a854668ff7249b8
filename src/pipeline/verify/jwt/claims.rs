//! What a token's claims must say, and when it holds.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::config::file::{self, Encoding, HashFunction, OneOrMany};
use crate::config::{Problem, Problems};
use crate::model::Timestamp;
use crate::pipeline::verify::Rejection;
use crate::signing::{decode, digest, encode};

/// How long a token that we sign holds.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// What a token's claims must say (RFC 7519, section 4.1).
#[derive(Debug)]
pub(super) struct Claims {
    aud: Option<Vec<String>>,
    iss: Option<Vec<String>>,
    sub: Option<String>,
    require: Vec<String>,
    leeway: Duration,
    max_age: Option<Duration>,
    body_hash: Option<BodyClaim>,
}

/// The claim that is the hash of the body.
#[derive(Debug)]
struct BodyClaim {
    name: String,
    hash: HashFunction,
    encoding: Encoding,
}

// === impl Claims ===

impl Claims {
    pub(super) fn compile(file: &file::Jwt, leeway: Duration, problems: &mut Problems) -> Option<Self> {
        let max_age = file.max_age.as_ref();
        if let Some(span) = max_age.filter(|span| span.value.0.is_zero()) {
            let problem = Problem::error(span.place, "an age of nothing refuses every token");
            problems.push(problem.expected("such as `5m`"));
            return None;
        }
        let claims = &file.claims;
        Some(Self {
            aud: claims.aud.as_ref().map(list),
            iss: claims.iss.as_ref().map(list),
            sub: claims.sub.clone(),
            require: claims.require.iter().map(|name| name.value.clone()).collect(),
            leeway,
            max_age: max_age.map(|span| span.value.0),
            body_hash: file.body_hash.as_ref().map(|hash| BodyClaim {
                name: hash.claim.clone(),
                hash: hash.hash,
                encoding: hash.encoding.as_ref().map_or(Encoding::Hex, |encoding| encoding.value),
            }),
        })
    }

    /// The longest that a token which we sign is taken.
    pub(super) fn longest(&self) -> Duration {
        let lifetime = LIFETIME + self.leeway;
        self.max_age.map_or(lifetime, |age| age.min(lifetime))
    }

    /// Whether a token is for one body alone.
    pub(super) const fn covers_body(&self) -> bool {
        self.body_hash.is_some()
    }

    /// When the token was signed, if it says so and says what it must, also of the `body` that it came with.
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Rejection> {
        let nbf = time(claims, "nbf")?;
        if time(claims, "exp")?.is_some_and(|exp| now >= exp.after(self.leeway)) {
            return Err(Rejection::Expired);
        }
        if nbf.is_some_and(|nbf| now.after(self.leeway) < nbf) {
            return Err(Rejection::NotYetValid);
        }
        let there = |name: &String| claims.get(name).is_some_and(|claim| !claim.is_null());
        let said = self.require.iter().all(there)
            && self.aud.as_ref().is_none_or(|aud| claims.get("aud").is_some_and(|given| any_of(given, aud)))
            && self.iss.as_ref().is_none_or(|iss| claims.get("iss").is_some_and(|given| is_of(given, iss)))
            && self.sub.as_ref().is_none_or(|sub| claims.get("sub").and_then(Value::as_str) == Some(sub));
        if !said {
            return Err(Rejection::WrongClaims);
        }
        let iat = time(claims, "iat")?;
        if let Some(max_age) = self.max_age {
            let iat = iat.ok_or(Rejection::WrongClaims)?;
            if now.since(iat) > max_age {
                return Err(Rejection::Stale);
            }
            if iat.since(now) > self.leeway {
                return Err(Rejection::TooFarAhead);
            }
        }
        if let Some(hash) = &self.body_hash {
            hash.check(claims, body)?;
        }
        Ok(iat.or(nbf))
    }

    /// Claims that pass [`Self::check`], as a sender would make them.
    pub(super) fn to_satisfy(&self, body: &[u8], now: Timestamp) -> Map<String, Value> {
        let mut claims = Map::new();
        for name in &self.require {
            // What else a provider may want to be there; `nbf` is the one with a meaning to us.
            let value = if name == "nbf" { now.as_seconds().into() } else { name.as_str().into() };
            claims.insert(name.clone(), value);
        }
        claims.insert("iat".to_owned(), now.as_seconds().into());
        claims.insert("exp".to_owned(), now.after(LIFETIME).as_seconds().into());
        if let Some(BodyClaim { name, hash, encoding }) = &self.body_hash {
            claims.insert(name.clone(), encode(*encoding, &digest(*hash, &[Cow::Borrowed(body)])).into());
        }
        let first = |list: &Option<Vec<String>>| list.as_ref().and_then(|list| list.first().cloned());
        for (name, value) in [("aud", first(&self.aud)), ("iss", first(&self.iss)), ("sub", self.sub.clone())] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.into());
            }
        }
        claims
    }
}

// === impl BodyClaim ===

impl BodyClaim {
    fn check(&self, claims: &Map<String, Value>, body: &[u8]) -> Result<(), Rejection> {
        let given = claims.get(&self.name).and_then(Value::as_str).ok_or(Rejection::WrongClaims)?;
        let given = decode(self.encoding, given).ok_or(Rejection::WrongClaims)?;
        let same = digest(self.hash, &[Cow::Borrowed(body)]).ct_eq(&given);
        if bool::from(same) { Ok(()) } else { Err(Rejection::Mismatch) }
    }
}

fn list(one_or_many: &OneOrMany<String>) -> Vec<String> {
    match one_or_many {
        OneOrMany::One(one) => vec![one.clone()],
        OneOrMany::Many(many) => many.clone(),
    }
}

fn is_of(given: &Value, taken: &[String]) -> bool {
    given.as_str().is_some_and(|given| taken.iter().any(|taken| taken == given))
}

/// RFC 7519, section 4.1.3: one audience, or several.
fn any_of(given: &Value, taken: &[String]) -> bool {
    match given {
        Value::Array(given) => given.iter().any(|given| is_of(given, taken)),
        _ => is_of(given, taken),
    }
}

/// A point in time: a number of seconds since the Unix epoch, with or without a fraction (RFC 7519, section 2).
/// A claim that is none is not passed over: the sender meant a limit that we cannot read.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Rejection> {
    let Some(claim) = claims.get(name) else { return Ok(None) };
    if let Some(seconds) = claim.as_i64() {
        return Ok(Some(Timestamp::from_seconds(seconds)));
    }
    let seconds = claim.as_f64().filter(|seconds| seconds.is_finite()).ok_or(Rejection::WrongClaims)?;
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and so do later sums")]
    let millis = (seconds * 1000.0) as i64;
    Ok(Some(Timestamp::from_millis(millis)))
}
