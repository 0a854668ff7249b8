//! What was acknowledged is delivered, whatever happens to the process: `kill -9` under load, again and again.
//!
//! `HOOKSWITCH_LONG_TESTS=1` makes it many rounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use support::load::{self, Sent, assert_arrived, event};
use support::{Answer, Destination, Gateway, Load, http, sign};

/// Events that are acknowledged before the kill, at least.
const ACKNOWLEDGED_FIRST: usize = 60;
const SENDERS: usize = 4;

/// Sends events until the gateway dies; gives the ids that were acknowledged.
fn send_until_it_dies(
    gateway: &Gateway,
    round: usize,
    acknowledged: &Arc<AtomicUsize>,
) -> Vec<thread::JoinHandle<Vec<String>>> {
    (0..SENDERS)
        .map(|sender| {
            let (address, acknowledged) = (gateway.address(), Arc::clone(acknowledged));
            thread::spawn(move || {
                let mut ids = Vec::new();
                for number in 0..10_000 {
                    let id = format!("{round}-{sender}-{number}");
                    let body = json!({ "type": "t", "id": id, "padding": "x".repeat(500) }).to_string();
                    match http::try_send(address, "POST", "/in", &[] as &[(&str, &str)], body.as_bytes()) {
                        Ok(response) if response.status == 202 => {
                            acknowledged.fetch_add(1, Ordering::SeqCst);
                            ids.push(id);
                        }
                        // Killed, or just before: then nothing was promised.
                        _ => break,
                    }
                }
                ids
            })
        })
        .collect()
}

#[test]
fn an_acknowledged_event_arrives_after_kill_9_under_load() {
    let rounds = if load::long() { 25 } else { 3 };
    let destination = Destination::start();
    // Some attempts fail, so that retries are under way when it dies.
    destination.answer_next((0..50).map(|number| Answer::Status(if number % 2 == 0 { 500 } else { 200 })));
    let mut gateway = Gateway::start(&format!(
        "
destinations:
  one: {{ url: '{}', breaker: off, retry: {{ initial: 1ms, max: 20ms, max_attempts: 1000000 }} }}
  two: {{ url: '{}', breaker: off, retry: {{ initial: 1ms, max: 20ms, max_attempts: 1000000 }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: one }}, {{ to: two }}] }}
",
        destination.url("/one"),
        destination.url("/two")
    ));
    let mut promised: BTreeSet<String> = BTreeSet::new();
    for round in 0..rounds {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let senders = send_until_it_dies(&gateway, round, &acknowledged);
        support::eventually("events are acknowledged", || {
            (acknowledged.load(Ordering::SeqCst) >= ACKNOWLEDGED_FIRST).then_some(())
        });
        gateway.kill9();
        for sender in senders {
            promised.extend(sender.join().unwrap());
        }
        gateway.restart();
    }
    assert!(promised.len() >= rounds * ACKNOWLEDGED_FIRST);
    gateway.wait_until_drained();

    let mut keys: HashMap<(String, String), BTreeSet<String>> = HashMap::new();
    for arrived in destination.arrived() {
        let id = arrived.json()["id"].as_str().unwrap().to_owned();
        keys.entry((arrived.path.clone(), id)).or_default().insert(arrived.key());
    }
    for path in ["/one", "/two"] {
        let lost: Vec<&String> =
            promised.iter().filter(|id| !keys.contains_key(&(path.to_owned(), (*id).clone()))).collect();
        assert!(
            lost.is_empty(),
            "{} of {} acknowledged events never came to {path}: {lost:?}",
            lost.len(),
            promised.len()
        );
    }
    for (delivery, keys) in keys {
        assert_eq!(keys.len(), 1, "{delivery:?} came under several Idempotency-Keys");
    }
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
}

/// A form is longer as JSON than it came.
#[test]
fn a_form_arrives_after_a_kill_and_can_be_looked_at() {
    let destination = Destination::start();
    destination.answer_next([Answer::Status(500)]);
    let mut gateway = Gateway::start(&format!(
        "
providers: {{ own: {{ auth: none, event: {{ body: form, type: $.kind, id: $.id }} }} }}
destinations:
  crm: {{ url: '{}', retry: {{ initial: 1s, max: 1s }} }}
routes:
  - {{ name: in, path: /in, provider: own, deliver: [{{ to: crm }}] }}
",
        destination.url("/crm")
    ));
    let headers = sign::headers(&[("Content-Type", "application/x-www-form-urlencoded")]);
    assert_eq!(gateway.post("/in", &headers, b"kind=t&id=1&n=2").status, 202);
    destination.wait_for(1);
    gateway.kill9();
    gateway.restart();
    assert_eq!(destination.wait_for(2)[1].json()["data"], json!({ "kind": "t", "id": "1", "n": "2" }));
    gateway.wait_until_drained();
    assert_eq!(gateway.read("/events/1")["events"][0]["type"], "t");
    assert_eq!(gateway.run(&["events", "show", "1", "--body"]).printed(), "kind=t&id=1&n=2");
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    let destination = Destination::start();
    let mut gateway = Gateway::start(&format!(
        "
destinations: {{ one: {{ url: '{}' }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: one }}] }}
",
        destination.url("/")
    ));
    let address = gateway.address();
    let sender = thread::spawn(move || {
        let mut acknowledged = Vec::new();
        for batch in 0..10_000 {
            let event = |number: usize| {
                json!({ "specversion": "1.0", "id": format!("{batch}-{number}"), "source": "/s", "type": "t",
                        "data": { "batch": batch } })
            };
            let body = json!((0..20).map(event).collect::<Vec<_>>()).to_string();
            let headers = [("Content-Type", "application/cloudevents-batch+json")];
            match http::try_send(address, "POST", "/in", &headers, body.as_bytes()) {
                Ok(response) if response.status == 202 => acknowledged.push(batch),
                _ => break,
            }
        }
        acknowledged
    });
    destination.wait_for(100);
    gateway.kill9();
    let acknowledged = sender.join().unwrap();
    gateway.restart();
    gateway.wait_until_drained();
    let mut batches: HashMap<u64, BTreeSet<String>> = HashMap::new();
    for arrived in destination.arrived() {
        let event = arrived.json();
        batches.entry(event["data"]["batch"].as_u64().unwrap()).or_default().insert(event["id"].to_string());
    }
    for (batch, events) in &batches {
        assert_eq!(events.len(), 20, "batch {batch} was kept in part");
    }
    for batch in acknowledged {
        assert!(batches.contains_key(&batch), "batch {batch} was acknowledged and is gone");
    }
}

/// Several routes, of which one comes and goes by reload.
fn busy_routes(destination: &Destination, round: u64) -> String {
    let beside = if round.is_multiple_of(2) {
        "  - { name: beside, path: /beside, auth: none, deliver: [{ to: one }] }\n"
    } else {
        ""
    };
    format!(
        "
destinations:
  one: {{ url: '{}', breaker: off, retry: {{ initial: 1ms, max: 20ms, max_attempts: 1000000 }}, concurrency: {} }}
  two: {{ url: '{}', breaker: off, retry: {{ initial: 1ms, max: 20ms, max_attempts: 1000000 }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: one }}, {{ to: two }}] }}
  - {{ name: other, path: /other, auth: none, deliver: [{{ to: one }}] }}
{beside}",
        destination.url("/one"),
        4 + round % 3,
        destination.url("/two")
    )
}

/// What a sender sends: by turns to one of two routes, a batch, and what was sent before.
fn mixed(round: u64, sender: usize, number: usize) -> Sent {
    let id = |number: usize| format!("{round}-{sender}-{number}");
    match number % 4 {
        0 => event("/in", &id(number), 300),
        1 => event("/other", &id(number), 3000),
        // A duplicate: acknowledged, and delivered once all the same.
        2 => event("/in", &id(number - 2), 300),
        _ => {
            let ids: Vec<String> = (0..5).map(|part| format!("{}-{part}", id(number))).collect();
            let one = |id: &String| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "t" });
            let body = json!(ids.iter().map(one).collect::<Vec<_>>()).to_string().into_bytes();
            let headers = sign::headers(&[("Content-Type", "application/cloudevents-batch+json")]);
            Sent { path: "/in".to_owned(), headers, body, ids }
        }
    }
}

/// `HOOKSWITCH_KILL_SEED` runs one seed; it is printed.
#[test]
fn a_kill_at_any_moment_loses_nothing_also_during_start_and_reloads() {
    let seed = std::env::var("HOOKSWITCH_KILL_SEED").map_or(1, |seed| seed.parse().unwrap());
    eprintln!("HOOKSWITCH_KILL_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let destination = Destination::start();
    let mut gateway = Gateway::start(&busy_routes(&destination, 0));
    let mut promised = [BTreeSet::new(), BTreeSet::new()];
    for round in 0..if load::long() { 150 } else { 8 } {
        let load = Load::start(gateway.address(), SENDERS, move |sender, number| mixed(round, sender, number));
        let lives = Duration::from_millis(dice.u64(0..200));
        if dice.bool() {
            for reload in 0..dice.u64(1..10) {
                gateway.write_routes(&busy_routes(&destination, reload));
                gateway.signal("HUP");
                thread::sleep(lives / 10);
            }
        } else {
            thread::sleep(lives);
        }
        gateway.kill9();
        for id in load.stop().acknowledged {
            // Which of the routes it was, the number says.
            let number: usize = id.split('-').nth(2).unwrap().parse().unwrap();
            promised[usize::from(number % 4 == 1)].insert(id);
        }
        for _ in 0..dice.u64(0..3) {
            gateway.restart_and_kill(Duration::from_millis(dice.u64(0..60)));
        }
        gateway.write_routes(&busy_routes(&destination, 0));
        gateway.restart();
    }
    gateway.audit_is_clean();
    let [to_both, to_one] = promised;
    assert!(to_both.len() + to_one.len() > 50, "next to nothing was acknowledged");
    assert_arrived(&destination, "/one", &to_both);
    assert_arrived(&destination, "/two", &to_both);
    assert_arrived(&destination, "/one", &to_one);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
    assert_one_key_each(&destination);
}

/// However often an attempt was repeated by a kill: a delivery has one key, and no other has it.
fn assert_one_key_each(destination: &Destination) {
    let mut keys: HashMap<(String, String, String), BTreeSet<String>> = HashMap::new();
    for arrived in destination.arrived() {
        let event = arrived.json();
        let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        keys.entry((arrived.path.clone(), field("source"), field("id"))).or_default().insert(arrived.key());
    }
    let mut seen = BTreeSet::new();
    for (delivery, keys) in keys {
        assert_eq!(keys.len(), 1, "{delivery:?} came under several Idempotency-Keys");
        assert!(keys.into_iter().all(|key| seen.insert(key)), "{delivery:?} has the key of another");
    }
}
