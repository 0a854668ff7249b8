//! A rehearsal for people: first what would happen, then why.

use serde_json::Value;

use super::table::{cut, printable};
use crate::rehearsal::{Body, Delivery, Occurrence, Rehearsal, Sent, Verdict};

/// Lines under one another, each with a word before it.
struct Page(String);

/// How wide the words at the left are.
const LABEL: usize = 11;
/// The longest line of a value that is only shown to be recognized.
const GLANCE: usize = 100;
/// The most lines of a body.
const LINES: usize = 30;

/// All of it, as text.
pub(super) fn text(rehearsal: &Rehearsal) -> String {
    let mut page = Page(String::new());
    page.line(outcome(rehearsal), &format!("{} {}", rehearsal.answer.status, one_line(&rehearsal.answer.body)));
    page.maybe("sends", sends(rehearsal).as_deref());
    if let Some(refused) = &rehearsal.refused {
        page.line("why", &refused.detail);
        page.maybe("next", refused.next_step.as_deref());
    }
    if let Some(handshake) = &rehearsal.handshake {
        let when = if handshake.when == "before_auth" { "before" } else { "after" };
        page.line(
            "why",
            &format!("it is handshake {} of the provider, answered {when} verification", handshake.number),
        );
    }
    let asked = &rehearsal.request;
    page.line("request", &format!("{} {}, {} bytes, at {}", asked.method, asked.path, asked.bytes, rehearsal.at));
    page.maybe("route", rehearsal.route.as_deref());
    if let Some(verdict) = &rehearsal.verdict {
        page.line("verified", &verified(verdict));
    }
    for (index, event) in rehearsal.events.iter().enumerate() {
        page.event(index + 1, event);
    }
    page.0
}

/// How many events each delivery gets, and where it gets none.
fn sends(rehearsal: &Rehearsal) -> Option<String> {
    let [first, ..] = rehearsal.events.as_slice() else { return None };
    let each = first.deliveries.iter().enumerate().map(|(index, delivery)| {
        let of = |event: &Occurrence| event.deliveries.get(index).is_some_and(|delivery| delivery.request.is_some());
        (delivery.name.as_str(), rehearsal.events.iter().filter(|event| of(event)).count())
    });
    let (some, none): (Vec<_>, Vec<_>) = each.partition(|(_, count)| *count > 0);
    let all = rehearsal.events.len();
    let some: Vec<String> = some.iter().map(|(name, count)| format!("{count} to {name}")).collect();
    let none: Vec<&str> = none.iter().map(|(name, _)| *name).collect();
    let events = if all == 1 { "1 event".to_owned() } else { format!("{all} events") };
    let mut text = format!("{events}: {}", if some.is_empty() { "nothing".to_owned() } else { some.join(", ") });
    if !none.is_empty() {
        text.push_str(&format!("; none to {}", none.join(", ")));
    }
    Some(text)
}

/// What would happen, in a word.
fn outcome(rehearsal: &Rehearsal) -> &'static str {
    let wanted = |event: &Occurrence| event.deliveries.iter().any(|delivery| delivery.wanted);
    if rehearsal.refused.is_some() {
        "refused"
    } else if rehearsal.handshake.is_some() {
        "answered"
    } else if rehearsal.events.iter().any(wanted) {
        "accepted"
    } else {
        "filtered"
    }
}

fn verified(verdict: &Verdict) -> String {
    let is_verified = verdict.result == Verdict::VERIFIED;
    let mut text = format!("{}, by {}", if is_verified { "yes" } else { "no" }, verdict.scheme);
    if !is_verified {
        text.push_str(&format!(": {}", verdict.result));
    }
    if let Some(secret) = &verdict.secret {
        text.push_str(&format!(" with the secret `{}`", printable(secret)));
    }
    if let Some(skew) = verdict.skew_ms {
        let way = if skew < 0 { "before" } else { "after" };
        let seconds = skew.unsigned_abs() / 1000;
        text.push_str(&if seconds == 0 { ", signed just then".into() } else { format!(", signed {seconds} s {way}") });
    }
    text
}

fn one_line(body: &Body) -> String {
    body.text().map_or_else(|| format!("({} bytes)", body.0.len()), glance)
}

/// The start of a text, without the white space that sets it out.
fn glance(text: &str) -> String {
    let start: Vec<&str> = text.split_whitespace().take(GLANCE).collect();
    cut(&printable(&start.join(" ")), GLANCE)
}

// === impl Page ===

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        self.push(&format!("{label:<LABEL$}{}", printable(text)));
    }

    fn maybe(&mut self, label: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.line(label, text);
        }
    }

    fn push(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    fn event(&mut self, number: usize, event: &Occurrence) {
        self.push("");
        self.line(&format!("event {number}"), &event.kind);
        self.line("  id", &event.id);
        self.maybe("  subject", event.subject.as_deref());
        self.maybe("  time", event.time.as_deref());
        self.maybe("  data", event.data.as_ref().map(|data| glance(data.get())).as_deref());
        if let Some(first) = event.duplicate_of {
            self.line("  duplicate", &format!("of event {first}: nothing is delivered"));
            return;
        }
        event.deliveries.iter().for_each(|delivery| self.delivery(delivery));
    }

    fn delivery(&mut self, delivery: &Delivery) {
        let to = if delivery.name == delivery.destination {
            delivery.name.clone()
        } else {
            format!("{} (to {})", delivery.name, delivery.destination)
        };
        if !delivery.wanted {
            self.line("  filtered", &to);
            delivery.because.iter().for_each(|part| self.line("", &part.to_string()));
            return;
        }
        if let Some(dead) = &delivery.dead_letter {
            self.line("  dead", &format!("{to}: it would be a dead letter at once ({})", dead.reason));
            self.line("", &dead.detail);
            self.line("", dead.next_step);
        }
        if let Some(request) = &delivery.request {
            self.line("  delivers", &to);
            self.maybe("  in order", delivery.order_key.as_deref());
            self.sent(request);
        }
    }

    fn sent(&mut self, sent: &Sent) {
        self.line("", &format!("{} {}", sent.method, sent.url));
        for (name, value) in &sent.headers.0 {
            self.line("", &format!("{name}: {value}"));
        }
        if sent.body.0.is_empty() {
            return;
        }
        self.push("");
        let text = match (serde_json::from_slice::<Value>(&sent.body.0), sent.body.text()) {
            (Ok(value), _) => format!("{value:#}"),
            (Err(_), Some(text)) => text.to_owned(),
            (Err(_), None) => format!("({} bytes that are no text)", sent.body.0.len()),
        };
        let all = text.lines().count();
        text.lines().take(LINES).for_each(|line| self.line("", line));
        if all > LINES {
            self.line("", &format!("… and {} lines more: `--output json` has all of it", all - LINES));
        }
    }
}
