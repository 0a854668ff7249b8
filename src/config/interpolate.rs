//! `${NAME}`, `${NAME:-default}` and `${file:/path}` in the tree's scalars; `$${` is a literal `${`.
//!
//! It happens after parsing, in values alone: whatever a variable holds, it is text, and can add no key
//! and close no quote.

use std::io;
use std::path::Path;

use super::surroundings::Surroundings;
use super::tree::{Content, Form, Node, Scalar};
use super::{Place, Problem};

/// The most that all interpolated text may hold together, in bytes.
const MAX_TOTAL: usize = 4 << 20;

/// Fills in every scalar below `root`. A scalar with a problem is broken off.
pub(super) fn interpolate(root: &mut Node, surroundings: &dyn Surroundings) -> Vec<Problem> {
    let mut interpolation = Interpolation { surroundings, left: MAX_TOTAL, problems: Vec::new() };
    interpolation.node(root);
    interpolation.problems
}

struct Interpolation<'s> {
    surroundings: &'s dyn Surroundings,
    left: usize,
    problems: Vec<Problem>,
}

/// Why a reference stands for nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ReferenceError {
    #[error("`${{` is not closed")]
    Open,
    #[error("one `${{...}}` cannot stand within another")]
    Nested,
    #[error("`${{...}}` holds no name of a variable")]
    Name,
    #[error("the environment variable `{0}` is not set")]
    Unset(String),
    #[error("cannot read the file `{0}`: {1}")]
    File(String, String),
    #[error("the interpolated values are too large together")]
    TooMuch,
}

// === impl Interpolation ===

impl Interpolation<'_> {
    fn node(&mut self, node: &mut Node) {
        let place = node.place;
        match &mut node.content {
            Content::Sequence(items) => items.iter_mut().for_each(|item| self.node(item)),
            Content::Mapping(entries) => entries.iter_mut().for_each(|entry| self.node(&mut entry.value)),
            Content::Scalar(scalar) => {
                if !self.scalar(scalar, place) {
                    node.break_off();
                }
            }
        }
    }

    fn scalar(&mut self, scalar: &mut Scalar, place: Place) -> bool {
        if !scalar.text.contains("${") {
            return true;
        }
        match self.text(&scalar.text) {
            Ok((text, Form::Interpolated)) => *scalar = Scalar { text, form: Form::Interpolated },
            // An escaped `${` alone brings nothing in.
            Ok((text, _)) => scalar.text = text,
            Err(error) => {
                self.problems.push(error.at(place));
                return false;
            }
        }
        true
    }

    fn text(&mut self, text: &str) -> Result<(String, Form), ReferenceError> {
        let (mut filled, mut rest, mut form) = (String::with_capacity(text.len()), text, Form::Plain);
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str("${");
                rest = after;
                continue;
            }
            let (reference, after) = after.split_once('}').ok_or(ReferenceError::Open)?;
            let value = self.value(reference)?;
            self.left = self.left.checked_sub(value.len()).ok_or(ReferenceError::TooMuch)?;
            filled.push_str(before);
            filled.push_str(&value);
            (rest, form) = (after, Form::Interpolated);
        }
        filled.push_str(rest);
        Ok((filled, form))
    }

    fn value(&self, reference: &str) -> Result<String, ReferenceError> {
        if reference.contains("${") {
            return Err(ReferenceError::Nested);
        }
        if let Some(path) = reference.strip_prefix("file:") {
            return self.file(path);
        }
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            return Err(ReferenceError::Name);
        }
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        match (self.surroundings.variable(name), default) {
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (Some(value), _) => Ok(value),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => self.surroundings.stand_in(name).ok_or_else(|| ReferenceError::Unset(name.to_owned())),
        }
    }

    fn file(&self, path: &str) -> Result<String, ReferenceError> {
        let mut text = self
            .surroundings
            .read(Path::new(path))
            .map_err(|error| ReferenceError::File(path.to_owned(), reason(&error)))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }
}

// === impl ReferenceError ===

impl ReferenceError {
    fn at(&self, place: Place) -> Problem {
        let problem = Problem::error(place, self.to_string());
        match self {
            Self::Open | Self::Nested | Self::Name => {
                problem.expected("`${NAME}`, `${NAME:-default}` or `${file:/path}`; a literal `${` is written `$${`")
            }
            Self::Unset(name) => problem.expected(format!("a value in the environment, or `${{{name}:-default}}`")),
            Self::File(..) | Self::TooMuch => problem,
        }
    }
}

/// Why a file cannot be read, in words.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "this process may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::surroundings::FixedSurroundings;

    fn surroundings() -> FixedSurroundings {
        FixedSurroundings::new()
            .with_variable("NAME", "value")
            .with_variable("EMPTY", "")
            .with_variable("TRICK", "a: ${NAME}")
            .with_file("/secret", "hunter2\n\n")
    }

    fn filled(text: &str) -> Result<String, ReferenceError> {
        let mut interpolation = Interpolation { surroundings: &surroundings(), left: MAX_TOTAL, problems: Vec::new() };
        interpolation.text(text).map(|(text, _)| text)
    }

    #[test]
    fn references_are_filled_in_wherever_they_stand() {
        assert_eq!(filled("${NAME}").unwrap(), "value");
        assert_eq!(filled("a ${NAME}, b ${NAME}.").unwrap(), "a value, b value.");
        assert_eq!(filled("${NONE:-a:b}").unwrap(), "a:b");
        assert_eq!(filled("${EMPTY:-x}${NONE:-}").unwrap(), "x");
        assert_eq!(filled("${EMPTY}").unwrap(), "");
        assert_eq!(filled("${NAME} $${NAME} $$").unwrap(), "value ${NAME} $$");
    }

    #[test]
    fn one_newline_at_the_end_of_a_file_is_left_out() {
        assert_eq!(filled("${file:/secret}").unwrap(), "hunter2\n");
    }

    #[test]
    fn what_a_variable_holds_is_not_looked_into() {
        assert_eq!(filled("${TRICK}").unwrap(), "a: ${NAME}");
    }

    #[test]
    fn a_reference_that_stands_for_nothing_says_why() {
        assert_eq!(filled("${NONE}"), Err(ReferenceError::Unset("NONE".into())));
        assert_eq!(filled("${NAME"), Err(ReferenceError::Open));
        assert_eq!(filled("${A:-${NAME}}"), Err(ReferenceError::Nested));
        for text in ["${}", "${ NAME }", "${$.data.total}", "${1A}", "${A-b}"] {
            assert_eq!(filled(text), Err(ReferenceError::Name), "{text}");
        }
        let missing = ReferenceError::File("/none".into(), "there is no such file".into());
        assert_eq!(filled("${file:/none}"), Err(missing));
    }

    #[test]
    fn all_values_together_are_bounded() {
        let mut interpolation = Interpolation { surroundings: &surroundings(), left: 9, problems: Vec::new() };
        assert_eq!(interpolation.text("${NAME}${NAME}"), Err(ReferenceError::TooMuch));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn text_without_a_reference_is_unchanged(text in "[^{]{0,20}(\\{[^$]{0,5})?") {
            prop_assume!(!text.contains("${"));
            prop_assert_eq!(filled(&text), Ok(text));
        }

        #[test]
        fn doubling_the_dollar_keeps_any_text(text in "[${}a-z]{0,20}") {
            // A `$` right before a literal `${` would read as the escape of it.
            prop_assume!(!text.contains("$${"));
            prop_assert_eq!(filled(&text.replace("${", "$${")), Ok(text));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}|[${}:-]{0,12}") {
            let _ = filled(&text);
        }
    }
}
