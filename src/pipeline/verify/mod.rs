//! The second stage: whether a request comes from whom it says.
//!
//! A scheme is data (`config::file::Auth`), compiled once with a route's secrets. A credential or a
//! signature is compared with every secret, in constant time and without an early exit, so that neither the
//! answer's time nor its text says how near a guess was. What is learned is kept as [`Evidence`]: which
//! secret matched, and how far the sender's clock is from ours.

mod basic;
mod credential;
mod expected;
mod hmac;
mod jwt;
mod prefix;
mod rejection;
mod sign;
mod signature;
mod timestamp;
mod token;

use std::sync::Arc;

use http::HeaderName;
use serde_json::Value;

pub use self::rejection::Rejection;
pub use self::sign::{SignError, Unsigned};

use self::credential::Credential;
use crate::config::{At, Problem, Problems, file};
use crate::expr::{Choices, JsonRef, RequestScope};
use crate::model::{Evidence, NamedSecret, Timestamp};
use crate::pipeline::Received;
use crate::signing::{self, Message};

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
    Hmac(hmac::Hmac),
    Jwt(jwt::Jwt),
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
    /// Compiles a scheme with a route's secrets. `id` is where the provider's event id is, for `{id}` in the
    /// signed content; `public_url` is the address that the provider was given, for `{url}`.
    ///
    /// What is wrong is added to `problems`, each at its place; `None` where any of it is an error. No
    /// problem quotes a secret.
    pub fn compile(
        auth: &At<file::Auth>,
        secrets: &[At<NamedSecret>],
        id: &Choices,
        public_url: Option<&str>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let secrets_usable = check_secrets(auth, secrets, problems);
        let context = signing::Context { place: auth.place, id, public_url };
        let scheme = match &auth.value {
            file::Auth::None => Some(Scheme::None),
            file::Auth::Token(token) => token::Token::compile(token, secrets, problems).map(Scheme::Token),
            file::Auth::Basic(basic) => basic::Basic::compile(basic, secrets, problems).map(Scheme::Basic),
            file::Auth::Hmac(hmac) => hmac::Hmac::compile(hmac, secrets, &context, problems).map(Scheme::Hmac),
            file::Auth::Jwt(jwt) => jwt::Jwt::compile(jwt, secrets, problems).map(Scheme::Jwt),
        };
        let scheme = scheme.filter(|_| secrets_usable)?;
        let secret_names = match scheme {
            Scheme::None => Vec::new(),
            _ => secrets.iter().map(|secret| Arc::clone(&secret.name)).collect(),
        };
        let credential_headers = scheme.credential_header().into_iter().collect();
        let first_secret = secrets.first().map(|secret| secret.value.clone());
        Some(Self { scheme, secret_names, credential_headers, first_secret })
    }

    /// Verifies a request as of `now`. What comes out is as it came in, but for a credential in the query,
    /// which is masked: the query is kept with each event.
    ///
    /// # Errors
    /// Where it is not verified, with the reason.
    pub fn verify(&self, mut received: Received, now: Timestamp) -> Result<Verified, Rejection> {
        let json: Option<Value> =
            if self.scheme.needs_json() { serde_json::from_slice(&received.body).ok() } else { None };
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
            Scheme::Hmac(_) => "hmac",
            Scheme::Jwt(_) => "jwt",
        }
    }

    /// The names of the secrets, in the order of the file; none under `auth: none`.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secret_names.iter().map(AsRef::as_ref)
    }
}

// === impl Scheme ===

impl Scheme {
    /// Whether the body has to be parsed before it can be verified.
    fn needs_json(&self) -> bool {
        match self {
            Self::Hmac(hmac) => hmac.needs_json(),
            _ => self.credential().is_some_and(Credential::needs_json),
        }
    }

    fn prove(&self, message: &Message<'_>, now: Timestamp) -> Result<Proof, Rejection> {
        match self {
            Self::None => Ok(Proof { secret: None, signed_at: None }),
            Self::Token(token) => token.prove(message),
            Self::Basic(basic) => basic.prove(message),
            Self::Hmac(hmac) => hmac.prove(message, now),
            Self::Jwt(jwt) => jwt.prove(message, now),
        }
    }

    /// Where the scheme's credential is, if it has one whose place can be chosen.
    const fn credential(&self) -> Option<&Credential> {
        match self {
            Self::None | Self::Basic(_) | Self::Hmac(_) => None,
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
    let scope = RequestScope { json, envelope: json, ..received.scope() };
    Message { method: &received.method, path: &received.path, scope }
}

/// Whether there are the secrets that the scheme needs, each usable at all.
fn check_secrets(auth: &At<file::Auth>, secrets: &[At<NamedSecret>], problems: &mut Problems) -> bool {
    if matches!(auth.value, file::Auth::None) {
        problems.extend(secrets.first().map(|secret| {
            Problem::warning(secret.place, "a secret is given, but `auth: none` believes whoever sends")
                .expected("no secret, or a scheme that uses it")
        }));
        return true;
    }
    if secrets.is_empty() {
        problems.push(
            Problem::error(auth.place, "this auth scheme needs a secret")
                .expected("`secret` or `secrets` in the route"),
        );
    }
    signing::usable(secrets, problems) && !secrets.is_empty()
}

#[cfg(test)]
mod tests;
