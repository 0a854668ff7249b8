//! Thousands of destinations, all of them dead but one: the gateway starts, accepts, delivers to that one, reloads, and
//! drains once they are back.
//!
//! 2,000 of them; 6,000 with `HOOKSWITCH_LONG_TESTS=1`; any number that the bounds of a file allow (8 MiB, and some 780,000
//! values) with `HOOKSWITCH_DESTINATIONS`. What was measured is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Destination, Gateway, load};

/// How many deliveries a route has.
const PER_ROUTE: usize = 500;
const SERVERS: usize = 4;

/// All of the destinations: one port on many addresses of this machine. A connection carries one request, so that
/// thousands of them cost no thread and no file each.
struct Crowd(Arc<AtomicUsize>);

impl Crowd {
    fn start(port: u16) -> Self {
        let listener = Arc::new(TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))).unwrap());
        let served = Arc::new(AtomicUsize::new(0));
        for _ in 0..SERVERS {
            let (listener, served) = (Arc::clone(&listener), Arc::clone(&served));
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if serve(stream).is_ok() {
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        Self(served)
    }
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(support::DEADLINE))?;
    let mut reading = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reading.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reading.read_exact(&mut vec![0; length])?;
    reading.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn routes(count: usize, port: u16, healthy: &Destination, timeout: &str) -> String {
    let mut text = format!("destinations:\n  healthy: {{ url: '{}', timeout: {timeout} }}\n", healthy.url("/healthy"));
    for number in 0..count {
        let (high, low) = (number / 250, number % 250 + 1);
        writeln!(text, "  d{number}: {{ url: 'http://127.1.{high}.{low}:{port}/' }}").unwrap();
    }
    text.push_str("routes:\n");
    for (route, first) in (0..count).step_by(PER_ROUTE).enumerate() {
        write!(text, "  - {{ name: r{route}, path: /r{route}, auth: none, deliver: [{{ to: healthy }}").unwrap();
        for number in first..count.min(first + PER_ROUTE) {
            write!(text, ", {{ to: d{number} }}").unwrap();
        }
        text.push_str("] }\n");
    }
    text
}

fn count() -> usize {
    match std::env::var("HOOKSWITCH_DESTINATIONS") {
        Ok(count) => count.parse().unwrap(),
        Err(_) => {
            if load::long() {
                6_000
            } else {
                2_000
            }
        }
    }
}

/// Waits for something that thousands take longer for than one.
fn patiently<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(600);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn thousands_of_dead_destinations_hold_up_nothing_and_drain_when_they_are_back() {
    let count = count();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let healthy = Destination::start();
    let began = Instant::now();
    let mut gateway = Gateway::start(&routes(count, port, &healthy, "5s"));
    let measured = |what: &str, began: Instant, gateway: &Gateway| {
        eprintln!("{count}: {what} {:?}, {} MiB", began.elapsed(), gateway.memory("VmRSS") / 1024);
    };
    measured("start", began, &gateway);

    let route_count = count.div_ceil(PER_ROUTE);
    let accept = |gateway: &Gateway, id: &str| {
        for route in 0..route_count {
            let response = gateway.post_json(&format!("/r{route}"), &json!({ "type": "t", "id": id }));
            assert_eq!(response.status, 202, "{}", response.text());
        }
    };
    let began = Instant::now();
    accept(&gateway, "first");
    measured("an event to each", began, &gateway);
    healthy.wait_for(route_count);
    measured("and it came to the healthy one", began, &gateway);
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let dead = count as f64;
    let refused = |gateway: &Gateway| gateway.metric("hookswitch_delivery_attempts_total", &[("reason", "connect")]);
    patiently("an attempt on each of the dead", || (refused(&gateway) >= dead).then_some(()));
    measured("an attempt on each of the dead", began, &gateway);

    gateway.write_routes(&routes(count, port, &healthy, "6s"));
    let began = Instant::now();
    assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    measured("reload", began, &gateway);
    accept(&gateway, "second");
    healthy.wait_for(2 * route_count);
    let began = Instant::now();
    let text = gateway.metrics();
    measured(&format!("/metrics, {} KiB,", text.len() / 1024), began, &gateway);
    // The last answer of the healthy one may still be on its way to the queue.
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 2.0 * dead);

    gateway.kill9();
    let began = Instant::now();
    gateway.restart();
    measured("start with a backlog", began, &gateway);
    accept(&gateway, "third");
    healthy.wait_for(3 * route_count);
    measured("and the healthy one has its next event", began, &gateway);

    let began = Instant::now();
    let crowd = Crowd::start(port);
    patiently("nothing is pending", || (gateway.metric("hookswitch_queue_pending", &[]) == 0.0).then_some(()));
    measured("drained", began, &gateway);
    assert!(crowd.0.load(Ordering::SeqCst) >= 3 * count);
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
    gateway.audit_is_clean();
    // What a lane costs: its task, its channel, its client's connections, its metrics.
    let most = gateway.memory("VmHWM");
    eprintln!("{count}: {} MiB at most", most / 1024);
    let bound = 256 * 1024 + 64 * u64::try_from(count).unwrap();
    assert!(most < bound, "{most} KiB at most, of {bound} that are meant to be enough");
}
