//! Signing as the provider would, by the same description: for samples, tests and rehearsal.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::form_urlencoded;

use super::{Scheme, Verifier};
use crate::expr::{JsonRef, RequestScope, Selector};
use crate::model::{NamedSecret, Timestamp};
use crate::pipeline::Received;
use crate::signing::{Message, PrivateKey, SigningError};

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

/// How a request is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'k> {
    /// When.
    pub now: Timestamp,
    /// With what, where the scheme has public keys. Where that would be fetched, the verifier is told it.
    pub private: Option<&'k PrivateKey>,
    /// A bit is off.
    pub forged: bool,
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

    /// Puts text where a selector finds it.
    pub(super) fn put(&mut self, place: &Selector, text: &str) -> Result<(), SignError> {
        if let Some(name) = place.header_name() {
            return self.set(name.parse().map_err(|_| SignError::NotAHeader)?, text);
        }
        if let Some(name) = place.query_parameter() {
            let others = form_urlencoded::parse(self.query.as_bytes()).filter(|(known, _)| known != name);
            let mut query = form_urlencoded::Serializer::new(String::new());
            self.query = query.extend_pairs(others).append_pair(name, text).finish().into();
            return Ok(());
        }
        let names = place.body_member().ok_or(SignError::NoPlace)?;
        let mut body: Value = serde_json::from_slice(&self.body).map_err(|_| SignError::NoPlace)?;
        super::body::put(&mut body, &[], &names, text.to_owned()).ok_or(SignError::NoPlace)?;
        self.body = body.to_string().into();
        Ok(())
    }

    pub(super) fn message<'a>(&'a self, json: Option<&'a Value>) -> Message<'a> {
        let json = json.map(JsonRef::from);
        let scope = RequestScope {
            method: &self.method,
            headers: &self.headers,
            query: &self.query,
            path_params: &self.path_params,
            body: &self.body,
            json,
            envelope: json,
            whole: json,
            data: &self.body,
        };
        Message { path: &self.path, scope }
    }
}

// === impl Signing ===

impl Signing<'_> {
    /// A signature as it goes out.
    pub(super) fn tag(&self, mut tag: Vec<u8>) -> Vec<u8> {
        if let Some(last) = tag.last_mut().filter(|_| self.forged) {
            *last ^= 1;
        }
        tag
    }

    /// A credential as it goes out.
    fn credential(&self, secret: &str) -> String {
        match secret.char_indices().next_back() {
            Some((at, last)) if self.forged => {
                let other = if last == 'x' { 'y' } else { 'x' };
                format!("{}{other}", secret.get(..at).unwrap_or_default())
            }
            _ => secret.to_owned(),
        }
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
        self.sign_as(request, &Signing { now, private: None, forged: false })
    }

    /// Signs a request in some way.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_as(&self, request: &mut Unsigned, signing: &Signing<'_>) -> Result<(), SignError> {
        self.sign_by_scheme(request, signing)?;
        if let Some(private) = signing.private {
            self.plant(request, private, signing.now);
        }
        Ok(())
    }

    fn sign_by_scheme(&self, request: &mut Unsigned, signing: &Signing<'_>) -> Result<(), SignError> {
        let first = || {
            let secret = self.first_secret.as_ref().map(|secret: &NamedSecret| secret.value.expose());
            secret.map(|secret| signing.credential(secret)).ok_or(SignError::NoSecret)
        };
        match &self.scheme {
            Scheme::None => Ok(()),
            Scheme::Token(token) => token.sign(request, &first()?),
            Scheme::Basic(basic) => basic.sign(request, &first()?),
            Scheme::Signed(_, signed) => signed.sign(request, signing),
            Scheme::Sns(sns) => sns.sign(request, signing),
            Scheme::Jwt(jwt) => jwt.sign(request, signing),
        }
    }
}
