//! A gateway with both of its listeners: what `serve` and `demo` have in common.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::open_files;
use crate::admin::Admin;
use crate::app::server::{self, ConnectionBounds};
use crate::app::{Assembly, Gateway, Network, StartError};
use crate::config::load::Surroundings;
use crate::model::{Clock, SystemClock};
use crate::queue::QueueError;
use crate::queue::embedded::{Embedded, Options};
use crate::routing::{EmbeddedQueue, RouteTable};
use crate::telemetry::{self, MetricsError};

/// A gateway with both of its listeners.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) gateway: Arc<Gateway>,
    /// Where webhooks come in.
    pub(super) listening: SocketAddr,
    /// Where the admin listener is.
    pub(super) admin: SocketAddr,
    admin_tasks: TaskTracker,
    stop_admin: CancellationToken,
}

/// Why a gateway cannot run.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("cannot listen on {address}: {source}; change `{field}`, or stop what listens there")]
    Listen { address: SocketAddr, field: &'static str, source: std::io::Error },
    #[error("cannot open the queue: {0}")]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot register metrics: {0}")]
    Metrics(#[from] MetricsError),
}

/// How many connections the admin listener takes: scrapers and a few people.
const ADMIN_CONNECTIONS: u32 = 256;

impl Running {
    /// Binds, opens the queue, and starts.
    pub(super) async fn start(
        table: RouteTable,
        path: &Path,
        surroundings: Box<dyn Surroundings + Send + Sync>,
    ) -> Result<Self, RunError> {
        let settings = table.settings.clone();
        // Addresses first: a second gateway on this machine is told so before it touches the queue.
        let listener = bind(settings.listen, "listen").await?;
        let admin_listener = bind(settings.admin_listen, "admin.listen").await?;
        let (listening, admin) = (local(&listener, settings.listen), local(&admin_listener, settings.admin_listen));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let registry = telemetry::new_registry()?;
        let queue = Embedded::open(options(&settings.queue), Arc::clone(&clock))?;
        queue.register(&registry)?;
        let assembly = Assembly {
            table,
            path: path.to_owned(),
            surroundings,
            listener,
            queue,
            clock,
            dice: fastrand::f64,
            registry,
            fetch: Arc::new(Network::default()),
            open_files: open_files::raise(),
        };
        let gateway = Arc::new(assembly.start().await?);
        let bounds =
            ConnectionBounds { connections: ADMIN_CONNECTIONS, header_timeout: settings.limits.header_timeout };
        let (admin_tasks, stop_admin) = (TaskTracker::new(), CancellationToken::new());
        let handler = Arc::new(Admin::new(Arc::clone(&gateway)));
        admin_tasks.spawn(server::serve(admin_listener, handler, bounds, stop_admin.clone()));
        Ok(Self { gateway, listening, admin, admin_tasks, stop_admin })
    }

    /// Stops it in order; metrics and health can be read until the end.
    pub(super) async fn stop(self) -> Result<(), QueueError> {
        let grace = self.gateway.table().settings.limits.shutdown_grace;
        let stopped = self.gateway.stop(grace).await;
        self.stop_admin.cancel();
        self.admin_tasks.close();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), self.admin_tasks.wait()).await;
        stopped
    }
}

fn options(queue: &EmbeddedQueue) -> Options {
    let mut options = Options::new(&queue.path);
    options.max_bytes = queue.max_bytes;
    options.max_age = queue.max_age;
    options.max_kept = queue.max_retained;
    options
}

async fn bind(address: SocketAddr, field: &'static str) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { address, field, source })
}

/// The address really bound: port 0 takes a free one.
fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
