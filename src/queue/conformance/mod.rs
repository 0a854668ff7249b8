//! What any home of the queue must do: a suite that each runs.
//!
//! A home provides a [`Bench`] and calls [`run`] in a test. A case panics where the home does not hold the contract of
//! [`Home`]; its name is in the backtrace and in the log.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests, compiled into the library so that homes outside of it can run them: a panic is a verdict"
)]

mod appending;
mod controlling;
mod counting;
mod ending;
mod keeping;
mod leasing;
mod noting;
mod ordering;
pub mod sample;

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{DeliveryRecord, Home, LaneCounts, Selection, StateKind};
use crate::model::{Lane, ManualClock};

/// A home under test.
pub trait Bench: Send + Sync {
    /// The home, as it is open now.
    fn home(&self) -> Arc<dyn Home>;

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
    ending::a_dead_letter_that_is_appended_again_lives,
    ending::retiring_ends_what_has_no_lane_any_more,
    ending::what_was_made_while_it_was_retired_is_not_dead,
    ending::what_was_given_up_while_it_was_retired_was_not_pending,
    counting::the_counts_are_of_the_same_commit,
    counting::every_event_has_one_fate,
    counting::every_delivery_has_one_fate,
    counting::an_audit_finds_what_the_ledger_says,
    ending::the_oldest_is_the_one_accepted_first,
    ending::forgetting_frees_keys_whose_window_ended,
    ending::a_closed_home_refuses,
    ordering::a_key_is_delivered_first_in_first_out,
    ordering::keys_go_on_in_parallel,
    ordering::what_fails_holds_up_its_own_key_alone,
    ordering::order_outlives_a_crash,
    ordering::a_dead_letter_lets_its_key_go_on,
    ordering::a_parked_key_waits_until_it_is_released,
    ordering::a_parked_key_goes_on_once_its_dead_letter_is_replayed_and_made,
    ordering::a_replayed_delivery_takes_its_old_place,
    ordering::a_replay_goes_before_a_younger_one_that_nobody_has,
    ordering::what_is_in_flight_is_not_overtaken_by_a_replay,
    ordering::a_retired_lane_leaves_no_key_parked,
    keeping::what_was_delivered_is_kept_for_its_time,
    keeping::what_is_kept_can_be_read,
    keeping::an_event_is_found_by_its_id,
    keeping::lists_come_in_pages_the_last_first,
    keeping::lists_are_filtered,
    keeping::a_request_is_read_whole_and_once,
    controlling::a_dead_letter_is_replayed_with_a_fresh_budget,
    controlling::what_was_delivered_is_replayed,
    controlling::an_event_is_delivered_to_a_further_lane,
    controlling::a_purged_dead_letter_is_gone,
    controlling::a_job_replays_what_it_means_and_nothing_that_died_later,
    controlling::a_job_can_be_stopped_and_goes_on_after_a_crash,
    controlling::an_old_lease_does_not_end_a_replayed_delivery,
    noting::what_was_noted_is_there_after_a_crash,
    noting::a_closed_home_notes_nothing,
];

/// How many deliveries wait in a lane: pending and dead.
async fn waiting(bench: &dyn Bench, lane: &Lane) -> (u64, u64) {
    let audit = bench.home().audit().await.unwrap();
    assert!(audit.is_clean(), "{audit:#?}");
    let LaneCounts { pending, dead, .. } = bench.home().ledger().lane(lane);
    (pending, dead)
}

/// Every dead letter, the last accepted first.
async fn dead_letters(bench: &dyn Bench) -> Vec<DeliveryRecord> {
    let selection = Selection { state: Some(StateKind::Dead), ..Selection::default() };
    bench.home().deliveries(selection, None, 1000).await.unwrap().entries
}

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
