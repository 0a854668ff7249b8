//! From a file to what it says: finds the text, bounds it, and runs the steps.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::decode::{MAX_PROBLEMS, and_more, decode};
use super::file::{ConfigFile, Provider, Samples, TestFile};
use super::interpolate::{interpolate, reason};
use super::source::{Knowledge, Source};
use super::surroundings::read_bounded;
use super::tree::{Built, Content, Node, build};
use super::{Parts, Place, Problem, Problems};

pub use super::surroundings::{FixedSurroundings, ProcessSurroundings, Surroundings};

/// The most that a configuration may hold, in bytes.
const MAX_FILE: u64 = 8 << 20;

/// What could be read of a configuration, and what is wrong with the rest.
#[derive(Debug)]
pub struct Loaded<T = ConfigFile> {
    /// What it says, without the parts that have problems: it can be checked further, so that all problems
    /// show at once, but must run only where `problems` holds no error. There is none where the text
    /// could not be read at all.
    pub file: Option<T>,
    /// What is wrong with its shape.
    pub problems: Problems,
    /// The text that the problems point into.
    pub source: Source,
    /// The names that it gives, also those whose part has a problem.
    pub given: Given,
}

/// The names that a text gives. A name that is not in the [`ConfigFile`] but here was given wrong, which
/// is a problem by itself: that nothing has this name is none.
#[derive(Debug, Clone, Default)]
pub struct Given {
    names: HashSet<(Section, String)>,
    /// The sections whose names cannot be known.
    unreadable: HashSet<Section>,
}

/// A part of the file whose entries have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    /// `providers:`.
    Providers,
    /// `destinations:`.
    Destinations,
}

/// Reads the configuration at `path`. What it refers to comes from `surroundings`.
#[must_use]
pub fn load(path: &Path, surroundings: &dyn Surroundings) -> Loaded {
    load_as(path, surroundings)
}

/// Reads the configuration at `path`, and what each of its routes is made of.
#[must_use]
pub fn load_with_parts(path: &Path, surroundings: &dyn Surroundings) -> (Loaded, Parts) {
    let name = path.display().to_string();
    match text_of(path, &name) {
        Ok(text) => {
            let (loaded, root) = parse_tree_as(&name, &text, surroundings);
            (loaded, root.as_ref().map(Parts::of).unwrap_or_default())
        }
        Err(problem) => (Loaded::nothing(name, *problem), Parts::default()),
    }
}

/// Reads a configuration that is at hand. `name` is what problems call it.
#[must_use]
pub fn parse(name: &str, text: &str, surroundings: &dyn Surroundings) -> Loaded {
    parse_as(name, text, surroundings)
}

/// Reads a file of tests.
#[must_use]
pub fn load_tests(path: &Path, surroundings: &dyn Surroundings) -> Loaded<TestFile> {
    load_as(path, surroundings)
}

/// Whether the file at `path` is a configuration rather than a file of tests: it says something that only the former can.
#[must_use]
pub fn is_configuration(path: &Path) -> bool {
    let text = read_bounded(path, MAX_FILE).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let root = build(text.strip_prefix('\u{feff}').unwrap_or(&text)).root;
    match root.map(|root| root.content) {
        Some(Content::Mapping(entries)) => {
            entries.iter().any(|entry| matches!(entry.key.text(), "routes" | "destinations" | "providers" | "listen"))
        }
        _ => false,
    }
}

fn load_as<T: DeserializeOwned>(path: &Path, surroundings: &dyn Surroundings) -> Loaded<T> {
    let name = path.display().to_string();
    match text_of(path, &name) {
        Ok(text) => parse_as(&name, &text, surroundings),
        Err(problem) => Loaded::nothing(name, *problem),
    }
}

fn text_of(path: &Path, name: &str) -> Result<String, Box<Problem>> {
    let bytes = read_bounded(path, MAX_FILE).map_err(|error| {
        let problem = Problem::error(Place::default(), format!("cannot read `{name}`: {}", reason(&error)));
        problem.expected("a configuration file: `--config` names it")
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        Box::new(Problem::error(Place::default(), format!("`{name}` is not UTF-8 text from line {line} on")))
    })
}

fn parse_as<T: DeserializeOwned>(name: &str, text: &str, surroundings: &dyn Surroundings) -> Loaded<T> {
    parse_tree_as(name, text, surroundings).0
}

/// The same with the tree, its `${...}` filled in.
fn parse_tree_as<T: DeserializeOwned>(
    name: &str,
    text: &str,
    surroundings: &dyn Surroundings,
) -> (Loaded<T>, Option<Node>) {
    if text.len() as u64 > MAX_FILE {
        let problem = format!("`{name}` is too large: a configuration may hold {} KiB", MAX_FILE >> 10);
        return (Loaded::nothing(name.to_owned(), Problem::error(Place::default(), problem)), None);
    }
    // Editors on Windows write one; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Read { value, problems, built } = read(text, Some(surroundings));
    let knowledge = if built.complete { Knowledge::Whole } else { Knowledge::Partial };
    let given = built.root.as_ref().map(Given::of).unwrap_or_default();
    let source = Source::opaque(name, text).with_secrets(built.secrets, knowledge);
    (Loaded { file: value, problems, source, given }, built.root)
}

/// Reads a provider from a file of its own, as the built-in ones are. Nothing is interpolated.
///
/// # Errors
/// Every problem of the text, in its order.
pub fn parse_provider(text: &str) -> Result<Provider, Vec<Problem>> {
    let Read { value, problems, .. } = read(text, None);
    match value {
        Some(provider) if problems.is_empty() => Ok(provider),
        _ => Err(problems.sorted()),
    }
}

/// Reads the samples of a provider.
///
/// # Errors
/// Every problem of the text, in its order.
pub fn parse_samples(text: &str) -> Result<Samples, Vec<Problem>> {
    let Read { value, problems, .. } = read(text, None);
    match value {
        Some(samples) if problems.is_empty() => Ok(samples),
        _ => Err(problems.sorted()),
    }
}

struct Read<T> {
    value: Option<T>,
    problems: Problems,
    /// What is left of the tree.
    built: Built,
}

fn read<T: DeserializeOwned>(text: &str, surroundings: Option<&dyn Surroundings>) -> Read<T> {
    let mut built = build(text);
    let mut found = std::mem::take(&mut built.problems);
    if let (Some(root), Some(surroundings)) = (&mut built.root, surroundings) {
        found.extend(interpolate(root, surroundings));
    }
    let mut problems = Problems::new();
    if let Some(next) = found.get(MAX_PROBLEMS).map(|problem| problem.place) {
        found.truncate(MAX_PROBLEMS);
        problems.extend(found);
        problems.push(and_more(next));
        return Read { value: None, problems, built };
    }
    let (value, more) = built.root.as_ref().map(|root| decode(root, found.len())).unwrap_or_default();
    problems.extend(found);
    problems.extend(more);
    Read { value, problems, built }
}

// === impl Loaded ===

impl<T> Loaded<T> {
    fn nothing(name: String, problem: Problem) -> Self {
        let mut problems = Problems::new();
        problems.push(problem);
        Self { file: None, problems, source: Source::opaque(name, ""), given: Given::default() }
    }

    /// Whether the text gives `name` in `section`, though perhaps with a problem.
    #[must_use]
    pub fn was_given(&self, section: Section, name: &str) -> bool {
        self.given.contains(section, name)
    }
}

// === impl Given ===

impl Given {
    fn of(root: &Node) -> Self {
        let mut given = Self::default();
        for section in [Section::Providers, Section::Destinations] {
            match section.node(root).map(|node| &node.content) {
                Some(Content::Mapping(entries)) => {
                    given.names.extend(entries.iter().map(|entry| (section, entry.key.text().to_owned())));
                }
                Some(Content::Scalar(_)) if section.node(root).is_some_and(Node::is_null) => {}
                Some(Content::Scalar(_) | Content::Sequence(_)) => {
                    given.unreadable.insert(section);
                }
                None => {}
            }
        }
        given
    }

    /// Whether the text gives `name` in `section`, or gives a section that cannot be read.
    #[must_use]
    pub fn contains(&self, section: Section, name: &str) -> bool {
        self.unreadable.contains(&section) || self.names.contains(&(section, name.to_owned()))
    }

    /// The names that the text gives in `section`, in no order.
    pub fn names(&self, section: Section) -> impl Iterator<Item = &str> {
        self.names.iter().filter(move |(of, _)| *of == section).map(|(_, name)| name.as_str())
    }
}

// === impl Section ===

impl Section {
    /// The section of a file, also where its key is misspelt and was understood.
    fn node(self, root: &Node) -> Option<&Node> {
        let Content::Mapping(entries) = &root.content else { return None };
        let key = self.to_string();
        entries.iter().find(|entry| entry.field() == Some(&key)).map(|entry| &entry.value)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Providers => "providers",
            Self::Destinations => "destinations",
        })
    }
}
