//! From a file to a table that runs: reading, interpolating and compiling, in one step with one report.

use std::net::SocketAddr;
use std::path::Path;

use super::inputs::{Inputs, Recording};
use crate::config::load::{self, Loaded, Surroundings};
use crate::config::{Problem, Source, render};
use crate::routing::{self, RouteCase, RouteTable, Settings};

/// A file that runs.
#[derive(Debug)]
pub struct Configured {
    /// What runs.
    pub table: RouteTable,
    /// What is probably not meant, for a person; empty where there is nothing.
    pub warnings: Vec<Problem>,
    /// The text, for showing places in it.
    pub source: Source,
    /// The files that it took something from.
    pub inputs: Inputs,
}

/// A file that does not run.
#[derive(Debug)]
pub struct ConfigurationError {
    /// Every problem, in the order of the file; warnings too.
    pub problems: Vec<Problem>,
    /// The text, for showing places in it.
    pub source: Source,
    /// The files that it was to take something from, as far as that was read.
    pub inputs: Inputs,
}

/// Reads and compiles a file.
///
/// # Errors
/// Where it does not run, with every problem of it.
pub fn configure(path: &Path, surroundings: &dyn Surroundings) -> Result<Configured, Box<ConfigurationError>> {
    let recording = Recording::new(surroundings);
    let loaded = load::load(path, &recording);
    compile(loaded, recording.into_inputs(), routing::compile)
}

/// The same for whoever plays the senders ([`routing::compile_played`]).
///
/// # Errors
/// As [`configure`].
pub fn configure_played(path: &Path, surroundings: &dyn Surroundings) -> Result<Configured, Box<ConfigurationError>> {
    let recording = Recording::new(surroundings);
    let loaded = load::load(path, &recording);
    compile(loaded, recording.into_inputs(), routing::compile_played)
}

/// Compiles a configuration that is at hand; `name` is what problems call it.
///
/// # Errors
/// Where it does not run, with every problem of it.
pub fn configure_text(
    name: &str,
    text: &str,
    surroundings: &dyn Surroundings,
) -> Result<Configured, Box<ConfigurationError>> {
    let recording = Recording::new(surroundings);
    let loaded = load::parse(name, text, &recording);
    compile(loaded, recording.into_inputs(), routing::compile)
}

/// Reads of a file only what concerns the process: for a command that asks a running gateway, and need not have the
/// secrets of its routes.
///
/// # Errors
/// Where the file cannot be read, or has a problem and does not say where the gateway is: its default may be another one.
pub fn configure_settings(path: &Path, surroundings: &dyn Surroundings) -> Result<Settings, Box<ConfigurationError>> {
    let Loaded { file, mut problems, source, given: _ } = load::load(path, surroundings);
    // Where the gateway is must stand there, or be left out on purpose. What else is wrong is for `check`.
    let found = file.filter(|file| match &file.admin.listen {
        Some(address) => address.parse::<SocketAddr>().is_ok(),
        None => !problems.any_error(),
    });
    match found {
        Some(file) => Ok(Settings::compile(&file, &mut problems)),
        None => Err(Box::new(ConfigurationError { problems: problems.sorted(), source, inputs: Inputs::default() })),
    }
}

/// Reads of a file what a captured request of `route` is judged by. What is wrong with the rest of it is for `check`.
///
/// # Errors
/// Where there is no such route, or it has a problem.
pub fn configure_case(
    path: &Path,
    route: &str,
    request_path: &str,
    surroundings: &dyn Surroundings,
) -> Result<RouteCase, Box<ConfigurationError>> {
    let Loaded { file, mut problems, source, given } = load::load(path, surroundings);
    let case = file.as_ref().and_then(|file| routing::case_of_route(file, &given, route, request_path, &mut problems));
    case.ok_or_else(|| Box::new(ConfigurationError { problems: problems.sorted(), source, inputs: Inputs::default() }))
}

fn compile(loaded: Loaded, inputs: Inputs, to_table: routing::Compile) -> Result<Configured, Box<ConfigurationError>> {
    let Loaded { file, mut problems, source, given } = loaded;
    let table = file.as_ref().and_then(|file| to_table(file, &given, &mut problems));
    let problems = problems.sorted();
    match table {
        Some(mut table) => {
            table.fingerprint = source.fingerprint().into();
            Ok(Configured { table, warnings: problems, source, inputs })
        }
        None => Err(Box::new(ConfigurationError { problems, source, inputs })),
    }
}

// === impl ConfigurationError ===

impl std::fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&render::render_text(&self.source, &self.problems))
    }
}

impl std::error::Error for ConfigurationError {}
