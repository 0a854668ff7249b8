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
use crate::measure::{Plan, Run, Started};
use crate::session::{Layout, Load, Session};
use crate::targets::{self, Target};
use crate::{machine, output, path, plot};

/// What `growth` takes.
#[derive(Args, Clone)]
pub struct Options {
    /// What grows: fan-out, body-size, routes, backlog, connections, destinations
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each point is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load for each of these
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

/// A point that is to be measured.
struct Wanted {
    /// How much there is of what grows.
    x: u64,
    /// What is measured; each has a line of its own.
    title: String,
    candidate: Box<dyn Candidate>,
    plan: Plan,
    /// What is to be done before the load.
    prepare: Box<Prepare>,
}

/// Does something to what is started.
type Prepare = dyn Fn(&Session) -> Result<(), String>;

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

    /// Measures points side by side: all are started, then loaded in turn, the order reversed each round. So what the machine
    /// does meanwhile is done to all of them.
    fn measure(&self, wanted: &[Wanted]) -> Vec<Point> {
        let mut started: Vec<_> = wanted.iter().map(Wanted::start).collect();
        let mut runs: Vec<Vec<Run>> = wanted.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds {
            let mut turn: Vec<usize> = (0..wanted.len()).collect();
            if round % 2 == 1 {
                turn.reverse();
            }
            for place in turn {
                let Wanted { x, plan, .. } = &wanted[place];
                match started[place].as_mut().map_err(|why| why.clone()).and_then(|started| started.run_quietly(plan)) {
                    Ok(run) => {
                        eprintln!(
                            "  round {}: {x}: {:.0} accepted/s, {:.0} sustained, {:.1} us CPU, {:.2}/{:.2} ms, missing {}, others {:.2} {}",
                            round + 1,
                            run.accepted,
                            run.sustained,
                            run.cpu,
                            run.p50,
                            run.p99,
                            run.missing,
                            run.others,
                            run.refusals
                        );
                        runs[place].push(run);
                    }
                    Err(why) => started[place] = Err(why),
                }
            }
        }
        let points = wanted.iter().zip(started).zip(runs);
        let point = |((wanted, started), runs): ((&Wanted, Result<_, String>), Vec<Run>)| Point {
            x: wanted.x,
            title: wanted.title.clone(),
            size: wanted.plan.load.size,
            runs,
            failed: started.err(),
        };
        points.map(point).collect()
    }
}

// === impl Wanted ===

impl Wanted {
    fn new(x: u64, candidate: impl Candidate + 'static, plan: Plan) -> Self {
        let title = candidate.title().to_owned();
        Self { x, title, candidate: Box::new(candidate), plan, prepare: Box::new(|_| Ok(())) }
    }

    fn start(&self) -> Result<Started<'_>, String> {
        Started::new(self.candidate.as_ref(), &self.plan, self.prepare.as_ref())
            .inspect_err(|why| eprintln!("  {}: {why}", self.x))
    }
}
