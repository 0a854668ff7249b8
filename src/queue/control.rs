//! What people do about what is kept: replaying, purging, and releasing parked keys.

use futures_util::future::BoxFuture;

use super::{NewDelivery, QueueError, Selection};
use crate::model::{DeliveryId, Lane, Timestamp};

/// What people do about what is kept.
///
/// A replayed delivery is pending again with a fresh budget of attempts and time, and in the place among those of its
/// order key that it had when it was accepted. It keeps its id, and with it its `Idempotency-Key`.
pub trait Control: Send + Sync + std::fmt::Debug + 'static {
    /// Replays one delivery, dead or delivered. `None` where there is none of this id.
    fn replay(&self, id: DeliveryId, at: Timestamp) -> BoxFuture<'_, Result<Option<Replayed>, QueueError>>;

    /// Has an event delivered to each of these lanes, whether it was before or not. Answers in their order; `None`
    /// where there is no event of this number.
    fn redeliver(
        &self,
        event: u64,
        to: Vec<NewDelivery>,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Vec<Replayed>>, QueueError>>;

    /// Removes one dead letter for good. Whether there was one.
    fn purge(&self, id: DeliveryId) -> BoxFuture<'_, Result<bool, QueueError>>;

    /// Lets a parked key go on: with the dead letter that it waits behind where `replay` says so, else without it.
    /// Answers how many deliveries waited; `None` where the key is not parked.
    fn release<'a>(
        &'a self,
        lane: &'a Lane,
        key: &'a str,
        replay: bool,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Option<u64>, QueueError>>;

    /// Begins to replay or purge everything that a selection means. What dies or is delivered after `at` is not meant:
    /// nothing is replayed twice by one job.
    fn begin(&self, action: Action, selection: Selection, at: Timestamp) -> BoxFuture<'_, Result<Job, QueueError>>;

    /// Does a bounded part of a job that runs, and commits it with how far it is: a job that a crash broke off goes on
    /// where it was. `None` where there is no such job.
    fn step(&self, id: JobId, at: Timestamp) -> BoxFuture<'_, Result<Option<Step>, QueueError>>;

    /// Stops a job that runs, or has a stopped one go on. One that is done stays so. `None` where there is no such job.
    fn switch(&self, id: JobId, run: bool) -> BoxFuture<'_, Result<Option<Job>, QueueError>>;

    /// The last jobs, the newest first, at most 100: older ones are forgotten as new ones begin.
    fn jobs(&self) -> BoxFuture<'_, Result<Vec<Job>, QueueError>>;
}

/// What became of a delivery that was to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Its id.
    pub id: DeliveryId,
    /// Its lane.
    pub lane: Lane,
    /// Whether it was made pending by this: one that was pending already is left as it is.
    pub replayed: bool,
    /// Whether it waits for another of its order key, or for the key to be released.
    pub waits: bool,
}

/// What a job does to each delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Replays it.
    Replay,
    /// Removes it for good. Only dead letters are purged.
    Purge,
}

/// Names a job: they count up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// A replay or purge of many deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What it does.
    pub action: Action,
    /// To which deliveries: of those that had ended when it began.
    pub selection: Selection,
    /// Whether it runs.
    pub state: JobState,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was done.
    pub done_at: Option<Timestamp>,
    /// How many deliveries it has looked at, of about `total`.
    pub examined: u64,
    /// How many it has to look at, at most: as counted when it began.
    pub total: u64,
    /// How many it replayed or purged.
    pub changed: u64,
}

/// Whether a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It does.
    Running,
    /// It was stopped, and can go on.
    Stopped,
    /// It has done everything.
    Done,
}

/// Part of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The job after it.
    pub job: Job,
    /// The lanes in which deliveries became pending.
    pub lanes: Vec<Lane>,
}

// === impl Action ===

impl Action {
    /// The word: in the API and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Purge => "purge",
        }
    }
}

// === impl JobState ===

impl JobState {
    /// The word: in the API and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }
}
