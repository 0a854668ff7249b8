//! How what is stored looks in an answer, as far as it may be seen.

use serde_json::{Map, Value, json};

use super::selection;
use super::sight::{self, Seen, Sight};
use crate::model::{Attempt, Evidence, Headers, Outcome, Request, Timestamp};
use crate::queue::{DeliveryRecord, EventHead, EventRecord, Job, ParkedKey, Replayed, State};
use crate::routing::RouteTable;

/// An event in a list.
pub(super) fn event(record: &EventRecord, sight: &Sight<'_>) -> Value {
    let EventRecord { head, received_at, pending, delivered, dead } = record;
    let mut shown = event_head(head, sight);
    shown.insert("route".to_owned(), Value::from(&*head.route));
    shown.insert("received_at".to_owned(), time(*received_at));
    shown.insert("deliveries".to_owned(), json!({ "pending": pending, "delivered": delivered, "dead": dead }));
    Value::Object(shown)
}

/// The request that an event came in. What carries a credential was never stored.
pub(super) fn received(seen: &Seen<'_>) -> Value {
    let Request { id, received_at, method, body, evidence, .. } = seen.request();
    json!({
        "request": id.to_string(),
        "at": time(*received_at),
        "method": method,
        "path": seen.path(),
        "query": seen.query(),
        "headers": seen.headers(),
        "bytes": body.len(),
        "evidence": self::evidence(evidence),
    })
}

/// Header fields as they came in; what carries a credential was never stored.
pub(super) fn headers(headers: &Headers) -> Value {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// How a request was verified.
pub(super) fn evidence(evidence: &Evidence) -> Value {
    let Evidence { scheme, secret, skew_ms, attempt, configuration, reading: _ } = evidence;
    let configuration = Some(configuration).filter(|fingerprint| !fingerprint.is_empty());
    json!({
        "scheme": scheme, "secret": secret, "skew_ms": skew_ms, "attempt": attempt, "configuration": configuration,
    })
}

/// A delivery in a list: of its attempts, the last.
pub(super) fn delivery(record: &DeliveryRecord, sight: &Sight<'_>) -> Value {
    Value::Object(delivery_fields(record, sight))
}

/// A delivery with the attempts that are kept.
pub(super) fn delivery_with_history(record: &DeliveryRecord, sight: &Sight<'_>) -> Value {
    let mut shown = delivery_fields(record, sight);
    let history = record.history.iter().map(|attempt| self::attempt(attempt, sight)).collect();
    shown.insert("history".to_owned(), history);
    Value::Object(shown)
}

fn delivery_fields(record: &DeliveryRecord, sight: &Sight<'_>) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    put("id", Value::from(record.id.to_string()));
    put("route", Value::from(&*record.lane.route));
    put("delivery", Value::from(&*record.lane.delivery));
    put("event", Value::Object(event_head(&record.event, sight)));
    put("order_key", Value::from(order_key(record, sight)));
    put("accepted_at", time(record.accepted_at));
    put("replayed_at", maybe_time(record.replayed_at));
    put("attempts", Value::from(record.attempts));
    put("state", Value::from(record.state.kind().as_str()));
    match record.state {
        State::Pending { due_at } => put("due_at", maybe_time(due_at)),
        State::Delivered { at, keep_until } => {
            put("delivered_at", time(at));
            put("keep_until", time(keep_until));
        }
        State::Dead { at, reason } => {
            put("dead_at", time(at));
            put("reason", Value::from(reason.as_str()));
            put("next_step", Value::from(reason.next_step()));
        }
    }
    put("last_attempt", record.history.last().map_or(Value::Null, |attempt| self::attempt(attempt, sight)));
    shown
}

/// What a delivery is in order with.
pub(super) fn order_key<'r>(record: &'r DeliveryRecord, sight: &Sight<'_>) -> Option<&'r str> {
    record.order_key.as_deref().map(|key| sight.order_key(&record.lane, key))
}

/// An attempt.
pub(super) fn attempt(attempt: &Attempt, sight: &Sight<'_>) -> Value {
    let Attempt { number, at, duration, status, outcome, detail: _ } = attempt;
    let (word, reason) = match outcome {
        Outcome::Delivered => ("delivered", None),
        Outcome::Retry(reason) => ("retry", Some(reason.as_str())),
        Outcome::DeadLetter(reason) => ("dead_letter", Some(reason.as_str())),
    };
    json!({
        "number": number,
        "at": time(*at),
        "duration_ms": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        "status": status,
        "outcome": word,
        "reason": reason,
        "detail": sight.detail(attempt),
    })
}

/// What became of a delivery that was to be replayed.
pub(super) fn replayed(replayed: &Replayed) -> Value {
    let Replayed { id, lane, replayed, waits } = replayed;
    json!({
        "id": id.to_string(), "route": &*lane.route, "delivery": &*lane.delivery, "replayed": replayed, "waits": waits,
    })
}

/// A job.
pub(super) fn job(job: &Job, table: &RouteTable) -> Value {
    let Job { id, action, selection, state, began_at, done_at, examined, total, changed } = job;
    json!({
        "id": id.0,
        "action": action.as_str(),
        "state": state.as_str(),
        "selection": selection::show(selection, sight::selected_key(table, selection)),
        "began_at": time(*began_at),
        "done_at": maybe_time(*done_at),
        "examined": examined,
        "total": total,
        "changed": changed,
    })
}

/// A parked key.
pub(super) fn parked(parked: &ParkedKey, sight: &Sight<'_>) -> Value {
    let ParkedKey { lane, key, since, behind, waiting } = parked;
    json!({
        "route": &*lane.route,
        "delivery": &*lane.delivery,
        "key": sight.order_key(lane, key),
        "since": time(*since),
        "behind": behind.map(|id| id.to_string()),
        "waiting": waiting,
    })
}

pub(super) fn time(time: Timestamp) -> Value {
    Value::from(time.to_rfc3339())
}

pub(super) fn maybe_time(time: Option<Timestamp>) -> Value {
    Value::from(time.map(Timestamp::to_rfc3339))
}

fn event_head(head: &EventHead, sight: &Sight<'_>) -> Map<String, Value> {
    let EventHead { number, id, kind, subject, route: _ } = head;
    let mut shown = Map::new();
    shown.insert("number".to_owned(), Value::from(*number));
    shown.insert("id".to_owned(), Value::from(sight.attribute("id", id)));
    shown.insert("type".to_owned(), Value::from(sight.attribute("type", kind)));
    let subject = subject.as_deref().map(|subject| sight.attribute("subject", subject));
    shown.insert("subject".to_owned(), Value::from(subject));
    shown
}
