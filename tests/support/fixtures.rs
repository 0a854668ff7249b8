//! The samples in `fixtures/`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One sample: the body of a provider's request.
pub struct Fixture {
    /// Its file's name without `.json`.
    pub name: String,
    /// The file's bytes.
    pub body: Vec<u8>,
}

impl Fixture {
    /// The body, parsed.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{} is not JSON: {error}", self.name))
    }
}

/// Where the project's files are.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every sample of a provider, by name.
pub fn all(provider: &str) -> Vec<Fixture> {
    let folder = root().join("fixtures/providers").join(provider);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no sample", folder.display());
    paths.iter().map(|path| read(path)).collect()
}

/// One sample of a provider.
pub fn one(provider: &str, name: &str) -> Fixture {
    read(&root().join("fixtures/providers").join(provider).join(format!("{name}.json")))
}

fn read(path: &Path) -> Fixture {
    let body = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Fixture { name: path.file_stem().unwrap().to_string_lossy().into_owned(), body }
}
