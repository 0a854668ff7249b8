//! Puts a gateway together, and takes it apart again in the opposite order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::depth::DepthMetrics;
use super::destinations::{BreakerMetrics, DestinationReport};
use super::fetch::Fetch;
use super::ingress::{Ingress, IngressMetrics};
use super::inputs::Inputs;
use super::jobs::Jobs;
use super::reload::{ReloadError, ReloadMetrics, Reloader};
use super::rotation::{self, Rotation, RotationMetrics, SecretReport};
use super::server::{self, ConnectionBounds};
use super::shared::Shared;
use super::worker::{DeliveryMetrics, Lanes, Workshop};
use crate::config::load::Surroundings;
use crate::model::{Clock, Lane, Timestamp};
use crate::pipeline::deliver::{Client, ClientError};
use crate::pipeline::receive::BodyBudget;
use crate::queue::{Home, JobId, QueueError};
use crate::routing::RouteTable;
use crate::telemetry::MetricsError;

/// What a gateway is put together from: everything that touches the world comes from outside.
pub struct Assembly {
    /// The configuration.
    pub table: RouteTable,
    /// Where it was read, to be read again.
    pub path: PathBuf,
    /// Where its variables and files come from.
    pub surroundings: Box<dyn Surroundings + Send + Sync>,
    /// Where webhooks come in, bound.
    pub listener: TcpListener,
    /// Where deliveries wait, open.
    pub queue: Arc<dyn Home>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Uniform in 0.0 to 1.0, for the jitter of retries.
    pub dice: fn() -> f64,
    /// Where metrics go; the queue may have registered its own.
    pub registry: Registry,
    /// Who asks providers for keys.
    pub fetch: Arc<dyn Fetch>,
    /// How many files the process may have open, where that is known.
    pub open_files: Option<u64>,
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    reloader: Reloader,
    registry: Registry,
    depth: DepthMetrics,
    secrets: RotationMetrics,
    jobs: Arc<Jobs>,
    /// The accept loop and the chores.
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// TLS for destinations cannot be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A metric cannot be registered: a mistake in this program.
    #[error("cannot register metrics: {0}")]
    Metrics(#[from] MetricsError),
}

/// The memory that request bodies under way may take together, in bytes.
const BODY_MEMORY: u64 = 256 << 20;
/// How often event ids whose window has ended are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

// === impl Assembly ===

impl Assembly {
    /// Starts the gateway: lanes before ingress, so that nothing is accepted that nobody delivers.
    ///
    /// # Errors
    /// Where the HTTP client or the metrics cannot be set up.
    pub async fn start(self) -> Result<Gateway, StartError> {
        let client = Client::new()?;
        let deliveries = DeliveryMetrics::register(&self.registry)?;
        let breakers = BreakerMetrics::register(&self.registry)?;
        let metrics = IngressMetrics::register(&self.registry)?;
        let depth = DepthMetrics::register(&self.registry)?;
        let reloads = ReloadMetrics::register(&self.registry)?;
        let secrets = RotationMetrics::register(&self.registry)?;
        let rotation = Rotation::load(&*self.queue).await;
        rotation.begin(&self.table, None, self.clock.now()).await;
        let table = Arc::new(ArcSwap::from_pointee(self.table));
        let workshop = Workshop::new(
            Arc::clone(&table),
            Arc::<dyn Home>::clone(&self.queue),
            Arc::clone(&self.clock),
            client,
            self.dice,
            deliveries,
            breakers,
        );
        let shared = Arc::new(Shared {
            table,
            queue: self.queue,
            clock: self.clock,
            bodies: BodyBudget::new(BODY_MEMORY),
            gate: tokio::sync::Mutex::default(),
            lanes: Lanes::new(workshop),
            metrics,
            fetch: self.fetch,
            rotation,
        });
        shared.retire_removed_lanes().await;
        shared.lanes.align();
        let stop = CancellationToken::new();
        let limits = shared.table.load().settings.limits;
        let connections = connections(limits.max_connections, self.open_files);
        let bounds = ConnectionBounds { connections, header_timeout: limits.header_timeout };
        let ingress = Arc::new(Ingress::new(Arc::clone(&shared)));
        let tasks = TaskTracker::new();
        tasks.spawn(server::serve(self.listener, ingress, bounds, stop.clone()));
        tasks.spawn(chores(Arc::clone(&shared), stop.clone()));
        tasks.spawn(notes(Arc::clone(&shared), stop.clone()));
        let jobs = Arc::new(Jobs::new(Arc::clone(&shared)));
        jobs.resume().await;
        let reloader = Reloader::new(self.path, self.surroundings, Arc::clone(&shared), reloads);
        Ok(Gateway { shared, reloader, registry: self.registry, depth, secrets, jobs, tasks, stop })
    }
}

impl std::fmt::Debug for Assembly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembly").field("path", &self.path).finish_non_exhaustive()
    }
}

// === impl Gateway ===

impl Gateway {
    /// Reads the configuration again and puts it in force; on any problem nothing changes.
    ///
    /// # Errors
    /// Where the file has problems, or differs in what cannot change in a running process.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        self.reloader.reload().await
    }

    /// The files that each reload took something from, once there was one.
    #[must_use]
    pub fn inputs(&self) -> watch::Receiver<Inputs> {
        self.reloader.inputs()
    }

    /// The configuration in force.
    #[must_use]
    pub fn table(&self) -> Arc<RouteTable> {
        self.shared.table.load_full()
    }

    /// How many deliveries are accepted and not yet made or given up.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.shared.queue.ledger().pending()
    }

    /// Where deliveries wait and what was delivered is kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Home> {
        &self.shared.queue
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Has lanes look into the queue: a person put something there. What a reload removed meanwhile is given up again.
    pub async fn wake(&self, lanes: &[Lane]) {
        self.shared.wake(lanes).await;
    }

    /// Runs a job of the store, which was begun or is to go on.
    pub fn run_job(&self, id: JobId) {
        self.jobs.run(id);
    }

    /// How each destination of the configuration is now, by name: its breaker, its rate, the attempts under way.
    #[must_use]
    pub fn destinations(&self) -> Vec<DestinationReport> {
        self.shared.lanes.destinations()
    }

    /// The secrets of every route, or of the one that is named: whether each is needed still.
    #[must_use]
    pub fn secrets(&self, route: Option<&str>) -> Vec<SecretReport> {
        rotation::reports(&self.table(), route)
    }

    /// Every metric in the Prometheus text format.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub async fn metrics(&self) -> Result<String, MetricsError> {
        // A breaker half-opens by the time alone: what was open may not be any more.
        self.shared.lanes.poll_breakers();
        let (table, now) = (self.table(), self.shared.clock.now());
        self.secrets.fill(&table, &self.shared.metrics.verifications);
        self.depth.render(&self.registry, &*self.shared.queue, &table, now).await
    }

    /// Whether requests are taken now: the reason where they are not.
    ///
    /// # Errors
    /// Where the queue would not keep an event, or the gateway is stopping.
    pub fn ready(&self) -> Result<(), QueueError> {
        if self.stop.is_cancelled() {
            return Err(QueueError::Closed);
        }
        self.shared.queue.health()
    }

    /// Stops it: takes no further connection, lets requests and then attempts under way end within `grace`, writes
    /// what is to be written. What did not end is pending, and made after the next start.
    ///
    /// # Errors
    /// Where the queue cannot be closed in order. Nothing acknowledged is lost by that.
    pub async fn stop(&self, grace: Duration) -> Result<(), QueueError> {
        tracing::info!(grace_seconds = grace.as_secs(), "stopping: no new connections, finishing what is under way");
        self.stop.cancel();
        self.tasks.close();
        let finished = tokio::time::timeout(grace, async {
            self.jobs.stop().await;
            // The accept loop ends once its last request is answered, and only then do the lanes stop: what those
            // requests committed may still be delivered at once.
            self.tasks.wait().await;
            self.shared.lanes.stop().await;
        });
        if finished.await.is_err() {
            tracing::warn!(
                "the grace period is over: what is still under way is pending, and made after the next start"
            );
        }
        self.shared.rotation.note_all(&self.table(), &*self.shared.queue).await;
        self.shared.queue.close().await
    }
}

/// How many connections are taken at once. Each is a file: they get half of those that may be open, so that clients
/// never take what deliveries, the queue and the admin listener need.
fn connections(wanted: u32, open_files: Option<u64>) -> u32 {
    let most = open_files.map_or(u32::MAX, |files| u32::try_from(files / 2).unwrap_or(u32::MAX)).max(1);
    if wanted > most {
        tracing::warn!(
            wanted,
            taken = most,
            "the limit of open files allows fewer connections at once than `limits.max_connections`: raise it \
             (`ulimit -n`, LimitNOFILE=), or lower that"
        );
    }
    wanted.min(most)
}

/// What is to be done now and then.
async fn chores(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(FORGET_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = shared.queue.forget(shared.clock.now()).await {
            tracing::warn!(%error, "cannot forget the event ids whose window has ended: they take up room");
        }
        shared.retire_strays().await;
    }
}

/// Notes when secrets were used.
async fn notes(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(rotation::LOOK_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        shared.note_uses().await;
    }
}
