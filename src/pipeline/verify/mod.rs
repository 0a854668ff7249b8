//! The second stage: whether a request comes from whom it says.
//!
//! A scheme is data (`config::file::Auth`), compiled once with a route's secrets. A credential or a
//! signature is compared with every secret, in constant time and without an early exit, so that neither the
//! answer's time nor its text says how near a guess was. What is learned is kept as [`Evidence`]: which
//! secret matched, and how far the sender's clock is from ours.

mod again;
mod basic;
mod body;
mod body_hash;
mod compile;
mod credential;
pub mod diagnose;
mod each;
mod expected;
mod fetched;
mod jwt;
mod keys;
mod prefix;
mod rejection;
mod sign;
mod signature;
mod signed;
mod simulator;
mod sns;
mod timestamp;
mod token;

use std::sync::Arc;

use http::HeaderName;
use serde_json::Value;

pub use self::compile::{Surroundings, event_id};
pub use self::fetched::{KeyRequest, Wanted};
pub use self::rejection::Rejection;
pub use self::sign::{SignError, Signing, Unsigned};
pub use self::simulator::{Simulator, Tampering};

use self::credential::Credential;
use self::fetched::Source;
use crate::expr::{JsonRef, RequestScope};
use crate::model::{Evidence, NamedSecret, Timestamp};
use crate::pipeline::Received;
use crate::signing::Message;

/// A request that was verified, and how.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    evidence: Evidence,
}

/// A route's compiled auth scheme with its secrets.
#[derive(Debug)]
pub struct Verifier {
    scheme: Scheme,
    secret_names: Vec<Arc<str>>,
    credential_headers: Vec<HeaderName>,
    /// What [`Verifier::sign`] signs with where the credential is the secret itself.
    first_secret: Option<NamedSecret>,
}

#[derive(Debug)]
enum Scheme {
    None,
    Token(token::Token),
    Basic(basic::Basic),
    /// With the scheme's word.
    Signed(&'static str, Box<signed::Signed>),
    Sns(Box<sns::Sns>),
    Jwt(Box<jwt::Jwt>),
}

/// What a scheme found out about a request that it believes.
#[derive(Debug)]
struct Proof {
    secret: Option<Arc<str>>,
    signed_at: Option<Timestamp>,
}

// === impl Verified ===

impl Verified {
    /// The request.
    #[must_use]
    pub const fn received(&self) -> &Received {
        &self.received
    }

    /// How it was verified.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Takes it apart.
    #[must_use]
    pub fn into_parts(self) -> (Received, Evidence) {
        (self.received, self.evidence)
    }
}

// === impl Verifier ===

impl Verifier {
    /// Verifies a request as of `now`. What comes out is as it came in, but for a credential in the query,
    /// which is masked: the query is kept with each event.
    ///
    /// # Errors
    /// Where it is not verified, with the reason.
    pub fn verify(&self, mut received: Received, now: Timestamp) -> Result<Verified, Rejection> {
        let json = self.json(&received);
        let proof = self.scheme.prove(&message(&received, json.as_ref()), now)?;
        let evidence = Evidence {
            scheme: self.scheme().into(),
            secret: proof.secret,
            skew_ms: proof.signed_at.map(|at| at.millis_from(received.received_at)),
            ..Evidence::default()
        };
        if let Some(credential) = self.scheme.credential() {
            credential.mask(&mut received);
        }
        Ok(Verified { received, evidence })
    }

    /// The key that is to be fetched before the request can be judged: it is not in the configuration, and not known yet.
    /// `None` also where the request names none that would be asked for: then it is refused without.
    #[must_use]
    pub fn lacks(&self, received: &Received, now: Timestamp) -> Option<Wanted> {
        self.scheme.source()?;
        let json = self.json(received);
        self.scheme.wanted(&message(received, json.as_ref()), now).ok().flatten()
    }

    /// Whether one more key may be asked for, which then is counted: who invents names wears out a budget.
    #[must_use]
    pub fn may_ask(&self, now: Timestamp) -> bool {
        self.scheme.source().is_some_and(|source| source.may_ask(now))
    }

    /// Takes in what came back; `None` where nothing did.
    pub fn learn(&self, wanted: &Wanted, answer: Option<&[u8]>, now: Timestamp) {
        if let Some(source) = self.scheme.source() {
            source.learn(wanted, answer, now);
        }
    }

    /// Held by whoever fetches, so that others who want the same wait for it. `None` where nothing is fetched.
    #[must_use]
    pub fn fetching(&self) -> Option<&tokio::sync::Mutex<()>> {
        self.scheme.source().map(|source| &source.gate)
    }

    /// The header fields that carry a credential under this scheme: they are never stored. A signature is
    /// none: it proves one request alone, and is kept as evidence.
    #[must_use]
    pub fn credential_headers(&self) -> &[HeaderName] {
        &self.credential_headers
    }

    /// The scheme as the file names it.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::None => "none",
            Scheme::Token(_) => "token",
            Scheme::Basic(_) => "basic",
            Scheme::Signed(name, _) => name,
            Scheme::Sns(_) => "sns",
            Scheme::Jwt(_) => "jwt",
        }
    }

    /// The names of the secrets, in the order of the file; none under `auth: none`.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secret_names.iter().map(AsRef::as_ref)
    }

    fn json(&self, received: &Received) -> Option<Value> {
        if self.scheme.needs_json() { serde_json::from_slice(&received.body).ok() } else { None }
    }
}

// === impl Scheme ===

impl Scheme {
    /// Whether the body has to be parsed before it can be verified.
    fn needs_json(&self) -> bool {
        match self {
            Self::Signed(_, signed) => signed.needs_json(),
            Self::Sns(_) => true,
            Self::Token(token) => token.needs_json(),
            _ => self.credential().is_some_and(Credential::needs_json),
        }
    }

    fn prove(&self, message: &Message<'_>, now: Timestamp) -> Result<Proof, Rejection> {
        match self {
            Self::None => Ok(Proof { secret: None, signed_at: None }),
            Self::Token(token) => token.prove(message),
            Self::Basic(basic) => basic.prove(message),
            Self::Signed(_, signed) => signed.prove(message, now),
            Self::Sns(sns) => sns.prove(message),
            Self::Jwt(jwt) => jwt.prove(message, now),
        }
    }

    fn wanted(&self, message: &Message<'_>, now: Timestamp) -> Result<Option<Wanted>, Rejection> {
        match self {
            Self::Signed(_, signed) => signed.wanted(message, now),
            Self::Sns(sns) => sns.wanted(message, now),
            Self::Jwt(jwt) => jwt.wanted(message, now),
            Self::None | Self::Token(_) | Self::Basic(_) => Ok(None),
        }
    }

    /// Where its keys are fetched from, if they are.
    fn source(&self) -> Option<&Source> {
        match self {
            Self::Signed(_, signed) => signed.source(),
            Self::Sns(sns) => Some(sns.source()),
            Self::Jwt(jwt) => jwt.source(),
            Self::None | Self::Token(_) | Self::Basic(_) => None,
        }
    }

    /// Where the scheme's credential is, if it has one whose place can be chosen.
    const fn credential(&self) -> Option<&Credential> {
        match self {
            Self::None | Self::Basic(_) | Self::Signed(..) | Self::Sns(_) => None,
            Self::Token(token) => Some(&token.credential),
            Self::Jwt(jwt) => Some(&jwt.credential),
        }
    }

    fn credential_header(&self) -> Option<HeaderName> {
        match self {
            Self::Basic(_) => Some(http::header::AUTHORIZATION),
            _ => self.credential()?.header(),
        }
    }
}

/// A received request as the schemes look at it. `json` is the parsed body, where the scheme needs it and it is JSON.
fn message<'a>(received: &'a Received, json: Option<&'a Value>) -> Message<'a> {
    let json = json.map(JsonRef::from);
    let scope = RequestScope { json, envelope: json, whole: json, ..received.scope() };
    Message { path: &received.path, scope }
}

#[cfg(test)]
mod tests;
