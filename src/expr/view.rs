//! An event's document, as far as it is needed.

use std::sync::Arc;

use serde_json::Value;

use super::{JsonRef, Pruned};
use crate::model::{Event, Excerpt, Needs};

/// An event's document, as far as it is needed.
#[derive(Debug)]
pub struct View<'e>(Held<'e>);

#[derive(Debug)]
enum Held<'e> {
    /// The event has it.
    Borrowed(JsonRef<'e>),
    /// It was read for this.
    Read(&'e Needs, Excerpt),
}

/// What `$` is of an event in filters and transforms, as far as they look at it.
///
/// What the event keeps is used where it has that. Else its data is read where some of it is needed, and kept in memory as
/// far as that goes.
#[must_use]
pub fn view<'e>(event: &'e Event, needs: &'e Needs) -> View<'e> {
    View(match needs.by_name() {
        Some(names) if event.known_document().is_none() => match event.kept(needs) {
            Some((needs, kept)) => Held::Borrowed(JsonRef::part(needs, kept)),
            None => match part(event, names, |needs| data(event, needs)) {
                Some(part) => Held::Read(needs, part),
                None => Held::Borrowed(event.document().into()),
            },
        },
        _ => Held::Borrowed(event.document().into()),
    })
}

/// The event with what `needs` are of its document, so that no [`view`] for some of them reads it again. `data` is its data,
/// read as far as they say.
#[must_use]
pub fn kept(event: Event, needs: &Arc<Needs>, data: Excerpt) -> Event {
    match (needs.by_name(), data) {
        (None, Excerpt::Value(data)) => event.with_data(data),
        (None, _) => event,
        (Some(names), data) => {
            let mut data = Some(data);
            match part(&event, names, |_| data.take()) {
                Some(document) => event.with_kept(Arc::clone(needs), document),
                None => event,
            }
        }
    }
}

/// The members of these names. `None` where the data is left to a parser that keeps all of it.
fn part(
    event: &Event,
    names: &[(Box<str>, Needs)],
    mut data: impl FnMut(&Needs) -> Option<Excerpt>,
) -> Option<Excerpt> {
    let mut members = Vec::with_capacity(names.len());
    for (place, (name, needs)) in names.iter().enumerate() {
        let member = match &**name {
            "data" => Some(data(needs)?),
            "headers" => Some(Excerpt::Value(headers(event, needs))),
            other => event.member(other).map(Excerpt::Value),
        };
        members.extend(member.map(|member| (place, member)));
    }
    Some(Excerpt::Members(members))
}

fn data(event: &Event, needs: &Needs) -> Option<Excerpt> {
    match event.data_bytes() {
        [] => Some(Excerpt::NOTHING),
        bytes => needs.read(bytes).map(Pruned::into_excerpt),
    }
}

/// A request has many, and a route looks at one or two.
fn headers(event: &Event, needs: &Needs) -> Value {
    let Some(names) = needs.by_name() else { return event.member("headers").unwrap_or_default() };
    let of = |name: &str| event.request().headers.get(name).map(|value| (name.to_owned(), Value::from(value)));
    Value::Object(names.iter().filter_map(|(name, _)| of(name)).collect())
}

// === impl View ===

impl<'v> From<&'v View<'_>> for JsonRef<'v> {
    fn from(view: &'v View<'_>) -> Self {
        match &view.0 {
            Held::Borrowed(document) => *document,
            Held::Read(needs, part) => Self::part(needs, part),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expr::Query;
    use crate::expr::arbitrary::{json_text, json_value, small_query};
    use crate::model::{Headers, Request, sample};

    fn event(data: &str) -> Event {
        let request = Request {
            headers: Headers::from_iter([("X-Shop", "a"), ("x-shop", "b"), ("Accept", "*/*")]),
            query: "a=1&b=2&a=3".into(),
            path_params: vec![("topic".into(), "orders".into())],
            ..sample::request(data)
        };
        Event::unparsed(sample::attributes("orders", "order.paid"), Arc::new(request), 0..data.len())
    }

    fn texts(found: Vec<&Value>) -> String {
        Value::from_iter(found.into_iter().cloned()).to_string()
    }

    #[test]
    fn every_member_of_the_document_is_in_view_where_it_is_needed() {
        for text in [
            "$",
            "$.*",
            "$..a",
            "$.id",
            "$.source",
            "$.type",
            "$.provider",
            "$.route",
            "$.datacontenttype",
            "$.subject",
            "$.time",
            "$.data",
            "$.data.a",
            "$.headers",
            "$.headers['x-shop']",
            "$.headers.none",
            "$.headers.*",
            "$.query",
            "$.query.a",
            "$.path",
            "$.path.topic",
            "$.nothing",
            "@.type",
            "$['type','data'].a",
            "$.data[?$.type == 'order.paid']",
        ] {
            for data in [r#"{"a":[1,{"a":2}],"b":"x"}"#, ""] {
                let query = Query::parse(text).unwrap();
                let mut needs = Needs::nothing();
                query.add_needs(&mut needs);
                let (one, other) = (event(data), event(data));
                let (part, whole) = (view(&one, &needs), other.document());
                assert_eq!(texts(query.all(&part, &part).unwrap()), texts(query.all(whole, whole).unwrap()), "{text}");
            }
        }
    }

    #[test]
    fn what_is_about_the_attributes_alone_reads_no_data() {
        let event = event("no JSON at all");
        let needs = Needs::members(&["type", "nothing"]);
        assert_eq!(JsonRef::from(&view(&event, &needs)).to_value(), json!({ "type": "order.paid" }));
    }

    fn looking_at(text: &str) -> (Query, Needs) {
        let query = Query::parse(text).unwrap();
        let mut needs = Needs::nothing();
        query.add_needs(&mut needs);
        (query, needs)
    }

    /// With what `needs` are of it, as it is normalized.
    fn with_kept(data: &str, needs: &Needs) -> Option<Event> {
        let of_data = needs.of_member("data");
        let read = of_data.read(data.as_bytes())?;
        Some(kept(event(data), &Arc::new(needs.clone()), read.into_excerpt()))
    }

    #[test]
    fn what_an_event_keeps_is_borrowed_and_what_it_lacks_is_read() {
        let (_, needs) = looking_at("$['type','data'].a");
        let event = with_kept(r#"{"a":1,"b":2}"#, &needs).unwrap();
        let borrowed = |text: &str| matches!(view(&event, &looking_at(text).1), View(Held::Borrowed(_)));
        assert!(borrowed("$.data.a") && borrowed("$.data.a.x") && !borrowed("$.data.b") && !borrowed("$.id"));
        let (_, other) = looking_at("$.data.b");
        assert_eq!(JsonRef::from(&view(&event, &other)).to_value(), json!({ "data": { "b": 2 } }));
    }

    #[test]
    fn an_event_of_which_all_is_needed_keeps_its_document() {
        let event = with_kept(r#"{"a":1,"b":2}"#, &looking_at("$").1).unwrap();
        assert_eq!(event.known_document().map(|document| &document["data"]), Some(&json!({ "a": 1, "b": 2 })));
    }

    proptest! {
        #[test]
        fn a_query_over_what_is_kept_finds_what_it_finds_over_a_fresh_read(
            text in json_text(), value in json_value(), queries in prop::collection::vec(small_query(), 1..4),
        ) {
            let of_data = |query: &String| looking_at(&query.replacen('$', "$.data", 1));
            let queries: Vec<_> = queries.iter().map(of_data).chain([looking_at("$.headers['x-shop']")]).collect();
            let mut all = Needs::nothing();
            queries.iter().for_each(|(_, needs)| all.add(needs));
            for data in [text, value.to_string()] {
                let Some(one) = with_kept(&data, &all) else { continue };
                let other = event(&data);
                for (query, needs) in &queries {
                    prop_assert!(one.known_document().is_some() || one.kept(needs).is_some());
                    let (kept, read) = (view(&one, needs), view(&other, needs));
                    let found = |root: JsonRef<'_>| query.all(root, root).map(texts);
                    prop_assert_eq!(found((&kept).into()), found((&read).into()), "{}", data);
                    prop_assert_eq!(found((&kept).into()), found(other.document().into()), "{}", data);
                }
            }
        }

        #[test]
        fn a_query_over_the_view_finds_what_it_finds_in_the_document(data in json_value(), query in small_query()) {
            let query = Query::parse(&query.replacen('$', "$.data", 1)).unwrap();
            let mut needs = Needs::nothing();
            query.add_needs(&mut needs);
            let data = data.to_string();
            let (one, other) = (event(&data), event(&data));
            let (part, whole) = (view(&one, &needs), other.document());
            let found = |root: JsonRef<'_>| query.all(root, root).map(texts);
            prop_assert_eq!(found((&part).into()), found(whole.into()));
        }
    }
}
