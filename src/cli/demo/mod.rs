//! `hookswitch demo`: the whole line in one command.
//!
//! The gateway runs on `routes.example.yaml`, as it is in the repository, with its destinations pointed at an echo
//! server of this process. Nothing leaves the machine, and the queue is a directory that is removed at the end.

mod echo;
mod sample;
mod story;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::echo::{Arrivals, Echo};
use self::sample::{SAMPLES, Sample};
use super::run::Running;
use super::{Exit, say};
use crate::app::server::{self, ConnectionBounds};
use crate::app::{ConfigurationError, configure_text};
use crate::config::load::Surroundings;
use crate::model::{Clock, SystemClock};

/// Shows the whole line working.
#[derive(Debug, Args)]
pub(super) struct Demo {}

/// The configuration, as it is in the repository.
const EXAMPLE: &str = include_str!("../../../routes.example.yaml");
const EXAMPLE_NAME: &str = "routes.example.yaml";
/// How long the demo waits for deliveries: far longer than they take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("cannot make a directory for the queue: {0}")]
    Directory(#[source] io::Error),
    #[error("cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),
    #[error("{0}")]
    Configuration(#[from] Box<ConfigurationError>),
    #[error(transparent)]
    Run(#[from] super::run::RunError),
    #[error("cannot send a sample: {0}")]
    Send(#[from] sample::SampleError),
    #[error("the gateway did not stop in order: {0}")]
    Stop(#[from] crate::queue::QueueError),
    #[error("{missing} deliveries did not arrive")]
    Missing { missing: u64 },
}

/// What the example's variables are in the demo. Secrets keep the example's own defaults.
struct DemoSurroundings {
    echo: SocketAddr,
    data: PathBuf,
}

/// A directory that is removed with everything in it.
struct Scratch(PathBuf);

impl Demo {
    pub(super) fn run(self) -> Exit {
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                say(&format!("hookswitch: cannot start: {error}"));
                return Exit::Failed;
            }
        };
        match runtime.block_on(demo()) {
            Ok(()) => Exit::Done,
            Err(error) => {
                say(&format!("hookswitch demo: {error}"));
                Exit::Failed
            }
        }
    }
}

async fn demo() -> Result<(), DemoError> {
    let scratch = Scratch::new().map_err(DemoError::Directory)?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(DemoError::Listen)?;
    let echo = listener.local_addr().map_err(DemoError::Listen)?;
    let (handler, mut arrivals) = Echo::new();
    let stop = CancellationToken::new();
    let bounds = ConnectionBounds { connections: 256, header_timeout: PATIENCE };
    let echoing = tokio::spawn(server::serve(listener, Arc::new(handler), bounds, stop.clone()));

    let surroundings = DemoSurroundings { echo, data: scratch.0.join("data") };
    let configured = configure_text(EXAMPLE_NAME, EXAMPLE, &surroundings)?;
    let running = Running::start(configured.table, Path::new(EXAMPLE_NAME), Box::new(surroundings)).await?;
    story::opening(running.listening);
    for sample in SAMPLES {
        show(sample, &running, &mut arrivals).await?;
    }
    let missing = running.gateway.pending();
    story::ending();
    running.stop().await?;
    stop.cancel();
    let _ = echoing.await;
    if missing > 0 { Err(DemoError::Missing { missing }) } else { Ok(()) }
}

/// Sends one sample, and tells what the gateway answered and what arrived.
async fn show(sample: &Sample, running: &Running, arrivals: &mut Arrivals) -> Result<(), DemoError> {
    let table = running.gateway.table();
    let answer = sample.send(&table, running.listening, SystemClock.now()).await?;
    story::request(sample, &answer);
    let arrived = arrivals.settled(&running.gateway, PATIENCE).await;
    story::deliveries(&arrived);
    Ok(())
}

// === impl DemoSurroundings ===

impl Surroundings for DemoSurroundings {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "LISTEN" | "ADMIN_LISTEN" => Some("127.0.0.1:0".to_owned()),
            "DATA_DIR" => Some(self.data.display().to_string()),
            url if url.ends_with("_URL") => Some(format!("http://{}", self.echo)),
            _ => None,
        }
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("the demo reads no files, and {} is one", path.display())))
    }
}

// === impl Scratch ===

impl Scratch {
    fn new() -> io::Result<Self> {
        // A name that nobody could have taken before, and a failure where somebody has: it is a directory that all
        // users of the machine write to.
        let path = std::env::temp_dir().join(format!("hookswitch-demo-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
