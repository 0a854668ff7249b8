//! The admin API from outside: who may, what is found, page by page, and what a wrong request is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Answer, Destination, Gateway, Response, http, sign};

fn routes(destination: &Destination) -> String {
    format!(
        "
destinations:
  ok: {{ url: '{}' }}
  gone: {{ url: '{}' }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: ok }}, {{ to: gone, filter: \"$.type == 'bad'\" }}] }}
  - {{ name: twice, path: /twice, auth: none, dedup: off, deliver: [{{ to: ok }}] }}
",
        destination.url("/ok"),
        destination.url("/gone")
    )
}

fn start(destination: &Destination) -> Gateway {
    destination.always("/gone", Answer::Status(410));
    Gateway::start(&routes(destination))
}

fn accept(gateway: &Gateway, path: &str, kind: &str, id: &str) {
    let response = gateway.post_json(path, &json!({ "type": kind, "id": id }));
    assert_eq!(response.status, 202, "{}", response.text());
}

/// A refusal is RFC 9457, and names the field where one is wrong.
fn assert_problem(response: &Response, status: u16, field: Option<&str>) -> String {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let problem = response.json();
    assert_eq!((&problem["status"], problem["field"].as_str()), (&json!(status), field), "{problem}");
    assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

/// Every entry of a list, by pages of this size.
fn all(gateway: &Gateway, path: &str, key: &str, limit: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = gateway.read(&format!("{path}limit={limit}{cursor}"));
        let entries = page[key].as_array().unwrap();
        assert!(entries.len() <= limit);
        found.extend(entries.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[test]
fn only_who_has_the_token_is_let_in() {
    let destination = Destination::start();
    let gateway = Gateway::with(&routes(&destination)).admin("listen: 127.0.0.1:0, token: s3cret").start();
    let ask = |headers: &[(String, String)]| http::send(gateway.admin_address(), "GET", "/api/v1/events", headers, b"");
    let refused = ask(&[]);
    assert_problem(&refused, 401, None);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_problem(&ask(&sign::bearer("s3cre")), 401, None);
    assert_eq!(ask(&sign::bearer("s3cret")).status, 200);

    gateway.run(&["events", "list"]).assert_failed(1, &["401", "token"]);
    assert_eq!(gateway.run(&["events", "list", "--token", "s3cret"]).code, Some(0));
}

#[test]
fn a_list_is_read_page_by_page_each_entry_once_the_last_accepted_first() {
    let destination = Destination::start();
    let gateway = start(&destination);
    let ids: Vec<String> = (0..25).map(|number| format!("e{number}")).collect();
    for id in &ids {
        accept(&gateway, "/in", if id.ends_with('3') { "bad" } else { "good" }, id);
    }
    gateway.wait_until_drained();
    let expected: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    let events = all(&gateway, "/events?", "events", 7);
    assert_eq!(events.iter().map(|event| event["id"].as_str().unwrap()).collect::<Vec<_>>(), expected);
    let bad = all(&gateway, "/events?type=bad&state=dead&", "events", 1);
    assert_eq!(bad.iter().map(|event| event["id"].as_str().unwrap()).collect::<Vec<_>>(), ["e23", "e13", "e3"]);
    assert_eq!(bad[0]["deliveries"], json!({ "pending": 0, "delivered": 1, "dead": 1 }));

    let deliveries = all(&gateway, "/deliveries?", "deliveries", 4);
    let different: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery["id"].as_str().unwrap()).collect();
    assert_eq!((deliveries.len(), different.len()), (28, 28));
    for (query, count) in [
        ("state=dead&", 3),
        ("state=delivered&delivery=ok&", 25),
        ("reason=rejected&", 3),
        ("reason=timeout&", 0),
        ("route=twice&", 0),
        ("since=1h&", 28),
        ("until=1h&", 0),
        ("since=2001-01-01T00:00:00Z&until=2001-01-02T00:00:00Z&", 0),
    ] {
        assert_eq!(all(&gateway, &format!("/deliveries?{query}"), "deliveries", 10).len(), count, "{query}");
    }
    // What the command follows by itself.
    assert_eq!(gateway.run(&["events", "list", "--output", "json", "--limit", "20"]).lines().len(), 20);
    assert_eq!(gateway.run(&["deliveries", "list", "--output", "json", "--state", "dead"]).lines().len(), 3);
    let table = gateway.run(&["events", "list", "--type", "bad"]);
    assert_eq!(table.printed().lines().count(), 4);
    assert!(table.printed().lines().all(|line| line.chars().count() <= 100), "{table:?}");
}

#[test]
fn a_wrong_request_is_told_what_is_wrong_and_changes_nothing() {
    let destination = Destination::start();
    let gateway = start(&destination);
    accept(&gateway, "/in", "bad", "1");
    gateway.wait_until_drained();
    let before = gateway.read("/ledger");
    let dead = gateway.read("/dead-letters")["dead_letters"][0]["id"].as_str().unwrap().to_owned();
    let get = |path: &str| gateway.api("GET", path, &Value::Null);
    assert!(assert_problem(&get("/events?rout=in"), 400, Some("rout")).contains("did you mean `route`?"));
    assert!(assert_problem(&get("/deliveries?state=deed"), 400, Some("state")).contains("did you mean `dead`?"));
    assert_problem(&get("/deliveries?limit=0"), 400, Some("limit"));
    assert_problem(&get("/deliveries?limit=1&limit=2"), 400, Some("limit"));
    assert_problem(&get("/deliveries?since=soon"), 400, Some("since"));
    assert_problem(&get("/dead-letters?state=dead"), 400, Some("state"));
    assert_problem(&get("/events?cursor=nonsense"), 400, Some("cursor"));
    let cursor = gateway.read("/events?limit=1")["next"].as_str().map(str::to_owned);
    if let Some(cursor) = cursor {
        assert_problem(&get(&format!("/deliveries?cursor={cursor}")), 400, Some("cursor"));
    }
    assert_problem(&get("/deliveries/zz"), 400, Some("id"));
    assert_problem(&get("/events/%FF"), 400, Some("id"));
    assert_problem(&get(&format!("/deliveries/{}", "0".repeat(32))), 404, None);
    assert_problem(&get("/events/nobody"), 404, None);
    assert_problem(&get("/event"), 404, None);

    let post = |path: &str, body: Value| gateway.api("POST", path, &body);
    let refused = post("/events", json!({}));
    assert_problem(&refused, 405, None);
    assert_eq!(refused.header("allow"), Some("GET"));
    assert_eq!(gateway.api("PUT", &format!("/dead-letters/{dead}"), &json!({})).header("allow"), Some("GET, DELETE"));
    assert!(
        assert_problem(&post("/events/1/replay", json!({ "delivry": "ok" })), 400, Some("delivry"))
            .contains("delivery")
    );
    assert!(
        assert_problem(&post("/events/1/replay", json!({ "delivery": "okk" })), 400, Some("delivery")).contains("`ok`")
    );
    assert_problem(&post("/events/1/replay", json!({ "delivery": 7 })), 400, Some("delivery"));
    assert_problem(&post("/events/1/replay", json!([])), 400, None);
    assert_problem(&post("/jobs", json!({ "action": "purge" })), 400, Some("all"));
    assert_problem(&post("/jobs", json!({ "action": "purge", "all": true, "route": "in" })), 400, Some("all"));
    assert_problem(&post("/jobs", json!({ "action": "purge", "state": "delivered", "all": true })), 400, Some("state"));
    assert_problem(&post("/jobs", json!({ "action": "purge", "state": "pending", "all": true })), 400, Some("state"));
    assert_problem(
        &post("/jobs", json!({ "action": "purge", "route": "in", "reason": "nonsense" })),
        400,
        Some("reason"),
    );
    assert_problem(&post("/jobs", json!({ "route": "in" })), 400, Some("action"));
    assert_problem(&post("/keys/release", json!({ "route": "in", "delivery": "ok", "key": "k" })), 400, Some("replay"));
    assert_problem(&post("/jobs/1/stop", Value::Null), 404, None);
    assert_problem(&post("/events/1/replay", json!({ "delivery": "x".repeat(70_000) })), 413, None);

    let raw = |headers: &[(&str, &str)]| {
        http::send(gateway.admin_address(), "POST", &format!("/api/v1/dead-letters/{dead}/replay"), headers, b"{}")
    };
    assert_problem(&raw(&[("Content-Type", "text/plain")]), 415, None);
    assert_problem(&raw(&[("Sec-Fetch-Site", "cross-site")]), 403, None);
    assert_eq!(gateway.read("/ledger"), before);
    assert_eq!(gateway.read("/jobs"), json!({ "jobs": [] }));
}

#[test]
fn an_id_may_hold_anything_and_belong_to_several_events() {
    let destination = Destination::start();
    let gateway = start(&destination);
    accept(&gateway, "/in", "good", "a/b c?d%");
    accept(&gateway, "/twice", "good", "same");
    accept(&gateway, "/twice", "good", "same");
    gateway.wait_until_drained();
    assert_eq!(gateway.read("/events/a%2Fb%20c%3Fd%25")["events"][0]["id"], "a/b c?d%");
    assert!(gateway.run(&["events", "show", "a/b c?d%"]).printed().contains("a/b c?d%"));

    let events = gateway.read("/events/same")["events"].as_array().unwrap().clone();
    assert_eq!(events.len(), 2);
    let replay = |body: Value| gateway.api("POST", "/events/same/replay", &body);
    assert_problem(&replay(Value::Null), 409, Some("number"));
    assert_problem(&gateway.api("GET", "/events/same/body", &Value::Null), 409, Some("number"));
    assert_problem(&replay(json!({ "number": 0 })), 404, Some("number"));
    assert_eq!(replay(json!({ "number": events[1]["number"] })).status, 200);
    gateway.run(&["events", "replay", "same"]).assert_failed(1, &["number"]);
    let number = events[0]["number"].to_string();
    assert_eq!(gateway.run(&["events", "replay", "same", "--number", &number]).code, Some(0));
    destination.wait_for(5);
}

#[test]
fn the_body_is_given_byte_for_byte_and_never_as_what_it_says_it_is() {
    let destination = Destination::start();
    let gateway = start(&destination);
    let body = b"{ \"type\": \"good\",\r\n\"id\":\"1\", \"html\": \"<script>\\u0000</script>\" }\n";
    let headers = sign::headers(&[("Content-Type", "application/json; charset=utf-8")]);
    assert_eq!(gateway.post("/in", &headers, body).status, 202);
    let response = gateway.api("GET", "/events/1/body", &Value::Null);
    assert_eq!(response.body, body);
    assert_eq!(response.header("content-type"), Some("application/octet-stream"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("hookswitch-content-type"), Some("application/json; charset=utf-8"));
    assert!(response.header("content-disposition").unwrap().starts_with("attachment"));
    assert_eq!(gateway.run(&["events", "show", "1", "--body"]).printed().as_bytes(), body);
}

/// Another program that writes to the store, such as a shell, holds its lock: nothing can be written meanwhile.
#[test]
fn a_store_that_cannot_be_written_is_503_can_be_read_and_recovers() {
    let destination = Destination::start();
    let gateway = start(&destination);
    accept(&gateway, "/in", "good", "1");
    gateway.wait_until_drained();
    // While nothing can be written, what is read is as it was at the last look.
    assert_eq!(gateway.read("/events")["events"][0]["deliveries"]["delivered"], 1);
    let other = rusqlite::Connection::open(gateway.path("data").join("queue.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = gateway.api("POST", "/events/1/replay", &json!({}));
    assert_problem(&refused, 503, None);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(gateway.read("/events")["events"][0]["deliveries"]["delivered"], 1, "nothing was changed");
    assert_eq!(gateway.run(&["audit"]).code, Some(0));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(gateway.api("POST", "/events/1/replay", &json!({})).status, 200);
    destination.wait_for(2);
}

#[test]
fn a_command_that_is_used_wrong_or_finds_nothing_says_so_by_its_exit_code() {
    let destination = Destination::start();
    let gateway = start(&destination);
    gateway.run(&["events", "show", "nobody"]).assert_failed(1, &["404", "nobody"]);
    gateway.run(&["deliveries", "show", "zz"]).assert_failed(2, &["id"]);
    gateway.run(&["deliveries", "list", "--since", "soon"]).assert_failed(2, &["since"]);
    gateway.run(&["dead-letters", "purge"]).assert_failed(2, &["--all"]);
    gateway.run(&["dead-letters", "replay"]).assert_failed(2, &["--all"]);
    gateway.run(&["dead-letters", "purge", "--all", "--route", "in"]).assert_failed(2, &["contradict"]);
    gateway.run(&["events", "show", ".."]).assert_failed(2, &["`..`"]);
    gateway.run(&["jobs", "resume", "7"]).assert_failed(1, &["404"]);
    gateway.run(&["events", "list", "--admin", "nonsense"]).assert_failed(2, &["nonsense"]);
    let nowhere = Destination::start().stop();
    gateway.run(&["events", "list", "--admin", &format!("http://{nowhere}")]).assert_failed(1, &["nothing answers"]);
    let list = gateway.run(&["jobs", "list"]);
    assert_eq!((list.printed(), list.stderr.trim()), ("", "there are none"));
}

#[test]
fn a_command_finds_the_gateway_by_its_configuration_without_the_secrets_of_its_routes() {
    let destination = Destination::start();
    let gateway = Gateway::with(&routes(&destination)).admin("listen: 127.0.0.1:0, token: s3cret").start();
    accept(&gateway, "/in", "good", "1");
    let file = format!(
        "admin: {{ listen: '{}', token: s3cret }}\nroutes:\n  - {{ name: in, path: /in, provider: bspk, secret: '${{NOT_SET_HERE}}', deliver: [{{ to: ok }}] }}\n",
        gateway.admin_address()
    );
    gateway.write_file("elsewhere.yaml", &file);
    let list = |file: &str| {
        let path = gateway.path(file);
        support::Ran::of(support::hookswitch().args(["events", "list", "--output", "json", "--config"]).arg(path))
    };
    assert_eq!(list("elsewhere.yaml").lines().len(), 1);
    list("nothing.yaml").assert_failed(1, &["nothing.yaml"]);
}
