//! One attempt from its lease to what the queue is told of it.

use std::sync::Arc;
use std::time::Duration;

use super::Workshop;
use super::lane::Site;
use super::turn::{Turn, turn};
use super::under_way::Unanswered;
use super::wake::Wake;
use crate::app::destinations::Probe;
use crate::model::{Attempt, Lane, Outcome, Reason, Timestamp};
use crate::pipeline::deliver::{Answer, Verdict};
use crate::queue::{Death, Lease, QueueError, Settled};
use crate::routing::Delivery;

/// Makes one attempt of a delivery, with the configuration in force when its turn comes, and tells the queue.
/// A delivery whose turn does not come is given back, and `wake` told.
pub(super) async fn attempt(site: Arc<Site>, lease: Lease, probe: Option<Probe>, unanswered: Unanswered) {
    let workshop = &site.workshop;
    let (delivery, permit) = match turn(workshop, &lease.lane, probe, &site.stop).await {
        Turn::Now(delivery, permit) => (delivery, permit),
        Turn::Removed => return removed(Arc::clone(workshop), lease).await,
        Turn::Later => {
            drop(lease);
            return site.wake.by(workshop.clock.now());
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
    drop(unanswered);
    let now = workshop.clock.now();
    let verdict = target.retry.decide(&answer, number, lease.since, now, (workshop.dice)());
    let attempt = record(&answer, verdict, number, at, duration);
    workshop.metrics.attempted(&site.metrics, &lease.lane, target, attempt.outcome, duration);
    log(workshop, &lease, &target.name, &attempt, verdict, &answer.detail);
    settle(&site, lease, &delivery, attempt, verdict, now).await;
}

fn record(answer: &Answer, verdict: Verdict, number: u32, at: Timestamp, duration: Duration) -> Attempt {
    let outcome = match (verdict, answer.outcome) {
        (Verdict::DeadLetter(reason), Outcome::Retry(_)) if reason == Reason::Rejected => Outcome::DeadLetter(reason),
        (_, outcome) => outcome,
    };
    answer.to_attempt(number, at, duration, outcome)
}

async fn settle(site: &Site, lease: Lease, delivery: &Delivery, attempt: Attempt, verdict: Verdict, now: Timestamp) {
    let Site { workshop, wake, .. } = site;
    let target = &delivery.target;
    let lane = lease.lane.clone();
    let waited = now.since(lease.since);
    let queue = &workshop.queue;
    let settled = match verdict {
        Verdict::Ack => {
            let keep_until = delivery.retain.map(|span| now.after(span));
            queue.ack(lease, attempt, keep_until).await
        }
        Verdict::RetryAt(at) => {
            let put_off = queue.retry_at(lease, at, attempt).await;
            wake.by(at);
            put_off
        }
        Verdict::DeadLetter(reason) => {
            let death = Death { reason, at: now, attempt: Some(attempt), park: delivery.parks };
            queue.dead_letter(lease, death).await
        }
    };
    let settled = match settled {
        Ok(settled) => settled,
        Err(error) => return unsettled(&lane, &error),
    };
    match verdict {
        Verdict::Ack => workshop.metrics.delivered(&site.metrics, &lane, target, waited),
        Verdict::DeadLetter(_) if settled.was_pending => workshop.metrics.dead(&lane, &target.name, 1),
        // What was retired meanwhile is counted already.
        Verdict::DeadLetter(_) | Verdict::RetryAt(_) => {}
    }
    follow(&lane, settled, now, wake);
}

/// What comes after a delivery in its order: it goes on, or waits for a person, who is told.
fn follow(lane: &Lane, settled: Settled, now: Timestamp, wake: &Wake) {
    if settled.next_is_due {
        wake.by(now);
    }
    if settled.parked {
        tracing::error!(
            route = &*lane.route,
            delivery = &*lane.delivery,
            "an order key is parked: what comes after the dead letter waits; `hookswitch keys list` names the key, replay the \
             dead letter or `hookswitch keys release` it"
        );
    }
}

/// The configuration no longer has the lane: the delivery is kept for a person.
pub(super) async fn removed(workshop: Arc<Workshop>, lease: Lease) {
    let lane = lease.lane.clone();
    let reason =
        if workshop.table.load().has_route(&lane.route) { Reason::DeliveryRemoved } else { Reason::RouteRemoved };
    let death = Death { reason, at: workshop.clock.now(), attempt: None, park: false };
    match workshop.queue.dead_letter(lease, death).await {
        // It was retired meanwhile, and is counted and logged as that.
        Ok(settled) if !settled.was_pending => {}
        Ok(_) => {
            workshop.metrics.dead(&lane, "", 1);
            tracing::warn!(route = &*lane.route, delivery = &*lane.delivery, %reason, "dead letter: {}", reason.next_step());
        }
        Err(error) => unsettled(&lane, &error),
    }
}

/// It became older than it may while its destination failed: it is kept for a person.
pub(super) async fn expired(site: Arc<Site>, lease: Lease) {
    let Site { workshop, wake, .. } = &*site;
    let (lane, now) = (lease.lane.clone(), workshop.clock.now());
    let delivery = workshop.table.load().delivery(&lane).cloned();
    let park = delivery.as_ref().is_some_and(|delivery| delivery.parks);
    let death = Death { reason: Reason::Expired, at: now, attempt: None, park };
    let settled = match workshop.queue.dead_letter(lease, death).await {
        Ok(settled) => settled,
        Err(error) => return unsettled(&lane, &error),
    };
    if settled.was_pending {
        let destination = delivery.as_ref().map(|delivery| &*delivery.target.name).unwrap_or_default();
        workshop.metrics.dead(&lane, destination, 1);
        if let Some(held_back) = workshop.quiet.may_say(&lane, now) {
            tracing::error!(
                route = &*lane.route, delivery = &*lane.delivery, reason = %Reason::Expired, held_back,
                "dead letter: the breaker was open until it was older than `max_age`; the dead letter is kept"
            );
        }
    }
    follow(&lane, settled, now, wake);
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
