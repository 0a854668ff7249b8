//! How long an acknowledgement takes at half of full load: requests come at a fixed rate, and latencies count from when each
//! was due.

use std::fmt::Write;

use crate::candidates::Candidate;
use crate::measure::{self, Plan, Run};
use crate::results::{Result, median, of};
use crate::session::Load;

/// More than wait at that rate; where a stall makes them all wait, those that are due count from their time all the same.
const CONNECTIONS: usize = 128;

/// What came of a candidate's runs, in milliseconds.
pub struct Half {
    pub name: String,
    pub title: String,
    /// Requests a second.
    pub rate: f64,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// Acknowledged of what was due.
    pub share: f64,
}

/// Runs these candidates at half of what their results say, in turn, as often as `rounds`.
pub fn at_half(candidates: Vec<Box<dyn Candidate>>, results: &[Result], plan: &Plan, rounds: usize) -> Vec<Half> {
    let with_rate = |candidate: Box<dyn Candidate>| {
        let rate = of(results, candidate.name())?.rate() / 2.0;
        (rate >= 1.0).then_some((candidate, rate, Vec::new()))
    };
    let mut all: Vec<(Box<dyn Candidate>, f64, Vec<Run>)> = candidates.into_iter().filter_map(with_rate).collect();
    for _ in 0..rounds {
        for (candidate, rate, runs) in &mut all {
            let load = Load { rate: Some(*rate), connections: CONNECTIONS, ..plan.load.clone() };
            match measure::run(candidate.as_ref(), &Plan { load, ..plan.clone() }) {
                Ok(run) => {
                    eprintln!("at {rate:.0}/s: {}: {:.2}/{:.2}/{:.2} ms", candidate.name(), run.p50, run.p99, run.p999);
                    runs.push(run);
                }
                Err(why) => eprintln!("at {rate:.0}/s: {}: {why}", candidate.name()),
            }
        }
        all.reverse();
    }
    if rounds % 2 == 1 {
        all.reverse();
    }
    all.into_iter()
        .filter(|(_, _, runs)| !runs.is_empty())
        .map(|(candidate, rate, runs)| half(candidate.as_ref(), rate, &runs))
        .collect()
}

fn half(candidate: &dyn Candidate, rate: f64, runs: &[Run]) -> Half {
    let of = |figure: &dyn Fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    Half {
        name: candidate.name().to_owned(),
        title: candidate.title().to_owned(),
        rate,
        p50: of(&|run| run.p50),
        p99: of(&|run| run.p99),
        p999: of(&|run| run.p999),
        max: of(&|run| run.max),
        share: of(&|run| run.accepted) / rate,
    }
}

/// The halves as Markdown.
pub fn markdown(halves: &[Half]) -> String {
    let mut text = "| acknowledgement at half of full load | requests/s | p50 ms | p99 ms | p99.9 ms | longest ms | acknowledged in time |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for half in halves {
        let Half { title, rate, p50, p99, p999, max, share, .. } = half;
        let _ = writeln!(
            text,
            "| {title} | {rate:.0} | {p50:.2} | {p99:.2} | {p999:.2} | {max:.1} | {:.1} % |",
            share * 100.0
        );
    }
    text
}
