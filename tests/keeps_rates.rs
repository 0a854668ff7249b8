//! `rate:` is kept, whatever comes in, and holds up nobody else. Judged by when the destination saw each request.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::time::Instant;

use serde_json::json;
use support::{Answer, Arrived, Destination, Gateway};

fn accept(gateway: &Gateway, path: &str, ids: impl IntoIterator<Item = usize>) {
    for id in ids {
        let response = gateway.post_json(path, &json!({ "type": "t", "id": id.to_string() }));
        assert_eq!(response.status, 202, "{}", response.text());
    }
}

/// Since `start`, when the bucket was full, no more than the rate and the burst allow had come at any time. A request that
/// was held up on its way makes that only truer.
fn assert_kept(arrived: &[Arrived], start: Instant, per_second: f64, burst: f64) {
    let mut times: Vec<Instant> = arrived.iter().map(|request| request.at).collect();
    times.sort_unstable();
    for (before, at) in times.iter().enumerate() {
        let (got, seconds) = ((before + 1) as f64, (*at - start).as_secs_f64());
        assert!(got <= per_second * seconds + burst, "{got} requests within {seconds} s");
    }
}

#[test]
fn a_rate_is_kept_over_all_routes_and_retries() {
    let destination = Destination::start();
    let gateway = Gateway::start(&format!(
        "
destinations:
  paced: {{ url: '{}', rate: 20/s, breaker: off, retry: {{ initial: 1ms, max: 5ms }} }}
routes:
  - {{ name: one, path: /one, auth: none, deliver: [{{ to: paced }}, {{ to: paced, name: again }}] }}
  - {{ name: two, path: /two, auth: none, deliver: [{{ to: paced }}] }}
",
        destination.url("/"),
    ));
    destination.answer_next([500; 5].map(Answer::Status));
    let start = Instant::now();
    accept(&gateway, "/one", 0..10);
    accept(&gateway, "/two", 0..10);
    gateway.wait_until_drained();
    let arrived = destination.arrived();
    assert_eq!(arrived.len(), 35, "thirty deliveries, five of them twice");
    assert_kept(&arrived, start, 20.0, 2.0);
}

#[test]
fn who_waits_for_a_rate_holds_up_nobody_else() {
    let (paced, free) = (Destination::start(), Destination::start());
    let gateway = Gateway::start(&format!(
        "
destinations:
  paced: {{ url: '{}', rate: 1/h, concurrency: 1 }}
  free: {{ url: '{}' }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: paced }}, {{ to: free }}] }}
",
        paced.url("/"),
        free.url("/")
    ));
    accept(&gateway, "/in", 0..150);
    free.wait_for(150);
    gateway.wait_for_metric("hookswitch_queue_pending", &[("delivery", "free")], 0.0);
    gateway.wait_for_metric("hookswitch_queue_pending", &[("delivery", "paced")], 149.0);
    assert_eq!(paced.arrived().len(), 1);
}

#[test]
fn a_reload_does_not_fill_the_bucket() {
    let destination = Destination::start();
    let routes = |timeout: &str| {
        format!(
            "
destinations: {{ paced: {{ url: '{}', rate: 20/s, timeout: {timeout} }} }}
routes: [{{ name: in, path: /in, auth: none, deliver: [{{ to: paced }}] }}]
",
            destination.url("/")
        )
    };
    let gateway = Gateway::start(&routes("30s"));
    let start = Instant::now();
    accept(&gateway, "/in", 0..20);
    for reload in 0..10 {
        gateway.write_routes(&routes(if reload % 2 == 0 { "20s" } else { "30s" }));
        assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    }
    destination.wait_for(20);
    assert_kept(&destination.arrived(), start, 20.0, 2.0);
    let faster = routes("30s").replace("20/s", "1000/s");
    gateway.write_routes(&faster);
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    accept(&gateway, "/in", 20..120);
    destination.wait_for(120);
}

#[test]
fn a_stop_does_not_wait_for_the_rate_and_keeps_what_waits() {
    let destination = Destination::start();
    let mut gateway = Gateway::with(&format!(
        "
destinations: {{ paced: {{ url: '{}', rate: 1/h }} }}
routes: [{{ name: in, path: /in, auth: none, deliver: [{{ to: paced }}] }}]
",
        destination.url("/")
    ))
    .top("limits: { shutdown_grace: 10m }")
    .start();
    accept(&gateway, "/in", 0..5);
    destination.wait_for(1);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit().code(), Some(0));
    gateway.restart();
    destination.wait_for(2);
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 3.0);
}
