//! `auth.basic`: a user name and a password (RFC 7617).

use http::header;

use super::expected::Expected;
use super::prefix::strip;
use super::{Proof, Rejection, SignError, Unsigned};
use crate::config::file::Encoding;
use crate::config::{At, Problem, Problems, file};
use crate::model::NamedSecret;
use crate::signing::{Message, decode, encode};

const PREFIX: &str = "Basic ";

/// The compiled scheme.
#[derive(Debug)]
pub(super) struct Basic {
    username: Option<Box<str>>,
    expected: Expected,
}

// === impl Basic ===

impl Basic {
    pub(super) fn compile(file: &file::Basic, secrets: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        let username = file.username.as_ref();
        let mut sound = true;
        if let Some(name) = username.filter(|name| name.contains(':')) {
            sound = false;
            problems.push(
                Problem::error(name.place, "a user name cannot hold a colon (RFC 7617, section 2)")
                    .expected("the part before the first `:`"),
            );
        }
        let mut expected = Expected::new();
        for secret in secrets {
            let value = secret.value.value.expose();
            if username.is_none() && !value.is_empty() && !value.contains(':') {
                sound = false;
                problems.push(
                    Problem::error(secret.place, format!("the secret `{}` has no user name", secret.name))
                        .expected("`user:password`, or the password alone and `basic: { username: ... }`"),
                );
            }
            expected.push(&secret.name, credentials(username.map(|name| name.as_str()), value).as_bytes());
        }
        sound.then(|| Self { username: username.map(|name| name.as_str().into()), expected })
    }

    pub(super) fn prove(&self, message: &Message<'_>) -> Result<Proof, Rejection> {
        let mut fields = message.scope.headers.get_all(header::AUTHORIZATION).iter();
        let given = fields.next().filter(|value| !value.is_empty()).ok_or(Rejection::Missing)?;
        if fields.next().is_some() {
            return Err(Rejection::Several);
        }
        let given = given.to_str().map_err(|_| Rejection::Malformed)?;
        let given = decode(Encoding::Base64, strip(given, PREFIX, true)?).ok_or(Rejection::Malformed)?;
        if !given.contains(&b':') {
            return Err(Rejection::Malformed);
        }
        let name = self.expected.matching(&given).ok_or(Rejection::Mismatch)?;
        Ok(Proof { secret: Some(name.clone()), signed_at: None })
    }

    pub(super) fn sign(&self, request: &mut Unsigned, secret: &str) -> Result<(), SignError> {
        let credentials = credentials(self.username.as_deref(), secret);
        let value = format!("{PREFIX}{}", encode(Encoding::Base64, credentials.as_bytes()));
        request.set(header::AUTHORIZATION, &value)
    }
}

/// What is in the header under Base 64, as UTF-8 (RFC 7617, section 2.1).
fn credentials(username: Option<&str>, secret: &str) -> String {
    username.map_or_else(|| secret.to_owned(), |name| format!("{name}:{secret}"))
}
