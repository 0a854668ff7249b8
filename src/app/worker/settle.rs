//! One attempt from its lease to what the queue is told of it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Workshop;
use super::turn::{Turn, turn};
use super::wake::Wake;
use crate::app::destinations::Probe;
use crate::model::{Attempt, Lane, Outcome, Reason, Timestamp};
use crate::pipeline::deliver::{Answer, Target, Verdict};
use crate::queue::{Lease, QueueError};

/// Makes one attempt of a delivery, with the configuration in force when its turn comes, and tells the queue.
/// A delivery whose turn does not come is given back, and `wake` told.
pub(super) async fn attempt(
    workshop: Arc<Workshop>,
    lease: Lease,
    probe: Option<Probe>,
    wake: Arc<Wake>,
    stop: CancellationToken,
) {
    let (delivery, permit) = match turn(&workshop, &lease.lane, probe, &stop).await {
        Turn::Now(delivery, permit) => (delivery, permit),
        Turn::Removed => return removed(workshop, lease).await,
        Turn::Later => {
            drop(lease);
            return wake.by(workshop.clock.now());
        }
    };
    let target = &delivery.target;
    let number = lease.attempts.saturating_add(1);
    let at = workshop.clock.now();
    let started = tokio::time::Instant::now();
    let payload = delivery.shape.render(&lease.event);
    let answer = workshop.client.attempt(target, &lease.event, payload, lease.id, number, at).await;
    let duration = started.elapsed();
    permit.end(&answer);
    let now = workshop.clock.now();
    let verdict = target.retry.decide(&answer, number, lease.accepted_at, now, (workshop.dice)());
    let attempt = record(&answer, verdict, number, at, duration);
    workshop.metrics.attempted(&lease.lane, target, attempt.outcome, duration);
    log(&workshop, &lease, &target.name, &attempt, verdict, &answer.detail);
    settle(&workshop, lease, target, attempt, verdict, now, &wake).await;
}

fn record(answer: &Answer, verdict: Verdict, number: u32, at: Timestamp, duration: Duration) -> Attempt {
    let outcome = match (verdict, answer.outcome) {
        (Verdict::DeadLetter(reason), Outcome::Retry(_)) if reason == Reason::Rejected => Outcome::DeadLetter(reason),
        (_, outcome) => outcome,
    };
    answer.to_attempt(number, at, duration, outcome)
}

async fn settle(
    workshop: &Workshop,
    lease: Lease,
    target: &Target,
    attempt: Attempt,
    verdict: Verdict,
    now: Timestamp,
    wake: &Wake,
) {
    let lane = lease.lane.clone();
    let waited = now.since(lease.accepted_at);
    let queue = &workshop.queue;
    let settled = match verdict {
        Verdict::Ack => queue.ack(lease).await.map(|()| true),
        Verdict::RetryAt(at) => {
            let put_off = queue.retry_at(lease, at, attempt).await;
            wake.by(at);
            put_off.map(|()| true)
        }
        Verdict::DeadLetter(reason) => queue.dead_letter(lease, reason, now, Some(attempt)).await,
    };
    match (settled, verdict) {
        (Ok(_), Verdict::Ack) => workshop.metrics.delivered(&lane, target, waited),
        (Ok(true), Verdict::DeadLetter(_)) => workshop.metrics.dead(&lane, &target.name, 1),
        // What was retired meanwhile is counted already.
        (Ok(_), Verdict::DeadLetter(_) | Verdict::RetryAt(_)) => {}
        (Err(error), _) => unsettled(&lane, &error),
    }
}

/// The configuration no longer has the lane: the delivery is kept for a person.
pub(super) async fn removed(workshop: Arc<Workshop>, lease: Lease) {
    let lane = lease.lane.clone();
    let reason =
        if workshop.table.load().has_route(&lane.route) { Reason::DeliveryRemoved } else { Reason::RouteRemoved };
    match workshop.queue.dead_letter(lease, reason, workshop.clock.now(), None).await {
        // It was retired meanwhile, and is counted and logged as that.
        Ok(false) => {}
        Ok(true) => {
            workshop.metrics.dead(&lane, "", 1);
            tracing::warn!(route = &*lane.route, delivery = &*lane.delivery, %reason, "dead letter: {}", reason.next_step());
        }
        Err(error) => unsettled(&lane, &error),
    }
}

/// It became older than it may while its destination failed: it is kept for a person.
pub(super) async fn expired(workshop: Arc<Workshop>, lease: Lease) {
    let lane = lease.lane.clone();
    let destination = workshop.table.load().delivery(&lane).map(|delivery| Arc::clone(&delivery.target.name));
    match workshop.queue.dead_letter(lease, Reason::Expired, workshop.clock.now(), None).await {
        Ok(false) => {}
        Ok(true) => {
            workshop.metrics.dead(&lane, destination.as_deref().unwrap_or_default(), 1);
            if let Some(held_back) = workshop.quiet.may_say(&lane, workshop.clock.now()) {
                tracing::error!(
                    route = &*lane.route, delivery = &*lane.delivery, reason = %Reason::Expired, held_back,
                    "dead letter: the breaker was open until it was older than `max_age`; the dead letter is kept"
                );
            }
        }
        Err(error) => unsettled(&lane, &error),
    }
}

fn unsettled(lane: &Lane, error: &QueueError) {
    tracing::error!(
        route = &*lane.route,
        delivery = &*lane.delivery,
        %error,
        "an attempt could not be recorded: the delivery stays pending, and may be made once more"
    );
}

/// `detail` is without what the destination said: that may quote the payload.
fn log(workshop: &Workshop, lease: &Lease, destination: &str, attempt: &Attempt, verdict: Verdict, detail: &str) {
    let (route, delivery) = (&*lease.lane.route, &*lease.lane.delivery);
    let (id, number, status) = (lease.id, attempt.number, attempt.status);
    let reason = attempt.outcome.reason_label();
    match verdict {
        Verdict::Ack => tracing::debug!(route, delivery, destination, %id, number, status, "delivered"),
        Verdict::RetryAt(next) => {
            let Some(held_back) = workshop.quiet.may_say(&lease.lane, attempt.at) else { return };
            tracing::warn!(
                route, delivery, destination, %id, number, status, reason, %next, held_back,
                "attempt failed: {detail}; {}", next_step_of(attempt)
            );
        }
        Verdict::DeadLetter(why) => tracing::error!(
            route, delivery, destination, %id, number, status, reason, dead = %why,
            "dead letter: {detail}; {}", why.next_step()
        ),
    }
}

/// What a person can do about a failed attempt.
const fn next_step_of(attempt: &Attempt) -> &'static str {
    match attempt.outcome {
        Outcome::Delivered => "",
        Outcome::Retry(reason) | Outcome::DeadLetter(reason) => reason.next_step(),
    }
}
