//! The writer: one thread, one connection, group commit.

mod room;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use self::room::{full, refuse_appends};
use super::bounds::Bounds;
use super::command::{Command, Reply, Write};
use super::desk::{Desk, Done};
use super::door::Door;
use super::failure::{is_damage, queue_error};
use super::files::Directory;
use super::head::{Head, Noted};
use super::reserve::Reserve;
use super::upkeep::Chore;
use crate::model::{Clock, Timestamp};
use crate::queue::QueueError;

pub(super) use self::room::no_reserve;

/// The most commands in a group.
const GROUP: usize = 1024;
/// The most bytes in a group, but for the last command.
const GROUP_BYTES: usize = 8 << 20;
/// How long nothing must have come before pages are given back, and how long between two steps of that.
const IDLE: Duration = Duration::from_millis(250);
const BETWEEN: Duration = Duration::from_millis(5);
/// After so many commits in a row pages are given back though there is work, where there are many.
const BUSY_COMMITS: u32 = 64;
/// The pauses before what failed is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// By how much the clock must go back at once for retries to follow it: less is made good by waiting.
const SET_BACK: Duration = Duration::from_secs(60);
/// How many steps of giving pages back a close may take: half a gigabyte.
const CLOSING_STEPS: usize = 256;

/// The writer.
pub(super) struct Writer {
    desk: Desk,
    commands: Receiver<Command>,
    door: Arc<Door>,
    clock: Arc<dyn Clock>,
    chores: VecDeque<Chore>,
    /// What could not be stored, and must be.
    unsettled: Vec<Write>,
    pause: Duration,
    try_again_at: Option<Instant>,
    /// Whether there may be pages to give back.
    untidy: bool,
    /// Whether that is under way, and nothing has come since.
    tidying: bool,
    /// Commits since pages were last given back.
    busy_commits: u32,
    closing: Option<Reply<()>>,
    reserve: Reserve,
    bounds: Bounds,
    head: Head,
    /// What it says.
    noted: Option<Noted>,
    /// The latest time that the clock has shown.
    latest: Timestamp,
    /// Dropped last: the directory is let go once the database is closed.
    directory: Directory,
}

/// What a writer begins with.
pub(super) struct Outfit {
    pub(super) desk: Desk,
    pub(super) commands: Receiver<Command>,
    pub(super) door: Arc<Door>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) reserve: Reserve,
    pub(super) bounds: Bounds,
    pub(super) head: Head,
    pub(super) noted: Option<Noted>,
    pub(super) directory: Directory,
}

/// What the writer woke up to.
enum Woken {
    Command(Command),
    Nothing,
    Abandoned,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(outfit: Outfit) -> Self {
        let Outfit { desk, commands, door, clock, reserve, bounds, head, noted, directory } = outfit;
        let latest = noted.map_or_else(|| clock.now(), |noted| noted.at);
        Self {
            desk,
            commands,
            door,
            clock,
            chores: VecDeque::new(),
            unsettled: Vec::new(),
            pause: FIRST_PAUSE,
            try_again_at: None,
            untidy: true,
            tidying: false,
            busy_commits: 0,
            closing: None,
            reserve,
            bounds,
            head,
            noted,
            latest,
            directory,
        }
    }

    /// Works until it is told to close or nobody is left to tell it anything.
    pub(super) fn run(mut self) {
        if self.door.in_trouble() {
            self.try_again_at = Some(Instant::now() + self.pause);
        }
        while self.closing.is_none() {
            self.watch_clock();
            self.end_storing();
            match self.wait() {
                Woken::Command(first) => self.serve(first),
                Woken::Nothing => {}
                Woken::Abandoned => break,
            }
            if let Some(chore) = self.chores.pop_front()
                && let Some(rest) = chore.step(&mut self.desk)
            {
                self.chores.push_back(rest);
            }
            if self.try_again_at.is_some_and(|at| at <= Instant::now()) {
                self.try_again();
            }
            self.tell_damage();
        }
        self.finish();
    }

    fn wait(&mut self) -> Woken {
        if !self.chores.is_empty() {
            return match self.commands.try_recv() {
                Ok(command) => Woken::Command(command),
                Err(TryRecvError::Empty) => Woken::Nothing,
                Err(TryRecvError::Disconnected) => Woken::Abandoned,
            };
        }
        let now = Instant::now();
        let again = self.try_again_at.map(|at| at.saturating_duration_since(now));
        // While something is to be tried again, so is this.
        let recent = self.desk.due_in(now).filter(|_| again.is_none());
        let tidy = self.untidy.then_some(if self.tidying { BETWEEN } else { IDLE });
        let storing = self.desk.is_storing().then_some(BETWEEN);
        let Some(timeout) = again.into_iter().chain(tidy).chain(recent).chain(storing).min() else {
            return self.commands.recv().map_or(Woken::Abandoned, Woken::Command);
        };
        match self.commands.recv_timeout(timeout) {
            Ok(command) => Woken::Command(command),
            Err(RecvTimeoutError::Timeout) => {
                if recent.is_some() && self.desk.is_due(Instant::now()) {
                    // Nothing has come for a while.
                    let _ = self.store_recent();
                }
                // Giving pages back would wait for the storer, and who comes meanwhile for that.
                if again.is_none() && !self.desk.is_storing() {
                    self.tidy();
                    self.tidying = self.untidy;
                }
                Woken::Nothing
            }
            Err(RecvTimeoutError::Disconnected) => Woken::Abandoned,
        }
    }

    /// Commits a command with whatever else waits.
    fn serve(&mut self, first: Command) {
        // Who is about to ask may do so first, where there are more threads than cores: the group becomes larger, and there
        // are fewer syncs. Where a core is free this takes no time.
        std::thread::yield_now();
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(command) = next.take() {
            match command {
                Command::Write(write) => {
                    bytes += write.weight();
                    group.push(write);
                }
                Command::Chore(chore) => self.chores.push_back(chore),
                Command::Work(work) => {
                    // In the order in which things were asked for.
                    self.commit(std::mem::take(&mut group));
                    self.untidy = true;
                    work(&mut self.desk);
                    self.note(self.clock.now());
                }
                Command::Store(reply) => {
                    self.commit(std::mem::take(&mut group));
                    let stored = self.store_recent().map_err(|error| queue_error(&error));
                    drop(reply.send(stored));
                }
                Command::FoundDamage => self.found_damage(),
                Command::Close(reply) => self.closing = Some(reply),
            }
            if self.closing.is_none() && group.len() < GROUP && bytes < GROUP_BYTES {
                next = self.commands.try_recv().ok();
            }
        }
        self.commit(group);
    }

    fn commit(&mut self, mut group: Vec<Write>) {
        let now = self.clock.now();
        if !self.reserve.is_taken() {
            // What must be stored has the room.
            group = refuse_appends(group, &self.door.health().err().unwrap_or_else(full));
        } else if group.iter().any(Write::is_append)
            && let Err(bound) = self.bounds.check(&mut self.desk, now)
        {
            self.door.set_trouble(Some(bound.clone()));
            group = refuse_appends(group, &bound);
            self.try_again_at.get_or_insert_with(|| Instant::now() + self.pause);
        }
        if group.is_empty() {
            return;
        }
        self.untidy = true;
        self.tidying = false;
        self.busy_commits += 1;
        if self.busy_commits >= BUSY_COMMITS {
            self.busy_commits = 0;
            self.tidy_where_much();
        }
        match self.desk.commit(&group, now) {
            Ok(done) => {
                // Before anybody hears of it: what is acknowledged is noted.
                self.note(now);
                group.into_iter().zip(done).for_each(|(write, done)| self.succeeded(write, done));
                if self.desk.is_due(Instant::now()) {
                    self.begin_storing();
                }
                self.make_room(now);
            }
            // One that cannot be stored must not take the others with it.
            Err(_) if group.len() > 1 => group.into_iter().for_each(|write| self.commit(vec![write])),
            Err(error) => group.into_iter().for_each(|write| self.failed(write, &error)),
        }
    }

    /// Brings what is recent to the tables. Where there is no room nothing more is taken until there is.
    fn store_recent(&mut self) -> rusqlite::Result<()> {
        self.desk.store_recent().inspect_err(|error| self.not_stored(error))
    }

    /// The same, while appends go on.
    fn begin_storing(&mut self) {
        if let Err(error) = self.desk.begin_storing() {
            self.not_stored(&error);
        }
    }

    fn end_storing(&mut self) {
        if let Err(error) = self.desk.end_storing(false) {
            self.not_stored(&error);
        }
    }

    /// Notes what was accepted, where that is more than what is noted.
    fn note(&mut self, now: Timestamp) {
        let accepted = self.desk.counts.accepted();
        if self.noted.is_none_or(|noted| noted.accepted != accepted) {
            let noted = Noted { accepted, at: now };
            self.head.write(noted);
            self.noted = Some(noted);
        }
    }

    /// A clock that went back leaves retries in a future that may be hours away: they follow it.
    fn watch_clock(&mut self) {
        let now = self.clock.now();
        let back = self.latest.since(now);
        if back >= SET_BACK {
            tracing::warn!(seconds = back.as_secs(), "the clock went back: what waits for its time follows it");
            self.chores.push_back(Chore::turn_back(back, now));
            self.latest = now;
        } else {
            self.latest = self.latest.max(now);
        }
    }

    /// Whatever the desk came upon that cannot be read, in whichever of its transactions.
    fn tell_damage(&self) {
        if self.desk.found_damage.take() {
            self.found_damage();
        }
    }

    /// Part of the database cannot be read: the next start salvages.
    fn found_damage(&self) {
        self.desk.damaged();
        if let Err(error) = self.directory.want_salvage() {
            tracing::error!(%error, "the next start cannot be asked to salvage the database");
        }
    }

    fn succeeded(&self, write: Write, done: Done) {
        match (write, done) {
            (Write::Append { reply, ticket, .. }, Done::Appended(appended)) => {
                drop(ticket);
                self.door.set_trouble(None);
                // Nobody waits any more: the leases are dropped, and with them the claims.
                drop(reply.send(Ok(appended)));
            }
            (Write::Count { reply, .. }, Done::Counted) => drop(reply.send(Ok(()))),
            (Write::Settle { reply: Some(reply), .. }, Done::Settled(settled)) => drop(reply.send(Ok(settled))),
            _ => {}
        }
    }

    fn failed(&mut self, write: Write, error: &rusqlite::Error) {
        if !is_damage(error) {
            // A quota is told as any other failure to write.
            self.reserve.release();
            self.door.set_trouble(Some(queue_error(error)));
        }
        match write {
            Write::Append { reply, .. } => {
                if is_damage(error) {
                    tracing::error!(%error, "an event cannot be stored, because the database is damaged: restart the gateway");
                    self.found_damage();
                }
                let error = queue_error(error);
                self.door.set_trouble(Some(error.clone()));
                drop(reply.send(Err(error)));
            }
            Write::Count { reply, .. } => drop(reply.send(Err(queue_error(error)))),
            Write::Settle { settle, reply } if is_damage(error) => {
                // It would fail for ever. Its claim is kept, so that it is not made again before the next start.
                tracing::error!(
                    %error, route = &*settle.lane.route, delivery = &*settle.lane.delivery, id = %settle.id,
                    "the outcome of a delivery cannot be stored: its record is damaged"
                );
                self.found_damage();
                reply.into_iter().for_each(|reply| drop(reply.send(Err(queue_error(error)))));
                return;
            }
            Write::Settle { settle, reply } => {
                if self.unsettled.is_empty() {
                    tracing::error!(
                        %error, route = &*settle.lane.route, delivery = &*settle.lane.delivery, id = %settle.id,
                        "the outcome of a delivery cannot be stored: it is kept in memory and tried again"
                    );
                }
                self.unsettled.push(Write::Settle { settle, reply });
            }
        }
        self.try_again_at.get_or_insert_with(|| Instant::now() + self.pause);
    }

    fn finish(mut self) {
        let unsettled = std::mem::take(&mut self.unsettled);
        self.commit(unsettled);
        // Closing says whether all of it is in the tables.
        let _ = self.store_recent();
        self.tell_damage();
        let mut result = Ok(());
        for write in self.unsettled.drain(..) {
            let error = QueueError::Store { detail: "the outcome of a delivery could not be stored".to_owned() };
            if let Write::Settle { reply: Some(reply), .. } = write {
                drop(reply.send(Err(error.clone())));
            }
            result = Err(error);
        }
        for _ in 0..CLOSING_STEPS {
            self.tidy();
            if !self.untidy {
                break;
            }
        }
        let Self { desk, closing, directory, commands, .. } = self;
        let closed = desk.close().map_err(|error| queue_error(&error));
        // What still came is answered `Closed` by dropping it, and who waits for us may open the directory at once.
        drop(commands);
        drop(directory);
        if let Some(reply) = closing {
            drop(reply.send(result.and(closed)));
        }
    }
}
