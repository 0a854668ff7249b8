//! `hookswitch test`: tests of a configuration, without a queue and without the network.

mod junit;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::table::printable;
use super::{ConfigFile, Exit, print, say};
use crate::config::load::ProcessSurroundings;
use crate::config::{Problem, Severity, render};
use crate::model::{Clock, SystemClock};
use crate::rehearsal::suite::{Case, MadeUp, Outcome, Report, Suite};

/// Runs tests of a configuration. Variables that are not set have made-up values: no secret is needed.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Files of tests, or configurations with tests of their own. [default: the configuration]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    /// Only tests in whose names this text is.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Also write the results to this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What came of the tests of a file.
#[derive(Debug)]
struct Ran {
    name: String,
    results: Vec<Tested>,
}

/// What came of a test.
#[derive(Debug)]
struct Tested {
    name: String,
    line: u32,
    outcome: Outcome,
}

impl Test {
    pub(super) fn run(self) -> Exit {
        let surroundings = MadeUp::beside(&ProcessSurroundings);
        let own = [self.config.config.clone()];
        let files = if self.files.is_empty() { &own } else { self.files.as_slice() };
        let load = |file: &PathBuf| {
            if self.files.is_empty() {
                Suite::of_configuration(file, &surroundings)
            } else {
                Suite::load(file, &self.config.config, &surroundings)
            }
        };
        let loaded: Vec<_> = files.iter().map(load).collect();
        told_made_up(&surroundings.names());
        let mut suites = Vec::new();
        let mut is_sound = true;
        for loaded in loaded {
            match loaded {
                Ok(suite) => {
                    told_problems(&suite.warnings);
                    suites.push(suite);
                }
                Err(reports) => {
                    told_problems(&reports);
                    is_sound = false;
                }
            }
        }
        if !is_sound {
            return Exit::Failed;
        }
        self.run_all(&suites)
    }

    fn run_all(&self, suites: &[Suite]) -> Exit {
        let now = SystemClock.now();
        let is_meant = |case: &&Case| self.filter.as_ref().is_none_or(|text| case.name.contains(text.as_str()));
        let mut all = Vec::new();
        for suite in suites {
            let mut results = Vec::new();
            for case in suite.cases.iter().filter(is_meant) {
                let result = Tested { name: case.name.clone(), line: case.line, outcome: suite.run(case, now) };
                if !print(&told(&suite.name, &result)) {
                    return Exit::Failed;
                }
                results.push(result);
            }
            all.push(Ran { name: suite.name.clone(), results });
        }
        if all.iter().all(|ran| ran.results.is_empty()) {
            // A run of nothing must not look like one in which all is well.
            say(
                "hookswitch: there are no such tests: they stand under `tests:`, and `--filter` is a part of their names",
            );
            return Exit::Usage;
        }
        let failed = all.iter().map(Ran::failed).sum::<usize>();
        let total = all.iter().map(|ran| ran.results.len()).sum::<usize>();
        let printed = print(&format!("tests {total}, passed {}, failed {failed}", total - failed));
        if let Some(path) = &self.junit
            && !written(path, &junit::xml(&all))
        {
            return Exit::Failed;
        }
        if printed && failed == 0 { Exit::Done } else { Exit::Failed }
    }
}

fn written(path: &Path, text: &str) -> bool {
    fs::write(path, text).map_err(|error| say(&format!("hookswitch: cannot write {}: {error}", path.display()))).is_ok()
}

/// A line for each, and below a test that failed where and how.
fn told(file: &str, result: &Tested) -> String {
    if result.outcome.differences.is_empty() {
        return format!("ok      {}", printable(&result.name));
    }
    let mut text = format!("FAILED  {}  ({file}:{})", printable(&result.name), result.line);
    for line in details(&result.outcome) {
        text.push_str("\n        ");
        text.push_str(&line);
    }
    text
}

/// Each difference on lines of its own.
fn details(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for difference in &outcome.differences {
        lines.push(printable(&difference.path));
        lines.push(format!("    expected  {}", printable(&difference.expected)));
        lines.push(format!("    got       {}", printable(&difference.got)));
    }
    lines.extend(outcome.note.as_ref().map(|note| format!("refused: {}", printable(note))));
    lines
}

fn told_made_up(names: &[String]) {
    if names.is_empty() {
        return;
    }
    say(&format!("not set here, so they have made-up values: {}", names.join(", ")));
}

fn told_problems(reports: &[Report]) {
    for Report { problems, source } in reports {
        say(&render::render_text(source, problems));
        let errors = problems.iter().filter(|problem: &&Problem| problem.severity == Severity::Error).count();
        if errors > 0 {
            say(&format!("{}: would not load: problems {errors}", source.name()));
        }
    }
}

// === impl Ran ===

impl Ran {
    fn failed(&self) -> usize {
        self.results.iter().filter(|result| !result.outcome.differences.is_empty()).count()
    }
}
