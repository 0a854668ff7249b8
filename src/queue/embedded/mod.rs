//! The embedded home: SQLite, one process, one directory.
//!
//! # On disk
//!
//! | file | holds |
//! | --- | --- |
//! | `queue.db` | the database |
//! | `queue.db-wal`, `queue.db-shm` | SQLite's write-ahead log and its index; gone after an orderly close |
//! | `lock` | nothing: who holds a lock on it has the directory |
//! | `journal`, `journal-2` | what is acknowledged and not in the database yet, see *The journal* |
//! | `reserve` | nothing: it keeps room, see *No room* |
//! | `head` | how many deliveries were ever accepted, see *After a crash* |
//! | `uses` | when secrets were last used, see the module `notes` |
//! | `queue.db.damaged` | nothing: it asks the next start for a salvage |
//! | `queue.db.salvage` | a database being rebuilt from a damaged one; only while starting |
//! | `queue.db.corrupt-<ms>` | a damaged database that was set aside, with its log; never read again, never deleted |
//!
//! The directory is made with mode 0700, the files with 0600: they hold what providers sent, unencrypted.
//!
//! | table | a row is | goes when |
//! | --- | --- | --- |
//! | `lanes` | a route and a delivery by name | never: there are as many as the configurations had |
//! | `lane_counts`, `route_counts` | the ledger of a lane, of a route | never |
//! | `requests` | a request as received, its body once | its last event goes |
//! | `events` | an event: its attributes, and where in the request's body its data stands | its last delivery goes |
//! | `keys` | the hash of a route and an event key, the event, and until when it is known | its event has gone, and its window has ended |
//! | `key_runs`, `key_marks` | the same of events that came last, and how far that is in `keys`: see the module `keys` | all of it is in `keys` |
//! | `pending` | a delivery that is not made yet: when it is due, its attempts, its order key | it is made (moved to `done`, or deleted where nothing is retained) or given up (moved to `dead`) |
//! | `dead` | a delivery that was given up, why and when | it is replayed (moved to `pending`), purged, or appended again |
//! | `done` | a delivery that was made, when, and until when it is kept | that time has come, there is no room, or it is replayed |
//! | `packs` | events that were delivered before they got to a table, and are kept: many in one row, see the module `packs` | all of it was kept long enough, there is no room, or one of them is replayed, which puts them all in rows |
//! | `parked` | an order key that waits behind a dead letter | that is replayed, or a person releases the key |
//! | `jobs` | a replay or purge of many, and how far it is | a hundred later ones have begun |
//! | `numbers` | the first event number that may not have been given; the epoch of the journal | never |
//! | `probe` | nothing: see *No room* | |
//!
//! # Numbers
//!
//! Events are numbered as they are accepted, and no number is given twice: `numbers` is a million ahead of what was given, so
//! that it is written rarely. A delivery's row is its event's number times 1024 and a place among the event's deliveries; it
//! keeps it in whichever of the three tables it is. A request's row is the number of its first event. So what belongs
//! together stands together, in each table, and needs no index to be found; rows are appended at the end of their tables
//! and removed at the beginning; and the order of rows is the order of acceptance. What has random places is `keys` alone:
//! so what goes there is gathered first, and put in order.
//!
//! A delivery id begins with eleven bytes of its event's key, so a delivery is found by its id through `keys`.
//!
//! Times are milliseconds since the Unix epoch. Lists (headers, path parameters, attempts) are JSON. The file can be
//! looked into with the `sqlite3` shell while the gateway runs; it is up to a second behind.
//!
//! # The ledger
//!
//! `lane_counts` and `route_counts` are updated in the transaction that changes what they count, once for each lane and route
//! that it touches. For every lane `accepted = delivered + dead + pending + purged + lost`, where `dead` and `pending` are
//! how many rows these tables have; for every route `received = accepted + filtered + duplicate + invalid`. Opening reads
//! them, counts `pending` and compares; an audit counts everything.
//!
//! # Order
//!
//! Of the pending deliveries of one lane and order key one at most has a `due_at`; the others have the greatest integer
//! there, which no lane ever looks for. Whatever ends or puts off the one makes the next one due in the same transaction.
//!
//! # Who writes, and when it is durable
//!
//! One thread, the writer, owns the one connection that writes. It takes the first command that comes, with it whatever
//! else is waiting (up to 1,024 commands or 8 MiB), commits them all at once, and only then answers each. It never waits for
//! company: under load groups form by themselves, because commands arrive while the disk syncs.
//!
//! A group is committed in one of two ways. What is simple goes to the journal: one record, written and synced (`fdatasync`).
//! Anything else goes to the tables: one transaction, whose `COMMIT` syncs SQLite's log (`fsync`: `journal_mode=WAL`,
//! `synchronous=FULL`) before it returns. So `Ok` from any call here means that the change is on stable storage, as far as the
//! disk is honest.
//!
//! Each 128 pages (1 MB; more where the database is large) the writer, or the storer, moves the log's pages into `queue.db`
//! within a commit and syncs both. The directory is synced after files are created in it: by us for the database and the
//! journal, by SQLite for the log. There is no other thread that checkpoints: one that did let the log grow a hundredfold.
//!
//! # The journal
//!
//! What is in it and not in the tables is *recent*: about a second old at most, a few thousand events, 4 MiB. Another thread,
//! the storer, brings it to the tables with a connection of its own, while the writer goes on in the other file; the writer
//! itself does so with its next transaction, before a chore, and before anybody who asks for more than the line does looks into
//! them. The two never write at once: the writer waits for the storer. What was delivered by then never gets there but for its
//! key, and, where it is retained, as part of a pack. The transaction names, in `numbers`, the epoch of the journal that
//! begins with it; a start reads the records of that epoch and of the next. The `journal` module has the rest.
//!
//! A lease looks into the tables, then into memory, and again where something went from there to the tables meanwhile.
//!
//! A commit that fails is rolled back, and each of its commands is then tried in a transaction of its own: one that
//! cannot be stored fails alone. A log whose sync failed is overwritten from the same place by the next commit. Should
//! the process die between a failed sync and that commit, the failed commit may be found whole on disk after all: an
//! event is then kept whose provider was told to come back, and is known by its key when it comes.
//!
//! Readers have connections of their own that cannot write, four at most, on tokio's threads for blocking work. They
//! see the last commit and wait for nobody.
//!
//! # Claims
//!
//! Claims live in memory alone, each with a number of its own: a delivery that was given up under its lease, and replayed, is
//! claimed anew, and what comes of the old lease changes nothing that is the new one's. A new delivery is claimed before its commit makes it visible. A reader claims what it
//! picked; what was settled while it read is not picked, since its snapshot may show a delivery that is gone. So no two
//! leases of a delivery live at once, and a process that dies leaves no claim behind.
//!
//! # No room
//!
//! An append that finds no room on the disk, or in [`Options::max_size`], or too much pending and dead
//! ([`Options::max_bytes`], [`Options::max_age`]), or too much waiting for the writer ([`Options::max_backlog`]) fails with
//! [`QueueError::Full`], and nothing of it is kept. What was delivered and is kept goes first: beyond
//! [`Options::max_kept`] at once, and a part with each try for room. What ends or puts off a
//! delivery is kept in memory instead, with its claim, and tried again with growing pauses until it is stored: the
//! attempt was made, and must not be made again because a disk was full for a minute. Only one that was put off is let go when
//! its time has come: it is to be made again in any case. After an append failed,
//! the writer itself tries to store 64 KiB now and then (`probe`), so that `health` turns good without traffic.
//!
//! On a disk that the queue itself has filled nothing could be stored any more, not even that a delivery was made: the log
//! has no room to grow, and no room to be moved into `queue.db`. So `reserve` keeps [`Options::reserve`] bytes. Where
//! anything finds the disk full the file is removed, and until there is room for it again appends are refused unseen and
//! what ends deliveries has the room. A start on a full disk does the same. File systems that compress, or count only what
//! is synced, keep less than it says.
//!
//! Pages that become free are used again first. When nothing else waits, the writer gives all but a few back to the file
//! system, a few at a time.
//!
//! # Limits
//!
//! A body of up to 1 GB (SQLite's limit of a value), 1024 deliveries of an event, and as many rows as the disk holds. Opening
//! counts the pending through an index: about a second for ten million. The directory must be on a local file system.
//!
//! # After a crash
//!
//! Opening replays the log's complete commits, then the journal's records, and drops an incomplete one of either: nothing that
//! was acknowledged is lost.
//!
//! SQLite takes the first frame of its log that does not check for the end of the log: what was committed behind a damaged
//! one would be gone without a word. So the writer notes in `head`, after each commit and before it answers, how many
//! deliveries were ever accepted; opening compares, and what is missing is logged and counted as lost. The note is not synced:
//! a killed process leaves it exact, a power cut takes what the last half minute added to it, and it never says too much.
//!
//! Requests, events and deliveries have checksums, which are looked at whenever they are read. A delivery whose record cannot
//! be read (a checksum does not match, its event is missing, a page of it is damaged) becomes a dead letter with [`Reason::Corrupt`](crate::model::Reason::Corrupt) when it comes
//! up, with a line in the log. The others go on. Where not even that
//! can be written, because the delivery's own page is damaged, it keeps its claim, and the next start salvages.
//!
//! A file that is not a database, in which the structure, the counts or the ends of a table cannot be read, or in which
//! other than the counted deliveries are pending, is salvaged when it is opened; one of up to 256 MiB is looked through for
//! that (`PRAGMA quick_check`, and whether the pending deliveries are what their index says): row by row, what can still be read is copied into `queue.db.salvage`; the damaged file is renamed to
//! `queue.db.corrupt-<ms>`, then the new one takes its place. A crash in between is mended by the next start: the
//! salvaged file is whole exactly if `queue.db` is gone. What was lost is counted in the log by table, and events
//! whose deliveries were lost are named. The gateway starts.
//!
//! # Versions
//!
//! `PRAGMA user_version` is the number of this layout: 5. The one before is brought to it. A newer one is refused
//! ([`QueueError::TooNew`]) and not touched, and so are the first three ([`QueueError::TooOld`]), which were never released.
//! `PRAGMA application_id` is `hksw`.

mod append;
mod archive;
mod audit;
mod bounds;
mod browse;
mod claims;
mod codec;
mod command;
mod control;
mod counts;
mod desk;
mod door;
mod entry;
mod failure;
mod files;
mod give_way;
mod head;
mod jobs;
mod journal;
mod keys;
mod lane_change;
mod line;
mod mend;
mod metrics;
mod notes;
mod options;
mod order;
mod packs;
mod pages;
mod reader;
mod replay;
mod reserve;
mod salvage;
mod schema;
mod settle;
mod shelf;
mod storer;
mod sum;
mod tables;
mod traffic;
mod upkeep;
mod verify;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Lease, QueueError, Settled};
use crate::model::Clock;

pub use self::options::Options;

use self::bounds::Bounds;
use self::claims::Claims;
use self::command::{Command, Reply, Write};
use self::counts::{Changes, Counts};
use self::desk::Desk;
use self::door::Door;
use self::files::Directory;
use self::head::Head;
use self::journal::Journal;
use self::keys::Young;
use self::metrics::Metrics;
use self::reader::Readers;
use self::settle::{Settle, Verdict};
use self::storer::Storer;
use self::writer::{Outfit, Writer};

/// The queue in a directory of this machine: see the [module](self).
///
/// Dropped without [`Queue::close`](super::Queue::close), it writes what it has taken and lets the directory go a moment later.
pub struct Embedded {
    directory: PathBuf,
    claims: Arc<Claims>,
    counts: Arc<Counts>,
    young: Arc<Young>,
    max_kept: u64,
    door: Arc<Door>,
    metrics: Metrics,
    readers: Readers,
    commands: mpsc::Sender<Command>,
    writer: Mutex<Option<JoinHandle<()>>>,
    noting: Arc<tokio::sync::Mutex<()>>,
}

// === impl Embedded ===

impl Embedded {
    /// Opens the home, or makes it. Salvages a damaged one first, and says so in the log. It reads and writes files:
    /// at start, before there is anybody to hold up.
    ///
    /// # Errors
    ///
    /// [`QueueError::InUse`], [`QueueError::TooNew`], or [`QueueError::Store`] where the directory cannot be used.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Arc<Self>, QueueError> {
        let directory = Directory::claim(&options.directory)?;
        let mut reserve = directory.reserve(options.reserve);
        let opened = salvage::open(&directory, options.max_size, clock.now()).or_else(|error| match error {
            QueueError::Full { .. } => {
                reserve.release();
                salvage::open(&directory, options.max_size, clock.now())
            }
            other => Err(other),
        });
        let (connection, stock) = opened.map_err(|error| in_directory(error, &options.directory))?;
        let readers = Readers::new(directory.database());
        let (head, noted) = Head::open(&directory.head());
        let (claims, counts) = (Arc::<Claims>::default(), Arc::new(Counts::new(stock.lanes, stock.routes, stock.lost)));
        let door = Arc::new(Door::new(options.max_backlog));
        if let Err(error) = reserve.take() {
            door.set_trouble(Some(writer::no_reserve(&error)));
        }
        let metrics = Metrics::new().map_err(|error| QueueError::Store { detail: error.to_string() })?;
        let (commands, receiver) = mpsc::channel();
        let journal = Journal::new(directory.journal());
        let young = Arc::new(stock.young.with_max(options.max_young));
        let (desk_claims, desk_counts, desk_young) = (Arc::clone(&claims), Arc::clone(&counts), Arc::clone(&young));
        let mut desk =
            Desk::new(connection, desk_claims, desk_counts, stock.next_event, journal, desk_young, metrics.clone());
        desk.max_size = options.max_size;
        journal::recover(&mut desk, stock.journal)?;
        head::count_missing(&desk, noted);
        let another = schema::open_another(&directory.database(), options.max_size)?;
        desk.journal.max_rows = options.max_recent;
        desk.storer = Some(Storer::start(desk.another(another, Journal::new(directory.journal())))?);
        let bounds = Bounds::new(options.max_bytes, options.max_age, options.max_kept);
        let outfit = Outfit {
            desk,
            commands: receiver,
            door: Arc::clone(&door),
            clock,
            reserve,
            bounds,
            head,
            noted,
            directory,
        };
        let writer = Writer::new(outfit);
        let thread = std::thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| QueueError::Store { detail: format!("no thread for the writer: {error}") })?;
        Ok(Arc::new(Self {
            directory: options.directory,
            claims,
            counts,
            young,
            max_kept: options.max_kept,
            door,
            metrics,
            readers,
            commands,
            writer: Mutex::new(Some(thread)),
            noting: Arc::default(),
        }))
    }

    /// Registers the home's own metrics: commits, how long they take, how many commands each holds.
    ///
    /// # Errors
    ///
    /// Where metrics of these names are registered already.
    pub fn register(&self, registry: &prometheus::Registry) -> Result<(), prometheus::Error> {
        self.metrics.register(registry)
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, QueueError> {
        self.door.check_open()?;
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| QueueError::Closed)?;
        answer.await.unwrap_or(Err(QueueError::Closed))
    }

    /// Has the writer do something in a transaction of its own.
    async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, &mut Changes) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.ask(|reply| {
            Command::Work(Box::new(move |desk| {
                let result = desk.transact(work).map_err(|error| failure::queue_error(&error));
                drop(reply.send(result));
            }))
        })
        .await
    }

    async fn settle(&self, lease: Lease, verdict: Verdict) -> Result<Settled, QueueError> {
        self.door.check_open()?;
        let (id, lane) = (lease.id, lease.lane.clone());
        let Some(claim) = lease.into_claim() else {
            return Err(QueueError::Store { detail: "a lease without a claim".to_owned() });
        };
        let settle = Settle { id, lane, claim, verdict };
        self.ask(|reply| Command::Write(Write::Settle { settle, reply: Some(reply) })).await
    }

    /// Reads, after what is recent was brought to the tables.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        if self.claims.unstored.any() {
            self.store_recent().await;
        }
        self.readers.read(work).await
    }

    /// Where that fails, whoever reads sees what was there before.
    async fn store_recent(&self) {
        if let Err(error) = self.ask(Command::Store).await {
            tracing::debug!(%error, "what is recent cannot be brought to the tables yet");
        }
    }
}

/// SQLite does not say which file it could not open.
fn in_directory(error: QueueError, directory: &Path) -> QueueError {
    match error {
        QueueError::Store { detail } => QueueError::Store { detail: format!("{}: {detail}", directory.display()) },
        other => other,
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("directory", &self.directory).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
