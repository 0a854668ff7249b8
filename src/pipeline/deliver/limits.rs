//! What a destination is spared: how often it is tried while it fails, and how many attempts it gets in a time.

use std::time::Duration;

use crate::config::{At, Percent, Problem, Problems, Rate, Span, file};

/// When no attempts are made because a destination fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// After how many failed attempts in a row it opens.
    pub failures: u32,
    /// At which share of failed attempts it opens too.
    pub rate: Option<FailureRate>,
    /// How long it is open the first time.
    pub cool_down: Duration,
    /// The most that it is ever open before it is tried again.
    pub max_cool_down: Duration,
}

/// A share of failed attempts that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRate {
    /// The share, in percent: 1 to 100.
    pub percent: u32,
    /// Over which time it is taken.
    pub window: Duration,
    /// How many attempts it needs at least.
    pub min_attempts: u32,
}

const DEFAULT_WINDOW: Duration = Duration::from_secs(30);
const DEFAULT_MIN_ATTEMPTS: u32 = 20;

// === impl BreakerPolicy ===

/// On, by failures in a row alone. Ten of them are more than a restart behind a balancer brings, and a wrong guess costs
/// ten seconds: a probe closes it. A share of failures is left to be asked for: events that a destination answers with
/// 500 for their own sake would hold up the rest.
impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 10,
            rate: None,
            cool_down: Duration::from_secs(10),
            max_cool_down: Duration::from_secs(5 * 60),
        }
    }
}

impl BreakerPolicy {
    /// Compiles `breaker:`. `None` where it is off.
    pub(super) fn compile(given: Option<&At<file::Breaker>>, problems: &mut Problems) -> Option<Self> {
        let settings = match given.map(|given| &given.value) {
            None => return Some(Self::default()),
            Some(file::Breaker::Off(_)) => return None,
            Some(file::Breaker::On(settings)) => settings,
        };
        let default = Self::default();
        let cool_down = longer_than_zero(settings.cool_down.as_ref(), default.cool_down, problems);
        let most = default.max_cool_down.max(cool_down);
        let max_cool_down = longer_than_zero(settings.max_cool_down.as_ref(), most, problems);
        if let (Some(given), Some(_)) = (&settings.cool_down, &settings.max_cool_down)
            && cool_down > max_cool_down
        {
            problems.push(
                Problem::error(given.place, "the first cool-down is longer than `max_cool_down`")
                    .expected("at most `max_cool_down`"),
            );
        }
        Some(Self {
            failures: at_least_one(settings.failures.as_ref(), default.failures, problems),
            rate: failure_rate(settings, problems),
            cool_down: cool_down.min(max_cool_down),
            max_cool_down,
        })
    }
}

/// Compiles `rate:`.
pub(super) fn rate(given: Option<&At<Rate>>, problems: &mut Problems) -> Option<Rate> {
    let given = given?;
    if given.value.count == 0 {
        problems.push(Problem::error(given.place, "no attempt could ever be made").expected("a rate such as 100/s"));
    }
    Some(given.value)
}

fn failure_rate(settings: &file::BreakerSettings, problems: &mut Problems) -> Option<FailureRate> {
    let window = longer_than_zero(settings.window.as_ref(), DEFAULT_WINDOW, problems);
    let min_attempts = at_least_one(settings.min_attempts.as_ref(), DEFAULT_MIN_ATTEMPTS, problems);
    let Some(rate) = &settings.rate else {
        let window = settings.window.as_ref().map(|given| (given.place, "window"));
        let least = settings.min_attempts.as_ref().map(|given| (given.place, "min_attempts"));
        for (place, key) in window.into_iter().chain(least) {
            let problem = Problem::error(place, format!("`{key}` is about `rate`, which is not here"));
            problems.push(problem.expected("a `rate` beside it, such as 50%"));
        }
        return None;
    };
    let Percent(percent) = rate.value;
    if !(1..=100).contains(&percent) {
        problems.push(
            Problem::error(rate.place, format!("{percent}% is no share of failures to open at"))
                .expected("from 1% to 100%"),
        );
    }
    Some(FailureRate { percent, window, min_attempts })
}

fn at_least_one(given: Option<&At<u32>>, default: u32, problems: &mut Problems) -> u32 {
    let Some(given) = given else { return default };
    if given.value == 0 {
        problems.push(Problem::error(given.place, "it would be open before any attempt").expected("1 or more"));
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

#[cfg(test)]
mod tests {
    use super::super::sample::{destination, problems, target};
    use super::*;

    fn with(settings: file::BreakerSettings) -> file::Destination {
        let breaker = Some(At::nowhere(file::Breaker::On(Box::new(settings))));
        file::Destination { breaker, ..destination("https://crm.internal/") }
    }

    fn seconds(seconds: u64) -> Option<At<Span>> {
        Some(At::nowhere(Span(Duration::from_secs(seconds))))
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let compiled = |settings| target(&with(settings)).breaker;
        assert_eq!(compiled(file::BreakerSettings::default()), Some(BreakerPolicy::default()));
        let rate = Some(At::nowhere(Percent(50)));
        let policy = compiled(file::BreakerSettings { rate, ..Default::default() }).unwrap();
        let expected = FailureRate { percent: 50, window: DEFAULT_WINDOW, min_attempts: DEFAULT_MIN_ATTEMPTS };
        assert_eq!(policy.rate, Some(expected));
        let off = Some(At::nowhere(file::Breaker::Off(file::Off)));
        assert_eq!(target(&file::Destination { breaker: off, ..destination("https://crm.internal/") }).breaker, None);
    }

    #[test]
    fn a_bound_that_is_not_given_is_never_below_what_is() {
        let cool_down = seconds(600);
        let policy = target(&with(file::BreakerSettings { cool_down, ..Default::default() })).breaker.unwrap();
        assert_eq!(policy.max_cool_down, Duration::from_secs(600));
        let max_cool_down = seconds(5);
        let policy = target(&with(file::BreakerSettings { max_cool_down, ..Default::default() })).breaker.unwrap();
        assert_eq!(policy.cool_down, Duration::from_secs(5));
    }

    #[test]
    fn what_cannot_be_kept_is_a_problem() {
        let none = file::BreakerSettings::default;
        let zero = || Some(At::nowhere(0));
        let percent = |percent| Some(At::nowhere(Percent(percent)));
        for settings in [
            file::BreakerSettings { failures: zero(), ..none() },
            file::BreakerSettings { cool_down: seconds(0), ..none() },
            file::BreakerSettings { max_cool_down: seconds(0), ..none() },
            file::BreakerSettings { cool_down: seconds(9), max_cool_down: seconds(8), ..none() },
            file::BreakerSettings { rate: percent(0), ..none() },
            file::BreakerSettings { rate: percent(101), ..none() },
            file::BreakerSettings { rate: percent(50), window: seconds(0), ..none() },
            file::BreakerSettings { rate: percent(50), min_attempts: zero(), ..none() },
            file::BreakerSettings { window: seconds(9), ..none() },
            file::BreakerSettings { min_attempts: Some(At::nowhere(9)), ..none() },
        ] {
            let said = format!("{settings:?}");
            assert_eq!(problems(&with(settings)).len(), 1, "{said}");
        }
        let rate = Some(At::nowhere(Rate { count: 0, per: Duration::from_secs(1) }));
        assert_eq!(problems(&file::Destination { rate, ..destination("https://crm.internal/") }).len(), 1);
    }
}
