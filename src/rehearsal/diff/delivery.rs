//! Where two deliveries of an event differ.

use super::compare::Differences;
use super::{Kind, Veil};
use crate::rehearsal::difference::{Difference, NOTHING};
use crate::rehearsal::{DeadLetter, Delivery, Occurrence, Sent};

/// What becomes of an event in a delivery.
pub(super) enum Fate<'r> {
    /// Nothing, and why.
    Nothing(Vec<String>),
    /// A request is sent.
    Sent(&'r Delivery, &'r Sent),
    /// A dead letter.
    Dead(&'r DeadLetter),
}

/// The header fields that follow from the rest of a request.
const FOLLOW: [&str; 2] = ["content-length", "host"];

// === impl Fate ===

impl<'r> Fate<'r> {
    /// Of an event that may not be there, and then for that reason.
    pub(super) fn of(event: Option<&'r Occurrence>, name: &str, why: Option<&str>, veil: Veil<'_>) -> Self {
        let Some(event) = event else {
            return Self::Nothing(vec![why.unwrap_or("the event is not there").to_owned()]);
        };
        if let Some(first) = event.duplicate_of {
            return Self::Nothing(vec![format!("it is a duplicate of event {first} of its request")]);
        }
        let Some(delivery) = event.deliveries.iter().find(|delivery| delivery.name == name) else {
            return Self::Nothing(vec![format!("the route has no delivery `{name}`")]);
        };
        match (&delivery.request, &delivery.dead_letter) {
            (Some(sent), _) => Self::Sent(delivery, sent),
            (None, Some(dead)) => Self::Dead(dead),
            (None, None) => Self::Nothing(delivery.because.iter().map(|why| veil.why(why)).collect()),
        }
    }
}

/// How two fates differ, why, and where; `None` where they do not.
pub(super) fn differences(old: &Fate<'_>, new: &Fate<'_>, veil: Veil<'_>) -> Option<(Kind, Vec<String>, Differences)> {
    let none = Differences::default;
    match (old, new) {
        (Fate::Nothing(_), Fate::Nothing(_)) => None,
        (Fate::Nothing(why), _) => {
            let dead = if let Fate::Dead(dead) = new { Some(died(dead, veil)) } else { None };
            Some((Kind::Gained, why.iter().cloned().chain(dead).collect(), none()))
        }
        (_, Fate::Nothing(why)) => Some((Kind::Lost, why.clone(), none())),
        (Fate::Sent(..), Fate::Dead(dead)) => Some((Kind::Dead, vec![died(dead, veil)], none())),
        (Fate::Dead(dead), Fate::Sent(..)) => Some((Kind::Mended, vec![died(dead, veil)], none())),
        (Fate::Dead(one), Fate::Dead(two)) if one.reason == two.reason && one.detail == two.detail => None,
        (Fate::Dead(one), Fate::Dead(two)) => {
            let mut found = none();
            let texts = [one, two].map(|dead| veil.dead(dead));
            found.texts("dead_letter", "dead_letter", &texts);
            (!found.0.is_empty()).then_some((Kind::Changed, Vec::new(), found))
        }
        (Fate::Sent(of_old, old), Fate::Sent(of_new, new)) => {
            let found = requests((of_old, old), (of_new, new), veil);
            (!found.0.is_empty()).then_some((Kind::Changed, Vec::new(), found))
        }
    }
}

fn died(dead: &DeadLetter, veil: Veil<'_>) -> String {
    format!("a dead letter: {}", veil.dead(dead))
}

fn requests((of_old, old): (&Delivery, &Sent), (of_new, new): (&Delivery, &Sent), veil: Veil<'_>) -> Differences {
    let mut found = Differences::default();
    found.maybe("destination", Some(&of_old.destination), Some(&of_new.destination));
    if of_old.order_key != of_new.order_key {
        let text = |key: &Option<String>| key.as_deref().unwrap_or(NOTHING).to_owned();
        let difference = veil.difference("order_key", "order_key", &text(&of_old.order_key), &text(&of_new.order_key));
        found.0.push(("order_key", difference));
    }
    found.maybe("method", Some(&old.method), Some(&new.method));
    if old.url != new.url {
        found.0.push(("url", veil.difference("url", "url", &old.url, &new.url)));
    } else if hidden(old, "url") != hidden(new, "url") {
        found.0.push(("url", another("url", &old.url, veil)));
    }
    found.bodies("body", "body", &old.body, &new.body, veil);
    let rest_differs = !found.0.is_empty();
    headers(old, new, rest_differs, veil, &mut found);
    found
}

/// Of header fields that follow from the rest only those that differ while the rest does not.
fn headers(old: &Sent, new: &Sent, rest_differs: bool, veil: Veil<'_>, found: &mut Differences) {
    let mut names: Vec<&str> = old.headers.0.iter().chain(&new.headers.0).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let is_signature = |name: &str| [old, new].iter().all(|sent| sent.signature.iter().any(|known| known == name));
    for name in names {
        if FOLLOW.contains(&name) || (rest_differs && is_signature(name)) {
            continue;
        }
        let path = format!("headers.{name}");
        let [before, after] = [old, new].map(|sent| all(sent, name));
        if before != after {
            let text = |values: Vec<&str>| if values.is_empty() { NOTHING.to_owned() } else { values.join(", ") };
            found.0.push(("headers", veil.difference(&path, &path, &text(before), &text(after))));
        } else if hidden(old, &path) != hidden(new, &path) {
            found.0.push(("headers", another(&path, &before.join(", "), veil)));
        }
    }
}

fn all<'s>(sent: &'s Sent, name: &str) -> Vec<&'s str> {
    sent.headers.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

/// What tells masked values from one another.
fn hidden<'s>(sent: &'s Sent, path: &str) -> Vec<&'s [u8; 32]> {
    sent.hidden.iter().filter(|(known, _)| known == path).map(|(_, digest)| digest).collect()
}

/// Of what is masked in both, and is not the same.
fn another(path: &str, shown: &str, veil: Veil<'_>) -> Difference {
    veil.difference(path, path, shown, &format!("{shown} (another one)"))
}
