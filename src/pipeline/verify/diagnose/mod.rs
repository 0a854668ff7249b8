//! Why a request is not verified, in words that help: what nearly matched.
//!
//! When a request is refused, things that often go wrong are undone one after the other, and some of them in pairs: the
//! newline that an editor added to the body, the secret that should have been decoded, the header of another name. Each is a
//! mutation of the scheme's description, the secrets or the request, and what comes of it is judged by the same
//! [`Verifier`](super::Verifier) that the gateway has: there is no second implementation that could differ. What would then
//! be verified is the near miss.
//!
//! It says what is different, never what would be right: no signature, no secret and nothing that is made of one is in the
//! words, whatever the request and the secret hold. All that they quote are names of header fields and hosts, and literals of
//! this module.
//!
//! How much is tried is bounded: one thing at a time always, pairs as long as a budget of bytes lasts.

mod address;
mod body;
mod content;
mod hint;
mod json;
mod moment;
mod mutation;
mod provider;
mod scheme;
mod search;
mod secret;
mod signature;
mod token;
mod trial;

use std::sync::Arc;

use url::Url;

pub use self::mutation::Change;
pub use self::trial::Case;

use self::search::Search;
use self::trial::{Failure, Trial};
use super::{Rejection, Unsigned};
use crate::model::Timestamp;

/// The bytes of bodies that pairs are tried with, where hashing a byte is one and parsing it several.
const MOST_BYTES: usize = 96 << 20;
/// How many attempts pairs may take.
const MOST_ATTEMPTS: usize = 3000;

/// What became of a request.
#[derive(Debug)]
pub struct Diagnosis {
    /// The verdict of the gateway.
    pub verdict: Verdict,
    /// What would have been verified: every difference, or nothing where none was found.
    pub near_miss: Vec<Change>,
    /// What can be seen without trying.
    pub hints: Vec<String>,
    /// What was looked at.
    pub checked: Vec<&'static str>,
    /// How many attempts that took.
    pub attempts: usize,
    /// Whether pairs were left out because the body is large.
    pub cut_short: bool,
}

/// The verdict of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is verified.
    Verified {
        /// The scheme as the file names it.
        scheme: Box<str>,
        /// The name of the secret that matched.
        secret: Option<Arc<str>>,
        /// When it was signed, where it says so.
        signed_at: Option<Timestamp>,
    },
    /// It is refused.
    Refused(Rejection),
    /// The key has to be fetched from there first.
    KeyWanted(Url),
    /// What was given in place of the key is none of the scheme's.
    KeyUnreadable,
    /// The secrets are none of the scheme's: the words of the problem.
    Unusable(String),
}

/// Judges a request at `now`, and looks for what nearly matched.
#[must_use]
pub fn diagnose(case: Case, request: Unsigned, now: Timestamp) -> Diagnosis {
    let trial = Trial { case, request };
    let verdict = Verdict::of(&trial, now);
    let mut search = Search::new(&trial, now);
    let near_miss = match &verdict {
        Verdict::Verified { .. } | Verdict::KeyWanted(_) => Vec::new(),
        Verdict::Refused(_) | Verdict::KeyUnreadable | Verdict::Unusable(_) => search.near_miss(),
    };
    let hints = if matches!(verdict, Verdict::Verified { .. }) { Vec::new() } else { hint::hints(&trial, &near_miss) };
    let Search { checked, attempts, cut_short, .. } = search;
    Diagnosis { verdict, near_miss, hints, checked, attempts, cut_short }
}

// === impl Verdict ===

impl Verdict {
    fn of(trial: &Trial, now: Timestamp) -> Self {
        match trial.judge(now) {
            Ok(verified) => {
                let evidence = verified.evidence();
                let at = |skew: i64| Timestamp::from_millis(now.as_millis().saturating_add(skew));
                Self::Verified {
                    scheme: evidence.scheme.clone(),
                    secret: evidence.secret.clone(),
                    signed_at: evidence.skew_ms.map(at),
                }
            }
            Err(Failure::Refused(rejection)) => Self::Refused(rejection),
            Err(Failure::KeyWanted(url)) => Self::KeyWanted(url),
            Err(Failure::KeyUnreadable) => Self::KeyUnreadable,
            Err(Failure::Unusable(words)) => Self::Unusable(words),
        }
    }

    /// The verdict's word, for programs: `verified`, one of [`Rejection`]'s, or why nothing could be judged.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::Refused(rejection) => rejection.as_str(),
            Self::KeyWanted(_) => "key_wanted",
            Self::KeyUnreadable => "key_unreadable",
            Self::Unusable(_) => "unusable_secret",
        }
    }
}

#[cfg(test)]
mod tests;
