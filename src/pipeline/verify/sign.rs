//! Signing as the provider would, by the same description: for samples, tests and rehearsal.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::{Scheme, Verifier};
use crate::expr::{JsonRef, RequestScope};
use crate::model::{NamedSecret, Timestamp};
use crate::pipeline::Received;
use crate::signing::{Message, SigningError};

/// A request that is about to be signed. Once it is, it holds a credential: it has no `Debug`.
#[derive(Clone)]
pub struct Unsigned {
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: Box<str>,
    /// The query, without the `?`; empty where there is none.
    pub query: Box<str>,
    /// The values of the route's path parameters, by name.
    pub path_params: Vec<(Box<str>, Box<str>)>,
    /// Every header field. Signing sets those of the scheme.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A request that cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// Only the provider has the private key.
    #[error("the scheme is verified with a public key, so only the provider can sign")]
    PublicKey,
    /// The signature or the time belongs elsewhere.
    #[error("the scheme has its signature, token or timestamp elsewhere than in a header: put it there by hand")]
    NoPlace,
    /// The request lacks what is signed.
    #[error("the request lacks something that the scheme signs ({0}): add the header or member that `content` names")]
    Content(SigningError),
    /// The time cannot be written in the scheme's format.
    #[error("the time cannot be written in the scheme's format: choose one between the years 1 and 9999")]
    Time,
    /// The secret cannot go into a header.
    #[error("the secret, or the prefix before it, has characters that a header cannot carry")]
    NotAHeader,
    /// There is no secret.
    #[error("the scheme has no secret to sign with")]
    NoSecret,
}

// === impl Unsigned ===

impl Unsigned {
    /// The request as it would come in at `received_at`.
    #[must_use]
    pub fn received(self, received_at: Timestamp) -> Received {
        let Self { method, path, query, path_params, headers, body } = self;
        Received { method, path, query, path_params, headers, body, received_at }
    }

    /// Sets a header in place of what was there.
    pub(super) fn set(&mut self, name: HeaderName, value: &str) -> Result<(), SignError> {
        let value = HeaderValue::from_str(value).map_err(|_| SignError::NotAHeader)?;
        self.headers.insert(name, value);
        Ok(())
    }

    pub(super) fn message<'a>(&'a self, json: Option<&'a Value>) -> Message<'a> {
        let json = json.map(JsonRef::from);
        let scope = RequestScope {
            headers: &self.headers,
            query: &self.query,
            path_params: &self.path_params,
            body: &self.body,
            json,
            envelope: json,
            data: &self.body,
        };
        Message { method: &self.method, path: &self.path, scope }
    }
}

// === impl Verifier ===

impl Verifier {
    /// Signs a request as the provider would at `now`: with the first of the secrets, by the same description
    /// by which it is verified. Under `auth: none` nothing changes.
    ///
    /// # Errors
    /// Where only the provider can sign, or the request lacks what is signed.
    pub fn sign(&self, request: &mut Unsigned, now: Timestamp) -> Result<(), SignError> {
        let first =
            || self.first_secret.as_ref().map(|secret: &NamedSecret| secret.value.expose()).ok_or(SignError::NoSecret);
        match &self.scheme {
            Scheme::None => Ok(()),
            Scheme::Token(token) => token.credential.write(request, first()?),
            Scheme::Basic(basic) => basic.sign(request, first()?),
            Scheme::Hmac(hmac) => hmac.sign(request, now),
            Scheme::Jwt(jwt) => jwt.sign(request, now),
        }
    }
}
