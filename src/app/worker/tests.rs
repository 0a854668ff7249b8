//! What becomes of a delivery that a reload came across; in `breaks` of those whose destination fails, in `crowded` of those
//! that are many.

mod breaks;
mod crowded;

use std::time::Duration;

use prometheus::Registry;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::app::configure_text;
use crate::config::load::FixedSurroundings;
use crate::model::{Event, Reason, Request, RequestId, SystemClock, sample};
use crate::queue::embedded::{Embedded, Options};
use crate::queue::{Append, DeliveryRecord, Home, NewDelivery, NewEvent, Selection, State, StateKind, Tally};

/// Lanes over a queue of their own.
struct House {
    lanes: Lanes,
    queue: Arc<dyn Home>,
    table: Arc<ArcSwap<RouteTable>>,
    _directory: TempDir,
}

/// Nothing listens at the destination: an attempt fails, is counted, and no other follows in this test's time.
fn table(routes: &[&str]) -> RouteTable {
    table_to("http://127.0.0.1:1", "", routes)
}

fn table_to(url: &str, settings: &str, routes: &[&str]) -> RouteTable {
    let retry = "{ initial: 1h, max: 1h }";
    let mut text = format!("destinations: {{ d: {{ url: '{url}', retry: {retry}{settings} }} }}\nroutes:\n");
    for name in routes {
        text.push_str(&format!("  - {{ name: {name}, path: /{name}, auth: none, deliver: [{{ to: d }}] }}\n"));
    }
    configure_text("routes.yaml", &text, &FixedSurroundings::new()).unwrap().table
}

fn workshop(table: &Arc<ArcSwap<RouteTable>>, queue: Arc<dyn Queue>, clock: Arc<dyn Clock>) -> Workshop {
    let registry = Registry::new();
    let metrics = DeliveryMetrics::register(&registry).unwrap();
    let breakers = BreakerMetrics::register(&registry).unwrap();
    let client = Client::new().unwrap();
    Workshop::new(Arc::clone(table), queue, clock, client, || 0.99, metrics, breakers)
}

impl House {
    fn with(routes: &[&str]) -> Self {
        Self::on(table(routes))
    }

    fn on(table: RouteTable) -> Self {
        let directory = TempDir::new().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let queue: Arc<dyn Home> = Embedded::open(Options::new(directory.path()), Arc::clone(&clock)).unwrap();
        let table = Arc::new(ArcSwap::from_pointee(table));
        let lanes = Lanes::new(workshop(&table, Arc::<dyn Home>::clone(&queue), clock));
        Self { lanes, queue, table, _directory: directory }
    }

    /// Stores an event for the lane of a route.
    async fn append(&self, route: &str) -> Vec<Lease> {
        self.append_as("1", route).await
    }

    async fn append_as(&self, id: &str, route: &str) -> Vec<Lease> {
        let request = Arc::new(Request { id: RequestId(Uuid::now_v7()), ..sample::request("1") });
        let attributes = sample::attributes(route, "t");
        let event = Arc::new(Event::new(attributes, Arc::clone(&request), 0..1, Value::from(1)));
        let deliveries = vec![NewDelivery { lane: Lane::new(route, "d"), order_key: None }];
        let events = vec![NewEvent { event, key: id.to_owned(), remember_until: None, deliveries }];
        let tally = Tally { received: 1, ..Tally::default() };
        self.queue.append(Append { request, route: route.into(), tally, events }).await.unwrap().leases
    }

    async fn dead_letters(&self) -> Vec<DeliveryRecord> {
        let dead = Selection { state: Some(StateKind::Dead), ..Selection::default() };
        self.queue.deliveries(dead, None, 9).await.unwrap().entries
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let waiting = async {
            while !holds(self).await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("waited for {what}"));
    }

    async fn until_attempted(&self, route: &str) {
        let metrics = &self.lanes.workshop.metrics;
        self.until("an attempt", async |_| metrics.attempts_of(route, "d", Reason::Connect) > 0).await;
    }
}

#[tokio::test]
async fn a_delivery_whose_lane_went_before_it_came_is_a_dead_letter_and_not_forgotten() {
    let house = House::with(&["stays"]);
    house.lanes.align();
    let leases = house.append("gone").await;
    house.lanes.dispatch(leases).await;
    house.until("a dead letter", async |house| !house.dead_letters().await.is_empty()).await;
    let dead = house.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert!(matches!(dead[0].state, State::Dead { reason: Reason::RouteRemoved, .. }));
}

#[tokio::test]
async fn a_delivery_that_comes_as_its_lane_ends_is_a_dead_letter_too() {
    let house = House::with(&["stays", "goes"]);
    house.lanes.align();
    let leases = house.append("goes").await;
    house.table.store(Arc::new(table(&["stays"])));
    for ended in house.lanes.align() {
        ended.cancelled().await;
    }
    house.lanes.dispatch(leases).await;
    house.until("a dead letter", async |house| !house.dead_letters().await.is_empty()).await;
}

#[tokio::test]
async fn a_delivery_that_comes_before_its_lane_starts_is_made_by_it() {
    let house = House::with(&["first"]);
    house.lanes.align();
    // The table is in force already, its lanes are not: a request may come in between.
    house.table.store(Arc::new(table(&["first", "second"])));
    let leases = house.append("second").await;
    house.lanes.dispatch(leases).await;
    house.lanes.align();
    house.until_attempted("second").await;
    assert!(house.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_lane_makes_what_it_is_handed() {
    let house = House::with(&["first"]);
    house.lanes.align();
    let leases = house.append("first").await;
    house.lanes.dispatch(leases).await;
    house.until_attempted("first").await;
}

#[tokio::test]
async fn lanes_that_stopped_leave_what_comes_to_the_next_start() {
    let house = House::with(&["first"]);
    house.lanes.align();
    house.lanes.stop().await;
    let leases = house.append("first").await;
    let lane = leases[0].lane.clone();
    house.lanes.dispatch(leases).await;
    let leased = house.queue.lease(&lane, 9, SystemClock.now()).await.unwrap();
    assert_eq!(leased.leases.len(), 1, "it was given back, and is no dead letter");
}

#[tokio::test]
async fn a_removed_lane_is_ending_until_its_attempt_has_ended() {
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let house = House::on(table_to(&url, ", concurrency: 1", &["stays", "goes"]));
    house.lanes.align();
    for id in ["1", "2"] {
        let leases = house.append_as(id, "goes").await;
        house.lanes.dispatch(leases).await;
    }
    let (connection, _) = silent.accept().await.unwrap();
    assert_eq!(house.lanes.destinations()[0].in_flight, 1);
    house.table.store(Arc::new(table_to(&url, ", concurrency: 1", &["stays"])));
    let ended = house.lanes.align();
    assert_eq!(house.lanes.ending(), [Lane::new("goes", "d")]);
    drop((silent, connection));
    for ended in ended {
        ended.cancelled().await;
    }
    assert_eq!(house.lanes.ending(), []);
    let attempts = house.lanes.workshop.metrics.attempts_of("goes", "d", Reason::BrokenResponse);
    assert_eq!(attempts, 1, "what waited for its turn is given back");
}
