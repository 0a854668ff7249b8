//! When a failed attempt is made again. Pure: the time and the dice are arguments.

use std::time::Duration;

use super::Answer;
use crate::model::{Reason, Timestamp};

/// When a failed attempt is made again: exponential backoff with full jitter.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// How many attempts are made in all.
    pub max_attempts: u32,
    /// How long after it was accepted a delivery is given up.
    pub max_age: Duration,
    /// The most that is waited before the second attempt.
    pub initial: Duration,
    /// The most that is ever waited.
    pub max: Duration,
    /// Statuses after which no further attempt is made.
    pub give_up_on: Vec<u16>,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was delivered.
    Ack,
    /// It is to be tried again.
    RetryAt(Timestamp),
    /// It is given up.
    DeadLetter(Reason),
}

impl RetryPolicy {
    /// What follows from the answer to attempt number `number` (the first is 1) of a delivery that was accepted at
    /// `accepted_at`. `dice` is uniform in 0.0 to 1.0.
    #[must_use]
    pub fn decide(
        &self,
        _answer: &Answer,
        _number: u32,
        _accepted_at: Timestamp,
        _now: Timestamp,
        _dice: f64,
    ) -> Verdict {
        todo!()
    }
}
