//! What is told of two configurations, and what is not.

use std::fs;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;
use crate::config::load::FixedSurroundings;
use crate::pipeline::verify::Unsigned;

const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);
const BODY: &str = r#"{"type":"order.paid","id":"1","total":5,"email":"ann@example.test","note":"from hunter2"}"#;

fn side(text: &str) -> Side {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("routes.yaml");
    fs::write(&path, text).unwrap();
    let surroundings = FixedSurroundings::new().with_variable("API_TOKEN", "hunter2").with_variable("HOST", "hunter3");
    Side::load(&path, &surroundings).unwrap_or_else(|report| panic!("{:?}: {text}", report.problems))
}

fn sides(old: &str, new: &str) -> Sides {
    Sides::new(side(old), side(new))
}

/// A configuration with one route to one destination.
fn one(route: &str, destination: &str) -> String {
    format!("destinations: {{ d: {{ {destination} }} }}\nroutes: [{{ name: r, path: /r, {route} }}]\n")
}

const TO: &str = "url: 'http://d.test/'";

fn request(headers: &[(&'static str, &str)]) -> Unsigned {
    let headers =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    let headers = headers.chain([(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    Unsigned {
        method: Method::POST,
        path: "/r".into(),
        query: "".into(),
        path_params: Vec::new(),
        headers: HeaderMap::from_iter(headers),
        body: BODY.into(),
    }
}

/// One that was kept, verified by this scheme and secret.
fn kept(request: Unsigned, scheme: &str, secret: Option<&str>, configuration: &str) -> Specimen {
    let evidence = Evidence {
        scheme: scheme.into(),
        secret: secret.map(Into::into),
        configuration: configuration.into(),
        ..Evidence::default()
    };
    let origin = Origin::Kept { evidence, events: 1 };
    Specimen { name: "q".to_owned(), request, at: AT, route: None, origin }
}

fn open(request: Unsigned) -> Specimen {
    kept(request, "none", None, "")
}

/// What differs, in short.
fn told(comparison: &Comparison) -> Vec<String> {
    let told = comparison.changes.iter().map(|Change { subject, kind, example }| {
        let paths = example.differences.iter().map(|at| format!(" {}:{}->{}", at.path, at.expected, at.got));
        let name = subject.delivery().unwrap_or(subject.as_str());
        format!("{name} {}{}", kind.as_str(), paths.collect::<String>())
    });
    told.collect()
}

fn between(old: &str, new: &str) -> Vec<String> {
    told(&sides(old, new).compare(open(request(&[]))))
}

#[test]
fn each_difference_is_named_by_its_path() {
    let route = |deliver: &str| one(&format!("auth: none, deliver: [{deliver}]"), TO);
    let to_d = route("{ to: d, transform: { a: $.data.total, b: { c: x } } }");
    let cases = [
        (to_d.replace("c: x", "c: y"), vec![r#"d changed body.b.c:"x"->"y""#]),
        (to_d.replace(", b: { c: x }", ""), vec![r#"d changed body.b:{"c":"x"}->nothing"#]),
        (to_d.replace("d.test/", "e.test/{$.id}"), vec!["d changed url:http://d.test/->http://e.test/1"]),
        (to_d.replace(TO, "url: 'http://d.test/', method: PUT"), vec!["d changed method:POST->PUT"]),
        (to_d.replace(TO, "url: 'http://d.test/', headers: { X-A: '1' }"), vec!["d changed headers.x-a:nothing->1"]),
        (route("{ to: d, filter: $.data.total > 5, transform: { a: 1 } }"), vec!["d lost"]),
        (to_d.replace("{ to: d,", "{ to: d, name: e,"), vec!["d lost", "e gained"]),
        (to_d.replace("a: $.data.total", "a: { $path: $.data.no, $required: true }"), vec!["d dead"]),
        (
            to_d.replace("b: { c: x } } }", "b: { c: x } }, order_by: $.data.total }"),
            vec!["d changed order_key:nothing->5"],
        ),
        (to_d.replace("path: /r", "path: /s"), vec!["request refused", "event lost", "d lost"]),
    ];
    for (new, expected) in cases {
        assert_eq!(between(&to_d, &new), expected, "{new}");
        assert_eq!(between(&new, &new), Vec::<String>::new());
    }
    let mended = between(&cases_dead(&to_d), &to_d);
    assert_eq!(mended, ["d mended"]);
}

fn cases_dead(to_d: &str) -> String {
    to_d.replace("a: $.data.total", "a: { $path: $.data.no, $required: true }")
}

#[test]
fn what_follows_from_another_difference_is_none_of_its_own() {
    let signed =
        "url: 'http://d.test/', sign: { standard_webhooks: { secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw } }";
    let old = one("auth: none, deliver: [{ to: d, transform: { a: 1 } }]", signed);
    assert_eq!(between(&old, &old.replace("a: 1", "a: 22")), ["d changed body.a:1->22"]);
    let another = between(&old, &old.replace("MfKQ", "MfKR"));
    assert!(another[0].starts_with("d changed headers.webhook-signature:") && another.len() == 1, "{another:?}");
}

#[test]
fn events_are_known_again_by_their_ids() {
    let provider = |event: &str| {
        format!(
            "providers: {{ p: {{ auth: none, event: {{ {event} }} }} }}\n{}",
            one("provider: p, deliver: [{ to: d, transform: { a: 1 } }]", TO)
        )
    };
    let old = provider("type: $.type, id: $.id");
    assert_eq!(
        between(&old, &provider("type: $.type, id: $.id, subject: $.email")),
        ["event changed subject:nothing->ann@example.test"]
    );
    let other_id = between(&old, &provider("type: $.type, id: $.total"));
    assert_eq!(other_id.len(), 2, "{other_id:?}");
    assert!(other_id[0].starts_with("event changed id:1->5"), "{other_id:?}");
    assert!(other_id[1].starts_with("d changed headers.idempotency-key:"), "{other_id:?}");
    assert_eq!(between(&old, &provider("type: $.no, id: $.id")), ["request refused", "event lost", "d lost"]);
    assert_eq!(between(&provider("type: $.no, id: $.id"), &old), ["request accepted", "event gained", "d gained"]);
}

/// A route under this scheme.
fn under(auth: &str) -> String {
    one(&format!("{auth}, deliver: [{{ to: d, transform: {{ a: 1 }} }}]"), TO)
}

fn signed_with(auth: &str) -> Unsigned {
    let side = side(&under(auth));
    let mut staged = stage(side.table(), request(&[]), None).unwrap_or_else(|why| panic!("{why}"));
    staged.sign(AT).unwrap();
    staged.request().clone()
}

const HMAC: &str = "auth: { hmac: { hash: sha256, signature: { from: 'header:X-Sig' } } }";
const TOKEN: &str = "auth: { token: { from: 'header:X-Token' } }";

#[test]
fn a_verdict_is_taken_from_what_was_found_or_found_again_or_not_told() {
    let token = format!("{TOKEN}, secrets: {{ one: aaaaaaaaaaaaaaaa }}");
    let hmac = format!("{HMAC}, secret: aaaaaaaaaaaaaaaa");
    let of_token = || kept(request(&[]), "token", Some("one"), "");
    let of_hmac = || kept(signed_with(&hmac), "hmac", Some("default"), "");
    type Case<'c> = (&'c str, String, Box<dyn Fn() -> Specimen + 'c>, &'c str);
    let cases: Vec<Case<'_>> = vec![
        // The secret that matched is still there.
        (&token, token.replace("{ one:", "{ two: bbbbbbbbbbbbbbbb, one:"), Box::new(of_token), "same"),
        // It is not, and the token was never kept.
        (&token, token.replace("aaaa", "bbbb"), Box::new(of_token), "undecided"),
        (&token, "auth: none".to_owned(), Box::new(of_token), "same"),
        // A signature is kept, so another secret can be asked.
        (&hmac, hmac.replace("aaaa", "bbbb"), Box::new(of_hmac), "refused"),
        (
            &hmac,
            format!("{HMAC}, secrets: {{ new: bbbbbbbbbbbbbbbb, old: aaaaaaaaaaaaaaaa }}"),
            Box::new(of_hmac),
            "same",
        ),
        // Header fields that carry no credential are kept: it had none of this name.
        (&hmac, hmac.replace("X-Sig", "X-Other"), Box::new(of_hmac), "refused"),
        // But never this one.
        (&hmac, hmac.replace("X-Sig", "Authorization"), Box::new(of_hmac), "undecided"),
        (&hmac, format!("{TOKEN}, secret: aaaaaaaaaaaaaaaa"), Box::new(of_hmac), "undecided"),
        (
            &hmac,
            "auth: { sns: {} }, secret: 'arn:aws:sns:eu-west-1:123456789012:t'".to_owned(),
            Box::new(of_hmac),
            "undecided",
        ),
    ];
    for (old, new, specimen, expected) in cases {
        let comparison = sides(&under(old), &under(&new)).compare(specimen());
        let verdict = match (comparison.undecided, told(&comparison)) {
            (Some(_), told) if told.is_empty() => "undecided",
            (None, told) if told.is_empty() => "same",
            (None, told) if told[0] == "request refused" => "refused",
            (_, told) => panic!("{told:?}"),
        };
        assert_eq!(verdict, expected, "{old} -> {new}");
    }
}

#[test]
fn a_made_up_secret_refuses_nothing() {
    let hmac = format!("{HMAC}, secret: aaaaaaaaaaaaaaaa");
    let specimen = || kept(signed_with(&hmac), "hmac", Some("default"), "");
    let made_up = sides(&under(&hmac), &under(&hmac.replace("aaaa", "bbbb"))).with_made_up().compare(specimen());
    assert!(made_up.undecided.is_some() && made_up.changes.is_empty());
}

#[test]
fn what_comes_after_an_undecided_verdict_is_compared_all_the_same() {
    let old = under(&format!("{TOKEN}, secret: aaaaaaaaaaaaaaaa"));
    let new = old.replace("aaaa", "bbbb").replace("a: 1", "a: 2");
    let comparison = sides(&old, &new).compare(kept(request(&[]), "token", Some("default"), ""));
    assert!(comparison.undecided.is_some());
    assert_eq!(told(&comparison), ["d changed body.a:1->2"]);
}

#[test]
fn a_query_that_is_masked_says_nothing_of_its_credential() {
    let auth = "auth: { token: { from: 'query:key' } }, secret: aaaaaaaaaaaaaaaa";
    let asked = Unsigned { query: "key=***".into(), ..request(&[]) };
    let comparison =
        sides(&under(auth), &under(&auth.replace("aaaa", "bbbb"))).compare(kept(asked, "token", Some("default"), ""));
    assert!(comparison.undecided.is_some() && comparison.changes.is_empty());
}

#[test]
fn the_same_route_has_no_differences() {
    let text = "
public_url: https://hooks.test
providers:
  p: { auth: none, event: { batch: '$.items[*]', type: $.type, id: $.id } }
destinations:
  a: { url: 'http://a.test/{$.id}', auth: { bearer: '${API_TOKEN}' }, headers: { X-T: '{$.type}' } }
  b: { url: 'http://b.test', sign: { standard_webhooks: { secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw } } }
routes:
  - name: r
    path: /r
    auth: none
    deliver: [{ to: a, transform: { x: $.data.total } }, { to: b, filter: $.data.total > 9 }, { to: b, name: c }]
  - { name: s, path: /s, provider: p, deliver: [{ to: b }] }
";
    for new in [text.to_owned(), text.replace("path: /s", "path: /t"), text.replace("name: s", "name: t")] {
        for specimen in [|| open(request(&[])), || open(Unsigned { body: "{}".into(), ..request(&[]) })] {
            let quick = sides(text, &new).compare(specimen());
            let thorough = sides(text, &new).thoroughly().compare(specimen());
            assert!(quick.skipped && !thorough.skipped);
            assert_eq!((told(&quick), told(&thorough)), (Vec::new(), Vec::new()));
        }
    }
    let other = sides(text, &text.replace("X-T: '{$.type}'", "X-T: '{$.id}'")).compare(open(request(&[])));
    assert_eq!(told(&other), ["a changed headers.x-t:order.paid->1"]);
}

#[test]
fn credentials_differ_without_being_shown() {
    let old = one("auth: none, deliver: [{ to: d }]", "url: 'http://d.test/?key=hunter4', auth: { bearer: hunter5 }");
    let new = old.replace("hunter4", "hunter6").replace("hunter5", "hunter7");
    assert_eq!(
        between(&old, &new),
        ["d changed url:http://d.test/?key=***->http://d.test/?key=*** (another one) \
         headers.authorization:Bearer ***->Bearer *** (another one)"]
    );
}

#[test]
fn what_came_out_of_a_secret_variable_is_shown_nowhere() {
    let old = one("auth: none, deliver: [{ to: d, transform: { a: x, n: $.data.note } }]", TO);
    let new = old.replace("a: x, n: $.data.note", "a: '${API_TOKEN}', b: '${HOST}', n: 'not {$.data.note}'");
    assert_eq!(
        between(&old, &new),
        [r#"d changed body.a:"x"->"***" body.n:"from ***"->"not from ***" body.b:nothing->"hunter3""#]
    );
}

#[test]
fn of_a_route_that_masks_no_value_is_shown() {
    let provider =
        "providers: { p: { auth: none, event: { type: $.type, id: $.id, subject: $.email }, mask: [$.data.email] } }\n";
    let old = format!(
        "{provider}{}",
        one("provider: p, deliver: [{ to: d, transform: { a: $.data.email, b: $.data.total } }]", TO)
    );
    let news = [
        old.replace("a: $.data.email", "a: 'to {$.data.email}'"),
        old.replace("d.test/", "d.test/{$.data.email}"),
        old.replace("subject: $.email", "subject: $.type"),
        old.replace("{ to: d,", "{ to: d, filter: \"$.data.email == 'bob'\","),
        old.replace("mask: [$.data.email]", "mask: []").replace("b: $.data.total", "b: $.data.email"),
    ];
    let with_key = old.replace("d.test/", "d.test/{$.data.email}?key=hunter4");
    let key = (with_key.clone(), with_key.replace("hunter4", "hunter5"));
    for (old, new) in news.into_iter().map(|new| (old.clone(), new)).chain([key]) {
        let comparison = sides(&old, &new).compare(open(request(&[])));
        assert!(!comparison.changes.is_empty(), "{new}");
        let shown = format!("{:?}", comparison.changes);
        for value in ["ann", "example.test", "order.paid", "hunter"] {
            assert!(!shown.contains(value), "{value}: {shown}");
        }
    }
}

#[test]
fn who_counted_what_makes_no_difference() {
    let old = one("auth: none, deliver: [{ to: d, transform: { a: $.data.total } }]", TO);
    let sides = sides(&old, &old.replace("a: $.data.total", "a: $.data.note"));
    let compare = |number: usize| {
        let specimen = Specimen { name: format!("q{number}"), ..open(request(&[])) };
        sides.compare(specimen)
    };
    let counted = |threads: usize| {
        let mut tallies: Vec<Tally> = (0..threads).map(|_| Tally::new(2)).collect();
        for number in 0..12 {
            // Pages are taken by whoever is free.
            let place = (u64::try_from(11 - number).unwrap() / 3, number % 3);
            tallies[number * 7 % threads].add(place, compare(number));
        }
        let all = tallies.into_iter().rev().fold(Tally::new(2), Tally::and);
        let names = |group: &Group| group.examples().map(|one| one.request.clone()).collect::<Vec<_>>();
        let groups: Vec<_> = all.changes.iter().map(|(key, group)| (key.clone(), group.count, names(group))).collect();
        (all.counted, groups)
    };
    assert_eq!(counted(1), counted(5));
    assert_eq!(counted(1).1[0].1, 12);
    assert_eq!(counted(1).1[0].2.len(), 2);
}
