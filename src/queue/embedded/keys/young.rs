//! The keys that came last, in memory.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Known, NewKey};
use crate::model::EventKey;

/// How many slices there are: the first byte of a key says which is its own.
pub(super) const SLICES: usize = 256;

/// The keys that are in runs and not in the table yet. The writer changes them, when what it or the storer wrote is
/// committed; others only look.
#[derive(Debug)]
pub(in super::super) struct Young {
    inner: Mutex<Inner>,
    /// How many there are, about, before they are merged.
    max: usize,
}

/// The same, as it is read from the tables.
#[derive(Debug)]
pub(super) struct Inner {
    /// By the first byte of the keys.
    slices: Vec<BTreeMap<(EventKey, i64), i64>>,
    /// How many there are in all of them.
    len: usize,
    /// Up to which run each slice is merged.
    marks: Vec<i64>,
    /// The slice that is merged next.
    next: usize,
    last_run: i64,
    /// The runs that are stored, and how many entries each has.
    runs: VecDeque<(i64, usize)>,
    /// How many entries they have together.
    entries: usize,
    /// What the transaction under way takes out.
    removed: HashSet<(EventKey, i64)>,
}

/// What is to be stored in one transaction.
#[derive(Debug)]
pub(in super::super) struct Plan {
    /// The number of the run.
    pub(super) run: i64,
    /// The slices that are merged, with what they have now.
    pub(super) merge: Vec<(usize, Vec<NewKey>)>,
    /// Up to this run all slices are merged then.
    pub(super) least_mark: i64,
}

/// What was stored in one transaction.
#[derive(Debug)]
pub(in super::super) struct Written {
    pub(super) plan: Plan,
    /// The keys that came.
    pub(super) keys: Vec<NewKey>,
}

/// So many times as many entries may be in runs as there are young keys.
const LOGGED: usize = 4;
/// So many runs may there be.
const RUNS: usize = 4096;

// === impl Young ===

impl Young {
    /// What was read from the tables, of which about `max` are kept.
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Mutex::new(inner), max: usize::MAX }
    }

    /// The same with a bound.
    pub(in super::super) fn with_max(self, max: usize) -> Self {
        Self { max, ..self }
    }

    /// Adds the events under a key to what is known of it, but for what the table says. Whether there are any.
    pub(super) fn known(&self, key: EventKey, known: &mut Vec<Known>) -> bool {
        let inner = self.inner();
        let before = known.len();
        for ((key, event), until) in inner.between(key, key) {
            if !inner.removed.contains(&(*key, *event)) && known.iter().all(|known| known.event != *event) {
                known.push(Known { event: *event, until: *until });
            }
        }
        known.len() > before
    }

    /// Adds the events with keys from `least` to `greatest`, which are of one slice.
    pub(super) fn add_events_between(&self, least: EventKey, greatest: EventKey, events: &mut Vec<i64>) {
        events.extend(self.inner().between(least, greatest).map(|((_, event), _)| *event));
    }

    /// Until when a key is remembered, where it is young.
    pub(super) fn until(&self, key: EventKey, event: i64) -> Option<i64> {
        let inner = self.inner();
        let found = inner.slices.get(slice_of(key))?.get(&(key, event)).copied();
        found.filter(|_| !inner.removed.contains(&(key, event)))
    }

    /// Some of the keys that were remembered until `now` at the latest.
    pub(super) fn ended(&self, now: i64, most: usize) -> Vec<(EventKey, i64)> {
        let inner = self.inner();
        let all = inner.slices.iter().flatten();
        let ended = all.filter(|(place, until)| (1..=now).contains(*until) && !inner.removed.contains(place));
        ended.map(|(place, _)| *place).take(most).collect()
    }

    /// Takes a key out, once the transaction under way is committed.
    pub(super) fn remove(&self, key: EventKey, event: i64) {
        self.inner().removed.insert((key, event));
    }

    /// What the transaction under way takes out.
    pub(super) fn removed(&self) -> HashSet<(EventKey, i64)> {
        self.inner().removed.clone()
    }

    /// What the storer is to do beside what it has: merge what came to be too much.
    pub(in super::super) fn plan(&self) -> Plan {
        let inner = self.inner();
        let mut merge: Vec<(usize, Vec<NewKey>)> = Vec::new();
        let mut len = inner.len;
        while merge.len() < SLICES && (len > self.max || (merge.is_empty() && inner.is_long(self.max))) {
            let number = (inner.next + merge.len()) % SLICES;
            let slice = inner.slices.get(number).into_iter().flatten();
            let keys: Vec<_> =
                slice.map(|((key, event), until)| NewKey { key: *key, event: *event, until: *until }).collect();
            len -= keys.len();
            merge.push((number, keys));
        }
        let merged = |slice: usize| merge.iter().any(|(number, _)| *number == slice);
        let marks = inner.marks.iter().enumerate();
        let least_mark = marks.map(|(slice, mark)| if merged(slice) { inner.last_run } else { *mark }).min();
        Plan { run: inner.last_run + 1, merge, least_mark: least_mark.unwrap_or_default() }
    }

    /// A run alone.
    pub(super) fn plan_run(&self) -> Plan {
        Plan { run: self.inner().last_run + 1, merge: Vec::new(), least_mark: 0 }
    }

    /// Enters what is committed.
    pub(in super::super) fn commit(&self, written: Option<Written>) {
        let mut inner = self.inner();
        let removed = std::mem::take(&mut inner.removed);
        let Some(Written { plan, keys }) = written else { return };
        let entries = keys.len() + removed.len();
        for (number, _) in &plan.merge {
            inner.merged(*number, plan.mark());
        }
        if !plan.merge.is_empty() {
            inner.delete_runs(plan.least_mark);
        }
        removed.into_iter().for_each(|place| inner.take_out(place));
        keys.into_iter().for_each(|key| inner.put(key));
        inner.add_run(plan.run, entries);
    }

    /// Nothing of what was under way came of it.
    pub(in super::super) fn roll_back(&self) {
        self.inner().removed.clear();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while it is held leaves it as it was: each change is one step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Plan ===

impl Plan {
    /// Up to which run the slices of this are merged: what comes with its own is not.
    pub(super) const fn mark(&self) -> i64 {
        self.run - 1
    }
}

// === impl Inner ===

impl Inner {
    /// Nothing, where the slices are merged up to these runs.
    pub(super) fn new(marks: Vec<i64>) -> Self {
        let next = marks.iter().enumerate().min_by_key(|(_, mark)| **mark).map_or(0, |(slice, _)| slice);
        Self {
            slices: vec![BTreeMap::new(); SLICES],
            len: 0,
            last_run: marks.iter().copied().max().unwrap_or_default(),
            marks,
            next,
            runs: VecDeque::new(),
            entries: 0,
            removed: HashSet::new(),
        }
    }

    /// Whether what is in a slice's run is merged already.
    pub(super) fn is_merged(&self, key: EventKey, run: i64) -> bool {
        self.marks.get(slice_of(key)).is_some_and(|mark| run <= *mark)
    }

    /// Enters a key.
    pub(super) fn put(&mut self, NewKey { key, event, until }: NewKey) {
        if let Some(slice) = self.slices.get_mut(slice_of(key)) {
            self.len += usize::from(slice.insert((key, event), until).is_none());
        }
    }

    /// Takes one out again.
    pub(super) fn take_out(&mut self, (key, event): (EventKey, i64)) {
        if let Some(slice) = self.slices.get_mut(slice_of(key)) {
            self.len -= usize::from(slice.remove(&(key, event)).is_some());
        }
    }

    /// Notes that there is a run.
    pub(super) fn add_run(&mut self, run: i64, entries: usize) {
        self.last_run = self.last_run.max(run);
        if entries > 0 {
            self.runs.push_back((run, entries));
            self.entries += entries;
        }
    }

    fn merged(&mut self, number: usize, mark: i64) {
        if let (Some(slice), Some(place)) = (self.slices.get_mut(number), self.marks.get_mut(number)) {
            self.len -= std::mem::take(slice).len();
            *place = mark;
            self.next = (number + 1) % SLICES;
        }
    }

    fn delete_runs(&mut self, until: i64) {
        while let Some((_, entries)) = self.runs.pop_front_if(|(run, _)| *run <= until) {
            self.entries -= entries;
        }
    }

    /// Whether the runs hold much that is merged or removed already, and which the others keep from going.
    fn is_long(&self, max: usize) -> bool {
        self.runs.len() > RUNS || self.entries > max.saturating_mul(LOGGED)
    }

    fn between(&self, least: EventKey, greatest: EventKey) -> impl Iterator<Item = (&(EventKey, i64), &i64)> {
        let slice = self.slices.get(slice_of(least));
        slice.into_iter().flat_map(move |slice| slice.range((least, i64::MIN)..=(greatest, i64::MAX)))
    }
}

fn slice_of(key: EventKey) -> usize {
    let [first, ..] = *key.as_bytes();
    usize::from(first)
}
