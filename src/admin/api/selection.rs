//! Which deliveries are meant, and which part of a list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::problem::{Problem, not_one_of};
use crate::config::Span;
use crate::model::{Reason, Timestamp};
use crate::queue::{Selection, StateKind};

/// How many entries a page has where nothing is said, and at most.
const LIMIT: usize = 100;
const MOST: usize = 1000;

/// Reads the filters. `now` is what durations count back from.
pub(super) fn read(fields: &Fields, now: Timestamp) -> Result<Selection, Problem> {
    let text = |name| fields.text(name).map(|text| text.map(Into::into));
    let selection = Selection {
        state: fields.text("state")?.map(state).transpose()?,
        route: text("route")?,
        delivery: text("delivery")?,
        kind: text("type")?,
        reason: fields.text("reason")?.map(reason).transpose()?,
        order_key: text("order_key")?,
        since: time(fields, "since", now)?,
        until: time(fields, "until", now)?,
    };
    if let (Some(since), Some(until)) = (selection.since, selection.until)
        && since >= until
    {
        return Err(Problem::field("until", "`until` is not after `since`: nothing could be meant"));
    }
    Ok(selection)
}

/// A selection as a client gives it, with as much of its order key as may be seen.
pub(super) fn show(selection: &Selection, order_key: Option<&str>) -> Value {
    let Selection { state, route, delivery, kind, reason, order_key: _, since, until } = selection;
    let given = [
        ("state", state.map(|state| state.as_str().to_owned())),
        ("route", route.as_deref().map(str::to_owned)),
        ("delivery", delivery.as_deref().map(str::to_owned)),
        ("type", kind.as_deref().map(str::to_owned)),
        ("reason", reason.map(|reason| reason.as_str().to_owned())),
        ("order_key", order_key.map(str::to_owned)),
        ("since", since.map(Timestamp::to_rfc3339)),
        ("until", until.map(Timestamp::to_rfc3339)),
    ];
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
    Value::Object(given.collect::<Map<_, _>>())
}

/// How many entries are asked for.
pub(super) fn limit(fields: &Fields) -> Result<usize, Problem> {
    let Some(limit) = fields.number("limit")? else { return Ok(LIMIT) };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if (1..=MOST).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::field("limit", format!("`limit` is a number from 1 to {MOST}")))
    }
}

/// Where the page begins. `list` tells the cursors of one list from those of another.
pub(super) fn cursor<T: DeserializeOwned>(fields: &Fields, list: &str) -> Result<Option<T>, Problem> {
    let Some(given) = fields.text("cursor")? else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(given).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice::<(String, T)>(&bytes).ok());
    match place {
        Some((of, place)) if of == list => Ok(Some(place)),
        _ => Err(Problem::field("cursor", "this is no cursor of this list: take what `next` of the last page said")),
    }
}

/// The cursor of what comes after `place`.
pub(super) fn next(list: &str, place: impl Serialize) -> Value {
    // Numbers and text: there is nothing in them that has no JSON.
    Value::from(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(list, place)).unwrap_or_default()))
}

fn state(given: &str) -> Result<StateKind, Problem> {
    let found = StateKind::ALL.into_iter().find(|state| state.as_str() == given);
    found.ok_or_else(|| not_one_of("state", given, &StateKind::ALL.map(StateKind::as_str)))
}

fn reason(given: &str) -> Result<Reason, Problem> {
    let found = Reason::ALL.into_iter().find(|reason| reason.as_str() == given);
    found.ok_or_else(|| not_one_of("reason", given, &Reason::ALL.map(Reason::as_str)))
}

fn time(fields: &Fields, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(given) = fields.text(name)? else { return Ok(None) };
    let back = || {
        let Span(back) = given.parse().ok()?;
        let millis = i64::try_from(back.as_millis()).unwrap_or(i64::MAX);
        Some(Timestamp::from_millis(now.as_millis().saturating_sub(millis)))
    };
    match Timestamp::from_rfc3339(given).or_else(back) {
        Some(time) => Ok(Some(time)),
        None => Err(Problem::field(
            name,
            format!("`{name}` is `{given}`, which is no time: write 2026-01-31T12:00:00Z, or how long ago, such as 2h"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 10] =
        ["state", "route", "delivery", "type", "reason", "order_key", "since", "until", "limit", "cursor"];

    fn fields(query: &str) -> Fields {
        Fields::of_query(query, &KNOWN).unwrap()
    }

    #[test]
    fn a_selection_is_shown_as_it_is_given() {
        let now = Timestamp::from_rfc3339("2026-01-31T12:00:00Z").unwrap();
        let given = fields("state=dead&route=in&type=a&reason=timeout&order_key=7&since=2h&until=2026-01-31T11:00:00Z");
        let selection = read(&given, now).unwrap();
        let shown = show(&selection, Some("7"));
        assert_eq!(shown["since"], "2026-01-31T10:00:00.000Z");
        assert_eq!(shown["reason"], "timeout");
        assert_eq!(shown.get("delivery"), None);
        assert_eq!(show(&read(&Fields::default(), now).unwrap(), None), serde_json::json!({}));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_field() {
        let now = Timestamp::from_seconds(1_000_000);
        for (query, field) in [
            ("state=dead_letter", "state"),
            ("reason=timeot", "reason"),
            ("since=yesterday", "since"),
            ("until=5", "until"),
            ("since=1h&until=2h", "until"),
            ("route=", "route"),
        ] {
            let problem = read(&fields(query), now).unwrap_err();
            assert_eq!(problem, problem.clone().for_field(field), "{query}");
        }
        for query in ["limit=0", "limit=1001", "limit=many", "limit=-1"] {
            assert!(limit(&fields(query)).is_err(), "{query}");
        }
        assert_eq!((limit(&fields("")), limit(&fields("limit=1000"))), (Ok(100), Ok(1000)));
    }

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let text = next("events", 17_u64);
        let given = fields(&format!("cursor={}", text.as_str().unwrap()));
        assert_eq!(cursor::<u64>(&given, "events"), Ok(Some(17)));
        assert!(cursor::<u64>(&given, "deliveries").is_err());
        assert!(cursor::<u64>(&fields("cursor=17"), "events").is_err());
        assert_eq!(cursor::<u64>(&fields(""), "events"), Ok(None));
    }
}
