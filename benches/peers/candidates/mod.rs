//! What is measured: each starts on a port of its own, does the same work as far as it can, and says what its answer means.

mod fastify;
mod hookswitch;
mod nginx;
mod node_red;
mod peer;
mod references;
mod webhook;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub use hookswitch::{Hookswitch, PROVIDER, WORK, destination, provider, route};
pub use references::{Bare, Forward, Fsync};

use crate::processes::Process;

/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// A candidate.
pub trait Candidate {
    /// What it is called on the command line.
    fn name(&self) -> &str;

    /// What it is, for the table.
    fn title(&self) -> &str;

    /// What its 2xx means: where the event is then.
    fn acknowledges(&self) -> &str;

    /// Deliveries that an event causes; 0 where it delivers nothing.
    fn deliveries(&self) -> u64 {
        1
    }

    /// The path that takes events; a run of `#` is the number of a route.
    fn path(&self) -> String {
        "/hooks/bspk".to_owned()
    }

    /// How many routes there are.
    fn routes(&self) -> u64 {
        1
    }

    /// Starts it, and waits until it listens. The error is what a person has to know.
    fn start(&self, place: &Place) -> Result<Running, String>;
}

/// Where a candidate runs.
pub struct Place {
    /// A directory that is its own for this run, on the disk of `target/`.
    pub directory: PathBuf,
    /// Where it delivers to: `/d/0`.
    pub destination: SocketAddr,
    /// The core that it is pinned to.
    pub core: Option<&'static str>,
}

/// A candidate at work.
pub struct Running {
    /// Where events come in.
    pub address: SocketAddr,
    /// Its processes, in the order in which they were started.
    pub processes: Vec<Process>,
    /// Where Hookswitch is asked for metrics.
    pub admin: Option<SocketAddr>,
}

/// The project's directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A port that is free now.
pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}

/// This binary, to run one of its servers.
pub fn this(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments);
    command
}

// === impl Place ===

impl Place {
    /// Starts a process and waits until it listens.
    pub fn start(&self, name: &str, command: &Command, address: SocketAddr) -> Result<Process, String> {
        start(&self.directory, self.core, name, command, address)
    }

    /// Writes a file of the candidate's directory.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

/// Starts a process and waits until it listens.
pub fn start(
    directory: &Path,
    core: Option<&str>,
    name: &str,
    command: &Command,
    address: SocketAddr,
) -> Result<Process, String> {
    let log = directory.join(format!("{name}.log"));
    let mut process =
        Process::start(command, core, &log).map_err(|error| format!("{name} cannot be started: {error}"))?;
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        if process.has_ended() || began.elapsed() > START {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            return Err(format!("{name} did not start: {}", last.join(" / ")));
        }
        thread::sleep(Duration::from_millis(5));
    }
    process.listened_after = began.elapsed();
    Ok(process)
}

// === impl Running ===

impl Running {
    /// Of one process.
    pub fn one(address: SocketAddr, process: Process) -> Self {
        Self { address, processes: vec![process], admin: None }
    }

    /// The processes whose trees do the work.
    pub fn roots(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }
}

/// All of them, in the order of the table.
pub fn all() -> Vec<Box<dyn Candidate>> {
    vec![
        Box::new(Bare),
        Box::new(Fsync),
        Box::new(Forward),
        Box::new(Hookswitch::fan_out(1)),
        Box::new(Hookswitch::fan_out(5)),
        Box::new(fastify::BULLMQ),
        Box::new(fastify::FASTIFY),
        Box::new(nginx::NGINX),
        Box::new(node_red::NODE_RED),
        Box::new(webhook::WEBHOOK),
    ]
}

/// Those whose acknowledgement is measured at half of full load.
pub fn durable() -> Vec<Box<dyn Candidate>> {
    vec![Box::new(Fsync), Box::new(Hookswitch::fan_out(1))]
}
