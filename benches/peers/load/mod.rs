//! The load: keep-alive connections over raw TCP, in a process of its own. It knows which events were acknowledged.

mod connection;
mod report;
mod schedule;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
pub use report::Report;
use tokio::task::{JoinSet, spawn_local};

use crate::event::{self, Request};
use crate::servers::on_one_thread;
use connection::Connection;
use report::Tally;
use schedule::Schedule;

/// How long an answer may take. One that did not come is counted as an error, and its event as not acknowledged.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections that are opened at once: more than a listener's backlog would only be tried again by the kernel.
const OPENING: usize = 100;

/// What is sent.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where to.
    #[arg(long)]
    pub address: SocketAddr,
    /// The path; a run of `#` is the number of a route.
    #[arg(long)]
    pub path: String,
    /// Routes to spread the events over.
    #[arg(long, default_value_t = 1)]
    pub routes: u64,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// For how long.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// Requests a second. Without it each connection sends as soon as it was answered.
    #[arg(long)]
    pub rate: Option<f64>,
    /// The most events that are sent.
    #[arg(long, default_value_t = u64::MAX)]
    pub count: u64,
    /// The first event's id.
    #[arg(long)]
    pub first: u64,
    /// Bytes of a body.
    #[arg(long, default_value_t = event::SIZE)]
    pub size: usize,
    /// The destination, to be asked for its counts at the start and at the end.
    #[arg(long)]
    pub destination: SocketAddr,
}

struct Work {
    settings: Settings,
    next: Cell<u64>,
    end: Cell<Instant>,
    schedule: Option<Schedule>,
    tally: RefCell<Tally>,
}

/// Sends, and prints a [`Report`] as JSON.
pub fn run(settings: Settings) {
    let report = on_one_thread(send(settings));
    println!("{}", serde_json::to_string(&report).unwrap());
}

async fn send(settings: Settings) -> Report {
    let body = event::body(event::WANTED, settings.size);
    let request = Request::new(&settings.path, event::SECRET, &body, settings.routes);
    let mut connections = Vec::new();
    while connections.len() < settings.connections {
        let mut opening = JoinSet::new();
        for _ in 0..OPENING.min(settings.connections - connections.len()) {
            opening.spawn_local(Connection::open(settings.address));
        }
        connections.extend(opening.join_all().await);
    }
    let before = report::delivered(settings.destination).await;
    let (began, length) = (Instant::now(), Duration::from_secs_f64(settings.seconds));
    let schedule = settings.rate.map(|rate| Schedule::start(began, rate, began + length));
    let (next, tally) = (Cell::new(settings.first), RefCell::new(Tally::new(settings.first)));
    let work = Rc::new(Work { settings, next, end: Cell::new(began + length), schedule, tally });
    let senders: Vec<_> =
        connections.into_iter().map(|connection| spawn_local(work.clone().each(connection, request.clone()))).collect();
    work.until_the_end(began).await;
    let seconds = began.elapsed().as_secs_f64();
    let delivered = report::delivered(work.settings.destination).await.saturating_sub(before);
    let in_time = work.tally.borrow().acknowledged();
    for sender in senders {
        let _ = sender.await;
    }
    work.tally.borrow().report(seconds, in_time, delivered)
}

// === impl Work ===

impl Work {
    /// Waits for the end of the time, or until all were sent.
    async fn until_the_end(&self, began: Instant) {
        let length = self.end.get() - began;
        if self.settings.count == u64::MAX {
            tokio::time::sleep_until((began + length).into()).await;
        }
        while Instant::now() < self.end.get() && self.next.get() - self.settings.first < self.settings.count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn each(self: Rc<Self>, mut connection: Connection, mut request: Request) {
        while let Some((id, due)) = self.turn().await {
            let answered = tokio::time::timeout(PATIENCE, connection.exchange(request.with_id(id)))
                .await
                .unwrap_or_else(|late| Err(late.into()));
            let waited = due.elapsed();
            self.tally.borrow_mut().count(id, answered.as_ref().ok().copied(), waited);
            if answered.is_err() {
                connection = Connection::open(self.settings.address).await;
            }
        }
    }

    /// The next event, and when it is due: its latency counts from then.
    async fn turn(&self) -> Option<(u64, Instant)> {
        let due = match &self.schedule {
            Some(schedule) => schedule.next().await?,
            None => Instant::now(),
        };
        let id = self.next.get();
        if due >= self.end.get() || id - self.settings.first >= self.settings.count {
            return None;
        }
        self.next.set(id + 1);
        Some((id, due))
    }
}
