//! Whether a candidate does the work at all, before anybody measures how fast.

use std::time::Duration;

use crate::candidates::Candidate;
use crate::event::{self, Request};
use crate::session::Session;

/// What a candidate does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probe {
    /// A good signature is answered with 2xx.
    pub accepts: bool,
    /// And comes to the destination.
    pub delivers: bool,
    /// With the seven fields.
    pub reshapes: bool,
    /// The status of a bad signature.
    pub bad_signature: u16,
    /// And it does not come to the destination.
    pub holds_forged: bool,
    /// An event of another type does not.
    pub filters: bool,
}

/// How long a delivery may take.
const BOUND: Duration = Duration::from_secs(15);

/// Sends one of each.
pub fn probe(session: &mut Session, candidate: &dyn Candidate) -> Probe {
    let first = session.begin();
    let delivers = candidate.deliveries() > 0;
    let (wanted, unwanted) = (event::body(event::WANTED, event::SIZE), event::body(event::UNWANTED, event::SIZE));
    let send = |key: &str, body: &[u8], number: u64| {
        session.send(Request::new(session.path(), key, body, session.routes()).with_id(first + number))
    };
    let forged = send("another key", &wanted, 0);
    let filtered = send(event::SECRET, &unwanted, 1);
    let good = send(event::SECRET, &wanted, 2);
    let mut probe = Probe { accepts: success(good), bad_signature: forged, ..Probe::default() };
    if delivers {
        // What was sent before and is on its way as well is there by then, or soon after.
        session.drain(candidate.deliveries(), BOUND);
        std::thread::sleep(Duration::from_millis(300));
        let arrived = |number: u64| session.missing(&[(first + number, first + number + 1)], 1) == 0;
        probe.delivers = arrived(2);
        probe.reshapes = session.last() == event::reshaped();
        probe.holds_forged = !arrived(0);
        probe.filters = success(filtered) && !arrived(1);
    }
    probe
}

fn success(status: u16) -> bool {
    (200..300).contains(&status)
}

// === impl Probe ===

impl Probe {
    /// Whether a run would measure anything.
    pub fn works(&self, candidate: &dyn Candidate) -> bool {
        self.accepts && (self.delivers || candidate.deliveries() == 0)
    }

    /// What it does with a bad signature, in a word or two.
    pub fn said_of_forged(&self, candidate: &dyn Candidate) -> String {
        let answered = if success(self.bad_signature) { "accepted".to_owned() } else { self.bad_signature.to_string() };
        if candidate.deliveries() > 0 && !self.holds_forged { format!("{answered}, delivered") } else { answered }
    }

    /// Whether it filters and reshapes, in a word or two.
    pub fn said_of_work(&self, candidate: &dyn Candidate) -> &'static str {
        match (candidate.deliveries() > 0, self.filters, self.reshapes) {
            (false, ..) => "",
            (_, true, true) => "yes",
            (_, true, false) => "filter only",
            (_, false, true) => "reshape only",
            (_, false, false) => "no",
        }
    }
}
