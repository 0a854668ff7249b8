//! What a gateway wants to know again after a restart.

use std::time::Duration;

use super::Bench;
use crate::model::{Clock, Timestamp};
use crate::queue::{QueueError, SecretUse};

fn used(secret: &str, known_since: Timestamp, last_used: Option<Timestamp>) -> SecretUse {
    SecretUse { route: "orders".into(), secret: secret.into(), mark: 7, known_since, last_used }
}

async fn noted(bench: &dyn Bench) -> Vec<SecretUse> {
    let mut uses = bench.home().secret_uses().await.unwrap();
    uses.sort_by(|a, b| a.secret.cmp(&b.secret));
    uses
}

pub(super) async fn what_was_noted_is_there_after_a_crash(bench: &mut dyn Bench) {
    let now = bench.clock().now();
    assert_eq!(noted(bench).await, []);
    let (new, old) = (used("new", now, None), used("old", now, Some(now)));
    bench.home().note_secret_uses(vec![new.clone(), old.clone()]).await.unwrap();
    bench.crash().await;
    assert_eq!(noted(bench).await, [new, old.clone()]);
    let new = used("new", now, Some(now.after(Duration::from_secs(9))));
    bench.home().note_secret_uses(vec![new.clone()]).await.unwrap();
    bench.crash().await;
    assert_eq!(noted(bench).await, [new, old], "what is not said anew stays");
}

pub(super) async fn a_closed_home_notes_nothing(bench: &mut dyn Bench) {
    let home = bench.home();
    home.close().await.unwrap();
    let refused = home.note_secret_uses(Vec::new()).await;
    assert!(matches!(refused, Err(QueueError::Closed)), "{refused:?}");
}
