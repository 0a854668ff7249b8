//! Where two rehearsals of a request differ.

use bytes::Bytes;

use super::delivery::{Fate, differences};
use super::{Change, Example, Kind, Specimen, Subject, Veil};
use crate::rehearsal::difference::{Difference, NOTHING, shown, values};
use crate::rehearsal::{Body, Occurrence, Rehearsal};

/// The most places of one example.
const MOST: usize = 12;

/// What differs, as it is found.
struct Finding<'a> {
    specimen: &'a Specimen,
    veil: Veil<'a>,
    changes: Vec<Change>,
}

/// What differs in one thing: with each place the part that it is of.
#[derive(Debug, Default)]
pub(super) struct Differences(pub(super) Vec<(&'static str, Difference)>);

/// What differs between what two configurations make of a request.
pub(super) fn changes(specimen: &Specimen, old: &Rehearsal, new: &Rehearsal, veil: Veil<'_>) -> Vec<Change> {
    let mut finding = Finding { specimen, veil, changes: Vec::new() };
    finding.request(old, new);
    for (before, after) in pairs(&old.events, &new.events) {
        let why = match (before, after) {
            (Some(_), None) => without_events(new),
            (None, Some(_)) => without_events(old),
            _ => None,
        };
        finding.event(before, after, why);
    }
    finding.changes
}

/// Which event of the one is which of the other: the same by its id, and those that are left in their order.
fn pairs<'e>(
    old: &'e [Occurrence],
    new: &'e [Occurrence],
) -> impl Iterator<Item = (Option<&'e Occurrence>, Option<&'e Occurrence>)> {
    let mut left: Vec<Option<&Occurrence>> = new.iter().map(Some).collect();
    let mut of_old: Vec<Option<&Occurrence>> = vec![None; old.len()];
    for (place, before) in of_old.iter_mut().zip(old) {
        *place = left.iter_mut().find(|after| after.is_some_and(|after| after.id == before.id)).and_then(Option::take);
    }
    let mut left = left.into_iter().flatten().collect::<Vec<_>>().into_iter();
    for place in of_old.iter_mut().filter(|place| place.is_none()) {
        *place = left.next();
    }
    let both: Vec<_> = old.iter().map(Some).zip(of_old).chain(left.map(|after| (None, Some(after)))).collect();
    both.into_iter()
}

/// Why there is no event of a request.
fn without_events(rehearsal: &Rehearsal) -> Option<String> {
    let refused = rehearsal.refused.as_ref().map(|refused| format!("the request is refused ({})", refused.reason));
    refused.or_else(|| rehearsal.handshake.as_ref().map(|_| "the request is answered as a handshake".to_owned()))
}

// === impl Finding ===

impl Finding<'_> {
    fn request(&mut self, old: &Rehearsal, new: &Rehearsal) {
        match (old.accepted, new.accepted) {
            (true, false) => self.add(Subject::Request, Kind::Refused, None, refused(new), Differences::default()),
            (false, true) => self.add(Subject::Request, Kind::Accepted, None, refused(old), Differences::default()),
            (false, false) => {}
            (true, true) => {
                let mut found = Differences::default();
                found.maybe("route", old.route.as_deref(), new.route.as_deref());
                let statuses = [old, new].map(|rehearsal| rehearsal.answer.status.to_string());
                found.texts("answer", "answer.status", &statuses);
                // With other ids comes another answer: that is told of the events.
                let ids = |rehearsal: &Rehearsal| -> Vec<String> {
                    rehearsal.events.iter().map(|event| event.id.clone()).collect()
                };
                if ids(old) == ids(new) {
                    found.bodies("answer", "answer.body", &old.answer.body, &new.answer.body, self.veil);
                }
                if !found.0.is_empty() {
                    self.add(Subject::Request, Kind::Changed, None, Vec::new(), found);
                }
            }
        }
    }

    fn event(&mut self, old: Option<&Occurrence>, new: Option<&Occurrence>, why: Option<String>) {
        let whys = || why.clone().into_iter().collect::<Vec<_>>();
        match (old, new) {
            (Some(_), None) => self.add(Subject::Event, Kind::Lost, old, whys(), Differences::default()),
            (None, Some(_)) => self.add(Subject::Event, Kind::Gained, new, whys(), Differences::default()),
            (Some(before), Some(after)) => {
                let found = self.attributes(before, after);
                if !found.0.is_empty() {
                    self.add(Subject::Event, Kind::Changed, old, Vec::new(), found);
                }
            }
            (None, None) => return,
        }
        for name in names(old, new) {
            let before = Fate::of(old, name, why.as_deref(), self.veil);
            let after = Fate::of(new, name, why.as_deref(), self.veil);
            let Some((kind, why, found)) = differences(&before, &after, self.veil) else { continue };
            self.add(Subject::Delivery(name.to_owned()), kind, old.or(new), why, found);
        }
    }

    fn attributes(&self, old: &Occurrence, new: &Occurrence) -> Differences {
        let mut found = Differences::default();
        let attributes = [
            ("type", Some(&old.kind), Some(&new.kind)),
            ("id", Some(&old.id), Some(&new.id)),
            ("source", Some(&old.source), Some(&new.source)),
            ("subject", old.subject.as_ref(), new.subject.as_ref()),
            ("time", old.time.as_ref(), new.time.as_ref()),
        ];
        for (name, before, after) in attributes.into_iter().filter(|(_, before, after)| before != after) {
            let text = |value: Option<&String>| value.map_or(NOTHING, String::as_str).to_owned();
            found.0.push((name, self.veil.difference(name, name, &text(before), &text(after))));
        }
        let data = |event: &Occurrence| {
            let bytes = event.data.as_ref().map(|data| data.get().as_bytes());
            Body(bytes.map(Bytes::copy_from_slice).unwrap_or_default())
        };
        found.bodies("data", "data", &data(old), &data(new), self.veil);
        found
    }

    fn add(
        &mut self,
        subject: Subject,
        kind: Kind,
        event: Option<&Occurrence>,
        why: Vec<String>,
        Differences(mut found): Differences,
    ) {
        // Under a veil many look the same.
        found.dedup();
        let mut parts: Vec<&'static str> = found.iter().map(|(part, _)| *part).collect();
        parts.dedup();
        let more = found.len().saturating_sub(MOST);
        let example = Example {
            request: self.specimen.name.clone(),
            at: self.specimen.at.to_rfc3339(),
            event: event.and_then(|event| self.veil.of_event(&event.id)),
            kind: event.and_then(|event| self.veil.of_event(&event.kind)),
            why,
            differences: found.into_iter().take(MOST).map(|(_, difference)| difference).collect(),
            more,
            parts,
        };
        self.changes.push(Change { subject, kind, example });
    }
}

fn refused(rehearsal: &Rehearsal) -> Vec<String> {
    let Some(refused) = &rehearsal.refused else { return Vec::new() };
    let why = format!("{}: {}", refused.reason, refused.detail);
    std::iter::once(why).chain(refused.next_step.clone()).collect()
}

/// The deliveries of either, in the order of the old ones.
fn names<'e>(old: Option<&'e Occurrence>, new: Option<&'e Occurrence>) -> Vec<&'e str> {
    let mut names: Vec<&str> = Vec::new();
    for delivery in [old, new].into_iter().flatten().flat_map(|event| &event.deliveries) {
        if !names.contains(&delivery.name.as_str()) {
            names.push(&delivery.name);
        }
    }
    names
}

// === impl Differences ===

impl Differences {
    /// Of something that comes from the configuration.
    pub(super) fn maybe(&mut self, part: &'static str, was: Option<&str>, is: Option<&str>) {
        if was != is {
            self.0.push((part, Difference::new(part, was.unwrap_or(NOTHING), is.unwrap_or(NOTHING))));
        }
    }

    /// The same.
    pub(super) fn texts(&mut self, part: &'static str, at: &str, [was, is]: &[String; 2]) {
        if was != is {
            self.0.push((part, Difference::new(at, was, is)));
        }
    }

    /// Bodies: JSON by its values, else as text. One that says the same in other bytes differs, too.
    pub(super) fn bodies(&mut self, part: &'static str, at: &str, was: &Body, is: &Body, veil: Veil<'_>) {
        if was == is {
            return;
        }
        let json = |body: &Body| serde_json::from_slice(&body.0).ok();
        let (Some(before), Some(after)) = (json(was), json(is)) else {
            self.0.push((part, veil.difference(at, at, &text(was), &text(is))));
            return;
        };
        let (before, after): (serde_json::Value, serde_json::Value) = (before, after);
        let count = self.0.len();
        values(at, Some(&before), Some(&after), &mut |path, was, is| {
            self.0.push((part, veil.difference(at, path, &shown(was), &shown(is))));
        });
        if self.0.len() == count {
            self.0.push((part, Difference::new(at, "the same values", "written in another way")));
        }
    }
}

fn text(body: &Body) -> String {
    if body.0.is_empty() { NOTHING.to_owned() } else { body.quoted() }
}
