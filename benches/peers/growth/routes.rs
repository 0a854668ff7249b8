//! More routes, each of five deliveries; fifty providers, as many as there are presets.

use super::series::Series;
use super::{Options, Wanted};
use crate::candidates::{Hookswitch, WORK, destination, provider, route};
use crate::measure::Run;
use crate::targets::{Bound, Target};

const COUNTS: [u64; 4] = [1, 10, 100, 1000];
const DELIVERIES: u64 = 5;
const PROVIDERS: u64 = 50;
const TITLE: &str = "five deliveries each";

/// Events that go to all of them in turn.
pub fn run(options: &Options) -> (Series, Vec<Target>) {
    let plan = options.plan();
    let candidate = |count| Hookswitch::on(TITLE, file(count), "/hooks/###", count, DELIVERIES);
    let wanted = COUNTS.map(|count| Wanted::new(count, candidate(count), plan.clone()));
    let series = Series { title: "Routes", x: "routes", points: options.measure(&wanted) };
    let (most, one) = ((TITLE, COUNTS[COUNTS.len() - 1]), (TITLE, COUNTS[0]));
    let start = series.figure(most.0, most.1, |run| run.start);
    let cost = series.ratio(most, one, |run: &Run| run.cpu);
    let targets = vec![
        Target {
            what: "1,000 routes x 5 deliveries, 50 providers: start, s",
            figure: start,
            bound: Bound::AtMost(0.5),
        },
        Target {
            what: "1,000 routes: CPU a delivery, of that with one route",
            figure: cost,
            bound: Bound::AtMost(1.1),
        },
    ];
    (series, targets)
}

fn file(count: u64) -> String {
    let providers: String = (0..PROVIDERS.min(count)).map(|number| provider(&format!("p{number}"))).collect();
    let destinations: String = (0..DELIVERIES).map(|number| destination(&format!("d{number}"), number)).collect();
    let deliver: String = (0..DELIVERIES).map(|number| format!("      - {{ to: d{number}, {WORK} }}\n")).collect();
    let one = |number: u64| {
        let head = route(&format!("r{number}"), &format!("/hooks/{number:03}"), &format!("p{}", number % PROVIDERS));
        head + &deliver
    };
    let routes: String = (0..count).map(one).collect();
    format!("providers:\n{providers}destinations:\n{destinations}routes:\n{routes}")
}
