//! `hookswitch providers`.

use clap::Args;
use serde_json::{Value, json};

use super::{Exit, Format, print, say};
use crate::providers;

/// Lists the built-in providers, or prints one.
#[derive(Debug, Args)]
pub(super) struct Providers {
    /// The provider to print, as YAML: what a provider of your own under `providers:` looks like.
    name: Option<String>,
    /// What is printed: text for people, or JSON for programs, a provider a line.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

/// A row of the list: name, scheme, what it needs, title.
type Row = [String; 4];

impl Providers {
    pub(super) fn run(self) -> Exit {
        let printed = match (self.name, self.output) {
            (None, Format::Text) => {
                lines(&providers::names().map(row).collect::<Vec<_>>()).iter().all(|line| print(line))
            }
            (None, Format::Json) => providers::names().all(|name| print(&document(name).to_string())),
            (Some(name), output) => {
                let Some(yaml) = providers::source(&name) else {
                    say(&format!("hookswitch: there is no provider `{name}`; `hookswitch providers` lists them"));
                    return Exit::Failed;
                };
                match output {
                    Format::Text => print(yaml.trim_end()),
                    Format::Json => print(&document(&name).to_string()),
                }
            }
        };
        if printed { Exit::Done } else { Exit::Failed }
    }
}

fn document(name: &str) -> Value {
    let about = providers::builtin(name).and_then(|provider| provider.about.as_ref());
    let summary = providers::source(name).and_then(providers::summary);
    json!({
        "name": name,
        "scheme": summary.as_ref().map(|summary| &summary.scheme),
        "needs": summary.as_ref().map(|summary| &summary.needs),
        "title": about.map(|about| &about.title),
        "docs": about.map(|about| &about.docs),
        "secret": about.map(|about| &about.secret),
        "notes": about.map(|about| &about.notes),
    })
}

fn row(name: &str) -> Row {
    let title = providers::builtin(name).and_then(|provider| provider.about.as_ref()).map(|about| about.title.clone());
    let summary = providers::source(name).and_then(providers::summary);
    let (scheme, needs) = summary.map(|summary| (summary.scheme, summary.needs.join(", "))).unwrap_or_default();
    let needs = if needs.is_empty() { "nothing".to_owned() } else { needs };
    [name.to_owned(), scheme, needs, title.unwrap_or_default()]
}

/// The list under its titles, each column as wide as the longest in it.
fn lines(rows: &[Row]) -> Vec<String> {
    let titles = ["NAME", "SCHEME", "NEEDS", "TITLE"].map(str::to_owned);
    let all = || std::iter::once(&titles).chain(rows);
    let widths = std::array::from_fn(|column| {
        all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    let line = |row: &Row| -> String {
        let [name, scheme, needs, title] = row;
        let [of_name, of_scheme, of_needs, _]: [usize; 4] = widths;
        format!("{name:<of_name$}  {scheme:<of_scheme$}  {needs:<of_needs$}  {title}")
    };
    all().map(line).collect()
}
