//! What an event allocates on its way, stage by stage: it may not grow unseen.
//!
//! The allocator counts for each thread by itself, so what runs beside this changes nothing, and neither does the number of
//! cores; debug and release builds count the same. A buffer that grows is counted each time it does.
//! `cargo test --test allocations -- --nocapture` prints the table.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a figure that cannot be had is a panic")]

mod line;

use std::fmt::Write as _;

use allocation_counter::measure;
use hookswitch::queue::Queue;
use line::{BEARER, BY_DATA, BY_TYPE, JWT, Line};
use tokio::runtime::{Builder, Runtime};

/// What an event may cost at a stage.
struct Expected {
    stage: &'static str,
    /// Exactly: where it is fewer now, say so here, so that it stays so.
    allocations: u64,
    /// At most, with the sizes of a 64-bit machine.
    bytes: u64,
}

/// From a request that was read to the queue's door: `enqueue` up to what [`Queue::append`] does, whose future is boxed.
const INTAKE: [Expected; 4] = [
    // The signature decoded, the lists of places, of candidates and of the parts that are signed, the digest; the scheme by name.
    Expected { stage: "verify", allocations: 6, bytes: 284 },
    // Two thirds are the one read of the body: what selectors, filters and the transform look at, as JSON values that go with
    // the event. Two are the header fields that are kept; the rest are the attributes and the request, which has 56 bytes for
    // a body that is no JSON.
    Expected { stage: "normalize", allocations: 34, bytes: 3_428 },
    // The list of deliveries.
    Expected { stage: "filter", allocations: 1, bytes: 48 },
    // The list of events in two forms, and the boxed future.
    Expected { stage: "enqueue", allocations: 3, bytes: 328 },
];
/// The same to the end of the append, on the thread that asks for it: one more, for the channel of the answer. What the
/// queue's own thread allocates is not in it.
const STORED: Expected = Expected { stage: "enqueue and append", allocations: 4, bytes: 440 };
/// From a lease to the request that goes out, and back.
const DELIVERY: [Expected; 3] = [
    // The text, the header field that describes it with room for those that follow, and what paths find. The data is not
    // read again.
    Expected { stage: "transform", allocations: 8, bytes: 2_032 },
    // The attempt's number, and the delivery's id in hex.
    Expected { stage: "outbound request", allocations: 3, bytes: 66 },
    // The boxed future, and the channel of the answer.
    Expected { stage: "ack", allocations: 2, bytes: 640 },
];
const SCHEMES: [Expected; 2] = [
    // The scheme by name.
    Expected { stage: "verify a bearer token", allocations: 1, bytes: 5 },
    // The token's three parts decoded, its header and claims as maps.
    Expected { stage: "verify a JWT", allocations: 17, bytes: 2_117 },
];
/// One name more is read of the data: a place for its value.
const NORMALIZE_WITH_CONSENT: Expected = Expected { stage: "normalize", allocations: 34, bytes: 3_508 };
/// The data is read by then as far as filters look into it, so one that does costs no more.
const FILTER_ON_DATA: Expected = Expected { stage: "filter", allocations: 1, bytes: 48 };

/// Events before the first that is counted: what is made once is made by then.
const WARM: u64 = 8;
/// Events that are counted. The channel to the queue's thread takes its memory in blocks of 31 messages, so that one event in
/// 31 pays for a block.
const COUNTED: u64 = 8 * 31;
const BLOCKS: u64 = COUNTED / 31;

/// What the events that were counted cost at a stage.
#[derive(Clone, Copy)]
struct Measured {
    /// The cheapest of them.
    allocations: u64,
    bytes: u64,
    /// What the others cost more than the cheapest, together.
    more: u64,
    events: u64,
}

/// What was measured, by stage, in the order of the line.
#[derive(Default)]
struct Figures(Vec<(&'static str, Measured)>);

#[test]
fn an_event_allocates_no_more_on_its_way_to_the_queue() {
    let figures = figures_of(&Line::bspk(BY_TYPE, 1));
    figures.print("by type");
    figures.check(&INTAKE, 0);
    figures.check(&[STORED], BLOCKS);
}

#[test]
fn a_delivery_allocates_no_more_on_its_way_out() {
    let figures = figures_of(&Line::bspk(BY_TYPE, 1));
    let [transform, outbound, ack] = DELIVERY;
    figures.check(&[transform, outbound], 0);
    figures.check(&[ack], BLOCKS);
}

#[test]
fn a_filter_on_the_data_and_many_routes_cost_an_event_nothing() {
    let figures = figures_of(&Line::bspk(BY_DATA, 1000));
    let [verify, _, _, enqueue] = INTAKE;
    figures.check(&[verify, NORMALIZE_WITH_CONSENT, FILTER_ON_DATA, enqueue], 0);
}

#[test]
fn a_token_allocates_no_more_than_it_did() {
    let mut figures = Figures::default();
    for (stage, auth) in SCHEMES.iter().map(|expected| expected.stage).zip([BEARER, JWT]) {
        let line = Line::with_auth(auth);
        for number in 0..WARM + COUNTED {
            let request = line.request(number);
            figures.spend(stage, number, || line.verify(request));
        }
    }
    figures.print("other schemes");
    figures.check(&SCHEMES, 0);
}

fn figures_of(line: &Line) -> Figures {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (queue, _directory) = line::queue();
    let (closed, _other) = line::queue();
    runtime.block_on(closed.close()).unwrap();
    let mut figures = Figures::default();
    for number in 0..WARM + COUNTED {
        figures.measure(&runtime, line, [&*queue, &*closed], number);
    }
    figures
}

// === impl Figures ===

impl Figures {
    /// Takes one event through the line. A queue that is `closed` refuses it at its door: the difference to one that is not is
    /// what the append costs.
    fn measure(&mut self, runtime: &Runtime, line: &Line, [queue, closed]: [&dyn Queue; 2], number: u64) {
        let request = line.request(number);
        let verified = self.spend("verify", number, || line.verify(request));
        let normalized = self.spend("normalize", number, || line.normalize(verified, number));
        let deliveries = self.spend("filter", number, || line.filter(line::first(&normalized)));
        let again = line.wanted(number);
        let refused = self.spend("enqueue", number, || runtime.block_on(line.enqueue(closed, again)));
        assert!(refused.is_err(), "a closed queue takes nothing");
        let wanted = (normalized, deliveries);
        let appended = self.spend(STORED.stage, number, || runtime.block_on(line.enqueue(queue, wanted)));
        let lease = appended.unwrap().leases.pop().unwrap();
        let payload = self.spend("transform", number, || line.transform(&lease.event));
        self.spend("outbound request", number, || line.outbound(&lease.event, payload, lease.id));
        self.spend("ack", number, || runtime.block_on(line.settle(queue, lease)));
    }

    /// Counts what a stage allocates for the event of this number.
    fn spend<T>(&mut self, stage: &'static str, number: u64, run: impl FnOnce() -> T) -> T {
        let mut made = None;
        let spent = measure(|| made = Some(run()));
        if number >= WARM {
            self.enter(stage, spent.count_total, spent.bytes_total);
        }
        made.unwrap()
    }

    fn enter(&mut self, stage: &'static str, allocations: u64, bytes: u64) {
        let known = self.0.iter_mut().find(|(known, _)| *known == stage);
        let Some((_, measured)) = known else {
            return self.0.push((stage, Measured { allocations, bytes, more: 0, events: 1 }));
        };
        let total = measured.allocations * measured.events + measured.more + allocations;
        measured.events += 1;
        measured.allocations = measured.allocations.min(allocations);
        measured.bytes = measured.bytes.min(bytes);
        measured.more = total - measured.allocations * measured.events;
    }

    /// Panics where a stage costs other than is expected; all events together may cost as much `more`.
    fn check(&self, expected: &[Expected], more: u64) {
        let mut wrong = String::new();
        for Expected { stage, allocations, bytes } in expected {
            let (_, measured) = self.0.iter().find(|(known, _)| known == stage).unwrap();
            assert_eq!(measured.events, COUNTED);
            if measured.allocations != *allocations || measured.bytes > *bytes || measured.more > more {
                let Measured { allocations: found, bytes: size, more, .. } = measured;
                writeln!(
                    wrong,
                    "{stage}: {found} allocations of {size} bytes and {more} more in {COUNTED} events; expected {allocations} of at most {bytes} bytes"
                )
                .unwrap();
            }
        }
        assert!(wrong.is_empty(), "what an event allocates has changed: mend it, or enter it in this file\n{wrong}");
    }

    fn print(&self, title: &str) {
        println!("{title:<22} allocations  bytes");
        for (stage, measured) in &self.0 {
            println!("{stage:<22} {:>11} {:>6}", measured.allocations, measured.bytes);
        }
        let intake = self.0.iter().filter(|(stage, _)| INTAKE.iter().any(|expected| expected.stage == *stage));
        let sum = intake.fold((0, 0), |sum, (_, measured)| (sum.0 + measured.allocations, sum.1 + measured.bytes));
        if sum.0 > 0 {
            println!("{:<22} {:>11} {:>6}", "to the queue's door", sum.0, sum.1);
        }
    }
}
