//! One thing that is tried: a scheme with its secrets, and a request, judged by the gateway's own verifier.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use crate::config::{At, Problems, Severity, Span, file};
use crate::expr::Choices;
use crate::model::{NamedSecret, Timestamp};
use crate::pipeline::verify::{Rejection, Surroundings, Unsigned, Verified, Verifier};

/// What a request is judged by: a scheme, as it is described, and the secrets.
#[derive(Debug, Clone)]
pub struct Case {
    /// The scheme.
    pub auth: At<file::Auth>,
    /// The secrets that verify.
    pub secrets: Vec<At<NamedSecret>>,
    /// The secrets that have a role of their own.
    pub roles: Vec<At<NamedSecret>>,
    /// Where the provider's event id is.
    pub id: Choices,
    /// The address that the provider was given.
    pub public_url: Option<String>,
    /// What stands for the key that the gateway would fetch.
    pub key: Option<Bytes>,
    /// The built-in provider whose scheme it is, if it is one's.
    pub provider: Option<String>,
}

/// A case and a request.
#[derive(Clone)]
pub(super) struct Trial {
    pub(super) case: Case,
    pub(super) request: Unsigned,
}

/// Why a request was not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The scheme does not compile with these secrets: a problem's words, which quote none.
    Unusable(String),
    /// A key has to be fetched from there first.
    KeyWanted(Url),
    /// What was given in place of the key is none.
    KeyUnreadable,
    Refused(Rejection),
}

/// A bound on time that no request is beyond: some ten million years.
const EVER: Duration = Duration::from_secs(1 << 48);

// === impl Case ===

impl Case {
    /// Whether nothing can be verified without a secret.
    #[must_use]
    pub const fn needs_secret(&self) -> bool {
        match &self.auth.value {
            file::Auth::None => false,
            file::Auth::Jwt(jwt) => jwt.keys.is_none(),
            _ => true,
        }
    }
}

// === impl Trial ===

impl Trial {
    /// The verdict of the gateway at `now`.
    pub(super) fn judge(&self, now: Timestamp) -> Result<Verified, Failure> {
        let verifier = self.compile()?;
        let received = self.request.clone().received(now);
        if let Some(wanted) = verifier.lacks(&received, now) {
            match &self.case.key {
                None => return Err(Failure::KeyWanted(wanted.request.url)),
                Some(key) if !verifier.give(&wanted, key, now) => return Err(Failure::KeyUnreadable),
                Some(_) => {}
            }
        }
        verifier.verify(received, now).map_err(Failure::Refused)
    }

    /// Whether it would be verified whenever that is.
    pub(super) fn holds_at_some_time(&self, now: Timestamp) -> bool {
        self.timeless().judge(now).is_ok()
    }

    /// When it was signed, where it would be verified at some time and says so.
    pub(super) fn signed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let skew = self.timeless().judge(now).ok()?.evidence().skew_ms?;
        Some(Timestamp::from_millis(now.as_millis().saturating_add(skew)))
    }

    /// What a byte of the body costs: parsing it takes many times as long as hashing it.
    pub(super) fn cost(&self) -> usize {
        const PARSED: usize = 10;
        let parsed = self.compile().is_ok_and(|verifier| verifier.scheme.needs_json());
        self.request.body.len().saturating_mul(if parsed { PARSED } else { 1 })
    }

    /// The same without a bound on time.
    fn timeless(&self) -> Self {
        let mut trial = self.clone();
        let ever = Some(At::nowhere(Span(EVER)));
        if let Some(Some(rule)) = trial.timestamp_mut() {
            rule.value.tolerance = ever;
        } else if let file::Auth::Jwt(jwt) = &mut trial.case.auth.value {
            jwt.leeway.clone_from(&ever);
            jwt.max_age = jwt.max_age.take().and(ever);
        }
        trial
    }

    fn compile(&self) -> Result<Verifier, Failure> {
        let Case { auth, secrets, roles, id, public_url, .. } = &self.case;
        let mut problems = Problems::new();
        let surroundings = Surroundings { id, public_url: public_url.as_deref(), roles };
        Verifier::compile(auth, secrets, surroundings, &mut problems).ok_or_else(|| {
            let first = problems.sorted().into_iter().find(|problem| problem.severity == Severity::Error);
            Failure::Unusable(first.map_or_else(String::new, |problem| match problem.expected {
                Some(expected) => format!("{}; expected {expected}", problem.message),
                None => problem.message,
            }))
        })
    }
}
