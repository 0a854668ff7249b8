//! Captured requests, from a file or a folder of them.

use std::io;
use std::path::{Path, PathBuf};

use super::DiffError;
use crate::cli::capture::{self, CaptureError, Captured, Form};
use crate::model::Timestamp;
use crate::rehearsal::diff::{Origin, Sides, Specimen};

/// Captured requests, and what is said of them.
pub(super) struct Captures<'c> {
    /// The file, or the folder.
    pub(super) path: &'c Path,
    /// Whose they are: of the others none is compared.
    pub(super) route: Option<&'c str>,
    /// Whether they are signed first.
    pub(super) sign: bool,
    /// When they came.
    pub(super) now: Timestamp,
}

// === impl Captures ===

impl Captures<'_> {
    /// The files with requests, in the order of their names.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, DiffError> {
        if !self.path.is_dir() {
            return Ok(vec![self.path.to_owned()]);
        }
        let cannot = |source: io::Error| CaptureError::Read { name: self.path.display().to_string(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.path).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let is_body = path.extension().is_some_and(|extension| extension == "json");
            if path.is_file() && (Form::of_name(&path) != Form::Body || (is_body && self.route.is_some())) {
                files.push(path);
            }
        }
        if files.is_empty() {
            let why = "has no .http and no .har file; files that are a body alone, .json, are taken with `--route`";
            return Err(DiffError::Usage(format!("{} {why}", self.path.display())));
        }
        files.sort();
        Ok(files)
    }

    /// The requests of a file that are meant.
    pub(super) fn read(&self, file: &Path, sides: &Sides) -> Result<Vec<Specimen>, DiffError> {
        let mut specimens = Vec::new();
        for (index, captured) in capture::read_all(file)?.into_iter().enumerate() {
            let name = format!("{}#{}", file.display(), index + 1);
            let is_alone = captured.target.is_none();
            let specimen = self.specimen(name, captured)?;
            if is_alone || self.route.is_none_or(|route| sides.is_of(&specimen, route)) {
                specimens.push(specimen);
            }
        }
        Ok(specimens)
    }

    fn specimen(&self, name: String, captured: Captured) -> Result<Specimen, DiffError> {
        // A request that was captured whole has its route by its path, as in the gateway.
        let route = self.route.filter(|_| captured.target.is_none()).map(str::to_owned);
        let Some(request) = captured.into_request(None, route.is_some(), Vec::new()) else {
            return Err(DiffError::Usage(format!("{name} is a body alone: `--route` says whose")));
        };
        Ok(Specimen { name, request, at: self.now, route, origin: Origin::Captured { sign: self.sign } })
    }
}
