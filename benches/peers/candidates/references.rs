//! What the others are held against: bare hyper, the least that a durable answer costs, and the least that all of the work does.

use super::{Candidate, Place, Running, free, this};

/// Bare hyper: reads the body, answers 200.
pub struct Bare;

/// hyper, HMAC, and a group-committed append with fdatasync before the answer.
pub struct Fsync;

/// What [`Fsync`] does, and the delivery: all of the work, by hand.
pub struct Forward;

impl Candidate for Bare {
    fn name(&self) -> &str {
        "hyper"
    }

    fn title(&self) -> &str {
        "bare hyper: read the body, 200"
    }

    fn acknowledges(&self) -> &str {
        "nothing"
    }

    fn deliveries(&self) -> u64 {
        0
    }

    fn start(&self, place: &Place) -> Result<Running, String> {
        let address = free();
        let command = this(&["serve-bare", &address.to_string()]);
        Ok(Running::one(address, place.start("hyper", &command, address)?))
    }
}

impl Candidate for Fsync {
    fn name(&self) -> &str {
        "fsync"
    }

    fn title(&self) -> &str {
        "hyper + HMAC + group-committed append and fdatasync"
    }

    fn acknowledges(&self) -> &str {
        "fsync"
    }

    fn deliveries(&self) -> u64 {
        0
    }

    fn start(&self, place: &Place) -> Result<Running, String> {
        let address = free();
        let log = place.directory.join("log");
        let command = this(&["serve-fsync", &address.to_string(), &log.display().to_string()]);
        Ok(Running::one(address, place.start("fsync", &command, address)?))
    }
}

impl Candidate for Forward {
    fn name(&self) -> &str {
        "forward"
    }

    fn title(&self) -> &str {
        "the same and the delivery, by hand for this event alone"
    }

    fn acknowledges(&self) -> &str {
        "fsync"
    }

    fn start(&self, place: &Place) -> Result<Running, String> {
        let address = free();
        let (log, destination) = (place.directory.join("log"), place.destination);
        let command =
            this(&["serve-forward", &address.to_string(), &log.display().to_string(), &destination.to_string()]);
        Ok(Running::one(address, place.start("forward", &command, address)?))
    }
}
