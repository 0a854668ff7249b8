//! What any home of the queue must do: a suite that each runs.
//!
//! A home provides a [`Bench`] and calls [`run`] in a test. A case panics where the home does not hold the contract of
//! [`Queue`]; its name is in the backtrace and in the log.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests, compiled into the library so that homes outside of it can run them: a panic is a verdict"
)]

mod appending;
mod ending;
mod leasing;
pub mod sample;

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Queue;
use crate::model::ManualClock;

/// A home under test.
pub trait Bench: Send + Sync {
    /// The home, as it is open now.
    fn home(&self) -> Arc<dyn Queue>;

    /// The clock that the home was given. It stands still unless a case moves it.
    fn clock(&self) -> Arc<ManualClock>;

    /// Breaks the home off as a crash would, without closing it, and opens what it left on stable storage.
    fn crash(&mut self) -> BoxFuture<'_, ()>;
}

/// One thing a home must do.
pub struct Case {
    /// What it must do, in a sentence.
    pub name: &'static str,
    run: for<'a> fn(&'a mut dyn Bench) -> BoxFuture<'a, ()>,
}

macro_rules! cases {
    ($($module:ident::$name:ident,)*) => {
        &[$(Case { name: stringify!($name), run: |bench| Box::pin($module::$name(bench)) },)*]
    };
}

/// Every case.
pub const CASES: &[Case] = cases![
    appending::what_is_appended_comes_back_as_leases,
    appending::what_was_appended_is_there_after_a_crash,
    appending::a_pending_delivery_is_not_appended_again,
    appending::a_lane_that_is_new_to_an_event_gets_it,
    appending::a_key_is_remembered_until_its_window_ends,
    appending::a_key_is_remembered_through_a_crash,
    appending::a_key_is_the_routes_own,
    appending::of_two_events_with_one_key_the_second_is_a_duplicate,
    appending::an_event_that_nobody_wants_leaves_nothing,
    leasing::a_claimed_delivery_is_not_leased,
    leasing::a_dropped_lease_goes_back,
    leasing::a_claim_ends_with_the_process,
    leasing::what_is_due_first_is_leased_first,
    leasing::what_is_not_due_is_announced,
    leasing::more_than_asked_for_is_announced,
    leasing::no_delivery_is_leased_twice_at_once,
    leasing::lanes_do_not_mix,
    ending::an_acknowledged_delivery_is_gone,
    ending::a_retry_keeps_the_event_and_counts,
    ending::a_dead_letter_keeps_the_last_attempts,
    ending::dead_letters_are_read_in_pages,
    ending::a_dead_letter_that_is_appended_again_lives,
    ending::retiring_ends_what_has_no_lane_any_more,
    ending::what_was_made_while_it_was_retired_is_not_dead,
    ending::what_was_given_up_while_it_was_retired_was_not_pending,
    ending::depths_count_what_waits,
    ending::the_oldest_is_the_one_accepted_first,
    ending::forgetting_frees_keys_whose_window_ended,
    ending::a_closed_home_refuses,
];

/// Runs every case, each on a fresh home.
///
/// # Panics
///
/// Where the home does not hold the contract.
pub async fn run<F, B>(mut make: F)
where
    F: FnMut() -> B,
    B: Future<Output = Box<dyn Bench>>,
{
    for case in CASES {
        tracing::info!(case = case.name, "conformance");
        let mut bench = make().await;
        (case.run)(&mut *bench).await;
    }
}
