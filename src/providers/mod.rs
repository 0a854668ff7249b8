//! The built-in providers: one YAML file each, in the form of the user's own.
//!
//! A provider is its file: what it is, how its requests are verified, where its events are and what it wants
//! to hear. To add one, write the file and add its name to the list below.

mod summary;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::config::{file::Provider, load};

pub use summary::{Summary, summary};

/// Makes the list of the built-in providers from their names: each is the file of that name.
macro_rules! builtin {
    ($($name:literal),+ $(,)?) => {
        const BUILTIN: &[(&str, &str)] = &[$(($name, include_str!(concat!($name, ".yaml")))),+];
    };
}

builtin!["bspk", "bubblehouse", "orderspace", "sparkbox"];

/// Each read once, when the first of them is asked for: many routes may have the same provider.
static PROVIDERS: LazyLock<HashMap<&str, Provider>> = LazyLock::new(|| {
    // A file that does not load is found by the tests below, not by a user.
    BUILTIN.iter().filter_map(|(name, source)| Some((*name, load::parse_provider(source).ok()?))).collect()
});

/// The built-in provider of this name.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static Provider> {
    PROVIDERS.get(name)
}

/// The YAML of the built-in provider of this name, as it is in its file: to show, or to start one's own from.
#[must_use]
pub fn source(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, source)| *source)
}

/// The names of the built-in providers, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests;
