//! Errors on their way to the node that they belong to.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use crate::config::{Place, Problem};

/// Why a node did not decode.
#[derive(Debug)]
pub(super) enum Error {
    /// It was reported, and its node is broken off.
    Reported,
    /// A key is not there.
    Missing(&'static str),
    /// Something is wrong with the node that is being decoded.
    Here(Mistake),
}

/// What is wrong with a node, before its place is known.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) message: String,
    pub(super) expected: Option<String>,
}

// === impl Mistake ===

impl Mistake {
    /// Found one thing where another was wanted.
    pub(super) fn mismatch(expected: impl Display, found: &str) -> Self {
        Self { message: format!("expected {expected}, found {found}"), expected: Some(expected.to_string()) }
    }

    pub(super) fn at(self, place: Place) -> Problem {
        let problem = Problem::error(place, self.message);
        match self.expected {
            Some(expected) => problem.expected(expected),
            None => problem,
        }
    }
}

// === impl Error ===

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => f.write_str("reported before"),
            Self::Missing(key) => write!(f, "`{key}` is missing"),
            Self::Here(mistake) => f.write_str(&mistake.message),
        }
    }
}

impl std::error::Error for Error {}

impl From<Mistake> for Error {
    fn from(mistake: Mistake) -> Self {
        Self::Here(mistake)
    }
}

/// What serde's visitors say. None of it shows the value: it may be a secret, and the line is shown
/// anyway.
impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Here(Mistake { message: message.to_string(), expected: None })
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_value(Unexpected::Other("value"), expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Here(Mistake { message: format!("expected {expected}"), expected: Some(expected.to_string()) })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}
