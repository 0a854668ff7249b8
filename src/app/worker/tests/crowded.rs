//! Lanes that get more than they can take at once. The queue is one that counts, and a test has one thread.

use super::breaks::{Counting, NOW, lanes_on, lanes_with};
use super::*;
use crate::model::ManualClock;

fn lanes(settings: &str, queue: &Arc<Counting>) -> Lanes {
    lanes_with(&format!(", breaker: off, {settings}"), Arc::new(ManualClock::new(NOW)), queue, &["a"])
}

async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_comes_is_made_while_the_queue_has_much_that_is_due() {
    let queue = Counting::with(&["a"], 1_000, NOW);
    let lanes = lanes("concurrency: 4", &queue);
    until(|| queue.attempts() > 0).await;
    lanes.dispatch(vec![queue.add("a", NOW)]).await;
    until(|| queue.attempts_of(1_000) == 1).await;
    assert!(queue.attempts() < 500, "{} were made before it", queue.attempts());
    until(|| queue.attempts() == 1_001).await;
    lanes.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_room_in_a_lane_that_is_quick_and_nothing_is_read_again() {
    let queue = Counting::with(&["a"], 0, NOW);
    let leases = (0..1_000).map(|_| queue.add("a", NOW)).collect();
    let lanes = lanes("concurrency: 1000", &queue);
    until(|| queue.reads() == 1).await;
    lanes.dispatch(leases).await;
    until(|| queue.attempts() == 1_000).await;
    assert_eq!(queue.reads(), 1);
    lanes.stop().await;
}

#[tokio::test]
async fn a_request_does_not_wait_for_a_lane_that_takes_nothing() {
    // It takes connections and says nothing.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", hanging.local_addr().unwrap());
    let queue = Counting::with(&["a"], 0, NOW);
    let table = table_to(&url, ", breaker: off, concurrency: 1, timeout: 1h", &["a"]);
    let lanes = lanes_on(table, Arc::new(ManualClock::new(NOW)), &queue);
    let leases: Vec<_> = (0..1_000).map(|_| queue.add("a", NOW)).collect();
    tokio::time::pause();
    lanes.dispatch(leases).await;
    let claimed = queue.claimed();
    assert!((FRESH..FRESH + 4).contains(&claimed), "{claimed} wait in memory or for the destination");
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_wait_for_a_destination_that_takes_what_its_rate_allows() {
    let queue = Counting::with(&["a"], 0, NOW);
    let lanes = lanes("concurrency: 4, rate: 5000/s", &queue);
    let waits = async || {
        let began = Instant::now();
        lanes.dispatch((0..200).map(|_| queue.add("a", NOW)).collect()).await;
        began.elapsed() > Duration::ZERO
    };
    let learns = async {
        // As long as it may be the processor.
        while !waits().await {}
        while waits().await {}
    };
    tokio::time::timeout(Duration::from_secs(4), learns).await.unwrap();
    lanes.stop().await;
}
