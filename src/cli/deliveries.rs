//! `hookswitch deliveries`.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Exit;
use super::bulk::{Action, Meant};
use super::listing::{Filters, List, Output, Printed, State, document, list};
use super::remote::{Which, ask};
use super::table::{Column, at, time_at};

/// Looks at deliveries, and replays them.
#[derive(Debug, Args)]
pub(super) struct Deliveries {
    #[command(subcommand)]
    action: What,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List deliveries, the last accepted first.
    List {
        #[command(flatten)]
        filters: Filters,
        /// Only in this state.
        #[arg(long, value_enum)]
        state: Option<State>,
        #[command(flatten)]
        printed: Printed,
    },
    /// Show one, with its last attempts.
    Show {
        /// Its id: 32 hex digits.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Replay one that was made or given up; with filters, those that were made.
    Replay(Meant),
}

const COLUMNS: [Column; 5] = [
    Column { title: "ID", width: 32, cell: |entry| at(entry, "/id") },
    Column { title: "ACCEPTED", width: 20, cell: |entry| time_at(entry, "/accepted_at") },
    Column { title: "STATE", width: 9, cell: |entry| at(entry, "/state") },
    Column { title: "TRIES", width: 5, cell: |entry| at(entry, "/attempts") },
    Column { title: "DELIVERY", width: 30, cell: lane },
];

impl Deliveries {
    pub(super) fn run(self) -> Exit {
        let Self { action, which } = self;
        ask(&which, async |remote| match action {
            What::List { filters, state, printed } => {
                let deliveries = List { path: "deliveries", key: "deliveries", columns: &COLUMNS };
                list(remote, &deliveries, filters.query(state), &printed).await
            }
            What::Show { id, output } => {
                let found = remote.get(&["deliveries", &id], &[]).await?;
                Ok(document(&found, &output, text))
            }
            What::Replay(meant) => meant.act(remote, Action::Replay, "deliveries", State::Delivered).await,
        })
    }
}

/// A delivery's route and name.
pub(super) fn lane(entry: &Value) -> String {
    format!("{}/{}", at(entry, "/route"), at(entry, "/delivery"))
}

/// A delivery for a person.
pub(super) fn text(delivery: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name:<12} {value}"));
        }
    };
    put("delivery", at(delivery, "/id"));
    put("of", lane(delivery));
    put("event", format!("{} ({})", at(delivery, "/event/id"), at(delivery, "/event/type")));
    put("order key", at(delivery, "/order_key"));
    put("state", at(delivery, "/state"));
    put("accepted", at(delivery, "/accepted_at"));
    put("replayed", at(delivery, "/replayed_at"));
    put("due", at(delivery, "/due_at"));
    put("delivered", at(delivery, "/delivered_at"));
    put("kept until", at(delivery, "/keep_until"));
    put("given up", at(delivery, "/dead_at"));
    put("reason", at(delivery, "/reason"));
    put("next step", at(delivery, "/next_step"));
    put("attempts", at(delivery, "/attempts"));
    let attempts = delivery.get("history").and_then(Value::as_array).into_iter().flatten();
    lines.extend(attempts.map(|attempt| format!("  {} {}", at(attempt, "/at"), attempt_text(attempt))));
    lines
}

/// An attempt in a line, without its time.
pub(super) fn attempt_text(attempt: &Value) -> String {
    let status = at(attempt, "/status");
    let status = if status.is_empty() { "no answer".to_owned() } else { format!("status {status}") };
    let (reason, detail) = (at(attempt, "/reason"), at(attempt, "/detail"));
    let mut text = format!("attempt {}: {status} after {} ms", at(attempt, "/number"), at(attempt, "/duration_ms"));
    for part in [reason, detail] {
        if !part.is_empty() {
            text.push_str(", ");
            text.push_str(&part);
        }
    }
    text
}
