//! The built-in providers: one YAML file each, in the form of the user's own.
//!
//! A provider is its file: what it is, how its requests are verified, where its events are and what it wants
//! to hear. To add one, write the file, and `fixtures/providers/NAME/samples.yaml` with what it sends: both are found where
//! they are, by `build.rs`, and the tests below take every one of them.

mod samples;
mod summary;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::config::{Problem, file::Provider, load};

pub use samples::{HandshakeSample, Sample, SampleReply, Samples};
pub use summary::{Summary, summary};

/// A built-in provider as it is in its files.
struct BuiltIn {
    name: &'static str,
    yaml: &'static str,
    /// What is beside its samples, by the names of the files.
    files: &'static [(&'static str, &'static str)],
}

/// In alphabetical order.
const BUILTIN: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// Each read once, when the first of them is asked for: many routes may have the same provider.
static PROVIDERS: LazyLock<HashMap<&str, LazyLock<Option<Provider>, Parse>>> = LazyLock::new(|| {
    // A file that does not load is found by the tests below, not by a user.
    let parse = |builtin: &'static BuiltIn| -> (&str, LazyLock<Option<Provider>, Parse>) {
        (builtin.name, LazyLock::new(Box::new(|| load::parse_provider(builtin.yaml).ok())))
    };
    BUILTIN.iter().map(parse).collect()
});

type Parse = Box<dyn FnOnce() -> Option<Provider> + Send>;

/// The built-in provider of this name.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static Provider> {
    PROVIDERS.get(name).and_then(|provider| provider.as_ref())
}

/// The YAML of the built-in provider of this name, as it is in its file: to show, or to start one's own from.
#[must_use]
pub fn source(name: &str) -> Option<&'static str> {
    find(name).map(|builtin| builtin.yaml)
}

/// The names of the built-in providers, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|builtin| builtin.name)
}

/// What the built-in provider of this name sends; `None` where there are no samples of it.
///
/// # Errors
/// Every problem of the file, in its order.
pub fn samples(name: &str) -> Option<Result<Samples, Vec<Problem>>> {
    let builtin = find(name)?;
    let (_, yaml) = builtin.files.iter().find(|(file, _)| *file == samples::FILE)?;
    Some(Samples::parse(yaml, builtin.files))
}

fn find(name: &str) -> Option<&'static BuiltIn> {
    BUILTIN.iter().find(|builtin| builtin.name == name)
}

#[cfg(test)]
mod tests;
