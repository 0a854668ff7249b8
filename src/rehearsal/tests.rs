//! What a rehearsal says of one request, and what it keeps to itself.

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::*;
use crate::config::load::{self, FixedSurroundings};
use crate::model::Timestamp;
use crate::pipeline::verify::Unsigned;
use crate::routing::{self, RouteTable};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn table(text: &str) -> RouteTable {
    let loaded = load::parse("routes.yaml", text, &FixedSurroundings::new());
    let mut problems = loaded.problems;
    let table = routing::compile(&loaded.file.unwrap(), &loaded.given, &mut problems);
    table.unwrap_or_else(|| panic!("{:?}", problems.sorted()))
}

/// A table with one destination and this as the rest of its one route.
fn with(destination: &str, route: &str) -> RouteTable {
    table(&format!("destinations: {{ d: {{ {destination} }} }}\nroutes: [{{ name: r, path: /r, {route} }}]\n"))
}

fn request(path: &str, body: &str) -> Unsigned {
    Unsigned {
        method: Method::POST,
        path: path.into(),
        query: "".into(),
        path_params: Vec::new(),
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
    }
}

fn rehearse(table: &RouteTable, body: &str) -> Rehearsal {
    stage(table, request("/r", body), None).unwrap_or_else(|why| panic!("{why}")).rehearse(NOW, Sight::Masked)
}

const OPEN: &str = "auth: none, deliver: [{ to: d }]";
const BODY: &str = r#"{"type":"t","id":"1","n":9007199254740993}"#;

#[test]
fn a_request_is_shown_to_the_byte() {
    let rehearsal = rehearse(&with("url: 'https://d.test:8443/x?key=hunter2&id={$.id}'", OPEN), BODY);
    assert!(rehearsal.accepted);
    assert_eq!((rehearsal.answer.status, rehearsal.answer.body.text()), (202, Some(r#"{"id":"1"}"#)));
    let sent = rehearsal.events[0].deliveries[0].request.as_ref().unwrap();
    assert_eq!((&*sent.method, &*sent.url), ("POST", "https://d.test:8443/x?key=***&id=1"));
    assert_eq!(sent.headers.get("host"), Some("d.test:8443"));
    assert_eq!(sent.headers.get("content-length"), Some(&*sent.body.0.len().to_string()));
    assert_eq!(sent.headers.get("Hookswitch-Attempt"), Some("1"));
    assert!(sent.body.text().unwrap().contains("9007199254740993"), "{sent:?}");
}

#[test]
fn credentials_are_masked_unless_a_person_asks_for_them() {
    for (auth, header, masked, plain) in [
        ("auth: { bearer: hunter2 }", "authorization", "Bearer ***", "Bearer hunter2"),
        ("auth: { basic: { username: u, password: hunter2 } }", "authorization", "Basic ***", "Basic dTpodW50ZXIy"),
        ("auth: { header: { name: X-Pass, value: hunter2 } }", "x-pass", "***", "hunter2"),
        ("headers: { X-Api-Key: hunter2 }", "x-api-key", "***", "hunter2"),
    ] {
        let table = with(&format!("url: 'http://d', {auth}"), OPEN);
        for (sight, value) in [(Sight::Masked, masked), (Sight::Plain, plain)] {
            let staged = stage(&table, request("/r", BODY), None).unwrap_or_else(|why| panic!("{why}"));
            let rehearsal = staged.rehearse(NOW, sight);
            let sent = rehearsal.events[0].deliveries[0].request.as_ref().unwrap();
            assert_eq!(sent.headers.get(header), Some(value), "{auth}");
            let all = format!("{rehearsal:?}{}", serde_json::to_string(&rehearsal).unwrap());
            assert_eq!(all.contains("hunter2") || all.contains("dTpodW50ZXIy"), sight == Sight::Plain, "{auth}");
        }
    }
}

#[test]
fn nobody_is_asked_for_an_access_token() {
    let oauth = "auth: { oauth2: { token_url: 'https://login.test/', client_id: c, client_secret: hunter2 } }";
    let signed = "sign: { hmac: { hash: sha256, secret: s, signature: { to: 'header:X-Sig' }, content: '{header:Authorization}{body}' } }";
    let rehearsal = rehearse(&with(&format!("url: 'http://d', {oauth}, {signed}"), OPEN), BODY);
    let sent = rehearsal.events[0].deliveries[0].request.as_ref().unwrap();
    assert_eq!(sent.headers.get("authorization"), Some("Bearer <token of oauth2>"));
    assert!(sent.headers.get("x-sig").is_some(), "what is signed is there");
}

#[test]
fn what_cannot_be_sent_is_a_dead_letter_with_its_reason() {
    let route = "auth: none, deliver: [{ to: d, transform: { x: { $path: $.data.no, $required: true } } }]";
    let rehearsal = rehearse(&with("url: 'http://d'", route), BODY);
    let delivery = &rehearsal.events[0].deliveries[0];
    assert!(rehearsal.accepted && delivery.wanted && delivery.request.is_none());
    let dead = delivery.dead_letter.as_ref().unwrap();
    assert_eq!(dead.reason, "transform");
    assert!(dead.detail.contains("$.data.no"), "{dead:?}");
}

#[test]
fn what_is_not_wanted_says_why() {
    let route = "auth: none, deliver: [{ to: d, filter: \"$.type == 't' && $.data.total > 5\" }]";
    let rehearsal = rehearse(&with("url: 'http://d'", route), r#"{"type":"t","id":"1","total":3}"#);
    let delivery = &rehearsal.events[0].deliveries[0];
    assert!(rehearsal.accepted && !delivery.wanted && delivery.request.is_none());
    let why = &delivery.because[0];
    assert_eq!((&*why.part, &*why.cause.text, why.cause.holds), ("filter", "$.data.total > 5", false));
    assert_eq!(why.cause.saw[0].value.as_deref(), Some("3"));
}

#[test]
fn a_request_that_is_refused_says_why_and_the_provider_hears_less() {
    let hmac = "auth: { hmac: { hash: sha256, signature: { from: 'header:X-Sig' } } }, secret: s, deliver: [{ to: d }]";
    let table = with("url: 'http://d'", hmac);
    let rehearsal = rehearse(&table, BODY);
    assert!(!rehearsal.accepted && rehearsal.events.is_empty());
    assert_eq!(rehearsal.answer.body.text(), Some(r#"{"error":"unauthorized"}"#));
    assert_eq!(rehearsal.verdict.unwrap().result, "missing");
    assert_eq!(rehearsal.refused.unwrap().reason, "missing");
    let mut staged = stage(&table, request("/r", BODY), None).unwrap_or_else(|why| panic!("{why}"));
    staged.sign(NOW).unwrap();
    let verdict = staged.rehearse(NOW, Sight::Masked).verdict.unwrap();
    assert_eq!((verdict.result, verdict.scheme, verdict.secret.as_deref()), ("verified", "hmac", Some("default")));
    let open = with("url: 'http://d'", "auth: none, max_body: 8B, deliver: [{ to: d }]");
    assert_eq!(rehearse(&open, "nonsense").refused.unwrap().reason, "not_json");
    let large = rehearse(&open, "123456789");
    assert_eq!((large.answer.status, large.refused.unwrap().reason), (413, "too_large"));
    let get = Unsigned { method: Method::GET, ..request("/r", "") };
    let got = stage(&open, get, None).unwrap_or_else(|why| panic!("{why}")).rehearse(NOW, Sight::Masked);
    assert_eq!((got.answer.status, got.answer.headers.get("allow")), (405, Some("POST")));
}

#[test]
fn a_route_is_found_by_name_or_by_path() {
    let table = table(
        "destinations: { d: { url: 'http://d' } }\nroutes:\n  - { name: one, path: /one, auth: none, deliver: [{ to: d }] }\n  \
         - { name: hook, path: '/h/{topic}', auth: none, deliver: [{ to: d }] }\n",
    );
    let why = |path: &str, route| stage(&table, request(path, BODY), route).map(|staged| staged.request).err();
    assert_eq!(why("/two", None), Some(NotStaged::NoRoute { path: "/two".into() }));
    assert_eq!(why("/", Some("on")), Some(NotStaged::Unknown { name: "on".into(), meant: Some("one".into()) }));
    assert!(matches!(why("/", Some("hook")), Some(NotStaged::Parameters { .. })));
    let staged = stage(&table, request("/h/orders", BODY), Some("hook")).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(&*staged.request.path_params[0].1, "orders");
    let staged = stage(&table, request("/anywhere", BODY), Some("one")).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(&*staged.request.path, "/one");
}

#[test]
fn an_event_that_comes_twice_in_a_request_is_delivered_once() {
    let table = table(
        "providers: { p: { auth: none, event: { batch: '$[0:]', type: $.type, id: $.id } } }\ndestinations: { d: { url: 'http://d' } }\n\
         routes: [{ name: r, path: /r, provider: p, deliver: [{ to: d }] }]\n",
    );
    let rehearsal = rehearse(&table, &format!("[{BODY},{BODY}]"));
    let twice: Vec<_> =
        rehearsal.events.iter().map(|event| (event.duplicate_of, event.deliveries[0].request.is_some())).collect();
    assert_eq!(twice, [(None, true), (Some(1), false)]);
}

#[test]
fn as_json_it_keeps_the_events_bytes() {
    let rehearsal = rehearse(&with("url: 'http://d'", OPEN), BODY);
    let text = serde_json::to_string(&rehearsal).unwrap();
    assert!(text.contains(r#""data":{"type":"t","id":"1","n":9007199254740993}"#), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value.pointer("/events/0/deliveries/0/wanted"), Some(&json!(true)));
}
