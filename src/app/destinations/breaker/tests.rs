//! The breaker by examples, and against a model.

use proptest::prelude::*;

use super::*;
use crate::pipeline::deliver::FailureRate;

const SECOND: Duration = Duration::from_secs(1);
const FAILED: Health = Health::Failed(Reason::ServerError, None);

fn policy() -> BreakerPolicy {
    BreakerPolicy { failures: 3, rate: None, cool_down: 10 * SECOND, max_cool_down: 60 * SECOND }
}

/// A breaker, and a clock that the test moves.
struct Bench {
    breaker: Breaker,
    now: Instant,
    dice: f64,
}

impl Bench {
    fn new(policy: BreakerPolicy) -> Self {
        Self { breaker: Breaker::new(Some(policy)), now: Instant::now(), dice: 1.0 }
    }

    /// An attempt from its beginning to its end.
    fn attempt(&mut self, health: Health) -> Option<Change> {
        let era = self.breaker.admits(None).expect("it is closed");
        self.breaker.record(era, health, self.now, self.dice)
    }

    fn gate(&mut self) -> Gate {
        self.breaker.poll(self.now);
        self.breaker.gate()
    }

    /// Waits until it half-opens, and probes.
    fn probe(&mut self, health: Health) -> Option<Change> {
        self.now = self.breaker.open_until().expect("it is open");
        let Gate::Probe(era) = self.gate() else { panic!("no probe is due") };
        self.breaker.record(era, health, self.now, self.dice)
    }

    fn open(&mut self) {
        for _ in 0..3 {
            self.attempt(FAILED);
        }
        assert_eq!(self.breaker.state(), BreakerState::Open);
    }
}

#[test]
fn it_opens_after_that_many_failures_in_a_row_and_not_before() {
    let mut bench = Bench::new(policy());
    for health in [FAILED, FAILED, Health::Well, FAILED, Health::Unknown, FAILED] {
        assert_eq!(bench.attempt(health), None);
    }
    let opened = Change::Opened(Cause::InARow(3, Reason::ServerError), 10 * SECOND);
    assert_eq!(bench.attempt(FAILED), Some(opened), "what was not sent says nothing");
    assert_eq!(bench.gate(), Gate::Shut(Some(bench.now + 10 * SECOND)));
    assert_eq!(bench.breaker.admits(None), None);
}

#[test]
fn after_the_cool_down_one_probe_decides() {
    let mut bench = Bench::new(policy());
    bench.open();
    bench.now += 10 * SECOND - Duration::from_nanos(1);
    assert!(matches!(bench.gate(), Gate::Shut(Some(_))), "not sooner");
    bench.now += Duration::from_nanos(1);
    let Gate::Probe(era) = bench.gate() else { panic!("no probe is due") };
    assert_eq!(bench.gate(), Gate::Shut(None), "there is one");
    assert_eq!((bench.breaker.admits(None), bench.breaker.admits(Some(era))), (None, Some(era)));
    assert_eq!(bench.breaker.record(era, Health::Well, bench.now, 1.0), Some(Change::Closed));
    assert_eq!((bench.gate(), bench.breaker.failures()), (Gate::Open, 0));
}

#[test]
fn a_probe_that_comes_to_nothing_leaves_its_place_to_another() {
    let mut bench = Bench::new(policy());
    bench.open();
    assert_eq!(bench.probe(Health::Unknown), None);
    let Gate::Probe(era) = bench.gate() else { panic!("the place is taken") };
    assert!(bench.breaker.give_back(era), "nothing was due");
    assert!(!bench.breaker.give_back(era), "it was given back");
    let Gate::Probe(era) = bench.gate() else { panic!("the place is taken") };
    bench.breaker.record(era, FAILED, bench.now, 1.0);
    assert!(!bench.breaker.give_back(era), "that probe is over");
}

#[test]
fn each_failed_probe_doubles_the_cool_down_up_to_its_bound() {
    for (dice, expected) in [(1.0, [20, 40, 60, 60]), (0.0, [10, 20, 30, 30]), (7.0, [20, 40, 60, 60])] {
        let mut bench = Bench::new(policy());
        bench.dice = dice;
        bench.open();
        for seconds in expected {
            let opened = Change::Opened(Cause::Probe(Reason::ServerError), seconds * SECOND);
            assert_eq!(bench.probe(FAILED), Some(opened));
        }
        assert_eq!(bench.breaker.failures(), 7);
        assert_eq!(bench.probe(Health::Well), Some(Change::Closed));
        bench.open();
        assert_eq!(bench.breaker.open_until(), Some(bench.now + 10 * SECOND), "once closed it begins anew");
    }
}

#[test]
fn any_number_of_failed_probes_and_any_setting_has_a_next_one() {
    let endless = Duration::MAX;
    for (cool_down, max_cool_down) in [(endless, endless), (SECOND, endless), (SECOND, SECOND)] {
        let mut bench = Bench::new(BreakerPolicy { failures: 1, cool_down, max_cool_down, rate: None });
        bench.attempt(FAILED);
        for _ in 0..70 {
            // Years ahead an instant no longer moves: that is as good as never.
            if let Gate::Probe(era) = bench.gate() {
                bench.breaker.record(era, FAILED, bench.now, 0.5);
            }
            bench.now = bench.breaker.open_until().unwrap_or(bench.now).min(bench.now + 1_000_000 * SECOND);
        }
    }
}

#[test]
fn a_retry_after_opens_it_for_as_long_as_it_says_within_the_bound() {
    for (asked, open) in [(5, 5), (3_600, 60)] {
        let mut bench = Bench::new(policy());
        let asks = Health::Failed(Reason::RateLimited, Some(asked * SECOND));
        assert_eq!(bench.attempt(asks), Some(Change::Opened(Cause::Asked(Reason::RateLimited), open * SECOND)));
    }
    let mut bench = Bench::new(policy());
    bench.open();
    let asks = Health::Failed(Reason::RateLimited, Some(45 * SECOND));
    assert_eq!(bench.probe(asks), Some(Change::Opened(Cause::Probe(Reason::RateLimited), 45 * SECOND)));
}

#[test]
fn a_failure_rate_needs_its_least_of_attempts_within_its_window() {
    let rate = FailureRate { percent: 50, window: 10 * SECOND, min_attempts: 4 };
    let mut bench = Bench::new(BreakerPolicy { failures: 100, rate: Some(rate), ..policy() });
    for health in [FAILED, Health::Well, FAILED] {
        assert_eq!(bench.attempt(health), None, "too few to tell");
    }
    bench.now += 20 * SECOND;
    for health in [Health::Well, Health::Well, Health::Well, FAILED, FAILED] {
        assert_eq!(bench.attempt(health), None, "less than half, of late");
    }
    let opened = Some(Change::Opened(Cause::Rate(Counts { attempts: 6, failed: 3 }, Reason::ServerError), 10 * SECOND));
    assert_eq!(bench.attempt(FAILED), opened);
    bench.probe(Health::Well);
    assert_eq!(bench.attempt(FAILED), None, "it counts anew");
}

#[test]
fn what_began_before_a_change_has_no_say_after_it() {
    let mut bench = Bench::new(policy());
    let old = bench.breaker.admits(None).unwrap();
    bench.open();
    for health in [Health::Well, FAILED] {
        assert_eq!(bench.breaker.record(old, health, bench.now, 1.0), None);
    }
    bench.probe(Health::Well);
    for _ in 0..9 {
        assert_eq!(bench.breaker.record(old, FAILED, bench.now, 1.0), None);
    }
    assert_eq!((bench.breaker.state(), bench.breaker.failures()), (BreakerState::Closed, 0));
}

#[test]
fn a_reload_keeps_the_state_and_off_closes_it() {
    let mut bench = Bench::new(policy());
    bench.attempt(FAILED);
    bench.attempt(FAILED);
    let (now, longer) = (bench.now, BreakerPolicy { cool_down: 20 * SECOND, ..policy() });
    assert_eq!(bench.breaker.configure(Some(longer.clone()), now), None);
    assert!(bench.attempt(FAILED).is_some(), "what was counted counts");
    assert_eq!(bench.breaker.configure(Some(longer), now), None);
    assert_eq!(bench.breaker.open_until(), Some(now + 20 * SECOND));
    let shorter = BreakerPolicy { cool_down: SECOND, max_cool_down: 2 * SECOND, ..policy() };
    assert_eq!(bench.breaker.configure(Some(shorter), now), None);
    assert_eq!(bench.breaker.open_until(), Some(now + 2 * SECOND), "not longer than the new bound");
    assert_eq!(bench.breaker.configure(None, now), Some(Change::Closed));
    for _ in 0..9 {
        assert_eq!(bench.attempt(FAILED), None);
    }
}

#[test]
fn it_can_be_told_to_try_now_and_to_forget() {
    let mut bench = Bench::new(policy());
    bench.open();
    bench.breaker.probe_now(bench.now);
    assert!(matches!(bench.gate(), Gate::Probe(_)));
    bench.breaker.reset();
    assert_eq!((bench.gate(), bench.breaker.failures()), (Gate::Open, 0));
}

/// What may happen to a breaker.
#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    /// A lane asks whether it may read.
    Ask,
    /// An attempt without a probe begins.
    Begin,
    /// The one that began as this (of those under way) ends.
    End(usize, Health),
    /// The probe is given back without an attempt.
    GiveBack,
    Reload(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let health = prop_oneof![
        6 => Just(FAILED),
        3 => Just(Health::Well),
        1 => Just(Health::Unknown),
        1 => (1_u32..100).prop_map(|asked| Health::Failed(Reason::RateLimited, Some(asked * SECOND))),
    ];
    prop_oneof![
        2 => (0_u64..20_000).prop_map(Step::Pass),
        4 => Just(Step::Ask),
        6 => Just(Step::Begin),
        8 => (any::<usize>(), health).prop_map(|(which, health)| Step::End(which, health)),
        1 => Just(Step::GiveBack),
        1 => (1_u32..5).prop_map(Step::Reload),
    ]
}

/// What a breaker is, said as simply as can be.
#[derive(Debug)]
enum Model {
    Closed {
        in_a_row: u32,
    },
    /// Since then, and at most until then.
    Open {
        since: Instant,
        least: Duration,
    },
    HalfOpen {
        probing: bool,
    },
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_does_what_the_model_does(steps in prop::collection::vec(step(), 1..200), dice in 0.0..1.0_f64) {
        let mut bench = Bench::new(policy());
        bench.dice = dice;
        let mut model = Model::Closed { in_a_row: 0 };
        let mut failures = policy().failures;
        // Counts the model's states, as each attempt remembers in which it began.
        let mut turn = 0;
        let mut under_way: Vec<(Era, u32, bool)> = Vec::new();
        let mut probe: Option<(Era, u32)> = None;
        for step in steps {
            match step {
                Step::Pass(millis) => bench.now += Duration::from_millis(millis),
                Step::Ask => match (bench.gate(), &mut model) {
                    (Gate::Open, Model::Closed { .. }) => {}
                    (Gate::Shut(Some(until)), Model::Open { .. }) => prop_assert!(until > bench.now),
                    (Gate::Shut(None), Model::HalfOpen { probing: true }) => {}
                    (Gate::Probe(era), Model::HalfOpen { probing: probing @ false }) => {
                        *probing = true;
                        probe = Some((era, turn));
                    }
                    (Gate::Probe(era), Model::Open { since, least }) => {
                        prop_assert!(bench.now - *since >= *least, "a probe before the cool-down was over");
                        turn += 1;
                        model = Model::HalfOpen { probing: true };
                        probe = Some((era, turn));
                    }
                    (gate, model) => prop_assert!(false, "{gate:?} where {model:?}"),
                },
                Step::Begin => {
                    let ticket = probe.filter(|(_, of)| *of == turn);
                    let admitted = bench.breaker.admits(ticket.map(|(era, _)| era));
                    match (&model, ticket) {
                        (Model::Closed { .. }, _) => under_way.push((admitted.unwrap(), turn, false)),
                        (Model::HalfOpen { probing: true }, Some(_)) => {
                            under_way.push((admitted.unwrap(), turn, true));
                            probe = None;
                        }
                        _ => prop_assert_eq!(admitted, None, "an attempt while it is not closed"),
                    }
                    let probes = under_way.iter().filter(|(_, of, probes)| *probes && *of == turn).count();
                    prop_assert!(probes <= 1, "{} probes at once", probes);
                }
                Step::End(which, health) if !under_way.is_empty() => {
                    let (era, of, _) = under_way.swap_remove(which % under_way.len());
                    let change = bench.breaker.record(era, health, bench.now, bench.dice);
                    if of != turn {
                        prop_assert_eq!(change, None, "what is over has no say");
                        continue;
                    }
                    let next = match (&mut model, health) {
                        (Model::Closed { in_a_row }, Health::Well) => { *in_a_row = 0; None }
                        (Model::Closed { in_a_row }, Health::Failed(_, asked)) => {
                            *in_a_row += 1;
                            let least = asked.map_or(10 * SECOND, |asked| asked.min(60 * SECOND));
                            (asked.is_some() || *in_a_row >= failures).then_some(Model::Open { since: bench.now, least })
                        }
                        (Model::HalfOpen { .. }, Health::Well) => Some(Model::Closed { in_a_row: 0 }),
                        (Model::HalfOpen { .. }, Health::Failed(..)) =>
                            Some(Model::Open { since: bench.now, least: 10 * SECOND }),
                        (Model::HalfOpen { probing }, Health::Unknown) => { *probing = false; None }
                        _ => None,
                    };
                    prop_assert_eq!(change.is_some(), next.is_some(), "{:?}", change);
                    if let Some(Change::Opened(_, wait)) = change {
                        prop_assert!(wait <= 60 * SECOND);
                    }
                    if let Some(next) = next {
                        turn += 1;
                        model = next;
                    }
                }
                Step::End(..) => {}
                Step::GiveBack => if let Some((era, of)) = probe.take() {
                    let given = bench.breaker.give_back(era);
                    prop_assert_eq!(given, of == turn);
                    if let (true, Model::HalfOpen { probing }) = (given, &mut model) {
                        *probing = false;
                    }
                },
                Step::Reload(number) => {
                    failures = number;
                    let settings = BreakerPolicy { failures, ..policy() };
                    prop_assert_eq!(bench.breaker.configure(Some(settings), bench.now), None, "a reload changes no state");
                }
            }
        }
    }
}
