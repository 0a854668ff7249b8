//! One run of one candidate: started, probed, warmed up, loaded, drained, counted.

use std::time::{Duration, Instant};

use crate::candidates::Candidate;
use crate::machine;
use crate::probe::{Probe, probe};
use crate::processes::{Memory, Snapshot};
use crate::session::{Layout, Load, Session};

/// How a run is made.
#[derive(Debug, Clone)]
pub struct Plan {
    pub layout: Layout,
    pub warm_up: f64,
    pub load: Load,
    /// How long others are waited for.
    pub patience: Duration,
}

/// What came of one.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Acknowledged a second.
    pub accepted: f64,
    /// Delivered a second while the load went on.
    pub delivered: f64,
    /// Delivered a second from the load's start until all was.
    pub sustained: f64,
    /// Microseconds of CPU for each delivery, or for each request where nothing is delivered.
    pub cpu: f64,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// Before the load.
    pub idle: Memory,
    /// At its end.
    pub loaded: Memory,
    /// Answers that were no 2xx, or did not come.
    pub refused: u64,
    /// What they were.
    pub refusals: String,
    /// Acknowledged, and not arrived after the drain.
    pub missing: u64,
    /// Arrived once more.
    pub twice: u64,
    /// Cores that others used meanwhile.
    pub others: f64,
    /// Seconds from the process's start until it listened.
    pub start: f64,
    /// Events in a commit, of Hookswitch.
    pub group: f64,
    pub probe: Probe,
}

// === impl Run ===

impl Run {
    /// Requests or deliveries a second, whichever it is that it does: with the drain.
    pub fn rate(&self) -> f64 {
        if self.sustained > 0.0 { self.sustained } else { self.accepted }
    }
}

/// Makes a run of a candidate that is started for it; once more where others disturbed it.
pub fn run(candidate: &dyn Candidate, plan: &Plan) -> Result<Run, String> {
    quieter(candidate.name(), || Started::new(candidate, plan, &|_| Ok(()))?.run(plan))
}

/// A run; of two, where others disturbed the first, that in which they used less.
fn quieter(name: &str, mut run: impl FnMut() -> Result<Run, String>) -> Result<Run, String> {
    let first = run()?;
    if first.others < machine::QUIET {
        return Ok(first);
    }
    eprintln!("  {name}: disturbed, others used {:.2} cores; once more", first.others);
    let second = run()?;
    Ok(if second.others < first.others { second } else { first })
}

/// A candidate that is started, works and is warm.
pub struct Started<'a> {
    candidate: &'a dyn Candidate,
    session: Session,
    idle: Memory,
    start: f64,
    probe: Probe,
}

// === impl Started ===

impl<'a> Started<'a> {
    /// Starts one and warms it up, with something to be done before.
    pub fn new(
        candidate: &'a dyn Candidate,
        plan: &Plan,
        prepare: &dyn Fn(&Session) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut session = Session::start(candidate, plan.layout)?;
        let start = session.running.processes.first().map(|process| process.listened_after.as_secs_f64());
        let probe = probe(&mut session, candidate);
        if !probe.works(candidate) {
            return Err(format!("does not work: {probe:?}"));
        }
        let idle = Snapshot::take().memory(&session.running.roots());
        prepare(&session)?;
        if plan.warm_up > 0.0 {
            session.begin();
            let warm = session.load(&Load { seconds: plan.warm_up, ..plan.load.clone() })?;
            session.drain(warm.total() * candidate.deliveries(), drain_bound(plan.warm_up));
        }
        Ok(Self { candidate, session, idle, start: start.unwrap_or_default(), probe })
    }

    /// Makes a run; once more where others disturbed it.
    pub fn run_quietly(&mut self, plan: &Plan) -> Result<Run, String> {
        quieter(self.candidate.name(), || self.run(plan))
    }

    fn run(&mut self, plan: &Plan) -> Result<Run, String> {
        machine::wait_until_quiet(plan.patience);
        let run = loaded(&mut self.session, self.candidate, plan)?;
        Ok(Run { idle: self.idle, start: self.start, probe: self.probe, ..run })
    }
}

fn loaded(session: &mut Session, candidate: &dyn Candidate, plan: &Plan) -> Result<Run, String> {
    let (roots, deliveries) = (session.running.roots(), candidate.deliveries());
    session.begin();
    let groups = |session: &Session| {
        let of = |part| session.metric(&format!("hookswitch_queue_group_size_{part}"));
        (of("sum"), of("count"))
    };
    let (sum, count) = groups(session);
    let (before, began) = (Snapshot::take(), Instant::now());
    let report = session.load(&plan.load)?;
    let memory = Snapshot::take().memory(&roots);
    let wanted = report.total() * deliveries;
    let (arrived, at) = session.drain(wanted, drain_bound(plan.load.seconds));
    let after = Snapshot::take();
    let (sum_after, count_after) = groups(session);
    // What comes twice comes soon after.
    std::thread::sleep(Duration::from_millis(300));
    let done = if deliveries > 0 { arrived } else { report.total() };
    Ok(Run {
        accepted: report.acknowledged_in_time as f64 / report.seconds,
        delivered: report.delivered_in_time as f64 / report.seconds,
        sustained: if deliveries > 0 { arrived as f64 / report.seconds.max((at - began).as_secs_f64()) } else { 0.0 },
        cpu: (after.cpu(&roots) - before.cpu(&roots)) * 1e6 / done.max(1) as f64,
        p50: report.p50,
        p99: report.p99,
        p999: report.p999,
        max: report.max,
        loaded: memory,
        refused: report.refused(),
        refusals: report.refusals(),
        missing: session.missing(&report.acknowledged, deliveries),
        twice: session.twice(),
        others: after.others_since(&before, std::process::id()),
        group: (sum_after - sum) / (count_after - count).max(1.0),
        ..Run::default()
    })
}

/// How long what is left may take.
fn drain_bound(seconds: f64) -> Duration {
    Duration::from_secs_f64(20.0 + seconds * 6.0)
}
