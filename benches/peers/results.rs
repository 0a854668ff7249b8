//! Runs of all candidates, in turn: medians, and their ratios in one invocation. Absolute figures of two are never compared.

use crate::candidates::Candidate;
use crate::machine::QUIET;
use crate::measure::{self, Plan, Run};

/// A candidate and what came of its runs.
pub struct Result {
    pub candidate: Box<dyn Candidate>,
    pub runs: Vec<Run>,
    /// Why there are none.
    pub failed: Option<String>,
}

/// Runs all in turn, the order reversed each round.
pub fn rounds(candidates: Vec<Box<dyn Candidate>>, plan: &Plan, rounds: usize) -> Vec<Result> {
    let new = |candidate| Result { candidate, runs: Vec::new(), failed: None };
    let mut results: Vec<Result> = candidates.into_iter().map(new).collect();
    for round in 0..rounds {
        for result in &mut results {
            result.add(plan, round);
        }
        // Reversed twice they stand as they were.
        results.reverse();
    }
    if rounds % 2 == 1 {
        results.reverse();
    }
    results
}

// === impl Result ===

impl Result {
    fn add(&mut self, plan: &Plan, round: usize) {
        if self.failed.is_some() {
            return;
        }
        match measure::run(self.candidate.as_ref(), plan) {
            Ok(run) => {
                let name = self.candidate.name();
                eprintln!(
                    "round {}: {name}: {:.0} accepted/s, {:.0} delivered/s, {:.0} sustained, {:.1} us CPU, {:.2}/{:.2} ms, \
                     missing {}, twice {}, refused {} {}, others {:.2}",
                    round + 1,
                    run.accepted,
                    run.delivered,
                    run.sustained,
                    run.cpu,
                    run.p50,
                    run.p99,
                    run.missing,
                    run.twice,
                    run.refused,
                    run.refusals,
                    run.others
                );
                self.runs.push(run);
            }
            Err(why) => {
                eprintln!("round {}: {}: {why}", round + 1, self.candidate.name());
                self.failed = Some(why);
            }
        }
    }

    /// The median of a figure: of the runs that nobody disturbed, or of all where there is none.
    pub fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median_of(&self.runs, figure)
    }

    /// A figure that is added up.
    pub fn total(&self, figure: impl Fn(&Run) -> u64) -> u64 {
        self.runs.iter().map(figure).sum()
    }

    /// How many runs were disturbed, also when made again.
    pub fn disturbed(&self) -> usize {
        self.runs.iter().filter(|run| run.others >= QUIET).count()
    }

    /// Requests or deliveries a second, whichever it is that it does: with the drain.
    pub fn rate(&self) -> f64 {
        self.median(Run::rate)
    }
}

/// The median of a figure: of the runs that nobody disturbed, or of all where there is none.
pub fn median_of(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    median_of_quiet(runs.iter().map(|run| (run.others < QUIET, figure(run))))
}

/// The median of those figures that come with `true`, or of all where there is none.
pub fn median_of_quiet(figures: impl Iterator<Item = (bool, f64)>) -> f64 {
    let figures: Vec<(bool, f64)> = figures.collect();
    let any = figures.iter().any(|(quiet, _)| *quiet);
    median(figures.into_iter().filter(|(quiet, _)| *quiet || !any).map(|(_, figure)| figure).collect())
}

/// The median, or 0 of nothing.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        count if count % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

/// The result of a candidate by its name, where it has one.
pub fn of<'a>(results: &'a [Result], name: &str) -> Option<&'a Result> {
    results.iter().find(|result| result.candidate.name() == name && !result.runs.is_empty())
}
