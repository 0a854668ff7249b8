//! What becomes an event, and what does not.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::config::load;
use crate::expr::{Choices, JsonRef, Query, view};
use crate::model::Timestamp;
use crate::pipeline::verify::{Surroundings, Verifier};

fn received(headers: &[(&str, &str)], body: &[u8]) -> Received {
    let field = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    Received {
        method: Method::POST,
        path: "/hooks/acme/eu".into(),
        query: "".into(),
        path_params: vec![("region".into(), "eu".into())],
        headers: headers.iter().map(field).collect::<HeaderMap>(),
        body: Bytes::copy_from_slice(body),
        received_at: Timestamp::from_seconds(1_700_000_000),
    }
}

fn run(normalizer: &Normalizer, received: Received) -> Result<Vec<Occurrence>, NotAnEvent> {
    let mut problems = Problems::new();
    let auth = At::nowhere(file::Auth::None);
    let id = Choices::none();
    let surroundings = Surroundings { id: &id, public_url: None, roles: &[] };
    let verifier = Verifier::compile(&auth, &[], surroundings, &mut problems).unwrap();
    let now = received.received_at;
    let verified = verifier.verify(received, now).unwrap();
    normalizer.normalize(verified, RequestId(Uuid::nil()), &"f1".into()).map(|normalized| normalized.events)
}

fn compile(event: &str) -> Result<Normalizer, Vec<String>> {
    let indented: String = event.lines().map(|line| format!("  {line}\n")).collect();
    let provider = load::parse_provider(&format!("auth: none\nevent:\n{indented}")).unwrap();
    let mut problems = Problems::new();
    let map = provider.event.as_ref().map(|map| ("acme", map));
    let normalizer = Normalizer::compile(&"orders".into(), map, &[], &mut problems);
    match (normalizer, problems.is_empty()) {
        (Some(normalizer), true) => Ok(normalizer),
        _ => Err(problems.iter().map(|problem| problem.message.clone()).collect()),
    }
}

/// The events of a JSON body under a provider's `event:`.
fn mapped(event: &str, body: &str) -> Result<Vec<Occurrence>, NotAnEvent> {
    run(&compile(event).unwrap(), received(&[], body.as_bytes()))
}

/// The same without a provider.
fn open(headers: &[(&str, &str)], body: &str) -> Result<Vec<Occurrence>, NotAnEvent> {
    let normalizer = Normalizer::compile(&"orders".into(), None, &[], &mut Problems::new()).unwrap();
    run(&normalizer, received(headers, body.as_bytes()))
}

fn ids(occurrences: &[Occurrence]) -> Vec<&str> {
    occurrences.iter().map(|occurrence| occurrence.event.id()).collect()
}

fn data(occurrence: &Occurrence) -> &str {
    std::str::from_utf8(occurrence.event.data_bytes()).unwrap()
}

fn missing(result: Result<Vec<Occurrence>, NotAnEvent>) -> (&'static str, String) {
    match result {
        Err(NotAnEvent::Missing { what, looked_at }) => (what, looked_at),
        other => panic!("{other:?}"),
    }
}

const STRUCTURED: &[(&str, &str)] = &[("content-type", "application/cloudevents+json; charset=utf-8")];
const BATCH: &[(&str, &str)] = &[("content-type", "application/cloudevents-batch+json")];

mod with_a_provider {
    use super::*;

    #[test]
    fn attributes_are_where_the_provider_says() {
        let map = "type: [{ when: $.test == true, value: ping }, $.kind]\nid: ['header:X-Id', $.id]\ntime: $.at\n\
                   subject: 'path:region'\ndata: $.object";
        let events = mapped(map, r#"{"kind":"paid","id":7,"at":1735236342,"object":{"total":  1.50}}"#).unwrap();
        let Attributes { id, source, kind, subject, time, provider, route } = events[0].event.attributes();
        assert_eq!((&**id, &**kind, &**source), ("7", "paid", "/hooks/acme/eu"));
        assert_eq!((subject.as_deref(), time.as_deref()), (Some("eu"), Some("2024-12-26T18:05:42.000Z")));
        assert_eq!((&**provider, &**route), ("acme", "orders"));
        assert_eq!(data(&events[0]), r#"{"total":  1.50}"#, "byte for byte");
        assert_eq!(events[0].event.document()["data"], json!({ "total": 1.5 }));
        let ping = mapped(map, r#"{"kind":"paid","id":"a","test":true,"object":1}"#).unwrap();
        assert_eq!(ping[0].event.kind(), "ping");
    }

    #[test]
    fn what_is_required_and_not_there_is_named_with_where_it_was_looked_for() {
        let map = "type: [$.type, 'header:X-Type']\nid: $.id\ndata: $.object\nrequire: [$.shop]";
        for (body, what, looked_at) in [
            (r#"{"type":"t","id":1,"object":1}"#, "required part", "$.shop"),
            (r#"{"type":"t","id":1,"shop":1}"#, "data", "$.object"),
            (r#"{"id":1,"object":1,"shop":1}"#, "type", "$.type, then header:X-Type"),
            (r#"{"type":"","id":1,"object":1,"shop":1}"#, "type", "$.type, then header:X-Type"),
            (r#"{"type":"t","id":null,"object":1,"shop":1}"#, "id", "$.id"),
        ] {
            assert_eq!(missing(mapped(map, body)), (what, looked_at.to_owned()), "{body}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_left_out() {
        let events = mapped("type: $.type\ntime: $.at", r#"{"type":"t","at":"yesterday"}"#).unwrap();
        assert_eq!(events[0].event.attributes().time, None);
    }

    #[test]
    fn a_batch_splits_into_elements_that_see_their_envelope() {
        let map = "batch: $[0:]\nsplit: ['$.items[*]', $.item]\ntype: 'envelope:$.event'\nid: '{envelope:$.n}:{$.id}'";
        let body = r#"[{"event":"a","n":1,"items":[{"id":1},{"id":2}]},{"event":"b","n":2,"item":{"id":3}}]"#;
        let events = mapped(map, body).unwrap();
        assert_eq!(ids(&events), ["1:1", "1:2", "2:3"]);
        assert_eq!(events[2].event.kind(), "b");
        assert_eq!(data(&events[1]), r#"{"id":2}"#);
        assert!(events.iter().all(|one| Arc::ptr_eq(one.event.request(), events[0].event.request())));
        let single = mapped(map, r#"{"event":"a","n":1,"item":{"id":9}}"#).unwrap();
        assert_eq!(ids(&single), ["1:9"], "a body that is no list is one envelope");
    }

    #[test]
    fn one_envelope_of_nothing_refuses_the_request() {
        let map = "batch: $[0:]\nsplit: $.items[*]\ntype: 'envelope:$.event'";
        for body in [r#"[{"event":"a","items":[1]},{"event":"a","items":[]}]"#, r#"{"event":"a"}"#, "[]"] {
            let refused = mapped(map, body).unwrap_err();
            assert_eq!(refused, NotAnEvent::NoEvents { looked_at: "$.items[*]".to_owned() }, "{body}");
        }
    }

    #[test]
    fn a_batch_under_a_long_head_is_bounded_sooner() {
        let long = "x".repeat(60_000);
        let body = format!("[{}]", vec![r#"{"specversion":"1.0","id":"1","type":"t","source":"/"}"#; 5_000].join(","));
        let with =
            |head: &str| open(&[("content-type", "application/cloudevents-batch+json"), ("x-note", head)], &body);
        assert_eq!(with("short").unwrap().len(), 5_000);
        assert!(matches!(with(&long), Err(NotAnEvent::TooManyEvents { limit }) if limit < 2_000));
    }

    #[test]
    fn a_batch_is_bounded() {
        let body = format!("[{}1]", "1,".repeat(MAX_EVENTS));
        let refused = mapped("split: $[*]\ntype: 'header:X-Type'", &body).unwrap_err();
        assert_eq!(refused, NotAnEvent::TooManyEvents { limit: MAX_EVENTS });
    }

    #[test]
    fn without_an_id_the_same_body_is_the_same_event() {
        let id = |body: &str| mapped("type: $.type\ndata: $.d", body).unwrap()[0].event.id().to_owned();
        assert_eq!(id(r#"{"type":"t","d":1}"#), id(r#"{"type":"t","d":1}"#));
        assert_ne!(id(r#"{"type":"t","d":1}"#), id(r#"{"type":"t","d":1 }"#));
    }

    #[test]
    fn without_an_id_elements_that_differ_anywhere_are_two_events() {
        let map = "split: $.items[*]\ntype: 'envelope:$.type'\ndata: $.object";
        let body = r#"{"type":"t","items":[{"n":1,"object":{}},{"n":2,"object":{}},{"n":1,"object":{}}]}"#;
        let events = mapped(map, body).unwrap();
        assert_ne!(ids(&events)[0], ids(&events)[1], "their data is the same, they are not");
        assert_eq!(ids(&events)[0], ids(&events)[2]);
        let other = mapped(map, &body.replace(r#""type":"t""#, r#""type":"u""#)).unwrap();
        assert_ne!(ids(&events)[0], ids(&other)[0]);
    }

    #[test]
    fn a_map_that_cannot_work_is_a_problem() {
        for map in ["type: typ", "type: $.type\ndata: $.items[*]", "type: $.type\nsplit: $[", "type: $.type\nid: ''"] {
            assert_eq!(compile(map).unwrap_err().len(), 1, "{map}");
        }
    }
}

mod without_a_provider {
    use super::*;

    #[test]
    fn a_structured_cloud_event_is_taken_for_what_it_is() {
        let body = r#"{"specversion":"1.0","id":"1","source":"/shop","type":"paid","subject":"o","data":{"n": 1}}"#;
        let events = open(STRUCTURED, body).unwrap();
        let attributes = events[0].event.attributes();
        assert_eq!((&*attributes.id, &*attributes.source, &*attributes.kind), ("1", "/shop", "paid"));
        assert_eq!((data(&events[0]), &*attributes.provider), (r#"{"n": 1}"#, ""));
        assert_eq!(events[0].key, "/shop\n1", "two sources may have the same id");
    }

    #[test]
    fn a_structured_cloud_event_without_data_has_none() {
        let events = open(STRUCTURED, r#"{"specversion":"1.0","id":"1","source":"/shop","type":"t"}"#).unwrap();
        assert_eq!((data(&events[0]), &events[0].event.document()["data"]), ("", &Value::Null));
    }

    #[test]
    fn a_cloud_event_that_lacks_what_it_must_have_is_refused() {
        let whole = json!({ "specversion": "1.0", "id": "1", "source": "/shop", "type": "t", "data": 1 });
        for name in ["specversion", "id", "source", "type"] {
            for wrong in [Value::Null, json!(""), json!(1)] {
                let mut event = whole.clone();
                event[name] = wrong;
                assert_eq!(missing(open(STRUCTURED, &event.to_string())), (name, format!("$.{name}")));
                assert_eq!(missing(open(BATCH, &json!([whole, event]).to_string())).0, name, "all or nothing");
            }
        }
        let mut event = whole.clone();
        event["specversion"] = json!("0.3");
        assert_eq!(missing(open(STRUCTURED, &event.to_string())).0, "specversion 1.0");
        let mut event = whole;
        event["data_base64"] = json!("AA==");
        assert_eq!(missing(open(STRUCTURED, &event.to_string())).0, "JSON data");
    }

    #[test]
    fn a_batch_has_an_event_for_each() {
        let one = |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "t", "data": id });
        let events = open(BATCH, &json!([one("a"), one("b")]).to_string()).unwrap();
        assert_eq!(ids(&events), ["a", "b"]);
        assert_eq!(data(&events[1]), "\"b\"");
        for body in ["[]", "{}", "1"] {
            assert!(matches!(open(BATCH, body), Err(NotAnEvent::NoEvents { .. })), "{body}");
        }
        assert!(matches!(open(BATCH, "[1]"), Err(NotAnEvent::Missing { .. })));
    }

    #[test]
    fn a_binary_cloud_event_has_its_attributes_in_the_header() {
        let fields = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/shop"),
            ("ce-type", "order%20paid"),
            ("content-type", "application/json"),
        ];
        let events = open(&fields, r#" {"n": 1}"#).unwrap();
        assert_eq!((events[0].event.kind(), data(&events[0])), ("order paid", r#"{"n": 1}"#));
        assert_eq!(data(&open(&fields, "").unwrap()[0]), "", "an event may have no data");
        for (left_out, what) in [(1, "id"), (2, "source"), (3, "type")] {
            let fewer: Vec<_> = fields.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, f)| *f).collect();
            assert_eq!(missing(open(&fewer, "{}")).0, what);
        }
    }

    #[test]
    fn any_other_json_is_known_by_its_type_and_id() {
        let events = open(&[], r#"{"type":"paid","id":12345678901234567890,"subject":"s"}"#).unwrap();
        assert_eq!((ids(&events), events[0].event.kind()), (vec!["12345678901234567890"], "paid"));
        assert_eq!(events[0].key, "12345678901234567890");
        let hashed = open(&[], r#"{"type":"paid"}"#).unwrap();
        assert_eq!(ids(&hashed)[0].len(), 64, "without an id, the body's hash");
        for body in [r#"{"id":1}"#, r#"{"type":""}"#, r#"{"type":{}}"#, "[]", "null"] {
            assert_eq!(missing(open(&[], body)), ("type", "$.type".to_owned()), "{body}");
        }
    }
}

#[test]
fn what_is_not_json_is_refused_with_the_place() {
    assert_eq!(open(&[], "{\n  x").unwrap_err(), NotAnEvent::NotJson { line: 2, column: 3 });
    assert!(matches!(open(&[], ""), Err(NotAnEvent::NotJson { .. })));
    assert!(matches!(open(STRUCTURED, "\u{1}"), Err(NotAnEvent::NotJson { .. })));
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert!(matches!(open(&[], &deep), Err(NotAnEvent::NotJson { .. })), "the stack is bounded");
}

#[test]
fn a_number_is_the_one_that_came_in() {
    // Read carelessly, this one comes out as 3.7861354689309613e-8.
    let events = open(&[], r#"{"type":"t","n":3.786135468930961e-8}"#).unwrap();
    assert_eq!(events[0].event.document()["data"]["n"].to_string(), "3.786135468930961e-8");
}

#[test]
fn the_media_type_decides_what_is_looked_at() {
    let json = r#"{"type":"t","id":"1"}"#;
    let media = |value: &'static str| [("content-type", value)];
    for taken in ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/hal+json", ""] {
        assert!(open(&media(taken), json).is_ok(), "{taken}");
        assert!(run(&compile("type: $.type").unwrap(), received(&media(taken), json.as_bytes())).is_ok(), "{taken}");
    }
    for careless in ["application/x-www-form-urlencoded", "application/octet-stream"] {
        assert_eq!(open(&media(careless), json).unwrap_err(), NotAnEvent::MediaType, "{careless}");
        let mapped = run(&compile("type: $.type").unwrap(), received(&media(careless), json.as_bytes()));
        assert!(mapped.is_ok(), "a provider that sends JSON under another name is believed");
    }
    for other in ["text/plain", "application/xml", "multipart/form-data"] {
        assert_eq!(open(&media(other), json).unwrap_err(), NotAnEvent::MediaType, "{other}");
        let mapped = run(&compile("type: $.type").unwrap(), received(&media(other), json.as_bytes()));
        assert_eq!(mapped.unwrap_err(), NotAnEvent::MediaType, "{other}");
    }
}

#[test]
fn a_compressed_body_is_refused_in_so_many_words() {
    let json = r#"{"type":"t"}"#;
    assert_eq!(open(&[("content-encoding", "gzip")], json).unwrap_err(), NotAnEvent::ContentEncoding);
    let both = [("content-encoding", "identity"), ("content-encoding", "br")];
    assert_eq!(open(&both, json).unwrap_err(), NotAnEvent::ContentEncoding);
    for identity in ["identity", "Identity"] {
        assert!(open(&[("content-encoding", identity)], json).is_ok());
    }
}

#[test]
fn credentials_and_what_belongs_to_the_connection_are_not_kept() {
    let fields =
        [("authorization", "Bearer x"), ("cookie", "c"), ("x-token", "t"), ("connection", "close"), ("x-shop", "1")];
    let credentials = [HeaderName::from_static("x-token")];
    let normalizer = Normalizer::compile(&"orders".into(), None, &credentials, &mut Problems::new()).unwrap();
    let events = run(&normalizer, received(&fields, br#"{"type":"t"}"#)).unwrap();
    let kept: Vec<_> = events[0].event.request().headers.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(kept, ["x-shop"]);
}

/// Any JSON, with the names that the maps below look for.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let name = prop_oneof![Just("type"), Just("id"), Just("items"), Just("object"), Just("data"), Just("é\"\\")];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

fn any_map() -> impl Strategy<Value = String> {
    let batch = prop_oneof![Just(""), Just("batch: $[*]\n"), Just("batch: $..items\n")];
    let split = prop_oneof![Just(""), Just("split: $.items[*]\n"), Just("split: [$..*, $.object]\n")];
    let data = prop_oneof![Just(""), Just("data: $.object\n"), Just("data: [$.data.object, $.data]\n")];
    let kind = prop_oneof![Just("type: $.type"), Just("type: 'data:sha256'"), Just("type: 'envelope:$.type'")];
    (batch, split, data, kind).prop_map(|(batch, split, data, kind)| format!("{batch}{split}{data}{kind}"))
}

/// What deliveries may look at.
const QUERIES: [&str; 8] =
    ["$.type", "$.data", "$.data.id", "$.data.items[*]", "$.data.object.*", "$.data..id", "$.headers", "$"];
const BINARY: &[(&str, &str)] = &[("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-type", "t"), ("ce-source", "/s")];

#[test]
fn what_deliveries_look_at_goes_with_the_event() {
    let mut needs = Needs::nothing();
    Query::parse("$.data.n").unwrap().add_needs(&mut needs);
    let kept = |normalizer: Normalizer, headers: &[(&str, &str)], body: &str| {
        let events = run(&normalizer.keeping(&needs), received(headers, body.as_bytes())).unwrap();
        events[0].event.kept(&needs).map(|(needs, kept)| JsonRef::part(needs, kept).to_value())
    };
    let expected = Some(json!({ "data": { "n": 1 } }));
    let body = r#"{"id":"1","source":"/","specversion":"1.0","type":"t","data":{"n":1,"m":2}}"#;
    assert_eq!(kept(compile("type: $.type\ndata: [$.object, $.data]").unwrap(), &[], body), expected);
    let open = || Normalizer::compile(&"orders".into(), None, &[], &mut Problems::new()).unwrap();
    assert_eq!(kept(open(), STRUCTURED, body), expected);
    assert_eq!(kept(open(), BINARY, r#"{"n":1,"m":2}"#), expected);
    assert_eq!(kept(open(), &[], r#"{"type":"t","n":1}"#), Some(json!({ "data": { "type": "t", "n": 1 } })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_json_comes_each_event_has_the_bytes_of_its_data(body in any_json(), map in any_map()) {
        let normalizer = compile(&map).unwrap();
        if let Ok(events) = run(&normalizer, received(&[], body.to_string().as_bytes())) {
            for one in &events {
                let bytes: Value = serde_json::from_slice(one.event.data_bytes()).unwrap();
                prop_assert_eq!(&bytes, &one.event.document()["data"]);
                prop_assert!(!one.event.id().is_empty() && !one.event.kind().is_empty());
            }
        }
    }

    #[test]
    fn what_goes_with_an_event_is_what_is_found_in_it_later(
        parts in prop::collection::vec((prop::sample::select(vec!["data", "object", "type"]), any_json()), 0..4),
        map in any_map(),
        queries in prop::collection::vec(prop::sample::select(QUERIES.to_vec()), 1..4),
    ) {
        // Names may stand in it twice.
        let part = |(name, value): &(&str, Value)| format!("\"{name}\": {value}, ");
        let head = r#""specversion": "1.0", "id": "1", "source": "/s", "time": 1700000000"#;
        let body = format!("{{{}{head}, \"type\": \"t\"}} ", parts.iter().map(part).collect::<String>());
        let mut needs = Needs::nothing();
        let queries: Vec<Query> = queries.iter().map(|text| Query::parse(text).unwrap()).collect();
        queries.iter().for_each(|query| query.add_needs(&mut needs));
        for headers in [None, Some(STRUCTURED), Some(BINARY), Some(&[][..])] {
            let normalizer = || match headers {
                None => compile(&map).unwrap(),
                Some(_) => Normalizer::compile(&"orders".into(), None, &[], &mut Problems::new()).unwrap(),
            };
            let events = |normalizer: &Normalizer| run(normalizer, received(headers.unwrap_or_default(), body.as_bytes()));
            let (plain, keeping) = (events(&normalizer()), events(&normalizer().keeping(&needs)));
            let (Ok(plain), Ok(keeping)) = (&plain, &keeping) else {
                prop_assert_eq!(plain.err(), keeping.err());
                continue;
            };
            prop_assert_eq!(plain.len(), keeping.len());
            for (plain, keeping) in plain.iter().zip(keeping) {
                prop_assert_eq!(plain.event.attributes(), keeping.event.attributes());
                prop_assert_eq!(plain.event.data_range(), keeping.event.data_range());
                let (kept, all) = (view(&keeping.event, &needs), plain.event.document());
                for query in &queries {
                    prop_assert_eq!(query.all(&kept, &kept), query.all(all, all), "{:?} {}", query, body);
                }
            }
        }
    }

    #[test]
    fn whatever_bytes_come_nothing_panics(body in prop::collection::vec(any::<u8>(), 0..60), map in any_map()) {
        let _ = run(&compile(&map).unwrap(), received(&[], &body));
        for headers in [STRUCTURED, BATCH, &[("ce-specversion", "1.0")]] {
            let normalizer = Normalizer::compile(&"orders".into(), None, &[], &mut Problems::new()).unwrap();
            let _ = run(&normalizer, received(headers, &body));
        }
    }
}

#[test]
fn the_evidence_says_which_attempt_it_was_and_under_which_configuration() {
    let normalizer = compile("type: $.event\nattempt: [\"header:X-Attempt\", \"query:attempt\"]").unwrap();
    for (attempt, expected) in [("3", Some(3)), (" 4 ", Some(4)), ("-1", None), ("many", None)] {
        let events = run(&normalizer, received(&[("x-attempt", attempt)], br#"{"event":"a"}"#)).unwrap();
        let evidence = &events[0].event.request().evidence;
        assert_eq!((evidence.attempt, &*evidence.configuration), (expected, "f1"));
    }
    let silent = run(&normalizer, received(&[], br#"{"event":"a"}"#)).unwrap();
    assert_eq!(silent[0].event.request().evidence.attempt, None);
}

#[test]
fn an_attempt_is_not_looked_for_in_the_body() {
    let problems = compile("type: $.event\nattempt: $.attempt").unwrap_err();
    assert_eq!(problems, ["the attempt's number is not looked for in the body"]);
}
