//! More of what comes in or goes out at once: destinations of an event, bytes of a body, connections.

use super::series::Series;
use super::{Options, Wanted};
use crate::candidates::{Fsync, Hookswitch};
use crate::measure::Run;
use crate::session::Load;
use crate::targets::{Bound, Target};

const SIZES: [u64; 6] = [1600, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
const OURS: &str = "Hookswitch";
/// Short enough for the plot.
const REFERENCE: &str = "append and fdatasync";
const LARGE: [u64; 2] = [64 << 10, 1 << 20];

/// One event to ever more destinations.
pub fn fan_out(options: &Options) -> (Series, Vec<Target>) {
    let plan = options.plan();
    let wanted = [1, 2, 5, 10, 20]
        .map(|count| Wanted { title: OURS.to_owned(), ..Wanted::new(count, Hookswitch::fan_out(count), plan.clone()) });
    let series = Series { title: "Fan-out", x: "destinations of an event", points: options.measure(&wanted) };
    let figure = series.ratio((OURS, 5), (OURS, 1), |run| run.sustained);
    let what = "fan-out 5: deliveries/s, of those of fan-out 1";
    (series, vec![Target { what, figure, bound: Bound::AtLeast(2.5) }])
}

/// Ever larger bodies, and beside the largest the reference that reads, hashes and appends.
pub fn body_size(options: &Options) -> (Series, Vec<Target>) {
    let mut wanted = Vec::new();
    for size in SIZES {
        let mut plan = options.plan();
        plan.load = Load { size: size as usize, ..plan.load };
        if LARGE.contains(&size) {
            wanted.push(Wanted { title: REFERENCE.to_owned(), ..Wanted::new(size, Fsync, plan.clone()) });
        }
        wanted.push(Wanted { title: OURS.to_owned(), ..Wanted::new(size, Hookswitch::fan_out(1), plan) });
    }
    let series = Series { title: "Body size", x: "bytes of a body", points: options.measure(&wanted) };
    // Its deliveries against the reference's requests: what was only taken is not done.
    let share = |size| series.ratio((OURS, size), (REFERENCE, size), Run::rate);
    let target = |what, size| Target { what, figure: share(size), bound: Bound::AtLeast(0.5) };
    let targets = vec![
        target("64 KiB bodies: bytes/s, of the reference that appends", LARGE[0]),
        target("1 MiB bodies: bytes/s, of the reference that appends", LARGE[1]),
    ];
    (series, targets)
}

/// Ever more connections that send at once.
pub fn connections(options: &Options) -> (Series, Vec<Target>) {
    let wanted = [1, 10, 100, 1000, 10_000].map(|connections| {
        let mut plan = options.plan();
        // Ten thousand wait seconds for their first answer, and the rate is that of what is answered within the time.
        let seconds = plan.load.seconds + connections as f64 / 1000.0;
        plan.load = Load { connections: connections as usize, seconds, ..plan.load };
        Wanted::new(connections, Hookswitch::fan_out(1), plan)
    });
    let series = Series { title: "Connections", x: "keep-alive connections", points: options.measure(&wanted) };
    (series, Vec::new())
}
