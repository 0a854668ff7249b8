//! What a configuration takes from outside of its file.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that a file named by `${file:...}` may hold, in bytes.
pub(super) const MAX_INTERPOLATED_FILE: u64 = 64 << 10;

/// What `${...}` can refer to.
pub trait Surroundings {
    /// The environment variable `name`, where it is set and is text.
    fn variable(&self, name: &str) -> Option<String>;

    /// What stands in for a variable that is not set and has no default; `None` where that is an error.
    fn stand_in(&self, _name: &str) -> Option<String> {
        None
    }

    /// The text of a file, which may hold 64 KiB.
    ///
    /// # Errors
    /// Where there is no such file, it cannot be read, is not UTF-8, or is larger.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The environment and the files of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessSurroundings;

/// Variables and files that were given, and nothing else: for tests, and for what must not depend on the
/// machine it runs on.
#[derive(Clone, Default)]
pub struct FixedSurroundings {
    variables: HashMap<String, String>,
    files: HashMap<PathBuf, String>,
}

// === impl ProcessSurroundings ===

impl Surroundings for ProcessSurroundings {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let bytes = read_bounded(path, MAX_INTERPOLATED_FILE)?;
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
    }
}

// === impl FixedSurroundings ===

impl FixedSurroundings {
    /// Nothing at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With an environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// With a file.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl Surroundings for FixedSurroundings {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl fmt::Debug for FixedSurroundings {
    // Names are shown, values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FixedSurroundings({:?}, {:?})", self.variables.keys(), self.files.keys())
    }
}

/// The content of the file at `path`, which may hold `most` bytes.
pub(super) fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} KiB", most >> 10)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let most = usize::try_from(MAX_INTERPOLATED_FILE).unwrap();
        std::fs::write(&path, vec![b'x'; most]).unwrap();
        assert_eq!(ProcessSurroundings.read(&path).unwrap().len(), most);
        std::fs::write(&path, vec![b'x'; most + 1]).unwrap();
        assert_eq!(ProcessSurroundings.read(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(ProcessSurroundings.read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
