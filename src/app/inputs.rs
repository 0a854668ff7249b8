//! The files that a configuration took something from, `${file:...}`, and what was in them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::config::load::Surroundings;

/// What is compared of a file's content. It is of a secret most likely: it is not shown, and not kept beyond the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

/// The files that a configuration took something from. Its `Debug` shows their paths.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Inputs(BTreeMap<PathBuf, Found>);

/// What was found of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Text(Digest),
    /// There was no such file.
    Nothing,
    /// It is there, and cannot be read, or is no text.
    Unreadable,
}

/// Surroundings that remember which files they were asked for.
pub(super) struct Recording<'s> {
    surroundings: &'s dyn Surroundings,
    found: RefCell<Inputs>,
}

// === impl Digest ===

impl Digest {
    pub(super) fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(***)")
    }
}

// === impl Inputs ===

impl Inputs {
    /// The files, each with what was read of it; `None` where it could not be.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, Option<Digest>)> {
        self.0.iter().map(|(path, found)| {
            let read = if let Found::Text(digest) = found { Some(*digest) } else { None };
            (&**path, read)
        })
    }

    /// Adds what a reading found that did not come to a configuration: perhaps it did not get to all of them. Of what could
    /// not be read stays what was read before.
    pub(super) fn add(&mut self, partial: Self) {
        for (path, found) in partial.0 {
            if found == Found::Unreadable {
                self.0.entry(path).or_insert(found);
            } else {
                self.0.insert(path, found);
            }
        }
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

// === impl Recording ===

impl<'s> Recording<'s> {
    pub(super) fn new(surroundings: &'s dyn Surroundings) -> Self {
        Self { surroundings, found: RefCell::default() }
    }

    pub(super) fn into_inputs(self) -> Inputs {
        self.found.into_inner()
    }
}

impl Surroundings for Recording<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.surroundings.variable(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let read = self.surroundings.read(path);
        let found = match &read {
            Ok(text) => Found::Text(Digest::of(text.as_bytes())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
            Err(_) => Found::Unreadable,
        };
        self.found.borrow_mut().0.insert(path.to_owned(), found);
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::FixedSurroundings;

    fn read(surroundings: &FixedSurroundings, paths: &[&str]) -> Inputs {
        let recording = Recording::new(surroundings);
        paths.iter().for_each(|path| drop(recording.read(Path::new(path))));
        recording.into_inputs()
    }

    #[test]
    fn what_was_read_is_remembered_and_not_shown() {
        let surroundings = FixedSurroundings::new().with_file("/secret", "hunter2");
        let inputs = read(&surroundings, &["/secret", "/gone"]);
        let expected = [(Path::new("/gone"), None), (Path::new("/secret"), Some(Digest::of(b"hunter2")))];
        assert_eq!(inputs.files().collect::<Vec<_>>(), expected);
        assert_eq!(format!("{inputs:?}"), r#"{"/gone", "/secret"}"#);
    }

    #[test]
    fn a_reading_that_broke_off_takes_no_file_away() {
        let mut inputs = read(&FixedSurroundings::new().with_file("/a", "1").with_file("/b", "1"), &["/a", "/b"]);
        inputs.add(read(&FixedSurroundings::new().with_file("/b", "2"), &["/b", "/c"]));
        let (one, two) = (Some(Digest::of(b"1")), Some(Digest::of(b"2")));
        let expected = [(Path::new("/a"), one), (Path::new("/b"), two), (Path::new("/c"), None)];
        assert_eq!(inputs.files().collect::<Vec<_>>(), expected);
    }
}
