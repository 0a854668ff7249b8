//! What a backlog costs: `cargo bench --bench backlog -- 10000000`.
//!
//! Fills a gateway with so many pending deliveries behind a dead destination (100,000 without a number), and prints how long
//! its start takes, how much memory it has, how many events a second it takes beside an empty one (in turn, in one run),
//! and what is left of its disk after the backlog was given up and purged. Figures for people; nothing is asserted.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a figure that cannot be had is a panic")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::load::Sent;
use support::{Gateway, Load};

/// Events of a request while filling: the most that a batch may have.
const BATCH: u64 = 10_000;
const SENDERS: usize = 32;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(5);

const DEAD: &str = "
destinations:
  dead: { url: 'http://127.0.0.1:1/' }
routes:
  - { name: in, path: /in, auth: none, max_body: 64MiB, deliver: [{ to: dead }] }
  - { name: other, path: /other, auth: none, deliver: [{ to: dead }] }
";
const GONE: &str = "
destinations:
  dead: { url: 'http://127.0.0.1:1/' }
routes:
  - { name: other, path: /other, auth: none, deliver: [{ to: dead }] }
";

fn main() {
    let wanted = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(100_000);
    let (mut full, empty) = (Gateway::start(DEAD), Gateway::start(DEAD));
    let began = Instant::now();
    let mut pending = 0;
    while pending < wanted {
        pending += fill(&full, pending, BATCH.min(wanted - pending));
    }
    println!("{pending} deliveries accepted in {:.0} s, {}", began.elapsed().as_secs_f64(), disk(&full));
    full.signal("TERM");
    full.wait_for_exit();
    let began = Instant::now();
    full.restart();
    println!("start: {:.2} s, RSS {} MiB", began.elapsed().as_secs_f64(), full.memory("VmRSS") >> 10);
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (gateway, rates) in [&empty, &full].into_iter().zip(&mut rates) {
            rates.push(intake(gateway, round));
        }
    }
    let [empty_rate, full_rate] = rates.map(median);
    println!("intake: {full_rate:.0}/s beside {empty_rate:.0}/s of an empty one, {:.2} of it", full_rate / empty_rate);
    println!("RSS under load: {} MiB at most", full.memory("VmHWM") >> 10);
    give_up(&full);
    full.signal("TERM");
    full.wait_for_exit();
    println!("after a stop: {}", disk(&full));
}

/// Appends one batch; gives how many were taken.
fn fill(gateway: &Gateway, from: u64, count: u64) -> u64 {
    let event = |number: u64| {
        let data = json!({ "number": number, "padding": "x".repeat(60) });
        json!({ "specversion": "1.0", "id": number.to_string(), "source": "/bench", "type": "t", "data": data })
    };
    let batch: Vec<Value> = (from..from + count).map(event).collect();
    let headers = support::sign::headers(&[("Content-Type", "application/cloudevents-batch+json")]);
    let response = gateway.post("/in", &headers, Value::from(batch).to_string().as_bytes());
    if response.status == 202 { count } else { 0 }
}

/// Events acknowledged in a second.
fn intake(gateway: &Gateway, round: usize) -> f64 {
    let padding = "x".repeat(1500);
    let load = Load::start(gateway.address(), SENDERS, move |sender, number| {
        let id = format!("{round}-{sender}-{number}");
        let body = json!({ "type": "t", "id": &id, "padding": &padding }).to_string().into_bytes();
        Sent { path: "/other".to_owned(), headers: support::sign::headers(&[]), body, ids: vec![id] }
    });
    let began = Instant::now();
    std::thread::sleep(ROUND);
    let taken = load.stop().acknowledged.len();
    taken as f64 / began.elapsed().as_secs_f64()
}

/// Removes the route, so that its backlog dies, purges that, and waits for the disk.
fn give_up(gateway: &Gateway) {
    let began = Instant::now();
    gateway.write_routes(GONE);
    gateway.signal("HUP");
    wait(|| gateway.metric("hookswitch_queue_pending", &[("route", "in")]) < 1.0);
    println!("given up as dead letters in {:.0} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    gateway.run(&["dead-letters", "purge", "--all"]);
    println!("purged in {:.0} s, {}", began.elapsed().as_secs_f64(), disk(gateway));
    gateway.run(&["audit"]);
    let began = Instant::now();
    // Until it shrinks no further; what the intake left is still in it.
    let mut last = u64::MAX;
    while size(gateway) < last {
        last = size(gateway);
        std::thread::sleep(Duration::from_secs(3));
    }
    println!(
        "{:.0} s later: {}; RSS {} MiB at most",
        began.elapsed().as_secs_f64(),
        disk(gateway),
        gateway.memory("VmHWM") >> 10
    );
}

fn wait(until: impl Fn() -> bool) {
    while !until() {
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn size(gateway: &Gateway) -> u64 {
    std::fs::metadata(gateway.path("data").join("queue.db")).map(|metadata| metadata.len()).unwrap_or(0)
}

fn disk(gateway: &Gateway) -> String {
    format!("queue.db {} MiB", size(gateway) >> 20)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
