//! Lists of the API, page by page, and what narrows them.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::remote::{Remote, RemoteError};
use super::table::{self, Column};
use super::{Exit, Format, print, say};

/// Which deliveries are meant: those for which everything holds that is given.
#[derive(Debug, Default, Args)]
pub(super) struct Filters {
    /// Only of this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Only of the deliveries of this name.
    #[arg(long, value_name = "NAME")]
    delivery: Option<String>,
    /// Only of events of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only dead letters with this reason, such as `rejected`.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only what has this order key.
    #[arg(long, value_name = "KEY")]
    order_key: Option<String>,
    /// Only what was accepted at this time or later: RFC 3339, or how long ago, such as `2h`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was accepted before this time: RFC 3339, or how long ago.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    Pending,
    Delivered,
    Dead,
}

/// How a list is printed.
#[derive(Debug, Args)]
pub(super) struct Printed {
    /// The most entries; pages are followed up to here.
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    #[command(flatten)]
    output: Output,
}

/// How something is printed.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// Text for people, or JSON for programs: an entry a line of lists, else one document.
    #[arg(long = "output", global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub(super) format: Format,
}

/// A list of the API.
pub(super) struct List<'l> {
    /// Below `/api/v1`.
    pub(super) path: &'l str,
    /// The key under which a page has its entries.
    pub(super) key: &'l str,
    pub(super) columns: &'l [Column],
}

/// The largest page that the API gives.
const PAGE: u64 = 1000;

/// Prints a list.
pub(super) async fn list(
    remote: &Remote,
    list: &List<'_>,
    filters: Vec<(&'static str, String)>,
    printed: &Printed,
) -> Result<Exit, RemoteError> {
    let text = printed.output.format == Format::Text;
    let (mut left, mut cursor, mut any) = (printed.limit, None::<String>, false);
    loop {
        let mut query = filters.clone();
        query.push(("limit", left.min(PAGE).to_string()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = remote.get(&[list.path], &query).await?;
        for entry in page.get(list.key).and_then(Value::as_array).into_iter().flatten() {
            let begun = any || !text || table::head(list.columns);
            any = true;
            let printed = if text { table::row(list.columns, entry) } else { print(&entry.to_string()) };
            if !(begun && printed) {
                return Ok(Exit::Failed);
            }
            left = left.saturating_sub(1);
        }
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        match (&cursor, left) {
            (None, _) if !any && text => say("there are none"),
            (Some(_), 0) if text => say(&format!("there may be more: this is where --limit {} ends", printed.limit)),
            (Some(_), 1..) => continue,
            _ => {}
        }
        return Ok(Exit::Done);
    }
}

/// Prints one document: as JSON, or as what `text` makes of it.
pub(super) fn document(document: &Value, output: &Output, text: impl FnOnce(&Value) -> Vec<String>) -> Exit {
    let lines = match output.format {
        Format::Json => vec![document.to_string()],
        Format::Text => text(document),
    };
    if lines.iter().all(|line| print(line)) { Exit::Done } else { Exit::Failed }
}

// === impl Filters ===

impl Filters {
    /// As the parameters of a list, with a state.
    pub(super) fn query(&self, state: Option<State>) -> Vec<(&'static str, String)> {
        let given = [
            ("route", &self.route),
            ("delivery", &self.delivery),
            ("type", &self.kind),
            ("reason", &self.reason),
            ("order_key", &self.order_key),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let state = state.map(|state| ("state", state.as_str().to_owned()));
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).chain(state).collect()
    }

    /// As the keys of a body.
    pub(super) fn body(&self) -> Map<String, Value> {
        self.query(None).into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }
}

// === impl State ===

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}
