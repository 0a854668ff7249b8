//! A reload swaps the whole configuration or nothing, and loses nothing that was accepted before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use support::{Answer, Destination, Gateway, Response, fixtures, http, sign};

fn destinations(destination: &Destination) -> String {
    format!(
        "
destinations:
  warehouse: {{ url: '{}', breaker: off, retry: {{ initial: 1ms, max: 10ms, max_attempts: 1000000 }} }}
routes:
",
        destination.url("/old")
    )
}

fn route(name: &str) -> String {
    format!("  - {{ name: {name}, path: /{name}, auth: none, deliver: [{{ to: warehouse }}] }}\n")
}

fn post(gateway: &Gateway, path: &str, id: &str) -> Response {
    gateway.post_json(path, &json!({ "type": "t", "id": id }))
}

const SUCCESSFUL: &str = "hookswitch_config_last_reload_successful";

#[test]
fn sighup_brings_a_new_route() {
    let destination = Destination::start();
    let routes = destinations(&destination) + &route("first");
    let gateway = Gateway::start(&routes);
    assert_eq!(post(&gateway, "/second", "1").status, 404);
    gateway.write_routes(&(routes + &route("second")));
    assert_eq!(post(&gateway, "/second", "1").status, 404, "nothing is read before a reload");
    gateway.signal("HUP");
    support::eventually("the new route", || (post(&gateway, "/second", "1").status == 202).then_some(()));
    assert_eq!(post(&gateway, "/first", "1").status, 202);
    destination.wait_for(2);
}

#[test]
fn the_admin_listener_reloads_too_and_answers_when_it_is_done() {
    let destination = Destination::start();
    let routes = destinations(&destination) + &route("first");
    let gateway = Gateway::start(&routes);
    let at_start = gateway.metric("hookswitch_config_last_reload_success_timestamp_seconds", &[]);
    assert!(at_start > 1.0e9, "{at_start} is not seconds since 1970");
    gateway.write_routes(&(destinations(&destination) + &route("second")));
    assert_eq!(gateway.admin("GET", "/-/reload").status, 405, "a link must not reload");
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    assert_eq!(post(&gateway, "/second", "1").status, 202);
    assert_eq!(post(&gateway, "/first", "1").status, 404);
    assert_eq!(gateway.metric(SUCCESSFUL, &[]), 1.0);
    assert!(gateway.metric("hookswitch_config_last_reload_success_timestamp_seconds", &[]) >= at_start);
}

#[test]
fn a_bad_file_changes_nothing_and_says_what_is_wrong_with_it() {
    let destination = Destination::start();
    let routes = destinations(&destination) + &route("first");
    let gateway = Gateway::start(&routes);
    let bad = destinations(&destination)
        + &route("second")
        + "  - { name: third, pth: /third, auth: none, deliver: [{ to: nowhere }] }\n";
    gateway.write_routes(&bad);
    let response = gateway.admin("POST", "/-/reload");
    assert!(response.status >= 400, "{}", response.status);
    assert!(response.text().contains("pth"), "{}", response.text());
    gateway.wait_for_log(&["pth"]);
    assert_eq!(gateway.metric(SUCCESSFUL, &[]), 0.0);
    assert_eq!(post(&gateway, "/first", "1").status, 202, "the old route goes on");
    assert_eq!(post(&gateway, "/second", "1").status, 404, "no part of the bad file is in force");
    assert_eq!(gateway.admin("GET", "/readyz").status, 200);

    gateway.write_file("routes.yaml", "nonsense: 1\n");
    gateway.signal("HUP");
    gateway.wait_for_log(&["nonsense"]);
    assert_eq!(post(&gateway, "/first", "2").status, 202);

    gateway.write_routes(&(routes + &route("second")));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    assert_eq!(gateway.metric(SUCCESSFUL, &[]), 1.0);
    assert_eq!(post(&gateway, "/second", "1").status, 202);
}

#[test]
fn what_cannot_change_in_a_running_process_rejects_the_reload_by_name() {
    let destination = Destination::start();
    let gateway = Gateway::start(&(destinations(&destination) + &route("first")));
    let now = gateway.routes();
    for (field, changed) in [
        ("listen", now.replacen("listen: 127.0.0.1:0", "listen: 127.0.0.1:1", 1)),
        ("admin.listen", now.replacen("admin: { listen: 127.0.0.1:0", "admin: { listen: 127.0.0.1:1", 1)),
        ("queue", now.replacen("/data'", "/other-data'", 1)),
    ] {
        assert_ne!(changed, now, "{field}");
        gateway.write_file("routes.yaml", &changed.replace("/first", "/renamed"));
        let response = gateway.admin("POST", "/-/reload");
        assert!(response.status >= 400, "{field}: {}", response.status);
        assert!(response.text().contains(field), "{field}: {}", response.text());
        assert_eq!(gateway.metric(SUCCESSFUL, &[]), 0.0, "{field}");
        assert_eq!(post(&gateway, "/renamed", "1").status, 404, "{field}: half a reload");
    }
}

#[test]
fn what_waits_for_a_removed_route_becomes_a_dead_letter_that_says_so() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(500));
    let both = destinations(&destination) + &route("stays") + &route("goes");
    let gateway = Gateway::start(&both);
    for path in ["/stays", "/goes"] {
        assert_eq!(post(&gateway, path, "1").status, 202);
    }
    destination.wait_for(2);
    gateway.write_routes(&(destinations(&destination) + &route("stays")));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    gateway.wait_for_log(&["goes", "warehouse", "route_removed"]);
    gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "goes")], 1.0);
    gateway.wait_for_metric("hookswitch_deliveries_total", &[("route", "goes"), ("outcome", "dead")], 1.0);
    destination.always("/", Answer::Status(200));
    gateway.wait_until_drained();
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[("route", "stays")]), 0.0);
}

#[test]
fn what_waits_for_a_removed_delivery_becomes_a_dead_letter_that_says_so() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(500));
    let with = |name: &str| {
        destinations(&destination)
            + &format!("  - {{ name: in, path: /in, auth: none, deliver: [{{ to: warehouse, name: {name} }}] }}\n")
    };
    let gateway = Gateway::start(&with("before"));
    assert_eq!(post(&gateway, "/in", "1").status, 202);
    destination.wait_for(1);
    gateway.write_routes(&with("after"));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    gateway.wait_for_log(&["in", "before", "delivery_removed"]);
    gateway.wait_for_metric("hookswitch_dead_letters", &[("delivery", "before")], 1.0);
}

#[test]
fn a_route_that_is_put_back_while_its_attempt_is_under_way_goes_on() {
    let destination = Destination::start();
    let with = |name: &str| {
        format!(
            "
destinations:
  warehouse: {{ url: '{}', concurrency: 1, retry: {{ initial: 1ms, max: 10ms }} }}
routes:
{}",
            destination.url("/"),
            route(name)
        )
    };
    let gateway = Gateway::start(&with("in"));
    destination.hold();
    destination.answer_next([Answer::Status(500)]);
    for id in ["1", "2", "3", "4", "5"] {
        assert_eq!(post(&gateway, "/in", id).status, 202);
    }
    // One attempt is under way, another waits for its turn, and the rest waits behind them.
    destination.wait_for(1);
    for name in ["other", "in"] {
        gateway.write_routes(&with(name));
        assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    }
    destination.release();
    gateway.wait_until_drained();
    let arrived = destination.arrived().len() as f64;
    let dead = gateway.metric("hookswitch_dead_letters", &[]);
    assert_eq!((arrived, dead), (6.0, 0.0), "five deliveries, one of them twice");
}

#[test]
fn a_route_that_was_removed_while_the_gateway_was_down_loses_nothing_either() {
    let destination = Destination::start();
    destination.always("/", Answer::Status(500));
    let mut gateway = Gateway::start(&(destinations(&destination) + &route("stays") + &route("goes")));
    assert_eq!(post(&gateway, "/goes", "1").status, 202);
    destination.wait_for(1);
    gateway.kill9();
    gateway.write_routes(&(destinations(&destination) + &route("stays")));
    gateway.restart();
    gateway.wait_for_log(&["goes", "warehouse", "route_removed"]);
    gateway.wait_for_metric("hookswitch_dead_letters", &[("route", "goes")], 1.0);
}

#[test]
fn what_waits_goes_out_as_the_new_file_says() {
    let destination = Destination::start();
    destination.always("/old", Answer::Status(500));
    let routes = |path: &str, transform: &str| {
        format!(
            "
destinations:
  warehouse: {{ url: '{}', breaker: off, retry: {{ initial: 1ms, max: 10ms, max_attempts: 1000000 }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: warehouse, transform: {transform} }}] }}
",
            destination.url(path)
        )
    };
    let gateway = Gateway::start(&routes("/old", "{ before: $.id }"));
    assert_eq!(post(&gateway, "/in", "1").status, 202);
    let key = destination.wait_for(1)[0].key();
    gateway.write_routes(&routes("/new", "{ after: $.id }"));
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    gateway.wait_until_drained();
    let last = destination.arrived().pop().unwrap();
    assert_eq!((last.path.as_str(), last.json()), ("/new", json!({ "after": "1" })));
    assert_eq!(last.key(), key);
}

#[test]
fn a_secret_in_a_file_is_read_again() {
    let destination = Destination::start();
    let routes = destinations(&destination)
        + "  - { name: in, path: /in, provider: bspk, secret: '${file:DIRECTORY/secret}', deliver: [{ to: warehouse }] }\n";
    let gateway = Gateway::with(&routes).file("secret", "before\n").start();
    let body = fixtures::one("bspk", "client.updated").body;
    let status = |secret: &str| gateway.post("/in", &sign::bspk(secret), &body).status;
    assert_eq!((status("before"), status("after")), (202, 401), "the newline at the end is no part of it");
    gateway.write_file("secret", "after");
    assert_eq!((status("before"), status("after")), (202, 401));
    gateway.signal("HUP");
    support::eventually("the new secret", || (status("after") == 202).then_some(()));
    assert_eq!(status("before"), 401);

    gateway.write_file("secret", "\n");
    assert!(gateway.admin("POST", "/-/reload").status >= 400, "an empty secret is an error");
    assert_eq!((status("after"), status("")), (202, 401));
}

#[test]
fn requests_during_reloads_are_neither_lost_nor_let_in() {
    let destination = Destination::start();
    let routes = |number: usize| {
        destinations(&destination)
            + &format!(
                "  - {{ name: in, path: /in, provider: bspk, secret: s3cret, deliver: [{{ to: warehouse, name: n{} }}] }}\n",
                number % 2
            )
    };
    let gateway = Gateway::start(&routes(0));
    let done = Arc::new(AtomicBool::new(false));
    let sender = |secret: &'static str| {
        let (done, address) = (Arc::clone(&done), gateway.address());
        thread::spawn(move || {
            let mut statuses = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let body = json!({ "event_name": "t", "object": { "id": statuses.len() } }).to_string();
                statuses.push(http::send(address, "POST", "/in", &sign::bspk(secret), body.as_bytes()).status);
            }
            statuses
        })
    };
    let (good, forged) = (sender("s3cret"), sender("wrong"));
    for number in 1..20 {
        gateway.write_routes(&routes(number));
        assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    }
    done.store(true, Ordering::Relaxed);
    let (good, forged) = (good.join().unwrap(), forged.join().unwrap());
    assert!(good.iter().all(|status| *status == 202), "{good:?}");
    assert!(forged.iter().all(|status| *status == 401), "{forged:?}");
    // Each is delivered, or a dead letter where its delivery had gone.
    gateway.wait_until_drained();
    let dead = gateway.metric("hookswitch_dead_letters", &[]);
    assert_eq!(destination.arrived().len() as f64 + dead, good.len() as f64);
}
