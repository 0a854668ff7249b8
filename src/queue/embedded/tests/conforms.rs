use super::Home;
use crate::queue::conformance::{self, Bench};

#[tokio::test]
async fn the_embedded_home_conforms() {
    conformance::run(|| async { Box::new(Home::new()) as Box<dyn Bench> }).await;
}
