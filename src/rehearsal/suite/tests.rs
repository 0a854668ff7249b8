//! What a test says of its configuration, and what is wrong with a test itself.

use super::*;
use crate::config::load::FixedSurroundings;
use crate::rehearsal::Difference;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

const CONFIG: &str = "
providers:
  stamped:
    auth:
      hmac:
        hash: sha256
        signature: { from: 'header:X-Sig', prefix: 'v1=' }
        timestamp: { from: 'header:X-Time', format: unix, tolerance: 5m }
        content: '{timestamp}.{body}'
    event: { type: $.type, id: $.id, split: '$.items[0:]' }
destinations:
  d: { url: 'http://d.test/{$.id}', auth: { bearer: hunter2 } }
routes:
  - name: signed
    path: /signed
    provider: stamped
    secret: s3cret
    deliver: [{ to: d, transform: { n: $.data.n } }]
  - name: open
    path: /open
    auth: none
    deliver:
      - { to: d, name: rich, filter: $.data.total > 10, transform: { total: $.data.total } }
      - { to: d, name: all, transform: { tags: $.data.tags, who: { $path: $.data.who, $required: true } } }
  - { name: parts, path: '/p/{a}', auth: none, deliver: [{ to: d }] }
";

fn load(tests: &str) -> Result<Suite, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("routes.yaml");
    std::fs::write(&file, format!("{CONFIG}tests:\n{tests}")).unwrap();
    std::fs::write(directory.path().join("body.json"), "{\"type\":\"t\",\"id\":\"1\",\"who\":\"x\"}").unwrap();
    let reports = Suite::of_configuration(&file, &FixedSurroundings::new());
    reports
        .map_err(|reports| reports.iter().flat_map(|report| &report.problems).map(|one| one.message.clone()).collect())
}

/// How each of the tests differs; `tests` are the entries of a list.
fn outcomes(tests: &str) -> Vec<Outcome> {
    let suite = load(tests).unwrap_or_else(|problems| panic!("{problems:?}"));
    suite.cases.iter().map(|case| suite.run(case, NOW)).collect()
}

/// Each difference of the only test, as text.
fn differences(test: &str) -> Vec<String> {
    let outcome = outcomes(&format!("  - {{ name: n, {test} }}\n")).remove(0);
    let text = |Difference { path, expected, got }: Difference| format!("{path}: {expected} | {got}");
    outcome.differences.into_iter().map(text).collect()
}

#[track_caller]
fn passes(test: &str) {
    assert_eq!(differences(test), [""; 0], "{test}");
}

const BODY: &str = "body: { type: t, id: '1', total: 11, who: x, tags: [a, b] }";

#[test]
fn what_came_as_it_was_expected_is_no_difference() {
    for expect in [
        "status: 202",
        "reply: { id: '1' }",
        "reply: '{\"id\":\"1\"}'",
        "verdict: verified",
        "events: [{ type: t, id: '1', data: { type: t, id: '1', total: 11.0, who: x, tags: [a, b] } }]",
        "deliveries: { rich: { method: POST, url: 'http://d.test/1', body: { total: 11 } } }",
        "deliveries: { rich: {}, all: { headers: { AUTHORIZATION: 'Bearer ***', Hookswitch-Attempt: '1' } } }, only: true",
        "deliveries: [{ all: { body: '{\"tags\":[\"a\",\"b\"],\"who\":\"x\"}' } }]",
    ] {
        passes(&format!("route: open, {BODY}, expect: {{ {expect} }}"));
    }
    passes(
        "route: open, body: { type: t, id: '1', total: 1, who: x }, expect: { filtered: { rich: 'total > 10' }, deliveries: { all: {} }, only: true }",
    );
    passes(
        "route: open, body: { type: t, id: '1' }, expect: { filtered: [rich], deliveries: { all: { dead_letter: transform } } }",
    );
    passes("route: open, body_file: body.json, expect: { deliveries: { all: {} } }");
    passes("route: open, text: nonsense, expect: { status: 422, events: [] }");
    passes("route: open, method: GET, expect: { status: 405, verdict: none }");
    passes("path: /nobody, text: '', expect: { status: 404 }");
    passes(
        "path: /p/x, query: b=1, headers: { X-A: '1' }, body: { type: t, id: '1' }, expect: { deliveries: { d: {} } }",
    );
}

#[test]
fn each_difference_is_told_at_its_path() {
    for (expect, found) in [
        ("status: 200", &["status: 200 | 202"][..]),
        ("reply: { id: '2' }", &["reply.id: \"2\" | \"1\""]),
        ("verdict: mismatch", &["verdict: mismatch | verified"]),
        ("events: []", &["events: 0 events | 1 event"]),
        (
            "events: [{ subject: s, data: { who: x } }]",
            &[
                "events[0].subject: s | nothing",
                "events[0].data.type: nothing | \"t\"",
                "events[0].data.id: nothing | \"1\"",
                "events[0].data.total: nothing | 11",
                "events[0].data.tags: nothing | [\"a\",\"b\"]",
            ],
        ),
        (
            "deliveries: { all: { body: { who: y, tags: [a, c, d] } } }",
            &[
                "deliveries.all.body.who: \"y\" | \"x\"",
                "deliveries.all.body.tags[1]: \"c\" | \"b\"",
                "deliveries.all.body.tags[2]: \"d\" | nothing",
            ],
        ),
        (
            "deliveries: { rich: { method: PUT, headers: { X-No: '1' }, dead_letter: transform } }",
            &[
                "deliveries.rich.dead_letter: transform | a delivery",
                "deliveries.rich.method: PUT | POST",
                "deliveries.rich.headers.X-No: 1 | nothing",
            ],
        ),
        ("deliveries: [{}, {}]", &["deliveries: those of 2 events | those of 1 event"]),
        ("filtered: [all]", &["filtered.all: filtered | a delivery"]),
        ("deliveries: { rich: {} }, only: true", &["deliveries.all: nothing | a delivery"]),
    ] {
        assert_eq!(differences(&format!("route: open, {BODY}, expect: {{ {expect} }}")), found, "{expect}");
    }
    let poor = "route: open, body: { type: t, id: '1', total: 1, who: x }";
    assert_eq!(
        differences(&format!("{poor}, expect: {{ deliveries: {{ rich: {{}} }} }}")),
        ["deliveries.rich: a delivery | filtered: filter: `$.data.total > 10` does not hold: $.data.total is 1"]
    );
    assert_eq!(
        differences(&format!("{poor}, expect: {{ filtered: {{ rich: 'total > 11' }} }}")),
        ["filtered.rich: a reason with `total > 11` | filter: `$.data.total > 10` does not hold: $.data.total is 1"]
    );
    let dead = differences("route: open, body: { type: t, id: '1' }, expect: { deliveries: { all: {} } }");
    assert_eq!(dead, ["deliveries.all: a delivery | a dead letter (transform): the event has nothing at $.data.who"]);
}

#[test]
fn a_request_is_signed_and_each_way_to_tamper_with_it_is_found() {
    let signed = "route: signed, body: { items: [{ type: t, id: '1', n: 1 }, { type: t, id: '2', n: 2 }] }";
    passes(&format!(
        "{signed}, expect: {{ verdict: verified, deliveries: [{{ d: {{ body: {{ n: 1 }} }} }}, {{ d: {{}} }}] }}"
    ));
    for (tamper, verdict) in
        [("body", "mismatch"), ("signature", "mismatch"), ("timestamp", "stale"), ("secret", "mismatch")]
    {
        passes(&format!("{signed}, tamper: {tamper}, expect: {{ status: 401, verdict: {verdict} }}"));
    }
    passes(&format!("{signed}, sign: false, expect: {{ verdict: missing }}"));
    passes(&format!("{signed}, now: 2001-01-01T00:00:00Z, expect: {{ verdict: verified }}"));
    let outcome =
        outcomes(&format!("  - {{ name: n, {signed}, tamper: body, expect: {{ status: 202 }} }}\n")).remove(0);
    assert!(outcome.note.unwrap().starts_with("not verified: mismatch: check the secret"));
    let none = differences("route: open, sign: true, tamper: timestamp, text: '', expect: { status: 401 }");
    assert!(none[0].contains("signs no time"), "{none:?}");
}

#[test]
fn what_is_wrong_with_a_test_is_a_problem_at_its_place() {
    for (test, message) in [
        ("route: opne, expect: { status: 200 }", "there is no route `opne`"),
        ("expect: { status: 200 }", "neither `route` nor `path`"),
        ("route: parts, expect: { status: 200 }", "has parameters"),
        ("route: open, path: /p/x, expect: { status: 200 }", "has another path"),
        ("route: open, expect: {}", "expects nothing"),
        ("route: open, text: a, body: {}, expect: { status: 200 }", "more than one body"),
        ("route: open, body_file: no.json, expect: { status: 200 }", "cannot read `no.json`"),
        ("route: open, sample: s, expect: { status: 200 }", "a sample is a provider's"),
        ("route: signed, sample: s, expect: { status: 200 }", "`stamped` has no sample `s`"),
        ("route: open, method: 'A B', expect: { status: 200 }", "not an HTTP method"),
        ("route: open, headers: { 'a b': c }, expect: { status: 200 }", "not the name of a header"),
        ("route: open, now: soon, expect: { status: 200 }", "not a time"),
        ("route: signed, sign: false, tamper: body, expect: { status: 200 }", "nothing to tamper with"),
        ("route: open, expect: { verdict: mismatched }", "there is no verdict `mismatched`"),
        ("route: open, expect: { deliveries: { rihc: {} } }", "the route has no delivery `rihc`"),
        ("route: open, expect: { filtered: [no] }", "the route has no delivery `no`"),
        ("route: open, expect: { deliveries: { rich: { dead_letter: no } } }", "there is no reason `no`"),
        ("route: open, expect: { stauts: 200 }", "unknown key `stauts`"),
        ("route: open", "the test needs `expect`"),
    ] {
        let problems =
            load(&format!("  - {{ name: n, {test} }}\n")).err().unwrap_or_else(|| panic!("it loads: {test}"));
        assert_eq!(problems.len(), 1, "{test}: {problems:?}");
        assert!(problems[0].contains(message), "{test}: {problems:?}");
    }
}
