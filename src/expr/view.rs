//! An event's document, as far as it is needed.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Needs;
use crate::model::Event;

/// What `$` is of an event in filters and transforms, as far as they look at it.
///
/// The event's data is read where some of it is needed, and kept in memory as far as that goes.
#[must_use]
pub fn view<'e>(event: &'e Event, needs: &Needs) -> Cow<'e, Value> {
    match needs.by_name() {
        Some(names) if event.known_document().is_none() => {
            part(event, names).map_or_else(|| Cow::Borrowed(event.document()), Cow::Owned)
        }
        _ => Cow::Borrowed(event.document()),
    }
}

/// The members of these names. `None` where the data is left to a parser that keeps all of it.
fn part(event: &Event, names: &[(Box<str>, Needs)]) -> Option<Value> {
    let mut root = Map::with_capacity(names.len());
    for (name, needs) in names {
        let member = match &**name {
            "data" => Some(data(event, needs)?),
            "headers" => Some(headers(event, needs)),
            other => event.member(other),
        };
        if let Some(member) = member {
            root.insert(name.to_string(), member);
        }
    }
    Some(Value::Object(root))
}

fn data(event: &Event, needs: &Needs) -> Option<Value> {
    match event.data_bytes() {
        [] => Some(Value::Null),
        bytes => needs.read(bytes).map(|read| read.value),
    }
}

/// A request has many, and a route looks at one or two.
fn headers(event: &Event, needs: &Needs) -> Value {
    let Some(names) = needs.by_name() else { return event.member("headers").unwrap_or_default() };
    let of = |name: &str| event.request().headers.get(name).map(|value| (name.to_owned(), Value::from(value)));
    Value::Object(names.iter().filter_map(|(name, _)| of(name)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expr::Query;
    use crate::expr::arbitrary::{json_value, small_query};
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
        assert_eq!(*view(&event, &Needs::members(&["type", "nothing"])), json!({ "type": "order.paid" }));
    }

    proptest! {
        #[test]
        fn a_query_over_the_view_finds_what_it_finds_in_the_document(data in json_value(), query in small_query()) {
            let query = Query::parse(&query.replacen('$', "$.data", 1)).unwrap();
            let mut needs = Needs::nothing();
            query.add_needs(&mut needs);
            let data = data.to_string();
            let (one, other) = (event(&data), event(&data));
            let (part, whole) = (view(&one, &needs), other.document());
            let found = |root| query.all(root, root).map(texts);
            prop_assert_eq!(found(&part), found(whole));
        }
    }
}
