//! The queue's own bounds: beyond them providers are told to come back, and they are taken again as soon as there is room.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::{Value, json};
use support::{Answer, Destination, Gateway, Response, hookswitch, sign};

const SECRET: &str = "a secret";

/// A gateway whose destination fails, with this bound on its queue.
fn start(destination: &Destination, bound: &str) -> Gateway {
    destination.always("/one", Answer::Status(500));
    Gateway::with(&format!(
        "
destinations: {{ one: {{ url: '{}', breaker: off, retry: {{ initial: 10ms, max: 50ms, max_attempts: 1000000 }} }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: one }}, {{ to: one, name: never, types: [never] }}] }}
  - {{ name: loyalty, path: '/loyalty/{{hook}}', provider: bubblehouse, secret: {SECRET}, deliver: [{{ to: one }}] }}
",
        destination.url("/one")
    ))
    .bounds(bound)
    .start()
}

fn post(gateway: &Gateway, id: &str) -> Response {
    gateway.post_json("/in", &json!({ "type": "t", "id": id, "padding": "x".repeat(100_000) }))
}

fn assert_refuses(gateway: &Gateway, why: &str) {
    let refused = post(gateway, "late");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
    let event =
        json!({ "bhid": "e1", "time": "2024-12-26T18:05:42Z", "name": "Points Earned", "customer": { "bhid": "c1" } });
    let answer = gateway.post("/loyalty/SendEvent1", &sign::bubblehouse(SECRET), event.to_string().as_bytes());
    assert_eq!((answer.status, &answer.json()["outcome"]), (503, &json!("failure")));
    assert_eq!(gateway.admin("GET", "/readyz").status, 503);
    gateway.wait_for_log(&["ERROR", why]);
}

fn recovers(gateway: &Gateway, destination: &Destination) {
    destination.always("/one", Answer::Status(200));
    support::eventually("it is ready again", || (gateway.admin("GET", "/readyz").status == 200).then_some(()));
    // What was refused burnt nothing: the provider's retry is taken, and delivered once.
    assert_eq!(post(gateway, "late").status, 202);
    gateway.audit_is_clean();
    let late = destination.arrived().iter().filter(|it| it.taken && it.json()["id"] == "late").count();
    assert_eq!(late, 1);
}

#[test]
fn what_waits_is_bounded_in_bytes_and_who_comes_then_is_told_to_come_back() {
    let destination = Destination::start();
    let gateway = start(&destination, "max_bytes: 1MiB");
    let taken = (0..100).take_while(|number| post(&gateway, &number.to_string()).status == 202).count();
    assert!((8..12).contains(&taken), "{taken} events of 100 kB fit into 1 MiB");
    assert_refuses(&gateway, "queue.embedded.max_bytes");
    // What nobody wants takes no room, and is counted all the same.
    let unwanted = gateway.post_json("/loyalty/SendEvent2", &Value::Null);
    assert_eq!(unwanted.status, 404);
    recovers(&gateway, &destination);
}

#[test]
fn what_waits_is_bounded_in_age() {
    let destination = Destination::start();
    let gateway = start(&destination, "max_age: 1s");
    assert_eq!(post(&gateway, "old").status, 202);
    support::eventually("the oldest is too old", || (post(&gateway, "late").status == 503).then_some(()));
    assert_refuses(&gateway, "queue.embedded.max_age");
    // `late` may have been taken while `old` was young still.
    destination.always("/one", Answer::Status(200));
    support::eventually("it is ready again", || (gateway.admin("GET", "/readyz").status == 200).then_some(()));
    assert_eq!(post(&gateway, "new").status, 202);
    gateway.audit_is_clean();
    destination.wait_until("what came after", |arrived| arrived.iter().any(|it| it.json()["id"] == "new"));
}

#[test]
fn dead_letters_take_room_until_they_are_purged() {
    let destination = Destination::start();
    let gateway = start(&destination, "max_bytes: 1MiB");
    destination.always("/one", Answer::Status(410));
    let taken = (0..100).take_while(|number| post(&gateway, &number.to_string()).status == 202).count();
    assert!(taken < 12, "dead letters count");
    let admin = format!("http://{}", gateway.admin_address());
    let purge = hookswitch().args(["dead-letters", "purge", "--all", "--admin", &admin]).output().unwrap();
    assert_eq!(purge.status.code(), Some(0), "{}", String::from_utf8_lossy(&purge.stderr));
    recovers(&gateway, &destination);
}

#[test]
fn a_bound_that_makes_no_sense_is_a_problem_at_its_place() {
    for (bound, said) in [("max_bytes: 10KiB", "hardly an event fits"), ("max_age: 0s", "nothing would ever be taken")]
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        std::fs::write(&path, format!("queue: {{ embedded: {{ {bound} }} }}\nroutes: []\n")).unwrap();
        let check = hookswitch().arg("check").arg("--config").arg(&path).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
        assert_eq!(check.status.code(), Some(1));
        assert!(text.contains(said) && text.contains(":1:"), "{text}");
    }
}
