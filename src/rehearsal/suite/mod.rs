//! Tests of a configuration: requests, and what is to come of them.
//!
//! They stand under `tests:` in the configuration itself, or in a file of their own. Like routes they are compiled as a
//! whole, or refused with every problem; then each is rehearsed, and what came of it is compared with what was expected.
//!
//! | file | holds |
//! | --- | --- |
//! | `case` | from what the YAML says of a test to a request that has its route |
//! | `compare` | where what came differs from what was expected |
//! | `tamper` | what is done to a request on its way, and to secrets |
//! | `made_up` | values for the variables that are not set where tests run |
//! | `sample` | the providers' samples |

mod case;
mod compare;
mod made_up;
mod sample;
mod tamper;
#[cfg(test)]
mod tests;

use std::path::Path;

use self::case::Cases;
use super::{Difference, Rehearsal, Sight, stage};
use crate::config::file::{ConfigFile, Tamper};
use crate::config::load::{self, Given, Loaded, Surroundings};
use crate::config::{Problem, Problems, Source};
use crate::model::Timestamp;
use crate::pipeline::verify::Unsigned;
use crate::routing::{self, RouteTable};

pub use self::case::Case;
pub use self::made_up::MadeUp;

pub(super) use self::tamper::secrets as spoil_secrets;

/// The tests of one file, ready to run.
#[derive(Debug)]
pub struct Suite {
    /// The file's name, as it was given.
    pub name: String,
    /// The tests, in the order of the file.
    pub cases: Vec<Case>,
    /// What is probably not meant, for a person.
    pub warnings: Vec<Report>,
    table: RouteTable,
    /// The same configuration with other secrets, where a test asks for them.
    forged: Option<RouteTable>,
}

/// The problems of a text.
#[derive(Debug)]
pub struct Report {
    /// The problems, in the order of the text.
    pub problems: Vec<Problem>,
    /// The text.
    pub source: Source,
}

/// What came of a test: it passes where nothing differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Where what came differs from what was expected.
    pub differences: Vec<Difference>,
    /// Why the request was refused, where it was.
    pub note: Option<String>,
}

/// A request that cannot be made as the test asks for it.
#[derive(Debug, thiserror::Error)]
enum Unmakeable {
    #[error("it cannot be signed: {0}")]
    Sign(#[from] crate::pipeline::verify::SignError),
    #[error("the route is not there with other secrets")]
    NotForged,
    #[error("the scheme {scheme} signs no time, so there is none to tamper with")]
    NoTime { scheme: &'static str },
}

/// A configuration that was compiled, with what it was compiled from.
struct Ground {
    file: ConfigFile,
    given: Given,
    table: RouteTable,
}

// === impl Suite ===

impl Suite {
    /// Reads a file: a configuration with tests of its own, or a file of tests. `config` is what the latter are of where they
    /// do not say.
    ///
    /// # Errors
    /// Where the file or the configuration has problems.
    pub fn load(file: &Path, config: &Path, surroundings: &dyn Surroundings) -> Result<Self, Vec<Report>> {
        if load::is_configuration(file) {
            return Self::of_configuration(file, surroundings);
        }
        let Loaded { file: read, mut problems, source, given: _ } = load::load_tests(file, surroundings);
        let Some(read) = read else { return Err(vec![Report { problems: problems.sorted(), source }]) };
        let named = read.config.as_ref().map(|config| beside(file).join(&config.value));
        let (ground, mut of_config, config_source) = Ground::load(named.as_deref().unwrap_or(config), surroundings);
        let cases =
            ground.as_ref().map(|ground| Cases { ground, beside: beside(file) }.compile(read.tests, &mut problems));
        let is_sound = !of_config.any_error() && !problems.any_error();
        let mut reports = Vec::new();
        for (problems, source) in [(std::mem::take(&mut of_config), config_source), (problems, source)] {
            let problems = problems.sorted();
            if !problems.is_empty() {
                reports.push(Report { problems, source });
            }
        }
        match (ground, cases) {
            (Some(ground), Some(cases)) if is_sound => Ok(Self::new(file, ground, cases, reports)),
            _ => Err(reports),
        }
    }

    /// Reads a configuration with tests of its own.
    ///
    /// # Errors
    /// Where it has problems.
    pub fn of_configuration(file: &Path, surroundings: &dyn Surroundings) -> Result<Self, Vec<Report>> {
        let (mut ground, mut problems, source) = Ground::load(file, surroundings);
        let tests = ground.as_mut().map(|ground| std::mem::take(&mut ground.file.tests)).unwrap_or_default();
        let cases = ground.as_ref().map(|ground| Cases { ground, beside: beside(file) }.compile(tests, &mut problems));
        let is_sound = !problems.any_error();
        let problems = problems.sorted();
        let reports = if problems.is_empty() { Vec::new() } else { vec![Report { problems, source }] };
        match (ground, cases) {
            (Some(ground), Some(cases)) if is_sound => Ok(Self::new(file, ground, cases, reports)),
            _ => Err(reports),
        }
    }

    fn new(file: &Path, ground: Ground, cases: Vec<Case>, warnings: Vec<Report>) -> Self {
        let Ground { file: mut written, given, table } = ground;
        let forged = cases.iter().any(|case| case.tamper == Some(Tamper::Secret)).then(|| {
            tamper::secrets(&mut written);
            // What was sound is sound with other secrets too, or else the test says that it could not be made.
            routing::compile_played(&written, &given, &mut Problems::new())
        });
        Self { name: file.display().to_string(), cases, warnings, table, forged: forged.flatten() }
    }

    /// Runs a test at `now`, where it has no time of its own. Credentials that go out are `***`, as everywhere.
    #[must_use]
    pub fn run(&self, case: &Case, now: Timestamp) -> Outcome {
        let now = case.now.unwrap_or(now);
        let rehearsal = match self.rehearse(case, now) {
            Ok(rehearsal) => rehearsal,
            Err(why) => {
                let differences = vec![Difference::new("request", "one that can be made", &why.to_string())];
                return Outcome { differences, note: None };
            }
        };
        let differences = compare::differences(&case.expect, &rehearsal);
        let note = rehearsal.refused.filter(|_| !differences.is_empty()).map(|refused| match refused.next_step {
            Some(next) => format!("{}: {next}", refused.detail),
            None => refused.detail,
        });
        Outcome { differences, note }
    }

    fn rehearse(&self, case: &Case, now: Timestamp) -> Result<Rehearsal, Unmakeable> {
        let Ok(mut staged) = stage(&self.table, case.request.clone(), case.route.as_deref()) else {
            // That a path has no route can be what is tested.
            return Ok(Rehearsal::without_route(&self.table, &case.request, now));
        };
        let scheme = staged.route().verifier.scheme();
        if case.sign.unwrap_or(scheme != "none") {
            match case.tamper {
                Some(Tamper::Secret) => *staged.request_mut() = self.forge(case, now)?,
                Some(Tamper::Timestamp) if staged.route().verifier.tolerance().is_none() => {
                    return Err(Unmakeable::NoTime { scheme });
                }
                Some(Tamper::Timestamp) => staged.sign(tamper::long_before(now))?,
                Some(Tamper::Signature) => staged.sign_forged(now)?,
                Some(Tamper::Body) => {
                    staged.sign(now)?;
                    tamper::body(staged.request_mut());
                }
                None => staged.sign(now)?,
            }
        }
        Ok(staged.rehearse(now, Sight::Masked))
    }

    /// The request as somebody signs it who has another secret.
    fn forge(&self, case: &Case, now: Timestamp) -> Result<Unsigned, Unmakeable> {
        let table = self.forged.as_ref().ok_or(Unmakeable::NotForged)?;
        let staged = stage(table, case.request.clone(), case.route.as_deref());
        let mut staged = staged.map_err(|_| Unmakeable::NotForged)?;
        staged.sign(now)?;
        Ok(staged.request)
    }
}

// === impl Ground ===

impl Ground {
    fn load(path: &Path, surroundings: &dyn Surroundings) -> (Option<Self>, Problems, Source) {
        let Loaded { file, mut problems, source, given } = load::load(path, surroundings);
        let ground = file.and_then(|file| {
            let table = routing::compile_played(&file, &given, &mut problems)?;
            Some(Self { file, given, table })
        });
        (ground, problems, source)
    }
}

/// What a path in a file is relative to.
fn beside(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}
