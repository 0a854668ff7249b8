//! Where what came of a request differs from what was expected of it.

use serde_json::Value;

use super::case::NO_VERDICT;
use crate::config::file::{Expect, ExpectedDelivery, ExpectedEvent, Filtered, OneOrMany};
use crate::config::{At, Named, Tree};
use crate::rehearsal::difference::{self, Difference, NOTHING};
use crate::rehearsal::{Body, Delivery, Occurrence, Rehearsal};

/// Every difference.
pub(super) fn differences(expect: &Expect, rehearsal: &Rehearsal) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(status) = &expect.status {
        texts("status", &status.to_string(), &rehearsal.answer.status.to_string(), &mut found);
    }
    if let Some(verdict) = &expect.verdict {
        let got = rehearsal.verdict.as_ref().map_or(NO_VERDICT, |verdict| verdict.result);
        texts("verdict", verdict, got, &mut found);
    }
    if let Some(reply) = &expect.reply {
        bodies("reply", reply, &rehearsal.answer.body, &mut found);
    }
    if let Some(events) = &expect.events {
        self::events(events, &rehearsal.events, &mut found);
    }
    if let Some(deliveries) = &expect.deliveries {
        match &deliveries.value {
            OneOrMany::One(one) => of_one(one, &rehearsal.events, &mut found),
            OneOrMany::Many(many) => of_each(many, &rehearsal.events, &mut found),
        }
    }
    if let Some(filtered) = &expect.filtered {
        self::filtered(filtered, &rehearsal.events, &mut found);
    }
    if expect.only.as_ref().is_some_and(|only| only.value) {
        others(expect.deliveries.as_ref().map(|at| &at.value), &rehearsal.events, &mut found);
    }
    found
}

fn events(expected: &[At<ExpectedEvent>], got: &[Occurrence], found: &mut Vec<Difference>) {
    if expected.len() != got.len() {
        found.push(Difference::new("events", &count(expected.len(), "event"), &count(got.len(), "event")));
    }
    for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
        let at = |key: &str| format!("events[{index}].{key}");
        let ExpectedEvent { kind, id, subject, time, data } = &expected.value;
        let texts_of = [
            ("type", kind, Some(&got.kind)),
            ("id", id, Some(&got.id)),
            ("subject", subject, got.subject.as_ref()),
            ("time", time, got.time.as_ref()),
        ];
        for (key, expected, got) in texts_of {
            if let Some(expected) = expected {
                texts(&at(key), expected, got.map_or(NOTHING, String::as_str), found);
            }
        }
        if let Some(data) = data {
            let got = got.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok());
            values(&at("data"), Some(&data.value), got.as_ref(), found);
        }
    }
}

fn of_one(expected: &Named<At<ExpectedDelivery>>, got: &[Occurrence], found: &mut Vec<Difference>) {
    match got {
        [event] => deliveries("deliveries", expected, event, found),
        [] if expected.is_empty() => {}
        [] => found.push(Difference::new("deliveries", "those of an event", "no event")),
        several => {
            let expected = format!("a list with an entry for each of {} events", several.len());
            found.push(Difference::new("deliveries", &expected, "those of one event"));
        }
    }
}

fn of_each(expected: &[Named<At<ExpectedDelivery>>], got: &[Occurrence], found: &mut Vec<Difference>) {
    if expected.len() != got.len() {
        let of = |events| format!("those of {}", count(events, "event"));
        found.push(Difference::new("deliveries", &of(expected.len()), &of(got.len())));
    }
    for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
        deliveries(&format!("deliveries[{index}]"), expected, got, found);
    }
}

fn deliveries(at: &str, expected: &Named<At<ExpectedDelivery>>, event: &Occurrence, found: &mut Vec<Difference>) {
    for (name, expected) in expected.iter() {
        let at = format!("{at}.{}", name.value);
        match event.deliveries.iter().find(|delivery| delivery.name == name.value) {
            None => found.push(Difference::new(&at, "a delivery", "a route without it")),
            Some(delivery) if !delivery.wanted => {
                found.push(Difference::new(&at, "a delivery", &format!("filtered: {}", reason(delivery))));
            }
            Some(_) if event.duplicate_of.is_some() => {
                found.push(Difference::new(&at, "a delivery", "a duplicate of another event of the request"));
            }
            Some(got) => delivery(&at, expected, got, found),
        }
    }
}

fn delivery(at: &str, expected: &ExpectedDelivery, got: &Delivery, found: &mut Vec<Difference>) {
    let ExpectedDelivery { method, url, headers, body, dead_letter } = expected;
    let Some(request) = &got.request else {
        let (word, detail) = got.dead_letter.as_ref().map(|dead| (dead.reason, &*dead.detail)).unwrap_or_default();
        match dead_letter {
            Some(reason) => texts(&format!("{at}.dead_letter"), reason, word, found),
            None => found.push(Difference::new(at, "a delivery", &format!("a dead letter ({word}): {detail}"))),
        }
        return;
    };
    if let Some(reason) = dead_letter {
        found.push(Difference::new(&format!("{at}.dead_letter"), reason, "a delivery"));
    }
    if let Some(method) = method {
        texts(&format!("{at}.method"), method, &request.method, found);
    }
    if let Some(url) = url {
        texts(&format!("{at}.url"), url, &request.url, found);
    }
    for (name, value) in headers.iter() {
        let got = request.headers.get(name).unwrap_or(NOTHING);
        texts(&format!("{at}.headers.{}", name.value), value, got, found);
    }
    if let Some(body) = body {
        bodies(&format!("{at}.body"), body, &request.body, found);
    }
}

fn filtered(expected: &Filtered, events: &[Occurrence], found: &mut Vec<Difference>) {
    let names: Vec<(&str, &str)> = match expected {
        Filtered::Names(names) => names.iter().map(|name| (name.value.as_str(), "")).collect(),
        Filtered::Reasons(reasons) => reasons.iter().map(|(name, part)| (name.value.as_str(), part.as_str())).collect(),
    };
    for (name, part) in names {
        let at = format!("filtered.{name}");
        if events.is_empty() {
            found.push(Difference::new(&at, "filtered", "no event"));
        }
        for delivery in events.iter().flat_map(|event| &event.deliveries).filter(|delivery| delivery.name == name) {
            let reason = reason(delivery);
            if delivery.wanted {
                found.push(Difference::new(&at, "filtered", "a delivery"));
            } else if !reason.contains(part) {
                found.push(Difference::new(&at, &format!("a reason with `{part}`"), &reason));
            }
        }
    }
}

/// Deliveries that nobody expects.
fn others(expected: Option<&OneOrMany<Named<At<ExpectedDelivery>>>>, got: &[Occurrence], found: &mut Vec<Difference>) {
    let lists = expected.map(OneOrMany::as_slice).unwrap_or_default();
    for (index, event) in got.iter().enumerate() {
        let list = lists.get(index).or_else(|| lists.first().filter(|_| lists.len() == 1));
        let is_expected = |name: &str| list.is_some_and(|list| list.get(name).is_some());
        for delivery in event.deliveries.iter().filter(|delivery| delivery.wanted && !is_expected(&delivery.name)) {
            let index = if got.len() > 1 { format!("[{index}]") } else { String::new() };
            found.push(Difference::new(&format!("deliveries{index}.{}", delivery.name), NOTHING, "a delivery"));
        }
    }
}

fn reason(delivery: &Delivery) -> String {
    let parts: Vec<String> = delivery.because.iter().map(ToString::to_string).collect();
    parts.join("; ")
}

/// JSON by its value where it is that, and text by its characters.
fn bodies(at: &str, expected: &Tree, got: &Body, found: &mut Vec<Difference>) {
    let value: Option<Value> = serde_json::from_slice(&got.0).ok();
    match (&expected.value, value) {
        (Value::String(text), _) if got.text() == Some(text) => {}
        (expected, Some(value)) => values(at, Some(expected), Some(&value), found),
        (expected, None) => found.push(Difference::new(at, &expected.to_string(), &got.quoted())),
    }
}

fn texts(at: &str, expected: &str, got: &str, found: &mut Vec<Difference>) {
    if expected != got {
        found.push(Difference::new(at, expected, got));
    }
}

fn values(at: &str, expected: Option<&Value>, got: Option<&Value>, found: &mut Vec<Difference>) {
    difference::values(at, expected, got, &mut |at, expected, got| {
        found.push(Difference::new(at, &difference::shown(expected), &difference::shown(got)));
    });
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
