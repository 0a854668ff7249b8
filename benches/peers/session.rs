//! A candidate and its destination, started for one run and gone after it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::candidates::{self, Candidate, Place, Running, free, root, this};
use crate::ids::{self, Range};
use crate::load::Report;
use crate::processes::{Process, on_core};
use crate::support::http;

/// How long a drain may stand still.
const STILL: Duration = Duration::from_secs(10);

/// Which cores the candidate, and the load with the destination, run on.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub candidate: Option<&'static str>,
    pub load: Option<&'static str>,
}

/// What a load is to be.
#[derive(Debug, Clone)]
pub struct Load {
    pub connections: usize,
    pub seconds: f64,
    pub rate: Option<f64>,
    pub count: Option<u64>,
    pub size: usize,
}

/// A started candidate. What it runs in goes away with it.
pub struct Session {
    pub running: Running,
    layout: Layout,
    destination: SocketAddr,
    path: String,
    routes: u64,
    first: u64,
    _destination: Process,
    // The last to go: what runs above writes into it.
    _directory: TempDir,
}

// === impl Layout ===

impl Layout {
    /// The candidate on one core, load and destination on the other.
    pub const PINNED: Self = Self { candidate: Some("0"), load: Some("1") };
    /// All on all cores.
    pub const UNPINNED: Self = Self { candidate: None, load: None };

    /// Leaves the candidate's core alone, and removes what a run that was interrupted left.
    pub fn prepare(self) {
        let _ = std::fs::remove_dir_all(runs());
        if let Some(core) = self.load {
            let own = std::process::id().to_string();
            let _ = Command::new("taskset").args(["-c", "-p", core, &own]).stdout(Stdio::null()).status();
        }
    }
}

// === impl Session ===

impl Session {
    /// Starts the destination, then the candidate.
    pub fn start(candidate: &dyn Candidate, layout: Layout) -> Result<Self, String> {
        let runs = runs();
        std::fs::create_dir_all(&runs).map_err(|error| format!("{}: {error}", runs.display()))?;
        let directory = TempDir::new_in(&runs).map_err(|error| error.to_string())?;
        let destination = free();
        let command = this(&["serve-destination", &destination.to_string()]);
        let process = candidates::start(directory.path(), layout.load, "destination", &command, destination)?;
        let place = Place { directory: directory.path().to_owned(), destination, core: layout.candidate };
        let running = candidate.start(&place)?;
        let (path, routes) = (candidate.path(), candidate.routes());
        Ok(Self { running, layout, destination, path, routes, first: 0, _destination: process, _directory: directory })
    }

    /// Forgets at the destination what was, and gives the first id of what comes.
    pub fn begin(&mut self) -> u64 {
        self.first += 1_000_000_000;
        self.ask(&format!("/reset/{}", self.first));
        self.first
    }

    /// Runs a load, beginning with the id that [`begin`](Self::begin) gave.
    pub fn load(&self, load: &Load) -> Result<Report, String> {
        let mut command = this(&["load", "--address", &self.running.address.to_string(), "--path", &self.path]);
        command.args(["--destination", &self.destination.to_string(), "--first", &self.first.to_string()]);
        command.args(["--routes", &self.routes.to_string(), "--connections", &load.connections.to_string()]);
        command.args(["--seconds", &load.seconds.to_string(), "--size", &load.size.to_string()]);
        command.args(load.rate.iter().flat_map(|rate| ["--rate".to_owned(), rate.to_string()]));
        command.args(load.count.iter().flat_map(|count| ["--count".to_owned(), count.to_string()]));
        self.run(&command)
    }

    fn run(&self, command: &Command) -> Result<Report, String> {
        let output = on_core(command, self.layout.load).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("the load cannot be started: {error}"))?;
        serde_json::from_slice(&output.stdout).map_err(|error| format!("the load said nothing ({error})"))
    }

    /// Waits until this many different deliveries arrived, or nothing comes any more; when the last one did.
    pub fn drain(&self, wanted: u64, bound: Duration) -> (u64, Instant) {
        let deadline = Instant::now() + bound;
        let (mut arrived, mut at) = (self.arrived(), Instant::now());
        while arrived < wanted && Instant::now() < deadline && at.elapsed() < STILL {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.arrived();
            if now > arrived {
                (arrived, at) = (now, Instant::now());
            }
        }
        (arrived, at)
    }

    /// How many different deliveries arrived.
    pub fn arrived(&self) -> u64 {
        self.counts()["distinct"].as_u64().unwrap_or_default()
    }

    /// How many arrived again.
    pub fn twice(&self) -> u64 {
        self.counts()["twice"].as_u64().unwrap_or_default()
    }

    /// How many of these events did not come to one of the first `deliveries` places.
    pub fn missing(&self, acknowledged: &[Range], deliveries: u64) -> u64 {
        let found =
            |number| -> Vec<Range> { serde_json::from_str(&self.ask(&format!("/ids/{number}"))).unwrap_or_default() };
        (0..deliveries).map(|number| ids::missing(acknowledged, &found(number))).sum()
    }

    /// The body that arrived last.
    pub fn last(&self) -> Value {
        serde_json::from_str(&self.ask("/last")).unwrap_or_default()
    }

    /// A metric of Hookswitch; 0 where there is none.
    pub fn metric(&self, name: &str) -> f64 {
        let Some(admin) = self.running.admin else { return 0.0 };
        let text = http::try_send(admin, "GET", "/metrics", NONE, b"").map(|response| response.text());
        crate::support::metric(&text.unwrap_or_default(), name, &[])
    }

    fn counts(&self) -> Value {
        serde_json::from_str(&self.ask("/counts")).unwrap_or_default()
    }

    fn ask(&self, path: &str) -> String {
        http::try_send(self.destination, "GET", path, NONE, b"").map(|answer| answer.text()).unwrap_or_default()
    }

    /// Sends one event as it is; gives its status, or 0 where there was no answer.
    pub fn send(&self, request: &[u8]) -> u16 {
        let sent = http::Connection::open(self.running.address).and_then(|mut connection| {
            connection.write(request)?;
            connection.response()
        });
        sent.ok().flatten().map(|response| response.status).unwrap_or_default()
    }

    /// The path that takes events.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// How many routes the load goes to.
    pub fn routes(&self) -> u64 {
        self.routes
    }
}

/// Where the candidates' directories are: on the disk of `target/`, not in the memory of a `/tmp`.
fn runs() -> PathBuf {
    root().join("target/bench/runs")
}

const NONE: &[(&str, &str)] = &[];
