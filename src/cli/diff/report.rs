//! What would change, for people and for programs: first how much, then examples.

use serde_json::{Value, json};

use crate::cli::table::{cut, printable};
use crate::rehearsal::diff::{Example, Group, Key, Kind, Sides, Subject, Tally};

/// Lines under one another.
struct Page(String);

const WIDTH: usize = 100;
/// The longest value of a difference.
const VALUE: usize = 160;

/// For people.
pub(super) fn text(sides: &Sides, tally: &Tally) -> String {
    let mut page = Page(String::new());
    page.head(sides, tally);
    if tally.changes.is_empty() {
        page.line("");
        page.line("nothing would change");
    } else {
        page.table(tally);
        tally.changes.iter().for_each(|(key, group)| page.group(key, group));
    }
    for ((route, why), count) in &tally.undecided {
        page.line("");
        page.line(&format!("{}: cannot tell whether {} would be verified: {why}", named(route), requests(*count)));
        page.line("  what comes after that is compared as if it were so");
    }
    for ((route, why), count) in &tally.refused {
        page.line("");
        page.line(&format!(
            "{}: {} refused by both ({why}): there is nothing to compare",
            named(route),
            requests(*count)
        ));
    }
    page.0
}

/// For programs: one document.
pub(super) fn json(sides: &Sides, tally: &Tally) -> Value {
    let side = |side: &crate::rehearsal::diff::Side| json!({ "file": side.name, "fingerprint": side.fingerprint() });
    let counted = &tally.counted;
    let changes: Vec<Value> = tally.changes.iter().map(|(key, group)| change(key, group)).collect();
    let told =
        |(route, why): &(String, &str), count: &u64| json!({ "route": or_null(route), "reason": why, "count": count });
    json!({
        "old": side(sides.old()),
        "new": side(sides.new_side()),
        "requests": counted.requests,
        "events": counted.events,
        "differing": counted.differing,
        "same_route": counted.skipped,
        "changes": changes,
        "undecided": tally.undecided.iter().map(|(key, count)| told(key, count)).collect::<Vec<_>>(),
        "refused_by_both": tally.refused.iter().map(|(key, count)| told(key, count)).collect::<Vec<_>>(),
    })
}

fn change(key: &Key, group: &Group) -> Value {
    json!({
        "route": or_null(&key.route),
        "what": key.subject.as_str(),
        "delivery": key.subject.delivery(),
        "kind": key.kind.as_str(),
        "count": group.count,
        "parts": group.parts,
        "examples": group.examples().map(example).collect::<Vec<_>>(),
    })
}

fn example(example: &Example) -> Value {
    let Example { request, at, event, kind, why, differences, more, parts: _ } = example;
    let differences: Vec<Value> = differences
        .iter()
        .map(|difference| json!({ "path": difference.path, "was": difference.expected, "would_be": difference.got }))
        .collect();
    json!({
        "request": request, "at": at, "event": event, "type": kind, "why": why, "differences": differences, "more": more,
    })
}

fn requests(count: u64) -> String {
    number(count, "request")
}

fn number(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// What no route has belongs to none.
fn or_null(route: &str) -> Option<&str> {
    Some(route).filter(|route| !route.is_empty())
}

fn named(route: &str) -> &str {
    or_null(route).unwrap_or("(no route)")
}

// === impl Page ===

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(printable(text).trim_end());
        self.0.push('\n');
    }

    fn head(&mut self, sides: &Sides, tally: &Tally) {
        let counted = &tally.counted;
        for (word, side) in [("old", sides.old()), ("new", sides.new_side())] {
            self.line(&format!("{word:<10}{} ({})", side.name, side.fingerprint()));
        }
        self.line(&format!(
            "{:<10}{}, {}; {} of a route that is the same in both",
            "compared",
            requests(counted.requests),
            number(counted.events, "event"),
            counted.skipped
        ));
        self.line(&format!("{:<10}{}", "differing", requests(counted.differing)));
        if counted.undecided > 0 {
            self.line(&format!("{:<10}{}", "undecided", requests(counted.undecided)));
        }
    }

    fn table(&mut self, tally: &Tally) {
        self.line("");
        self.line(&format!("{:<20} {:<20} {:<18} {:>9}  {}", "ROUTE", "DELIVERY", "WHAT", "COUNT", "WHERE"));
        for (Key { route, subject, kind }, group) in &tally.changes {
            let what = format!("{} {}", subject.as_str(), kind.as_str());
            let parts: Vec<String> = group.parts.iter().map(|(part, count)| format!("{part} {count}")).collect();
            let (route, delivery) = (cut(named(route), 20), cut(subject.delivery().unwrap_or("-"), 20));
            self.line(&format!("{route:<20} {delivery:<20} {what:<18} {:>9}  {}", group.count, parts.join(", ")));
        }
    }

    fn group(&mut self, Key { route, subject, kind }: &Key, group: &Group) {
        self.line("");
        let whose = match subject {
            Subject::Delivery(name) => format!("{} / {name}", named(route)),
            Subject::Request | Subject::Event => named(route).to_owned(),
        };
        self.line(&format!("{whose}: {}", headline(subject, *kind, group.count)));
        group.examples().for_each(|example| self.example(example));
    }

    fn example(&mut self, example: &Example) {
        let event = match (&example.event, &example.kind) {
            (Some(id), Some(kind)) => format!("event {id} ({kind}), "),
            _ => String::new(),
        };
        self.line(&format!("  {event}request {} of {}", example.request, example.at));
        for why in &example.why {
            self.line(&format!("    {}", cut(why, WIDTH * 2)));
        }
        for difference in &example.differences {
            let (was, is) = (cut(&difference.expected, VALUE), cut(&difference.got, VALUE));
            self.line(&format!("    {}", difference.path));
            self.line(&format!("      - {was}"));
            self.line(&format!("      + {is}"));
        }
        if example.more > 0 {
            self.line(&format!("    … and {} places more", example.more));
        }
    }
}

fn headline(subject: &Subject, kind: Kind, count: u64) -> String {
    let what = match (subject, count) {
        (Subject::Delivery(_), 1) => "delivery".to_owned(),
        (Subject::Delivery(_), _) => "deliveries".to_owned(),
        (other, 1) => other.as_str().to_owned(),
        (other, _) => format!("{}s", other.as_str()),
    };
    let would = match kind {
        Kind::Refused => "would be refused",
        Kind::Accepted => "would be accepted that is refused now",
        Kind::Lost => "would be lost",
        Kind::Gained => "would be gained",
        Kind::Changed => "would change",
        Kind::Dead => "would be a dead letter",
        Kind::Mended => "would be no dead letter any more",
    };
    format!("{count} {what} {would}")
}
