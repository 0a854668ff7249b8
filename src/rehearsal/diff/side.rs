//! A configuration, and what its routes are made of.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Specimen;
use crate::config::load::{self, Loaded, Surroundings};
use crate::config::{Parts, RouteParts, names_secret};
use crate::providers;
use crate::rehearsal::suite::Report;
use crate::routing::{self, RouteTable};

/// A configuration, and what its routes are made of.
#[derive(Debug)]
pub struct Side {
    /// Its file's name, as it was given.
    pub name: String,
    table: RouteTable,
    parts: Parts,
    /// What came out of secret variables and out of files.
    pub(super) secrets: Vec<String>,
}

/// Notes which secrets a configuration is given.
struct Overheard<'s> {
    from: &'s dyn Surroundings,
    secrets: RefCell<BTreeSet<String>>,
}

/// A shorter one could be anything.
const SHORTEST: usize = 6;

// === impl Side ===

impl Side {
    /// Reads and compiles a configuration.
    ///
    /// # Errors
    /// Where it has problems.
    pub fn load(path: &Path, surroundings: &dyn Surroundings) -> Result<Self, Report> {
        let overheard = Overheard { from: surroundings, secrets: RefCell::default() };
        let (Loaded { file, mut problems, source, given }, parts) = load::load_with_parts(path, &overheard);
        let table = file.as_ref().and_then(|file| routing::compile(file, &given, &mut problems));
        let Some(mut table) = table else { return Err(Report { problems: problems.sorted(), source }) };
        table.fingerprint = source.fingerprint().into();
        let secrets = overheard.secrets.into_inner().into_iter().collect();
        Ok(Self { name: path.display().to_string(), table, parts, secrets })
    }

    /// What tells its text from others.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.table.fingerprint
    }

    /// What runs.
    #[must_use]
    pub const fn table(&self) -> &RouteTable {
        &self.table
    }

    /// The name of the route that a request has here.
    pub(super) fn route_of(&self, specimen: &Specimen) -> Option<Arc<str>> {
        let found = match &specimen.route {
            Some(name) => self.table.route(name),
            None => self.table.find(&specimen.request.path).map(|matched| matched.route),
        };
        found.map(|route| Arc::clone(&route.name))
    }

    pub(super) fn parts(&self, route: &str) -> Option<&RouteParts> {
        self.parts.route(route)
    }

    /// Whether a route is the same in both, with everything that has a say in its requests.
    pub(super) fn is_same(&self, other: &Self, route: &str) -> bool {
        match (self.parts(route), other.parts(route)) {
            (Some(one), Some(two)) => one.whole == two.whole,
            _ => false,
        }
    }

    /// Whether anything of a route's events is shown to nobody.
    pub(super) fn masks(&self, route: &str) -> bool {
        // Of what is not known, everything might be.
        self.parts(route).is_none_or(|parts| {
            let builtin = parts.builtin.as_deref().and_then(providers::builtin);
            parts.masks || builtin.is_some_and(|provider| !provider.mask.is_empty())
        })
    }
}

// === impl Overheard ===

impl Overheard<'_> {
    fn note(&self, value: &str) {
        if value.len() >= SHORTEST {
            self.secrets.borrow_mut().insert(value.to_owned());
        }
    }
}

impl Surroundings for Overheard<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.from.variable(name).inspect(|value| {
            if names_secret(name) {
                self.note(value);
            }
        })
    }

    fn stand_in(&self, name: &str) -> Option<String> {
        self.from.stand_in(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.from.read(path).inspect(|text| self.note(text.trim_end()))
    }
}
