//! `hookswitch audit`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::listing::{Output, document};
use super::remote::{RemoteError, Which, block_on};
use super::table::{at, cut};
use super::{Exit, say};
use crate::admin::api::audit_report;
use crate::queue::QueueError;
use crate::queue::embedded::Embedded;

/// Proves that nothing is missing: counts what is stored, and puts it beside the ledger. Exit code 1 where they differ.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(flatten)]
    which: Which,
    /// Audit this directory of a gateway that is stopped. Without it the running gateway is asked; where none answers, the
    /// directory that the configuration names is audited.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "admin")]
    data: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// How wide a table is, in characters.
const WIDTH: usize = 100;

impl Audit {
    pub(super) fn run(self) -> Exit {
        block_on(async {
            let report = self.report().await?;
            let printed = document(&report, &self.output, text);
            let clean = report.get("clean") == Some(&Value::Bool(true));
            if !clean {
                say("hookswitch: the ledger and what is stored differ");
            }
            Ok(if clean { printed } else { Exit::Failed })
        })
    }

    async fn report(&self) -> Result<Value, RemoteError> {
        if let Some(directory) = &self.data {
            return stopped(directory);
        }
        if self.which.admin.is_some() {
            return self.which.remote()?.get(&["audit"], &[]).await;
        }
        let asked = match self.which.remote() {
            Ok(remote) => remote.get(&["audit"], &[]).await,
            Err(error) => Err(error),
        };
        match asked {
            // Where the port is left open nobody can be asked either.
            Err(RemoteError::NothingAnswers { .. } | RemoteError::Usage(_)) => {
                let directory = self.which.settings()?.queue.path;
                say(&format!("no gateway answers: auditing {}", directory.display()));
                stopped(&directory)
            }
            other => other,
        }
    }
}

fn stopped(directory: &Path) -> Result<Value, RemoteError> {
    Embedded::audit_stopped(directory).map(|audit| audit_report(&audit)).map_err(|error| {
        RemoteError::Broken(match error {
            QueueError::InUse { .. } => format!("{error}: ask that one, `--admin` says where it is"),
            other => other.to_string(),
        })
    })
}

fn text(report: &Value) -> Vec<String> {
    const ROUTE: [&str; 6] = ["received", "accepted", "filtered", "duplicate", "invalid", "difference"];
    const LANE: [&str; 7] = ["accepted", "delivered", "dead", "pending", "purged", "lost", "difference"];
    const STORED: [&str; 3] = ["pending", "dead", "retained"];
    let routes = rows(report, "routes", |route| {
        let counts = ROUTE.iter().map(|name| at(route, &format!("/{name}")));
        [at(route, "/route")].into_iter().chain(counts).collect()
    });
    let lanes = rows(report, "lanes", |lane| {
        let counts = LANE.iter().map(|name| at(lane, &format!("/{name}")));
        let stored = STORED.iter().map(|name| at(lane, &format!("/stored/{name}")));
        let name = format!("{}/{}", at(lane, "/route"), at(lane, "/delivery"));
        [name].into_iter().chain(counts).chain(stored).collect()
    });
    let mut lines = table(&["ROUTE", "RECEIVED", "ACCEPTED", "FILTERED", "DUPLICATE", "INVALID", "DIFFERENCE"], routes);
    lines.push(String::new());
    let heads =
        ["DELIVERY", "ACCEPTED", "DELIVERED", "DEAD", "PENDING", "PURGED", "LOST", "DIFF", "=PEND", "=DEAD", "=KEPT"];
    lines.extend(table(&heads, lanes));
    lines.push("(= is what was found stored)".to_owned());
    lines.push(String::new());
    let differences = report.get("differences").and_then(Value::as_array).into_iter().flatten();
    let mut named: Vec<String> = differences.map(difference).collect();
    if named.is_empty() {
        named.push("clean: every sum comes out, and what is stored is what was counted".to_owned());
    }
    lines.extend(named);
    lines
}

fn difference(difference: &Value) -> String {
    let (route, delivery) = (at(difference, "/route"), at(difference, "/delivery"));
    let place = match (route.is_empty(), delivery.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("{route}: "),
        (false, false) => format!("{route}/{delivery}: "),
    };
    format!("difference: {place}{}", at(difference, "/detail"))
}

fn rows(report: &Value, list: &str, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    report.get(list).and_then(Value::as_array).into_iter().flatten().map(row).collect()
}

/// Lines of a name and numbers; the name gives way where it gets too wide.
fn table(heads: &[&str], rows: Vec<Vec<String>>) -> Vec<String> {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    let numbers: usize = widths.iter().skip(1).map(|width| width + 1).sum();
    let name = widths.first().copied().unwrap_or_default().min(WIDTH.saturating_sub(numbers)).max(8);
    let line = |row: &Vec<String>| {
        let mut cells = row.iter().zip(&widths);
        let first = cells.next().map(|(cell, _)| cut(cell, name)).unwrap_or_default();
        let rest: String = cells.map(|(cell, width)| format!(" {cell:>width$}")).collect();
        format!("{first:<name$}{rest}")
    };
    [&heads].into_iter().chain(&rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_table_fits_and_names_each_difference() {
        let lane = json!({
            "route": "a-route-with-a-long-name", "delivery": "and-a-delivery-with-a-longer-one",
            "accepted": 10_000_000, "delivered": 9_000_000, "dead": 1, "pending": 999_999, "purged": 0, "lost": 0,
            "difference": 0, "stored": { "pending": 999_998, "dead": 1, "retained": 5 },
        });
        let differences = json!([{ "route": "r", "delivery": "d", "what": "pending", "detail": "one is missing" }]);
        let lines = text(&json!({ "clean": false, "routes": [], "lanes": [lane], "differences": differences }));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
        assert_eq!(lines.last().unwrap(), "difference: r/d: one is missing");
        assert!(
            lines.iter().any(|line| line.contains("a-route-with") && line.ends_with(" 999998     1     5")),
            "{lines:#?}"
        );
    }
}
