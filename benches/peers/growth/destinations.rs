//! More destinations, each with a route of its own; the first route also delivers to one that never answers.

use super::series::Series;
use super::{Options, Wanted};
use crate::candidates::{Hookswitch, PROVIDER, WORK, destination, provider, route};
use crate::targets::{Bound, Target};

const COUNTS: [u64; 4] = [1, 10, 100, 1000];

/// Events that go to all of them in turn.
pub fn run(options: &Options) -> (Series, Vec<Target>) {
    let plan = options.plan();
    let mut wanted = Vec::new();
    for (title, hanging) in [("all answer", false), ("one more hangs", true)] {
        for count in COUNTS {
            let candidate = Hookswitch::on(title, file(count, hanging), "/hooks/###", count, 1);
            wanted.push(Wanted::new(count, candidate, plan.clone()));
        }
    }
    let series = Series { title: "Destinations", x: "destinations", points: options.measure(&wanted) };
    let ratio = series.ratio(("one more hangs", 1000), ("all answer", 1000), |run| run.sustained);
    let what = "1,000 destinations, one hanging: deliveries/s, of those with none";
    (series, vec![Target { what, figure: ratio, bound: Bound::AtLeast(0.8) }])
}

fn file(count: u64, hanging: bool) -> String {
    // All are counted as one place: an event goes to one of them.
    let destinations: String = (0..count).map(|number| destination(&format!("d{number}"), 0)).collect();
    let one = |number: u64| {
        let more = if hanging && number == 0 { format!("      - {{ to: hanging, {WORK} }}\n") } else { String::new() };
        let head = route(&format!("r{number}"), &format!("/hooks/{number:03}"), PROVIDER);
        format!("{head}      - {{ to: d{number}, {WORK} }}\n{more}")
    };
    let routes: String = (0..count).map(one).collect();
    let hanging = if hanging { "  hanging: { url: 'http://DESTINATION/hang' }\n" } else { "" };
    format!("providers:\n{}destinations:\n{destinations}{hanging}routes:\n{routes}", provider(PROVIDER))
}
