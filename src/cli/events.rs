//! `hookswitch events`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::bulk::replayed_line;
use super::deliveries::attempt_text;
use super::listing::{Filters, List, Output, Printed, State, document, list};
use super::remote::{Remote, RemoteError, Which, ask};
use super::table::{Column, at, time_at};
use super::{Exit, say};

/// Looks at events, and has them delivered again.
#[derive(Debug, Args)]
pub(super) struct Events {
    #[command(subcommand)]
    action: What,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List events, the last accepted first.
    List {
        #[command(flatten)]
        filters: Filters,
        /// Only those that have a delivery in this state.
        #[arg(long, value_enum)]
        state: Option<State>,
        #[command(flatten)]
        printed: Printed,
    },
    /// Tell an event's story: how it was received and verified, and what became of its deliveries.
    Show {
        #[command(flatten)]
        event: Event,
        /// Print the exact bytes that were received instead, and nothing else; where the configuration masks anything of
        /// the event, what is not masked of it, as JSON.
        #[arg(long)]
        body: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Have an event delivered again, with a fresh budget of attempts and time.
    Replay {
        #[command(flatten)]
        event: Event,
        /// To this delivery of its route, whether it wanted the event or not. Without it: to each that wants it now.
        #[arg(long, value_name = "NAME")]
        delivery: Option<String>,
        #[command(flatten)]
        output: Output,
    },
}

/// Which event is meant.
#[derive(Debug, Args)]
struct Event {
    /// Its CloudEvents id.
    id: String,
    /// Which, where several have this id.
    #[arg(long, value_name = "NUMBER")]
    number: Option<u64>,
}

const COLUMNS: [Column; 5] = [
    Column { title: "RECEIVED", width: 20, cell: |entry| time_at(entry, "/received_at") },
    Column { title: "ID", width: 36, cell: |entry| at(entry, "/id") },
    Column { title: "TYPE", width: 17, cell: |entry| at(entry, "/type") },
    Column { title: "ROUTE", width: 10, cell: |entry| at(entry, "/route") },
    Column { title: "OPEN/OK/DEAD", width: 12, cell: fates },
];

impl Events {
    pub(super) fn run(self) -> Exit {
        let Self { action, which } = self;
        ask(&which, async |remote| match action {
            What::List { filters, state, printed } => {
                let events = List { path: "events", key: "events", columns: &COLUMNS };
                list(remote, &events, filters.query(state), &printed).await
            }
            What::Show { event, body: true, output: _ } => body(remote, &event).await,
            What::Show { event, body: false, output } => {
                let mut found = remote.get(&["events", &event.id], &[]).await?;
                event.narrow(&mut found)?;
                Ok(document(&found, &output, story))
            }
            What::Replay { event, delivery, output } => {
                let mut body = Map::new();
                body.extend(delivery.map(|delivery| ("delivery".to_owned(), Value::from(delivery))));
                body.extend(event.number.map(|number| ("number".to_owned(), Value::from(number))));
                let replayed = remote.post(&["events", &event.id, "replay"], body).await?;
                let lines = |replayed: &Value| all(replayed, "deliveries").map(replayed_line).collect();
                Ok(document(&replayed, &output, lines))
            }
        })
    }
}

async fn body(remote: &Remote, event: &Event) -> Result<Exit, RemoteError> {
    use std::io::Write;
    let query: Vec<_> = event.number.map(|number| ("number", number.to_string())).into_iter().collect();
    let (headers, bytes) = remote.bytes(&["events", &event.id, "body"], &query).await?;
    if headers.contains_key("hookswitch-masked") {
        say(
            "hookswitch: the configuration masks a part of it: this is the event's document, and not what was received",
        );
    }
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(&bytes).and_then(|()| stdout.flush());
    Ok(if written.is_ok() { Exit::Done } else { Exit::Failed })
}

fn fates(entry: &Value) -> String {
    let count = |state: &str| at(entry, &format!("/deliveries/{state}"));
    format!("{}/{}/{}", count("pending"), count("delivered"), count("dead"))
}

/// The stories of the events of an id, for a person.
fn story(found: &Value) -> Vec<String> {
    all(found, "events").flat_map(of_event).collect()
}

fn of_event(event: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name:<12} {value}"));
        }
    };
    put("event", format!("{} (number {})", at(event, "/id"), at(event, "/number")));
    for name in ["type", "source", "subject", "time", "provider", "route"] {
        put(name, at(event, &format!("/{name}")));
    }
    put(
        "received",
        format!(
            "{} {}, {} bytes",
            at(event, "/received/method"),
            at(event, "/received/path"),
            at(event, "/received/bytes")
        ),
    );
    put("request", at(event, "/received/request"));
    put("verified", verified(event));
    put("by config", at(event, "/received/evidence/configuration"));
    for header in event.pointer("/received/headers").and_then(Value::as_array).into_iter().flatten() {
        put("header", format!("{}: {}", at(header, "/name"), at(header, "/value")));
    }
    lines.extend(all(event, "story").map(entry));
    lines
}

fn verified(event: &Value) -> String {
    let evidence = |name: &str| at(event, &format!("/received/evidence/{name}"));
    let mut text = evidence("scheme");
    for (name, before, after) in [
        ("secret", ", secret ", ""),
        ("skew_ms", ", clock off by ", " ms"),
        ("attempt", ", the provider's attempt ", ""),
    ] {
        let value = evidence(name);
        if !value.is_empty() {
            text.push_str(&format!("{before}{value}{after}"));
        }
    }
    text
}

/// A line of the story. What is to come has no time, or one that is yet to be.
fn entry(entry: &Value) -> String {
    let what = match at(entry, "/what").as_str() {
        "attempt" => entry.get("attempt").map(attempt_text).unwrap_or_default(),
        "dead" => format!("given up: {}; {}", at(entry, "/reason"), at(entry, "/next_step")),
        "delivered" => format!("delivered, kept until {}", at(entry, "/keep_until")),
        "waiting" => format!("waits for an earlier one of its order key {}", at(entry, "/order_key")),
        "parked" => format!("waits behind a dead letter that parked its order key {}", at(entry, "/order_key")),
        "due" => "is due".to_owned(),
        other => other.to_owned(),
    };
    let (at, delivery) = (at(entry, "/at"), at(entry, "/delivery"));
    let delivery = if delivery.is_empty() { delivery } else { format!("{delivery} ") };
    format!("  {:<24} {delivery}{what}", if at.is_empty() { "-" } else { &at })
}

fn all<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

// === impl Event ===

impl Event {
    /// Leaves the event of the number that was given.
    fn narrow(&self, found: &mut Value) -> Result<(), RemoteError> {
        let Some(number) = self.number else { return Ok(()) };
        if let Some(Value::Array(events)) = found.get_mut("events") {
            events.retain(|event| event.get("number").and_then(Value::as_u64) == Some(number));
            if events.is_empty() {
                let detail = format!("no event `{}` has the number {number}", self.id);
                return Err(RemoteError::Broken(detail));
            }
        }
        Ok(())
    }
}
