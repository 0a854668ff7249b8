//! The line, stage by stage: the order is that of `app::exchange` and of the worker.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use serde_json::value::RawValue;
use url::Url;
use uuid::Builder;

use super::shown::{Sent, Sight};
use super::{Asked, DeadLetter, Delivery, Handshaken, Occurrence, Refused, Rehearsal, Staged, Verdict};
use crate::config::nearest;
use crate::model::{DeliveryId, Event, Evidence, Reason, RequestId, Timestamp};
use crate::pipeline::deliver::{Outbound, OutboundError};
use crate::pipeline::filter::Wish;
use crate::pipeline::handshake::Moment;
use crate::pipeline::normalize::{self, Normalized};
use crate::pipeline::receive::ReceiveError;
use crate::pipeline::respond::Ending;
use crate::pipeline::verify::{Rejection, Unsigned};
use crate::pipeline::{Received, Refusal, Told, Verified};
use crate::routing::{Route, RouteTable};

/// How a request ended.
struct End {
    told: Told,
    refusal: Option<Refusal>,
    handshake: Option<Handshaken>,
}

/// A rehearsal under way.
struct Run<'t> {
    table: &'t RouteTable,
    route: &'t Route,
    now: Timestamp,
    sight: Sight,
    /// Why it is believed without being verified: it was when it came.
    evidence: Option<Evidence>,
    verdict: Option<Verdict>,
    /// Where the gateway would get the key that is lacking.
    would_fetch: Option<Url>,
    events: Vec<Occurrence>,
}

// === impl Rehearsal ===

impl Rehearsal {
    /// Of a request whose path no route of the table has.
    #[must_use]
    pub fn without_route(table: &RouteTable, request: &Unsigned, now: Timestamp) -> Self {
        let asked = Asked::of(request);
        let near = nearest(&asked.path, table.routes().iter().map(|route| &*route.path)).map(str::to_owned);
        let end =
            End { told: Told::refusal(&Refusal::NoRoute, None), refusal: Some(Refusal::NoRoute), handshake: None };
        let mut rehearsal = Self::new(asked, now, None, end, (None, Vec::new()));
        if let (Some(refused), Some(near)) = (&mut rehearsal.refused, near) {
            refused.next_step = Some(format!("did you mean {near}?"));
        }
        rehearsal
    }

    fn new(
        request: Asked,
        now: Timestamp,
        route: Option<&Route>,
        end: End,
        (verdict, events): (Option<Verdict>, Vec<Occurrence>),
    ) -> Self {
        Self {
            accepted: (200..300).contains(&end.told.status),
            answer: end.told.into(),
            at: now.to_rfc3339(),
            request,
            route: route.map(|route| route.name.to_string()),
            handshake: end.handshake,
            verdict,
            refused: end.refusal.as_ref().map(Refused::of),
            events,
        }
    }
}

// === impl Staged ===

impl Staged<'_> {
    /// What the gateway would do with the request at `now`.
    #[must_use]
    pub fn rehearse(self, now: Timestamp, sight: Sight) -> Rehearsal {
        self.run(now, sight, None)
    }

    /// The same of a request that was verified when it came, by the evidence that was kept with it: it is not verified again.
    #[must_use]
    pub fn rehearse_believed(self, now: Timestamp, sight: Sight, evidence: Evidence) -> Rehearsal {
        self.run(now, sight, Some(evidence))
    }

    fn run(self, now: Timestamp, sight: Sight, evidence: Option<Evidence>) -> Rehearsal {
        let asked = Asked::of(&self.request);
        let Self { table, route, request } = self;
        let mut run = Run { table, route, now, sight, evidence, verdict: None, would_fetch: None, events: Vec::new() };
        let end = run.exchange(request.received(now)).unwrap_or_else(|refusal| End {
            told: Told::refusal(&refusal, Some(&route.respond)),
            refusal: Some(refusal),
            handshake: None,
        });
        let mut rehearsal = Rehearsal::new(asked, now, Some(route), end, (run.verdict, run.events));
        if let (Some(refused), Some(host)) = (&mut rehearsal.refused, run.would_fetch.as_ref().and_then(Url::host_str))
        {
            refused.next_step =
                Some(format!("the gateway would fetch the key from {host}, and a rehearsal fetches nothing"));
        }
        rehearsal
    }
}

// === impl Run ===

impl Run<'_> {
    fn exchange(&mut self, received: Received) -> Result<End, Refusal> {
        let route = self.route;
        if received.method != Method::POST && !route.handshakes.take(&received.method) {
            return Err(Refusal::Method);
        }
        if received.body.len() as u64 > route.max_body {
            return Err(Refusal::Receive(ReceiveError::TooLarge { limit: route.max_body }));
        }
        if let Some(end) = self.handshake(&received, Moment::BeforeAuth) {
            return Ok(end);
        }
        let verified = self.verify(received)?;
        if let Some(end) = self.handshake(verified.received(), Moment::AfterAuth) {
            return Ok(end);
        }
        if verified.received().method != Method::POST {
            return Err(Refusal::Method);
        }
        let normalized = route
            .normalizer
            .normalize(verified, request_id(self.now), &self.table.fingerprint)
            .map_err(Refusal::Invalid)?;
        let ids: Vec<Arc<Event>> = normalized.events.iter().map(|one| Arc::clone(&one.event)).collect();
        let ending = self.store(normalized)?;
        let ids: Vec<&str> = ids.iter().map(|event| event.id()).collect();
        Ok(End { told: Told::of(&route.respond, ending, &ids), refusal: None, handshake: None })
    }

    fn handshake(&self, received: &Received, moment: Moment) -> Option<End> {
        let handshakes = &self.route.handshakes;
        let handshaken = handshakes.answer(received, moment)?;
        let when = match moment {
            Moment::BeforeAuth => "before_auth",
            Moment::AfterAuth => "after_auth",
        };
        let visits = handshaken.confirm.map(|address| address.host_str().unwrap_or_default().to_owned());
        let handshake = Handshaken { number: handshaken.number, when, visits };
        Some(End { told: Told::handshake(handshaken.answer), refusal: None, handshake: Some(handshake) })
    }

    fn verify(&mut self, received: Received) -> Result<Verified, Refusal> {
        let verifier = &self.route.verifier;
        let verdict = |result| Verdict { scheme: verifier.scheme(), result, secret: None, skew_ms: None };
        if let Some(evidence) = self.evidence.take() {
            let secret = evidence.secret.as_deref().map(str::to_owned);
            let skew_ms = evidence.skew_ms;
            self.verdict = Some(Verdict { secret, skew_ms, ..verdict(Verdict::VERIFIED) });
            return Ok(Verified::when_it_came(received, evidence));
        }
        let would_fetch = verifier.lacks(&received, self.now).map(|wanted| wanted.request.url);
        match verifier.verify(received, self.now) {
            Ok(verified) => {
                let evidence = verified.evidence();
                let secret = evidence.secret.as_deref().map(str::to_owned);
                let skew_ms = evidence.skew_ms;
                self.verdict = Some(Verdict { secret, skew_ms, ..verdict(Verdict::VERIFIED) });
                Ok(verified)
            }
            Err(rejection) => {
                self.would_fetch = would_fetch.filter(|_| rejection == Rejection::KeyUnavailable);
                self.verdict = Some(verdict(rejection.as_str()));
                Err(Refusal::Unverified(rejection))
            }
        }
    }

    /// What would be stored, and sent.
    fn store(&mut self, normalized: Normalized) -> Result<Ending, Refusal> {
        let mut known = HashMap::new();
        let mut events = Vec::with_capacity(normalized.events.len());
        for (index, occurrence) in normalized.events.into_iter().enumerate() {
            let event = &occurrence.event;
            let too_costly = |error| Refusal::Invalid(normalize::NotAnEvent::Eval(error));
            let wanted = self.route.wants.deliveries(event).map_err(too_costly)?;
            let wishes = self.route.wants.explain(event).map_err(too_costly)?;
            let mut shown = Occurrence::of(event);
            if !wanted.is_empty() && self.route.remember.is_some() {
                // The first of two is stored, and then the second is known.
                let first = *known.entry(occurrence.key.clone()).or_insert(index);
                shown.duplicate_of = (first != index).then_some(first + 1);
            }
            let is_new = shown.duplicate_of.is_none();
            for wish in wishes {
                let wanted = wanted.iter().any(|delivery| delivery.lane == wish.lane);
                shown.deliveries.push(self.delivery(wish, wanted, event, &occurrence.key, is_new));
            }
            events.push(shown);
        }
        let accepted = events.iter().any(|event| event.deliveries.iter().any(|delivery| delivery.wanted));
        self.events = events;
        Ok(if accepted { Ending::Accepted } else { Ending::Filtered })
    }

    fn delivery(&self, wish: Wish, wanted: bool, event: &Event, key: &str, is_new: bool) -> Delivery {
        let Wish { lane, decision, order_key } = wish;
        let found = self.table.delivery(&lane);
        let mut delivery = Delivery {
            name: lane.delivery.to_string(),
            destination: found.map(|found| found.target.name.to_string()).unwrap_or_default(),
            wanted,
            because: decision.because,
            order_key: order_key.map(Into::into),
            request: None,
            dead_letter: None,
        };
        if let Some(found) = found.filter(|_| wanted && is_new) {
            let id = DeliveryId::new(key, &lane);
            match Outbound::rehearsed(&found.target, event, found.shape.render(event), id, self.now) {
                Ok(outbound) => {
                    let mut sent = Sent::of(outbound, self.sight);
                    sent.signature = found.target.signature_headers().map(ToString::to_string).collect();
                    delivery.request = Some(sent);
                }
                Err(error) => delivery.dead_letter = Some(DeadLetter::of(&error)),
            }
        }
        delivery
    }
}

/// The same for the same time: a rehearsal rolls no dice.
fn request_id(now: Timestamp) -> RequestId {
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    RequestId(Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
}

// === impl Asked ===

impl Asked {
    fn of(request: &Unsigned) -> Self {
        Self { method: request.method.to_string(), path: request.path.to_string(), bytes: request.body.len() }
    }
}

// === impl Refused ===

impl Refused {
    fn of(refusal: &Refusal) -> Self {
        let next_step = match refusal {
            Refusal::Unverified(rejection) => Some(rejection.next_step().to_owned()),
            _ => None,
        };
        Self { reason: refusal.label(), detail: refusal.to_string(), next_step }
    }
}

// === impl Occurrence ===

impl Occurrence {
    fn of(event: &Event) -> Self {
        let attributes = event.attributes();
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Self {
            id: attributes.id.to_string(),
            kind: attributes.kind.to_string(),
            source: attributes.source.to_string(),
            subject: owned(&attributes.subject),
            time: owned(&attributes.time),
            provider: attributes.provider.to_string(),
            // It was JSON when it was received, or else there is none.
            data: serde_json::from_slice::<Box<RawValue>>(event.data_bytes()).ok(),
            duplicate_of: None,
            deliveries: Vec::new(),
        }
    }
}

// === impl DeadLetter ===

impl DeadLetter {
    fn of(error: &OutboundError) -> Self {
        let reason: Reason = error.reason();
        Self { reason: reason.as_str(), detail: error.to_string(), next_step: reason.next_step() }
    }
}
