//! Hookswitch beside its peers, end to end: `cargo bench --bench peers`.
//!
//! Starts reference servers, the gateway and those peers that a package manager gives (`benches/peers/install.sh` installs
//! them), drives them in turn with one load, checks that each does the work, and writes a table (`target/bench/peers.md`)
//! and a plot (`target/bench/peers.svg`). `cargo bench --bench peers -- growth` shows how Hookswitch's cost grows.
//!
//! Each run starts its candidate afresh, so that no other one idles beside it and each finds the same store. Figures for
//! people; nothing is asserted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a figure that cannot be had is a panic, and these modules are nobody's library"
)]

mod acknowledge;
mod candidates;
mod event;
mod growth;
mod http;
mod ids;
mod load;
mod machine;
mod measure;
mod plot;
mod probe;
mod processes;
mod results;
mod servers;
mod session;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;
mod targets;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use candidates::{Candidate, root};
use clap::{Args, Parser, Subcommand};
use measure::Plan;
use session::{Layout, Load};

#[derive(Parser)]
#[command(about = "Measures Hookswitch beside its peers")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    options: Options,
}

#[derive(Args, Clone)]
struct Options {
    /// Candidates to run, by name
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds, in each of which every candidate has a run
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load in a run
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Seconds of load before it
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Keep-alive connections of the load
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Requests a second at fixed times, for tails beside the peers; without it each connection sends when it was answered
    #[arg(long)]
    rate: Option<f64>,
    /// Let all run on all cores
    #[arg(long)]
    unpinned: bool,
    /// Seconds to wait for others to leave the machine alone
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

#[derive(Subcommand)]
enum Task {
    /// How Hookswitch's cost grows
    Growth(growth::Options),
    /// The load of a run
    #[command(hide = true)]
    Load(load::Settings),
    #[command(hide = true)]
    ServeBare { address: SocketAddr },
    #[command(hide = true)]
    ServeFsync { address: SocketAddr, log: PathBuf },
    #[command(hide = true)]
    ServeForward { address: SocketAddr, log: PathBuf, destination: SocketAddr },
    #[command(hide = true)]
    ServeDestination { address: SocketAddr },
}

fn main() {
    // `cargo bench` says `--bench` to every bench.
    let arguments = Arguments::parse_from(std::env::args().filter(|argument| argument != "--bench"));
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    match arguments.command {
        None => peers(&arguments.options),
        Some(Task::Growth(options)) => growth::run(&options),
        Some(Task::Load(settings)) => load::run(settings),
        Some(Task::ServeBare { address }) => servers::bare::run(address),
        Some(Task::ServeFsync { address, log }) => servers::fsync::run(address, &log),
        Some(Task::ServeForward { address, log, destination }) => servers::forward::run(address, &log, destination),
        Some(Task::ServeDestination { address }) => servers::destination::run(address),
    }
}

fn peers(options: &Options) {
    let wanted = |mut candidates: Vec<Box<dyn Candidate>>| {
        let named = |candidate: &dyn Candidate| options.only.iter().any(|name| name == candidate.name());
        candidates.retain(|candidate| options.only.is_empty() || named(candidate.as_ref()));
        candidates
    };
    let plan = options.plan();
    plan.layout.prepare();
    let results = results::rounds(wanted(candidates::all()), &plan, options.rounds);
    let mut text = vec![
        machine::line(),
        format!("{}, {} rounds of {} s, medians.", options.placement(), options.rounds, options.seconds),
        table::markdown(&results),
    ];
    // At a rate of one's own nobody shows what he can do: only the latencies say something.
    if options.rate.is_none() {
        let halves = acknowledge::at_half(wanted(candidates::durable()), &results, &plan, options.rounds);
        text.push(acknowledge::markdown(&halves));
        // The targets are those of a candidate that has one core.
        if !options.unpinned {
            text.push(targets::markdown(&targets::of_peers(&results, &halves)));
        }
        let title =
            "Deliveries a second with the drain (green: fsync before the answer; no delivery: requests a second)";
        plot::bars(&path(&format!("{}.svg", options.name())), title, &table::bars(&results)).unwrap();
    }
    let text = text.join("\n\n");
    println!("{text}");
    output(&options.name(), &text);
}

/// Keeps a text where the plots are.
fn output(name: &str, text: &str) {
    std::fs::write(path(&format!("{name}.md")), text).unwrap();
}

/// A file of `target/bench`.
fn path(name: &str) -> PathBuf {
    root().join("target/bench").join(name)
}

// === impl Options ===

impl Options {
    /// What the files are called.
    fn name(&self) -> String {
        let placed = if self.unpinned { "peers-unpinned" } else { "peers" };
        self.rate.map_or(placed.to_owned(), |rate| format!("{placed}-at-{rate}"))
    }

    fn placement(&self) -> &'static str {
        if self.unpinned {
            "Unpinned: all on all cores"
        } else {
            "Pinned: the candidate on core 0, load and destination on core 1"
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            layout: if self.unpinned { Layout::UNPINNED } else { Layout::PINNED },
            warm_up: self.warm_up,
            load: Load {
                connections: self.connections,
                seconds: self.seconds,
                rate: self.rate,
                count: None,
                size: event::SIZE,
            },
            patience: Duration::from_secs(self.patience),
        }
    }
}
