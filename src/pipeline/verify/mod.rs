//! The second stage: whether a request comes from whom it says.

use http::HeaderName;

use crate::config::{At, Problems, file};
use crate::expr::Choices;
use crate::model::{Evidence, NamedSecret, Timestamp};
use crate::pipeline::Received;

/// A request that was verified, and how.
#[derive(Debug)]
pub struct Verified {
    received: Received,
    evidence: Evidence,
}

/// A route's compiled auth scheme with its secrets.
#[derive(Debug)]
pub struct Verifier(());

/// Why a request was not verified: a closed set whose words are the `result` label. Never told to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// What should prove it is not there.
    Missing,
}

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

impl Rejection {
    /// The word: the value of the `result` label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
        }
    }
}

impl Verifier {
    /// Compiles a scheme with a route's secrets. `id` is where the provider's event id is, for `{id}` in the
    /// signed content; `public_url` is the address that the provider was given, for `{url}`.
    pub fn compile(
        _auth: &At<file::Auth>,
        _secrets: &[At<NamedSecret>],
        _id: &Choices,
        _public_url: Option<&str>,
        _problems: &mut Problems,
    ) -> Option<Self> {
        todo!()
    }

    /// Verifies a request as of `now`.
    ///
    /// # Errors
    /// Where it is not verified, with the reason.
    pub fn verify(&self, _received: Received, _now: Timestamp) -> Result<Verified, Rejection> {
        todo!()
    }

    /// The header fields that carry a credential under this scheme: they are never stored.
    #[must_use]
    pub fn credential_headers(&self) -> &[HeaderName] {
        todo!()
    }

    /// The scheme as the file names it.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        todo!()
    }

    /// The names of the secrets.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}
