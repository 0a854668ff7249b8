//! What waits for its turn, and what a reload leaves of it. The clock is paused: it moves when nobody has anything to do.

use std::time::Duration;

use prometheus::Registry;
use tokio::time::Instant;

use super::*;
use crate::app::configure_text;
use crate::config::load::FixedSurroundings;
use crate::model::{ManualClock, Outcome, Reason, Timestamp};
use crate::pipeline::deliver::Answer;
use crate::routing::RouteTable;

const SECOND: Duration = Duration::from_secs(1);
const BREAKER: &str = "breaker: { failures: 2, cool_down: 10s, max_cool_down: 1m }";

/// Destinations by name, each with what it says beside its URL.
fn table(destinations: &[(&str, &str)]) -> RouteTable {
    let mut text = "destinations:\n".to_owned();
    let mut deliver = Vec::new();
    for (name, settings) in destinations {
        let url = if settings.contains("url:") { "" } else { "url: 'http://d.internal', " };
        text.push_str(&format!("  {name}: {{ {url}{settings} }}\n"));
        deliver.push(format!("{{ to: {name} }}"));
    }
    text.push_str(&format!("routes: [{{ name: r, path: /r, auth: none, deliver: [{}] }}]", deliver.join(", ")));
    configure_text("routes.yaml", &text, &FixedSurroundings::new()).unwrap().table
}

struct House {
    destinations: Destinations,
    registry: Registry,
}

impl House {
    fn with(destinations: &[(&str, &str)]) -> Self {
        let registry = Registry::new();
        let metrics = BreakerMetrics::register(&registry).unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_700_000_000)));
        let house = Self { destinations: Destinations::new(clock, || 1.0, metrics), registry };
        house.reload(destinations);
        house
    }

    fn reload(&self, destinations: &[(&str, &str)]) {
        self.destinations.align(table(destinations).targets());
    }

    fn destination(&self, name: &str) -> Arc<Destination> {
        Arc::clone(self.destinations.all().get(name).unwrap())
    }

    fn report(&self, name: &str) -> DestinationReport {
        self.destinations.report().into_iter().find(|report| &*report.name == name).unwrap()
    }

    async fn open(&self, name: &str) {
        for _ in 0..2 {
            self.destination(name).admit(None).await.unwrap().end(&failed());
        }
        assert_eq!(self.report(name).breaker, BreakerState::Open);
    }

    fn metrics(&self) -> String {
        crate::telemetry::render(&self.registry).unwrap()
    }
}

fn answer(outcome: Outcome, status: Option<u16>) -> Answer {
    Answer { status, outcome, retry_after: None, detail: "".into(), excerpt: "".into() }
}

fn failed() -> Answer {
    answer(Outcome::Retry(Reason::ServerError), Some(500))
}

fn delivered() -> Answer {
    answer(Outcome::Delivered, Some(200))
}

/// Whether it does not come to an end by itself.
async fn waits<T>(what: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_secs(100_000), what).await.is_err()
}

fn probe(pass: Pass) -> Probe {
    let Pass::Probe(probe) = pass else { panic!("{pass:?}") };
    probe
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_and_nobody_holds_a_place_while_waiting_for_it() {
    let house = House::with(&[("d", "rate: 10/s, concurrency: 1")]);
    let (d, start) = (house.destination("d"), Instant::now());
    let line = (0..11).map(|_| async {
        let permit = d.admit(None).await.unwrap();
        assert_eq!(house.report("d").in_flight, 1);
        permit.end(&delivered());
        assert_eq!(house.report("d").in_flight, 0, "the next in line waits for the rate, without a place");
    });
    futures_util::future::join_all(line).await;
    assert!(Instant::now() - start >= SECOND, "eleven within {:?}", Instant::now() - start);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_has_no_room_does_not_hold_up_another() {
    let house = House::with(&[("slow", "concurrency: 1"), ("paced", "rate: 1/h"), ("quick", "concurrency: 1")]);
    let _slow = house.destination("slow").admit(None).await.unwrap();
    let _paced = house.destination("paced").admit(None).await.unwrap();
    let (slow, quick) = (house.destination("slow"), house.destination("quick"));
    let waiting = tokio::spawn(async move { waits(slow.admit(None)).await });
    let start = Instant::now();
    assert!(quick.admit(None).await.is_some());
    assert_eq!(Instant::now(), start);
    assert!(waiting.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn attempts_under_way_count_against_a_new_concurrency() {
    let house = House::with(&[("d", "concurrency: 3")]);
    let d = house.destination("d");
    let mut under_way = Vec::new();
    for _ in 0..3 {
        under_way.push(d.admit(None).await.unwrap());
    }
    house.reload(&[("d", "concurrency: 2")]);
    assert_eq!((house.report("d").in_flight, house.report("d").concurrency), (3, 2));
    under_way.pop();
    assert!(waits(d.admit(None)).await, "two are under way");
    under_way.pop();
    under_way.push(d.admit(None).await.unwrap());
    let next = tokio::spawn({
        let d = Arc::clone(&d);
        async move { d.admit(None).await }
    });
    tokio::task::yield_now().await;
    house.reload(&[("d", "concurrency: 3")]);
    assert!(next.await.unwrap().is_some(), "who waits hears of the larger bound");
}

#[tokio::test(start_paused = true)]
async fn a_reload_fills_no_bucket_and_closes_no_breaker() {
    let settings = format!("rate: 1/h, {BREAKER}");
    let house = House::with(&[("paced", &settings), ("down", BREAKER)]);
    drop(house.destination("paced").admit(None).await);
    house.open("down").await;
    house.reload(&[("paced", &settings), ("down", BREAKER)]);
    let start = Instant::now();
    assert!(house.destination("paced").admit(None).await.is_some());
    assert!(Instant::now() - start >= 3_600 * SECOND);
    house.open("paced").await;
    house.reload(&[("paced", "breaker: off"), ("down", BREAKER)]);
    assert_eq!(house.report("paced").breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_open_nobody_waits_in_line() {
    let house = House::with(&[("d", &format!("concurrency: 1, {BREAKER}"))]);
    let d = house.destination("d");
    d.admit(None).await.unwrap().end(&failed());
    let last = d.admit(None).await.unwrap();
    let line = futures_util::future::join_all((0..9).map(|_| d.admit(None)));
    let (line, ()) = tokio::join!(line, async {
        tokio::task::yield_now().await;
        last.end(&failed());
    });
    assert!(line.iter().all(Option::is_none), "they go back to the queue");
    let Pass::Shut(shut) = d.pass() else { panic!("it is open") };
    let start = Instant::now();
    shut.over(60 * SECOND).await;
    assert_eq!(Instant::now() - start, 10 * SECOND);
    assert!(d.admit(None).await.is_none(), "the probe alone");
    let probe = probe(d.pass());
    assert!(matches!(d.pass(), Pass::Shut(_)), "one lane has the probe");
    let permit = d.admit(Some(probe)).await.unwrap();
    assert!(d.admit(None).await.is_none());
    let Pass::Shut(shut) = d.pass() else { panic!("it is under way") };
    permit.end(&delivered());
    shut.over(60 * SECOND).await;
    assert_eq!(Instant::now() - start, 10 * SECOND, "the lanes are told at once");
    assert!(matches!(d.pass(), Pass::Free));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_not_used_goes_to_who_waits() {
    let house = House::with(&[("d", BREAKER)]);
    house.open("d").await;
    let d = house.destination("d");
    tokio::time::advance(10 * SECOND).await;
    let unused = probe(d.pass());
    let Pass::Shut(shut) = d.pass() else { panic!("there is one probe") };
    let (start, lane) = (Instant::now(), tokio::spawn(shut.over(60 * SECOND)));
    tokio::task::yield_now().await;
    drop(unused);
    lane.await.unwrap();
    let used = d.admit(Some(probe(d.pass()))).await.unwrap();
    drop(used);
    let again = d.admit(Some(probe(d.pass()))).await.unwrap();
    again.end(&answer(Outcome::DeadLetter(Reason::Transform), None));
    d.admit(Some(probe(d.pass()))).await.unwrap().end(&failed());
    assert_eq!(Instant::now(), start);
    let report = house.report("d");
    assert_eq!((report.breaker, report.consecutive_failures), (BreakerState::Open, 3));
    let in_twenty_seconds = Timestamp::from_seconds(1_700_000_020);
    assert_eq!(report.next_probe, Some(in_twenty_seconds), "the cool-down has doubled");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_moves_is_tried_at_once() {
    let house = House::with(&[("d", BREAKER)]);
    house.open("d").await;
    let Pass::Shut(shut) = house.destination("d").pass() else { panic!("it is open") };
    let start = Instant::now();
    house.reload(&[("d", &format!("url: 'http://elsewhere.internal', {BREAKER}"))]);
    shut.over(60 * SECOND).await;
    assert_eq!(Instant::now(), start);
    probe(house.destination("d").pass());
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_to_a_removed_destination_counts_when_it_is_put_back() {
    let house = House::with(&[("d", &format!("concurrency: 1, {BREAKER}")), ("other", "")]);
    let before = house.destination("d");
    let under_way = before.admit(None).await.unwrap();
    let waiting = tokio::spawn({
        let before = Arc::clone(&before);
        async move { before.admit(None).await }
    });
    tokio::task::yield_now().await;
    house.reload(&[("other", "")]);
    assert!(waiting.await.unwrap().is_none(), "who waits for it lets go");
    assert_eq!(house.destinations.report().len(), 1);
    house.reload(&[("d", &format!("concurrency: 1, {BREAKER}")), ("other", "")]);
    assert!(waits(house.destination("d").admit(None)).await);
    under_way.end(&failed());
    assert_eq!(house.report("d").consecutive_failures, 0, "its breaker begins anew");
    assert!(house.destination("d").admit(None).await.is_some());
    for _ in 0..2 {
        house.reload(&[("other", "")]);
    }
    assert_eq!(house.destinations.all().len(), 1, "nothing is kept of what is idle");
}

#[tokio::test(start_paused = true)]
async fn the_metrics_show_each_state_and_forget_what_is_removed() {
    let house = House::with(&[("d", BREAKER), ("off", "breaker: off")]);
    let state = |number: u8| format!("hookswitch_breaker_state{{destination=\"d\"}} {number}");
    assert!(house.metrics().contains(&state(0)) && house.metrics().contains("state{destination=\"off\"} 0"));
    house.open("d").await;
    assert!(house.metrics().contains(&state(2)));
    tokio::time::advance(10 * SECOND).await;
    house.destinations.poll();
    assert!(house.metrics().contains(&state(1)), "also where nothing is due to probe with");
    let d = house.destination("d");
    d.admit(Some(probe(d.pass()))).await.unwrap().end(&delivered());
    let text = house.metrics();
    assert!(text.contains(&state(0)));
    for to in ["closed", "half_open", "open"] {
        let line = format!("hookswitch_breaker_transitions_total{{destination=\"d\",to=\"{to}\"}} 1");
        assert!(text.contains(&line), "{text}");
    }
    house.reload(&[("off", "breaker: off")]);
    assert!(!house.metrics().contains("hookswitch_breaker_state{destination=\"d\"}"));
}
