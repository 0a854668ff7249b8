//! When a failed attempt is made again. Pure: the time and the dice are arguments.

use std::time::Duration;

use super::Answer;
use crate::config::{At, Place, Problem, Problems, Span, file};
use crate::model::{Outcome, Reason, Timestamp};

/// When a failed attempt is made again: exponential backoff with full jitter.
///
/// Before attempt n + 1 the wait is uniform between nothing and `initial * 2^(n - 1)`, at most `max`. Jitter over
/// the full width spreads the deliveries that one outage has lined up better than a narrow band around the middle
/// does, at the same mean.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// How many attempts are made in all.
    pub max_attempts: u32,
    /// How long after it was accepted a delivery is given up.
    pub max_age: Duration,
    /// The most that is waited before the second attempt.
    pub initial: Duration,
    /// The most that is ever waited, but for a `Retry-After`.
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

/// The least wait: a retry always lies in the future, so that no dice makes the queue hand it out at once.
const LEAST_WAIT: Duration = Duration::from_millis(1);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

// === impl RetryPolicy ===

impl RetryPolicy {
    /// What follows from the answer to attempt number `number` (the first is 1) of a delivery that was accepted at
    /// `accepted_at`. `dice` is uniform in 0.0 to 1.0.
    ///
    /// A status in `give_up_on` is final; then come the number of attempts, then the age: a delivery whose next
    /// attempt would lie beyond `max_age` is given up now rather than kept for nothing. `Retry-After` is the least
    /// that is waited, even where it is more than `max`.
    #[must_use]
    pub fn decide(&self, answer: &Answer, number: u32, accepted_at: Timestamp, now: Timestamp, dice: f64) -> Verdict {
        match answer.outcome {
            Outcome::Delivered => return Verdict::Ack,
            Outcome::DeadLetter(reason) => return Verdict::DeadLetter(reason),
            Outcome::Retry(_) => {}
        }
        // A token that was refused is no word on what was sent with it.
        let about_the_request = answer.outcome != Outcome::Retry(Reason::Oauth);
        if about_the_request && answer.status.is_some_and(|status| self.give_up_on.contains(&status)) {
            return Verdict::DeadLetter(Reason::Rejected);
        }
        if number >= self.max_attempts {
            return Verdict::DeadLetter(Reason::AttemptsExhausted);
        }
        let wait = self.backoff(number, dice).max(answer.retry_after.unwrap_or_default());
        let next = now.after(wait);
        if next > accepted_at.after(self.max_age) {
            return Verdict::DeadLetter(Reason::Expired);
        }
        Verdict::RetryAt(next)
    }

    /// Compiles `retry:`.
    pub(super) fn compile(file: &file::Retry, problems: &mut Problems) -> Self {
        let initial = longer_than_zero(file.initial.as_ref(), Duration::from_secs(1), problems);
        let max = longer_than_zero(file.max.as_ref(), Duration::from_secs(60 * 60), problems);
        if let (Some(given), Some(_)) = (&file.initial, &file.max)
            && initial > max
        {
            problems.push(Problem::error(given.place, "the first wait is longer than `max`").expected("at most `max`"));
        }
        Self {
            max_attempts: max_attempts(file.max_attempts.as_ref(), problems),
            max_age: longer_than_zero(file.max_age.as_ref(), 3 * DAY, problems),
            initial,
            max,
            give_up_on: give_up_on(file.give_up_on.as_ref(), problems),
        }
    }

    fn backoff(&self, number: u32, dice: f64) -> Duration {
        let cap = 1_u32
            .checked_shl(number.saturating_sub(1))
            .and_then(|factor| self.initial.checked_mul(factor))
            .map_or(self.max, |cap| cap.min(self.max));
        let wait = Duration::try_from_secs_f64(cap.as_secs_f64() * dice.clamp(0.0, 1.0)).unwrap_or(cap);
        wait.min(cap).max(LEAST_WAIT)
    }
}

fn max_attempts(given: Option<&At<u32>>, problems: &mut Problems) -> u32 {
    let Some(given) = given else { return 15 };
    if given.value == 0 {
        problems.push(
            Problem::error(given.place, "no attempt at all would ever be made")
                .expected("the first attempt counts: 1 or more"),
        );
    }
    given.value
}

fn longer_than_zero(given: Option<&At<Span>>, default: Duration, problems: &mut Problems) -> Duration {
    let Some(given) = given else { return default };
    if given.value.0.is_zero() {
        problems.push(Problem::error(given.place, "this is no time at all").expected("a duration such as 30s"));
    }
    given.value.0
}

fn give_up_on(given: Option<&At<Vec<At<u16>>>>, problems: &mut Problems) -> Vec<u16> {
    let Some(given) = given else { return vec![400, 410, 413, 422] };
    for status in &given.value {
        if !(400..=599).contains(&status.value) {
            problems.push(never_retried(status.place, status.value));
        }
    }
    given.value.iter().map(|status| status.value).collect()
}

fn never_retried(place: Place, status: u16) -> Problem {
    let why = match status {
        200..=299 => "2xx is delivered",
        300..=399 => "3xx is given up in any case",
        _ => "no destination refuses with it",
    };
    Problem::error(place, format!("{status} cannot be given up on: {why}")).expected("a status from 400 to 599")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCEPTED: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn policy() -> RetryPolicy {
        RetryPolicy::compile(&file::Retry::default(), &mut Problems::new())
    }

    fn failed(status: u16, retry_after: Option<Duration>) -> Answer {
        let outcome = Outcome::Retry(Reason::ServerError);
        Answer { status: Some(status), outcome, retry_after, detail: "".into(), excerpt: "".into() }
    }

    fn wait_before(number: u32, dice: f64) -> Duration {
        match policy().decide(&failed(500, None), number, ACCEPTED, ACCEPTED, dice) {
            Verdict::RetryAt(at) => at.since(ACCEPTED),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cap_doubles_up_to_the_maximum_and_the_dice_picks_below_it() {
        assert_eq!(wait_before(1, 1.0), Duration::from_secs(1));
        assert_eq!(wait_before(2, 1.0), Duration::from_secs(2));
        assert_eq!(wait_before(4, 0.5), Duration::from_secs(4));
        assert_eq!(wait_before(14, 1.0), Duration::from_secs(3600));
        assert_eq!(wait_before(14, 0.0), LEAST_WAIT);
    }

    #[test]
    fn a_success_is_acknowledged_and_a_final_failure_given_up_whatever_the_numbers_say() {
        let delivered = Answer { outcome: Outcome::Delivered, ..failed(200, None) };
        let redirected = Answer { outcome: Outcome::DeadLetter(Reason::Redirect), ..failed(302, None) };
        for number in [1, 15, u32::MAX] {
            assert_eq!(policy().decide(&delivered, number, ACCEPTED, ACCEPTED, 0.5), Verdict::Ack);
            assert_eq!(
                policy().decide(&redirected, number, ACCEPTED, ACCEPTED, 0.5),
                Verdict::DeadLetter(Reason::Redirect)
            );
        }
    }

    #[test]
    fn a_status_to_give_up_on_ends_it_at_the_first_attempt_and_others_do_not() {
        for status in [400, 410, 413, 422] {
            let verdict = policy().decide(&failed(status, None), 1, ACCEPTED, ACCEPTED, 0.5);
            assert_eq!(verdict, Verdict::DeadLetter(Reason::Rejected), "{status}");
        }
        for status in [401, 404, 409, 429, 500, 503] {
            let verdict = policy().decide(&failed(status, None), 1, ACCEPTED, ACCEPTED, 0.5);
            assert!(matches!(verdict, Verdict::RetryAt(_)), "{status}: {verdict:?}");
        }
    }

    #[test]
    fn a_token_that_was_refused_is_replaced_also_where_its_status_is_to_be_given_up_on() {
        let policy = RetryPolicy { give_up_on: vec![401], ..policy() };
        let replaced = Answer { outcome: Outcome::Retry(Reason::Oauth), ..failed(401, None) };
        assert!(matches!(policy.decide(&replaced, 1, ACCEPTED, ACCEPTED, 0.5), Verdict::RetryAt(_)));
        let verdict = policy.decide(&failed(401, None), 1, ACCEPTED, ACCEPTED, 0.5);
        assert_eq!(verdict, Verdict::DeadLetter(Reason::Rejected));
    }

    #[test]
    fn retry_after_is_the_least_wait_even_above_the_maximum() {
        let two_hours = Duration::from_secs(7200);
        let verdict = policy().decide(&failed(429, Some(two_hours)), 1, ACCEPTED, ACCEPTED, 1.0);
        assert_eq!(verdict, Verdict::RetryAt(ACCEPTED.after(two_hours)));
        let verdict = policy().decide(&failed(429, Some(Duration::ZERO)), 3, ACCEPTED, ACCEPTED, 1.0);
        assert_eq!(verdict, Verdict::RetryAt(ACCEPTED.after(Duration::from_secs(4))));
    }

    #[test]
    fn the_last_attempt_and_the_last_hour_both_end_it() {
        let verdict = policy().decide(&failed(500, None), 15, ACCEPTED, ACCEPTED, 0.5);
        assert_eq!(verdict, Verdict::DeadLetter(Reason::AttemptsExhausted));
        let old = ACCEPTED.after(3 * DAY);
        let verdict = policy().decide(&failed(500, None), 2, ACCEPTED, old, 0.5);
        assert_eq!(verdict, Verdict::DeadLetter(Reason::Expired));
        let day = Some(DAY);
        let nearly = ACCEPTED.after(2 * DAY + Duration::from_secs(1));
        let verdict = policy().decide(&failed(503, day), 2, ACCEPTED, nearly, 0.5);
        assert_eq!(verdict, Verdict::DeadLetter(Reason::Expired), "the wait it asks for ends after max_age");
    }

    #[test]
    fn what_cannot_hold_is_a_problem_at_its_place() {
        let place = |line| Place { line, ..Place::default() };
        let zero = |line| Some(At::new(Span(Duration::ZERO), place(line)));
        let statuses = [200, 302, 404, 600].map(|status| At::new(status, place(u32::from(status))));
        let file = file::Retry {
            max_attempts: Some(At::new(0, place(1))),
            max_age: zero(2),
            initial: zero(3),
            max: zero(4),
            give_up_on: Some(At::nowhere(statuses.to_vec())),
        };
        let mut problems = Problems::new();
        RetryPolicy::compile(&file, &mut problems);
        let lines: Vec<u32> = problems.sorted().iter().map(|problem| problem.place.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 200, 302, 600]);
    }

    #[test]
    fn a_first_wait_above_the_maximum_is_a_problem_only_where_both_were_written() {
        let minutes = |minutes: u64| Some(At::nowhere(Span(Duration::from_secs(60 * minutes))));
        let mut problems = Problems::new();
        RetryPolicy::compile(
            &file::Retry { initial: minutes(2), max: minutes(1), ..Default::default() },
            &mut problems,
        );
        assert_eq!(problems.sorted().len(), 1);
        let mut problems = Problems::new();
        RetryPolicy::compile(&file::Retry { initial: minutes(120), ..Default::default() }, &mut problems);
        assert!(problems.is_empty());
    }

    prop_compose! {
        fn any_policy()(
            max_attempts in 1..=u32::MAX,
            max_age in any::<u64>(),
            initial in any::<u64>(),
            max in any::<u64>(),
        ) -> RetryPolicy {
            RetryPolicy {
                max_attempts,
                max_age: Duration::from_millis(max_age),
                initial: Duration::from_millis(initial),
                max: Duration::from_millis(max),
                give_up_on: vec![],
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_retry_lies_in_the_future_below_its_caps_and_within_the_age(
            policy in any_policy(),
            number in any::<u32>(),
            retry_after in prop::option::of(0..=86_400_u64),
            dice in any::<f64>(),
            age in 0..10_000_000_000_u64,
        ) {
            let retry_after = retry_after.map(Duration::from_secs);
            let now = ACCEPTED.after(Duration::from_millis(age));
            if let Verdict::RetryAt(at) = policy.decide(&failed(500, retry_after), number, ACCEPTED, now, dice) {
                prop_assert!(at > now);
                prop_assert!(number < policy.max_attempts);
                let most = policy.max.max(LEAST_WAIT).max(retry_after.unwrap_or_default());
                prop_assert!(at <= now.after(most));
                prop_assert!(at >= now.after(retry_after.unwrap_or_default()));
                prop_assert!(at <= ACCEPTED.after(policy.max_age));
            }
        }

        #[test]
        fn a_higher_dice_never_means_an_earlier_attempt(
            number in 1..14_u32,
            low in 0.0..=1.0_f64,
            high in 0.0..=1.0_f64,
        ) {
            let (low, high) = (low.min(high), low.max(high));
            prop_assert!(wait_before(number, low) <= wait_before(number, high));
        }

        #[test]
        fn a_delivery_that_always_fails_ends_within_its_attempts(
            max_attempts in 1..40_u32,
            dice in prop::collection::vec(0.0..=1.0_f64, 40),
        ) {
            let policy = RetryPolicy { max_attempts, ..policy() };
            let mut now = ACCEPTED;
            let mut attempts = 0;
            for dice in dice {
                attempts += 1;
                match policy.decide(&failed(500, None), attempts, ACCEPTED, now, dice) {
                    Verdict::RetryAt(at) => now = at,
                    Verdict::DeadLetter(reason) => {
                        prop_assert!(matches!(reason, Reason::AttemptsExhausted | Reason::Expired));
                        break;
                    }
                    Verdict::Ack => prop_assert!(false, "acknowledged a failure"),
                }
            }
            prop_assert!(attempts <= max_attempts);
        }
    }
}
