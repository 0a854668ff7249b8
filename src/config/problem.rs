//! What is wrong with a configuration, for a person.

use super::Place;

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the file loads in spite of it.
    pub severity: Severity,
    /// Where in the file.
    pub place: Place,
    /// What is wrong, in a sentence without a capital and a full stop. Never a secret.
    pub message: String,
    /// What was expected there, where that helps: `a duration such as 30s`.
    pub expected: Option<String>,
    /// The name that was probably meant.
    pub did_you_mean: Option<String>,
}

/// Whether a file with this problem loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does not load.
    Error,
    /// It loads; something in it is probably not what was meant.
    Warning,
}

/// Every problem of one file, collected on the way.
#[derive(Debug, Clone, Default)]
pub struct Problems(Vec<Problem>);

// === impl Problem ===

impl Problem {
    /// An error at a place.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, message: message.into(), expected: None, did_you_mean: None }
    }

    /// A warning at a place.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// An error in an expression: `what` (the filter, the transform) cannot be compiled.
    pub fn expression(place: Place, what: &str, message: &str, expected: Option<String>) -> Self {
        Self { expected, ..Self::error(place, format!("{what} cannot be read: {message}")) }
    }

    /// Says what was expected instead.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Suggests the one of `known` that `given` was probably meant to be, if any is near.
    #[must_use]
    pub fn suggest<'a>(mut self, given: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.did_you_mean = nearest(given, known).map(str::to_owned);
        self
    }
}

/// The one of `known` that `given` is probably a misspelling of.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close_enough = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&given.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= close_enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

// === impl Problems ===

impl Problems {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one. What was said already is not said again: a part that is used twice is looked at twice.
    pub fn push(&mut self, problem: Problem) {
        if problem.place.line == 0 || !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Whether one of them keeps the file from loading.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is an error within the part of the file at `place`: what the part lacks may be
    /// what was wrong with it.
    #[must_use]
    pub fn any_error_in(&self, place: Place) -> bool {
        let inside = |problem: &Problem| place.start <= problem.place.start && problem.place.start < place.end;
        self.0.iter().any(|problem| problem.severity == Severity::Error && problem.place.line > 0 && inside(problem))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each, in the order in which it was found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// All of them in the order of the file.
    #[must_use]
    pub fn sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| (problem.place.line, problem.place.column));
        self.0
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}
