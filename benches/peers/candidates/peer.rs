//! A peer that a package manager gives, and what it needs. What it runs stands in `peers/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Candidate, Place, Running, root};
use crate::event::SECRET;

/// A peer.
pub struct Peer {
    pub name: &'static str,
    pub title: &'static str,
    pub acknowledges: &'static str,
    pub start: fn(&Place) -> Result<Running, String>,
}

impl Candidate for Peer {
    fn name(&self) -> &str {
        self.name
    }

    fn title(&self) -> &str {
        self.title
    }

    fn acknowledges(&self) -> &str {
        self.acknowledges
    }

    fn start(&self, place: &Place) -> Result<Running, String> {
        (self.start)(place)
    }
}

/// Fails where one of these files is not there.
pub fn need(files: &[&Path]) -> Result<(), String> {
    match files.iter().find(|file| !file.exists()) {
        Some(file) => Err(format!("not installed: {} (benches/peers/install.sh)", file.display())),
        None => Ok(()),
    }
}

/// An npm package's folder.
pub fn package(name: &str) -> PathBuf {
    root().join("target/bench/node_modules").join(name)
}

/// A file of `peers/`.
pub fn source(name: &str) -> PathBuf {
    root().join("benches/peers/peers").join(name)
}

/// Copies a file of `peers/` into the candidate's directory, with its place holders filled in.
pub fn fill(place: &Place, name: &str, port: u16) -> Result<PathBuf, String> {
    let path = source(name);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text
        .replace("DIRECTORY", &place.directory.display().to_string())
        .replace("DESTINATION", &place.destination.to_string())
        .replace("PORT", &port.to_string())
        .replace("SECRET", SECRET);
    place.write(name, &text)
}

/// Node on a script, with what the scripts take from the environment.
pub fn node(place: &Place, script: &Path, port: u16) -> Command {
    let mut command = Command::new("node");
    command
        .arg(script)
        .env("NODE_PATH", root().join("target/bench/node_modules"))
        .env("NODE_ENV", "production")
        .env("PORT", port.to_string())
        .env("DESTINATION", place.destination.to_string())
        .env("SECRET", SECRET);
    command
}
