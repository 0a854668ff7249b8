//! The targets of issue 4 that a run can check.

use std::fmt::Write;

use crate::acknowledge::Half;
use crate::results::{Result, of};

/// A figure and its bound. `None` where the run has no figure.
pub struct Target {
    pub what: &'static str,
    pub figure: Option<f64>,
    pub bound: Bound,
}

/// What a figure has to be.
#[derive(Clone, Copy)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Those of the run beside the peers.
pub fn of_peers(results: &[Result], halves: &[Half]) -> Vec<Target> {
    let ours = of(results, "hookswitch");
    let over = |other: &str, figure: &dyn Fn(&Result) -> f64| Some(figure(ours?) / figure(of(results, other)?));
    let highest = |figure: &dyn Fn(&crate::measure::Run) -> f64| {
        ours.map(|ours| ours.runs.iter().map(figure).fold(0.0, f64::max))
    };
    let fan_out = of(results, "fan-out-5").and_then(|five| Some(five.rate() / ours?.rate()));
    let half = halves.iter().find(|half| half.name == "hookswitch").map(|half| half.p99);
    let target = |what, figure, bound| Target { what, figure, bound };
    vec![
        target("delivered/s, of bare hyper's requests/s", over("hyper", &Result::rate), Bound::AtLeast(0.145)),
        target("delivered/s, of BullMQ's", over("bullmq", &Result::rate), Bound::AtLeast(6.0)),
        target("delivered/s, of Fastify's without a store", over("fastify", &Result::rate), Bound::AtLeast(1.3)),
        target(
            "CPU a delivery, of bare hyper's a request",
            over("hyper", &|of| of.median(|run| run.cpu)),
            Bound::AtMost(7.0),
        ),
        target("fan-out 5: deliveries/s, of those of fan-out 1", fan_out, Bound::AtLeast(2.5)),
        target("acknowledgement p99 at half of full load, ms", half, Bound::AtMost(10.0)),
        target("RSS under full load, MiB", highest(&|run| run.loaded.peak), Bound::AtMost(96.0)),
        target("RSS idle, MiB", highest(&|run| run.idle.rss), Bound::AtMost(24.0)),
        target(
            "acknowledged events that did not arrive",
            ours.map(|ours| ours.total(|run| run.missing) as f64),
            Bound::AtMost(0.0),
        ),
    ]
}

/// The targets as Markdown.
pub fn markdown(targets: &[Target]) -> String {
    let mut text = "| target | figure | at least / most | |\n| --- | --- | --- | --- |\n".to_owned();
    for target in targets {
        let bound = match target.bound {
            Bound::AtLeast(bound) => format!("at least {bound}"),
            Bound::AtMost(bound) => format!("at most {bound}"),
        };
        let (figure, met) = match target.figure {
            Some(figure) => (format!("{figure:.3}"), if target.is_met(figure) { "met" } else { "NOT MET" }),
            None => (String::new(), "not measured"),
        };
        let _ = writeln!(text, "| {} | {figure} | {bound} | {met} |", target.what);
    }
    text
}

// === impl Target ===

impl Target {
    fn is_met(&self, figure: f64) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => figure >= bound,
            Bound::AtMost(bound) => figure <= bound,
        }
    }
}
