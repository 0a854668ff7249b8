//! Keeps a destination that is down from filling the log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::{Lane, Timestamp};

/// Lets one line a lane through in each [`EVERY`], and counts what it held back. The metrics count every attempt.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<HashMap<Lane, Line>>);

#[derive(Debug)]
struct Line {
    said_at: Timestamp,
    held_back: u64,
}

/// How often a lane may say that its attempts fail.
const EVERY: Duration = Duration::from_secs(1);

// === impl Quiet ===

impl Quiet {
    /// Whether a line of this lane is to be written at `now`: then how many were held back since the last one.
    pub(super) fn may_say(&self, lane: &Lane, now: Timestamp) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = lines.get_mut(lane) else {
            lines.insert(lane.clone(), Line { said_at: now, held_back: 0 });
            return Some(0);
        };
        // Also where the clock jumped back: silence until it has caught up would be too long.
        if now < line.said_at || now.since(line.said_at) >= EVERY {
            line.said_at = now;
            return Some(std::mem::take(&mut line.held_back));
        }
        line.held_back += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_says_it_once_a_second_and_how_often_it_did_not() {
        let quiet = Quiet::default();
        let (one, other) = (Lane::new("orders", "crm"), Lane::new("orders", "erp"));
        let at = |millis| Timestamp::from_millis(millis);
        assert_eq!(quiet.may_say(&one, at(0)), Some(0));
        assert_eq!(quiet.may_say(&one, at(10)), None);
        assert_eq!(quiet.may_say(&one, at(999)), None);
        assert_eq!(quiet.may_say(&other, at(999)), Some(0), "each lane has its own");
        assert_eq!(quiet.may_say(&one, at(1_000)), Some(2));
        assert_eq!(quiet.may_say(&one, at(1_001)), None);
        assert_eq!(quiet.may_say(&one, at(500)), Some(1), "the clock jumped back");
    }
}
