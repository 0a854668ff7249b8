//! How Hookswitch's cost grows: a table and a plot for each thing that there can be more of.

mod backlog;
mod destinations;
mod routes;
mod series;
mod shapes;

use std::time::Duration;

use clap::Args;
use series::{Point, Series};

use crate::candidates::Candidate;
use crate::event;
use crate::measure::{self, Plan};
use crate::session::{Layout, Load, Session};
use crate::targets::{self, Target};
use crate::{machine, output, path, plot};

/// What `growth` takes.
#[derive(Args, Clone)]
pub struct Options {
    /// What grows: fan-out, body-size, routes, backlog, connections, destinations
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds of load for each point
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Up to ten million deliveries pending
    #[arg(long)]
    full: bool,
    /// The most deliveries pending, where not all are wanted
    #[arg(long)]
    pending: Option<u64>,
    /// Seconds to wait for others to leave the machine alone
    #[arg(long, default_value_t = 20)]
    patience: u64,
}

/// A thing that grows: its name, and what measures it.
type Topic = (&'static str, fn(&Options) -> (Series, Vec<Target>));

const TOPICS: [Topic; 6] = [
    ("fan-out", shapes::fan_out),
    ("body-size", shapes::body_size),
    ("routes", routes::run),
    ("connections", shapes::connections),
    ("destinations", destinations::run),
    ("backlog", backlog::run),
];

/// Measures all that is asked for.
pub fn run(options: &Options) {
    let unknown = |only: &&String| TOPICS.iter().all(|(name, _)| name != *only);
    if let Some(unknown) = options.only.iter().find(unknown) {
        let names: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
        panic!("there is no topic `{unknown}`, but {}", names.join(", "));
    }
    Layout::PINNED.prepare();
    let mut text = vec![machine::line()];
    let mut all = Vec::new();
    for (name, measure) in TOPICS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == name) {
            continue;
        }
        eprintln!("{name}");
        let (series, targets) = measure(options);
        text.push(series.markdown());
        all.extend(targets);
        plot::lines(&path(&format!("growth-{name}.svg")), &series.chart()).unwrap();
        // What there is stays, also where a later one is interrupted.
        output("growth", &text.join("\n\n"));
    }
    text.push(targets::markdown(&all));
    let text = text.join("\n\n");
    println!("{text}");
    output("growth", &text);
}

// === impl Options ===

impl Options {
    fn plan(&self) -> Plan {
        let load = Load { connections: 32, seconds: self.seconds, rate: None, count: None, size: event::SIZE };
        let patience = Duration::from_secs(self.patience);
        Plan { layout: Layout::PINNED, warm_up: 1.0, load, patience }
    }

    /// Measures a point.
    fn point(&self, x: u64, candidate: &dyn Candidate, plan: &Plan) -> Point {
        self.prepared(x, candidate, plan, &|_| Ok(()))
    }

    /// Measures a point, with something to be done before the load.
    fn prepared(
        &self,
        x: u64,
        candidate: &dyn Candidate,
        plan: &Plan,
        prepare: &dyn Fn(&Session) -> Result<(), String>,
    ) -> Point {
        let run = measure::once(candidate, plan, prepare);
        match &run {
            Ok(run) => eprintln!(
                "  {x}: {:.0} accepted/s, {:.0} sustained, {:.1} us CPU, {:.2}/{:.2} ms, missing {}, others {:.2} {}",
                run.accepted, run.sustained, run.cpu, run.p50, run.p99, run.missing, run.others, run.refusals
            ),
            Err(why) => eprintln!("  {x}: {why}"),
        }
        Point { x, title: candidate.title().to_owned(), size: plan.load.size, run }
    }
}
