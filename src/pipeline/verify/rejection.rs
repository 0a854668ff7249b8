//! Why a request was not verified.

use std::fmt;

use crate::signing::SigningError;

/// Why a request was not verified: a closed set whose words are the `result` label. Never told to the client.
///
/// In the order of how far a request got: where several signatures fail, each in its own way, the one that
/// got furthest says most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// What should prove it is not there, or empty.
    Missing,
    /// It is there more than once, where one is meant.
    Several,
    /// It is not of the form that the scheme describes: prefix, encoding, parts.
    Malformed,
    /// The signed time is not there.
    MissingTimestamp,
    /// The signed time is not of the described format.
    MalformedTimestamp,
    /// Something that the signature covers is not there.
    IncompleteContent,
    /// The token's `alg` is none of those that are taken.
    WrongAlgorithm,
    /// The key is said to be somewhere that is not believed.
    ForeignKey,
    /// There is no key of the name that the request gives.
    UnknownKey,
    /// The key could not be fetched.
    KeyUnavailable,
    /// It is well-formed, and right for none of the secrets.
    Mismatch,
    /// Signed by a known secret, but longer ago than `tolerance`.
    Stale,
    /// Signed by a known secret, but further ahead of our clock than `tolerance`.
    TooFarAhead,
    /// The token's `exp` has passed.
    Expired,
    /// The token's `nbf` is still to come.
    NotYetValid,
    /// The token's claims are not those that are asked for.
    WrongClaims,
}

// === impl Rejection ===

impl Rejection {
    /// Every rejection, for a metric that shows its zeroes.
    pub const ALL: [Self; 16] = [
        Self::Missing,
        Self::Several,
        Self::Malformed,
        Self::MissingTimestamp,
        Self::MalformedTimestamp,
        Self::IncompleteContent,
        Self::WrongAlgorithm,
        Self::ForeignKey,
        Self::UnknownKey,
        Self::KeyUnavailable,
        Self::Mismatch,
        Self::Stale,
        Self::TooFarAhead,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongClaims,
    ];

    /// The word: the value of the `result` label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Several => "several",
            Self::Malformed => "malformed",
            Self::MissingTimestamp => "missing_timestamp",
            Self::MalformedTimestamp => "malformed_timestamp",
            Self::IncompleteContent => "incomplete_content",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::ForeignKey => "foreign_key",
            Self::UnknownKey => "unknown_key",
            Self::KeyUnavailable => "key_unavailable",
            Self::Mismatch => "mismatch",
            Self::Stale => "stale",
            Self::TooFarAhead => "too_far_ahead",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongClaims => "wrong_claims",
        }
    }

    /// What an operator can check, for the log. It holds nothing of the request and nothing of a secret.
    #[must_use]
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Missing => "check that the provider was given a secret, and that no proxy drops the header",
            Self::Several => "the request has the signature or credential more than once: check what is between",
            Self::Malformed => "compare the header's prefix and encoding with the provider's `auth`",
            Self::MissingTimestamp => "check `timestamp.from` against the provider's documents",
            Self::MalformedTimestamp => "check `timestamp.format` against the provider's documents",
            Self::IncompleteContent => {
                "the request lacks something that `content` names: check it against the documents"
            }
            Self::WrongAlgorithm => "check `algorithms`: a token's own word for its algorithm is not believed",
            Self::ForeignKey => {
                "the key's address is none of the provider's `hosts`: a forgery, or compare them with its documents"
            }
            Self::UnknownKey => {
                "no key has the id that the request names: a forgery, or the keys' address is another account's"
            }
            Self::KeyUnavailable => "the key could not be fetched: check that this machine reaches the provider's host",
            Self::Mismatch => "check the secret and its `key.encoding`, and that no proxy changes the body or the URL",
            Self::Stale => "check this machine's clock; a request that waited, or was replayed, is refused",
            Self::TooFarAhead => "check this machine's clock against the sender's",
            Self::Expired => "check this machine's clock; a token that waited, or was replayed, is refused",
            Self::NotYetValid => "check this machine's clock against the sender's, or raise `leeway`",
            Self::WrongClaims => "compare `claims` with what the provider puts into its tokens",
        }
    }
}

impl From<SigningError> for Rejection {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::MissingTimestamp => Self::MissingTimestamp,
            SigningError::Incomplete => Self::IncompleteContent,
            SigningError::Several => Self::Several,
            SigningError::Malformed => Self::Malformed,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
