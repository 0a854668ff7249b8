//! One HTTP try.

use std::time::Duration;

use super::Target;
use crate::expr::RenderError;
use crate::model::{DeliveryId, Event, Outcome, Timestamp};
use crate::pipeline::Payload;

/// The pooled HTTP client that all attempts share.
#[derive(Debug, Clone)]
pub struct Client(());

/// How a try ended, before the retry policy has its say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// Delivered, or why not: `Retry` where another try may do better, `DeadLetter` where it cannot.
    pub outcome: Outcome,
    /// How long the destination asks us to wait (`Retry-After`), at most a day.
    pub retry_after: Option<Duration>,
    /// What happened, in a sentence for a person: at most `Attempt::DETAIL_LIMIT` bytes, never anything we sent.
    pub detail: Box<str>,
}

impl Client {
    /// Builds the client.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        todo!()
    }

    /// Sends one delivery once. `now` is for `Retry-After` in its form of a date.
    pub async fn attempt(
        &self,
        _target: &Target,
        _event: &Event,
        _payload: Result<Payload, RenderError>,
        _id: DeliveryId,
        _number: u32,
        _now: Timestamp,
    ) -> Answer {
        todo!()
    }
}
