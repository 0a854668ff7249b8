use super::Home;
use crate::queue::conformance::{self, Bench};

#[tokio::test]
async fn the_embedded_home_conforms() {
    conformance::run(|| async { Box::new(Home::new()) as Box<dyn Bench> }).await;
}

#[tokio::test]
async fn a_home_that_merges_keys_at_once_conforms() {
    conformance::run(|| async { Box::new(Home::merging_at_once()) as Box<dyn Bench> }).await;
}

#[tokio::test]
async fn a_home_that_stores_at_once_conforms() {
    conformance::run(|| async { Box::new(Home::storing_at_once()) as Box<dyn Bench> }).await;
}
