//! Lanes whose destination fails: how often they look into the queue, and what they hold. The queue is one that counts; the
//! clock that timers go by is paused, and moves when nobody has anything to do.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;

use super::*;
use crate::model::{Attempt, DeliveryId, ManualClock, Timestamp};
use crate::queue::{Appended, Claim, Claims, Death, Forgotten, Hold, Leased, Ledger, QueueError, Retired, Settled};

/// Pending deliveries in memory.
#[derive(Debug, Default)]
pub(super) struct Counting {
    rows: Mutex<BTreeMap<i64, Row>>,
    reads: AtomicU64,
    /// The most that was claimed at once.
    most_claimed: AtomicU64,
    this: Weak<Self>,
}

#[derive(Debug, Clone)]
struct Row {
    lane: Lane,
    due: Timestamp,
    accepted_at: Timestamp,
    attempts: u32,
    claimed: bool,
}

const SETTLED: Settled = Settled { was_pending: true, next_is_due: false, parked: false };
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

impl Counting {
    pub(super) fn with(lanes: &[&str], each: usize, accepted_at: Timestamp) -> Arc<Self> {
        let queue = Arc::new_cyclic(|this| Self { this: Weak::clone(this), ..Self::default() });
        for lane in lanes {
            (0..each).for_each(|_| drop(queue.add(lane, accepted_at)));
        }
        queue
    }

    /// One more, as ingress hands it on.
    pub(super) fn add(&self, route: &str, accepted_at: Timestamp) -> Lease {
        let mut rows = self.rows();
        let number = i64::try_from(rows.len()).unwrap();
        let lane = Lane::new(route, "d");
        rows.insert(number, Row { lane, due: accepted_at, accepted_at, attempts: 0, claimed: false });
        drop(rows);
        self.claim(number)
    }

    fn claim(&self, number: i64) -> Lease {
        let mut rows = self.rows();
        let row = rows.get_mut(&number).unwrap();
        row.claimed = true;
        let row = row.clone();
        let claimed = rows.values().filter(|row| row.claimed).count();
        self.most_claimed.fetch_max(claimed as u64, Ordering::Relaxed);
        let attributes = sample::attributes(&row.lane.route, "t");
        let event = Arc::new(Event::new(attributes, Arc::new(sample::request("1")), 0..1, Value::from(1)));
        let id = DeliveryId::new(&number.to_string(), &row.lane);
        let this: Weak<dyn Claims> = Weak::<Self>::clone(&self.this);
        let hold = Hold { claim: Claim { row: number, turn: 0, size: None }, claims: this };
        Lease::new(id, row.lane, event, row.accepted_at, row.accepted_at, row.attempts, hold)
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<i64, Row>> {
        self.rows.lock().unwrap()
    }

    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    pub(super) fn attempts(&self) -> u32 {
        self.rows().values().map(|row| row.attempts).sum()
    }

    pub(super) fn attempts_of(&self, number: i64) -> u32 {
        self.rows()[&number].attempts
    }

    pub(super) fn claimed(&self) -> usize {
        self.rows().values().filter(|row| row.claimed).count()
    }
}

impl Claims for Counting {
    fn give_back(&self, claim: Claim) {
        self.rows().get_mut(&claim.row).unwrap().claimed = false;
    }
}

impl Queue for Counting {
    fn lease<'a>(&'a self, lane: &'a Lane, max: usize, now: Timestamp) -> BoxFuture<'a, Result<Leased, QueueError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows();
        let mut free: Vec<(Timestamp, i64)> =
            rows.iter().filter(|(_, row)| row.lane == *lane && !row.claimed).map(|(at, row)| (row.due, *at)).collect();
        drop(rows);
        free.sort_unstable();
        let due = free.iter().take_while(|(due, _)| *due <= now).take(max).count();
        let next_due = free.get(due).map(|(due, _)| *due);
        let leases = free.iter().take(due).map(|(_, number)| self.claim(*number)).collect();
        Box::pin(async move { Ok(Leased { leases, next_due }) })
    }

    fn retry_at(&self, lease: Lease, at: Timestamp, _: Attempt) -> BoxFuture<'_, Result<Settled, QueueError>> {
        let number = lease.into_claim().unwrap().row;
        let mut rows = self.rows();
        let row = rows.get_mut(&number).unwrap();
        (row.due, row.attempts, row.claimed) = (at, row.attempts + 1, false);
        Box::pin(async { Ok(SETTLED) })
    }

    fn dead_letter(&self, lease: Lease, _: Death) -> BoxFuture<'_, Result<Settled, QueueError>> {
        self.rows().remove(&lease.into_claim().unwrap().row);
        Box::pin(async { Ok(SETTLED) })
    }

    fn append(&self, _: Append) -> BoxFuture<'_, Result<Appended, QueueError>> {
        unreachable!()
    }

    fn count(&self, _: Arc<str>, _: Tally) -> BoxFuture<'_, Result<(), QueueError>> {
        unreachable!()
    }

    fn ack(&self, _: Lease, _: Attempt, _: Option<Timestamp>) -> BoxFuture<'_, Result<Settled, QueueError>> {
        unreachable!()
    }

    fn retire<'a>(&'a self, _: &'a [Lane], _: Timestamp) -> BoxFuture<'a, Result<Vec<Retired>, QueueError>> {
        unreachable!()
    }

    fn ledger(&self) -> Ledger {
        unreachable!()
    }

    fn oldest_pending(&self) -> BoxFuture<'_, Result<Option<Timestamp>, QueueError>> {
        unreachable!()
    }

    fn forget(&self, _: Timestamp) -> BoxFuture<'_, Result<Forgotten, QueueError>> {
        unreachable!()
    }

    fn health(&self) -> Result<(), QueueError> {
        Ok(())
    }

    fn close(&self) -> BoxFuture<'_, Result<(), QueueError>> {
        unreachable!()
    }
}

/// Lanes to a destination at which nothing listens, with a breaker that one failure opens for ten seconds each time.
fn lanes(queue: &Arc<Counting>, routes: &[&str]) -> Lanes {
    let breaker = ", concurrency: 4, breaker: { failures: 1, cool_down: 10s, max_cool_down: 10s }";
    lanes_with(breaker, Arc::new(ManualClock::new(NOW)), queue, routes)
}

pub(super) fn lanes_with(settings: &str, clock: Arc<ManualClock>, queue: &Arc<Counting>, routes: &[&str]) -> Lanes {
    lanes_on(table_to("http://127.0.0.1:1", settings, routes), clock, queue)
}

pub(super) fn lanes_on(table: RouteTable, clock: Arc<ManualClock>, queue: &Arc<Counting>) -> Lanes {
    let table = Arc::new(ArcSwap::from_pointee(table));
    let queue: Arc<dyn Queue> = queue.clone();
    let lanes = Lanes::new(workshop(&table, queue, clock));
    lanes.align();
    lanes
}

const ROUTES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[tokio::test(start_paused = true)]
async fn while_the_breaker_is_open_lanes_read_nothing_but_a_probe() {
    let queue = Counting::with(&ROUTES, 100, NOW);
    let lanes = lanes(&queue, &ROUTES);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (reads, attempts) = (queue.reads(), queue.attempts());
    // Each lane may have read once before any attempt had failed, and four attempts were begun.
    assert!(reads <= 5 && (1..=4).contains(&attempts), "{reads} reads, {attempts} attempts");
    assert!(queue.rows().values().all(|row| !row.claimed), "what waited has gone back");
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let (reads, attempts) = (queue.reads() - reads, queue.attempts() - attempts);
    assert!((90..=100).contains(&attempts), "{attempts} probes in 1000 s of cool-downs of 10 s");
    let under_way = reads - u64::from(attempts);
    assert!(under_way <= 1, "one read for each probe: {reads} reads, {attempts} probes");
    assert!(queue.most_claimed.load(Ordering::Relaxed) <= 5 * 8, "each lane has its window and no more");
    lanes.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_from_memory_while_it_is_open_goes_back_to_the_queue() {
    let queue = Counting::with(&ROUTES, 1, NOW);
    let lanes = lanes(&queue, &ROUTES);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (reads, attempts) = (queue.reads(), queue.attempts());
    for _ in 0..1_000 {
        lanes.dispatch(vec![queue.add("a", NOW)]).await;
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(queue.rows().values().all(|row| !row.claimed));
    assert_eq!((queue.reads(), queue.attempts()), (reads, attempts), "nothing was read, and nothing tried");
    lanes.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_it_may_become_ends_when_a_probe_is_due() {
    let queue = Counting::with(&["a"], 500, Timestamp::from_seconds(NOW.as_seconds() - 4 * 86_400));
    let lanes = lanes(&queue, &["a"]);
    tokio::time::sleep(Duration::from_secs(9)).await;
    let left = queue.rows().len();
    assert!(left >= 496, "an attempt is made while the breaker is closed: {left} are left");
    drop(queue.add("a", NOW));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let young = queue.rows().values().filter(|row| row.accepted_at == NOW).count();
    assert_eq!((queue.rows().len(), young), (1, 1), "the rest would wait for as long as the destination fails");
    assert_eq!(queue.attempts(), 1, "the first that may still be made was the probe");
    lanes.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_without_deliveries_leaves_the_probe_to_one_that_has_some() {
    let queue = Counting::with(&["c"], 100, NOW);
    let lanes = lanes(&queue, &ROUTES);
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert!(queue.attempts() >= 9, "{} attempts", queue.attempts());
    // Each of the others looks once a minute, as it does with any destination.
    let most = u64::from(queue.attempts()) + 5 + 2 * 4;
    assert!(queue.reads() <= most, "{} reads for {} attempts", queue.reads(), queue.attempts());
    lanes.stop().await;
}

/// An alarm that was set while the clock was hours back is a minute away; once the clock is right that is too long.
#[tokio::test(start_paused = true)]
async fn what_is_due_in_a_moment_is_made_then_also_where_the_clock_was_back_when_that_was_told() {
    let (queue, clock) = (Counting::with(&[], 0, NOW), Arc::new(ManualClock::new(NOW)));
    let lanes = lanes_with(", breaker: off", Arc::clone(&clock), &queue, &["a"]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    clock.set(Timestamp::from_seconds(NOW.as_seconds() - 6 * 3600));
    let due = NOW.after(Duration::from_millis(20));
    drop(queue.add("a", due));
    lanes.running.load()[&Lane::new("a", "d")].wake.by(due);
    tokio::time::sleep(Duration::from_millis(1)).await;
    clock.set(NOW);
    lanes.dispatch(vec![queue.add("a", NOW)]).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let reads = queue.reads();
    clock.set(due);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(queue.reads() > reads, "nobody looked when it was due");
    lanes.stop().await;
}
