//! `hookswitch secrets`.

use clap::Args;
use serde_json::Value;

use super::listing::Output;
use super::remote::{Which, ask};
use super::table::{self, Column, at, printable, time_at};
use super::{Exit, Format, print, say};
use crate::model::Timestamp;

/// Says of each secret of each route when it last verified a request: when an old one may be removed. Never the secret.
#[derive(Debug, Args)]
pub(super) struct Secrets {
    /// Only of this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    output: Output,
}

const COLUMNS: [Column; 6] = [
    Column { title: "ROUTE", width: 24, cell: |secret| at(secret, "/route") },
    Column { title: "SECRET", width: 16, cell: |secret| at(secret, "/secret") },
    Column { title: "FIRST", width: 5, cell: |secret| if is(secret, "/first") { "yes" } else { "" }.to_owned() },
    Column { title: "LAST USED", width: 20, cell: last_used },
    Column { title: "VERIFIED", width: 10, cell: |secret| at(secret, "/verifications") },
    Column { title: "ADVICE", width: 8, cell: |secret| at(secret, "/advice").replace('_', " ") },
];

impl Secrets {
    pub(super) fn run(self) -> Exit {
        let Self { route, which, output } = self;
        ask(&which, async |remote| {
            let query: Vec<_> = route.into_iter().map(|route| ("route", route)).collect();
            let answer = remote.get(&["secrets"], &query).await?;
            let secrets = answer.get("secrets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let printed = match output.format {
                Format::Json => secrets.iter().all(|secret| print(&secret.to_string())),
                Format::Text if secrets.is_empty() => {
                    say("there are none");
                    true
                }
                Format::Text => text(secrets, time(&answer, "/as_of")),
            };
            Ok(if printed { Exit::Done } else { Exit::Failed })
        })
    }
}

/// A table, and under it a sentence a secret of each route that has several: there a rotation is under way.
fn text(secrets: &[Value], now: Option<Timestamp>) -> bool {
    let beside = |secret: &Value| secrets.iter().filter(|other| other.get("route") == secret.get("route")).count() > 1;
    let mut sentences = secrets.iter().filter(|secret| beside(secret)).map(|secret| sentence(secret, now)).peekable();
    table::head(&COLUMNS)
        && secrets.iter().all(|secret| table::row(&COLUMNS, secret))
        && (sentences.peek().is_none() || print(""))
        && sentences.all(|sentence| print(&sentence))
}

/// What there is to say of a secret among others.
fn sentence(secret: &Value, now: Option<Timestamp>) -> String {
    let others = secret.get("used_since").and_then(Value::as_array).into_iter().flatten();
    let others: Vec<String> = others.filter_map(Value::as_str).map(printable).collect();
    let others = others.join(" and ");
    let ago = |pointer| time(secret, pointer).zip(now).map(|(then, now)| span(then, now)).unwrap_or_default();
    let used = !at(secret, "/last_used_at").is_empty();
    let seen = if used {
        format!("last used {} ago", ago("/last_used_at"))
    } else {
        format!("never used since it is known here, for {}", ago("/known_since"))
    };
    let (first, removable) = (is(secret, "/first"), is(secret, "/removable"));
    let rest = match (others.is_empty(), used, first) {
        (true, true, _) => ", the last of them: in use".to_owned(),
        (true, false, _) => ": no traffic in that time".to_owned(),
        (false, ..) if removable => format!(", all traffic since verified with {others}: may be removed"),
        (false, _, true) => format!(", all traffic since verified with {others}: does the provider have this one?"),
        (false, _, false) => format!(", all traffic since verified with {others}: keep it until that is so for a day"),
    };
    format!("{}/{}: {seen}{rest}", at(secret, "/route"), at(secret, "/secret"))
}

fn last_used(secret: &Value) -> String {
    let last = time_at(secret, "/last_used_at");
    if last.is_empty() { "never".to_owned() } else { last }
}

fn is(secret: &Value, pointer: &str) -> bool {
    secret.pointer(pointer) == Some(&Value::Bool(true))
}

fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    Timestamp::from_rfc3339(value.pointer(pointer)?.as_str()?)
}

/// How long it was from one time to another, as a person says it: the largest unit that there are two of, or seconds.
fn span(then: Timestamp, now: Timestamp) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 60 * 60, "days"), (60 * 60, "hours"), (60, "minutes")];
    let seconds = now.since(then).as_secs();
    let unit = UNITS.into_iter().find(|(unit, _)| seconds / unit >= 2);
    match unit {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None if seconds == 1 => "1 second".to_owned(),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn said(first: bool, last: Option<i64>, used_since: &[&str], removable: bool) -> String {
        let now = Timestamp::from_seconds(1_700_000_000);
        let before = |seconds: i64| Timestamp::from_seconds(1_700_000_000 - seconds).to_rfc3339();
        let secret = json!({
            "route": "in", "secret": "old", "first": first, "known_since": before(20 * DAY),
            "last_used_at": last.map(before), "used_since": used_since, "removable": removable,
        });
        sentence(&secret, Some(now))
    }

    #[test]
    fn a_person_is_told_when_the_old_one_may_go() {
        for (said, expected) in [
            (
                said(false, Some(9 * DAY), &["new"], true),
                "last used 9 days ago, all traffic since verified with new: may be removed",
            ),
            (
                said(false, None, &["new", "newer"], true),
                "never used since it is known here, for 20 days, all traffic since verified with new and newer: may be removed",
            ),
            (
                said(false, Some(300), &["new"], false),
                "last used 5 minutes ago, all traffic since verified with new: keep it until that is so for a day",
            ),
            (
                said(true, Some(7_200), &["new"], false),
                "last used 2 hours ago, all traffic since verified with new: does the provider have this one?",
            ),
            (said(true, Some(1), &[], false), "last used 1 second ago, the last of them: in use"),
            (said(true, None, &[], false), "never used since it is known here, for 20 days: no traffic in that time"),
        ] {
            assert_eq!(said, format!("in/old: {expected}"));
        }
    }
}
