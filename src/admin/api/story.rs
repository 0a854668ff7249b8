//! What happened to an event, in the order of time.

use serde_json::{Value, json};

use super::show;
use super::sight::Sight;
use crate::model::{Request, Timestamp};
use crate::queue::{DeliveryRecord, State};

/// Something that happened, or is to happen.
struct Entry {
    /// When; `None` where nobody knows: such entries come last.
    at: Option<Timestamp>,
    what: &'static str,
    /// Of which delivery; `None` where of the event.
    delivery: Option<Box<str>>,
    more: Value,
}

/// The story of an event and its deliveries, each with whether its order key is parked.
pub(super) fn tell(request: &Request, deliveries: &[(DeliveryRecord, bool)], sight: &Sight<'_>) -> Value {
    let more = json!({ "evidence": show::evidence(&request.evidence) });
    let mut entries = vec![Entry { at: Some(request.received_at), what: "received", delivery: None, more }];
    for (record, parked) in deliveries {
        entries.extend(of_delivery(record, *parked, sight));
    }
    // Stable: what happened in one millisecond stays in the order in which it must have been.
    entries.sort_by_key(|entry| entry.at.map_or(i64::MAX, Timestamp::as_millis));
    entries.iter().map(Entry::show).collect()
}

fn of_delivery(record: &DeliveryRecord, parked: bool, sight: &Sight<'_>) -> Vec<Entry> {
    let order_key = show::order_key(record, sight);
    let entry =
        |at: Option<Timestamp>, what, more| Entry { at, what, delivery: Some((*record.lane.delivery).into()), more };
    let mut entries = vec![entry(Some(record.accepted_at), "accepted", json!({ "order_key": order_key }))];
    entries.extend(record.history.iter().map(|attempt| {
        // An attempt is told when it ended: what came of it follows.
        entry(Some(attempt.at.after(attempt.duration)), "attempt", json!({ "attempt": show::attempt(attempt, sight) }))
    }));
    if let Some(at) = record.replayed_at {
        entries.push(entry(Some(at), "replayed", json!({})));
    }
    entries.push(match record.state {
        State::Pending { due_at: Some(at) } => entry(Some(at), "due", json!({})),
        State::Pending { due_at: None } if parked => entry(None, "parked", json!({ "order_key": order_key })),
        State::Pending { due_at: None } => entry(None, "waiting", json!({ "order_key": order_key })),
        State::Delivered { at, keep_until } => {
            entry(Some(at), "delivered", json!({ "keep_until": show::time(keep_until) }))
        }
        State::Dead { at, reason } => {
            entry(Some(at), "dead", json!({ "reason": reason.as_str(), "next_step": reason.next_step() }))
        }
    });
    entries
}

// === impl Entry ===

impl Entry {
    fn show(&self) -> Value {
        let mut shown = json!({ "at": show::maybe_time(self.at), "what": self.what, "delivery": self.delivery });
        if let (Value::Object(shown), Value::Object(more)) = (&mut shown, &self.more) {
            shown.extend(more.clone());
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::admin::api::sight;
    use crate::model::{Attempt, DeliveryId, Lane, Outcome, Reason, sample};
    use crate::queue::EventHead;

    #[test]
    fn what_happened_is_told_in_the_order_of_time_and_what_has_no_time_last() {
        let at = |second: i64| Timestamp::from_seconds(second);
        let attempt = |number, second| Attempt {
            number,
            at: at(second),
            duration: Duration::from_secs(1),
            status: Some(500),
            outcome: Outcome::Retry(Reason::ServerError),
            detail: "no".into(),
        };
        let table = sight::table("");
        let sight = Sight::of_route(&table, "in");
        let request = Request { received_at: at(10), ..sample::request("1") };
        let lane = Lane::new("in", "crm");
        let event = EventHead { number: 1, id: "1".into(), kind: "t".into(), subject: None, route: "in".into() };
        let record = DeliveryRecord {
            number: 1024,
            id: DeliveryId::new("1", &lane),
            lane,
            event,
            order_key: Some("7".into()),
            accepted_at: at(10),
            replayed_at: Some(at(30)),
            attempts: 1,
            history: vec![attempt(1, 11), attempt(1, 40)],
            state: State::Pending { due_at: None },
        };
        let story = tell(&request, &[(record.clone(), true)], &sight);
        let words = |story: &Value| -> Vec<String> {
            story.as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(words(&story), ["received", "accepted", "attempt", "replayed", "attempt", "parked"]);
        let dead = DeliveryRecord { state: State::Dead { at: at(41), reason: Reason::Expired }, ..record };
        assert_eq!(words(&tell(&request, &[(dead, false)], &sight)).last().unwrap(), "dead");
    }
}
