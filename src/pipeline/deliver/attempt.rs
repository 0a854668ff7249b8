//! One HTTP try.

use std::pin::{Pin, pin};
use std::sync::Arc;

use http::StatusCode;
use tokio::time::{Instant, Sleep, sleep};

use super::answer::{Response, retry_after};
use super::direct::Dialer;
use super::exchange::{self, Reply};
use super::failure::{self, Failure};
use super::guard::Resolver;
use super::link::builder;
use super::oauth::Token;
use super::{Answer, Outbound, Target, excerpt};
use crate::expr::RenderError;
use crate::model::{DeliveryId, Event, Timestamp};
use crate::pipeline::Payload;

/// The HTTP clients of the attempts to all destinations, but for those with a TLS of their own.
#[derive(Debug, Clone)]
pub struct Client {
    open: Network,
    /// Connects to public addresses alone.
    guarded: Network,
}

/// What connects to the addresses that one resolver gives.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// With its connections, which all share.
    pub(super) http: reqwest::Client,
    /// For those who have connections of their own.
    pub(super) dialer: Dialer,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot set up TLS for destinations: {}; install the system's certificate authorities (Debian: ca-certificates), or have \
     SSL_CERT_FILE or SSL_CERT_DIR name some that can be read",
    failure::root_cause(.0).unwrap_or_default()
)]
pub struct ClientError(#[source] reqwest::Error);

/// The most that is read of a response's body, in bytes.
const RESPONSE_LIMIT: usize = 64 * 1024;

// === impl Client ===

impl Client {
    /// Builds the clients. The certificate authorities are those of the operating system, or those that `SSL_CERT_FILE`
    /// and `SSL_CERT_DIR` name, read here and now.
    ///
    /// # Errors
    /// Where there is no certificate authority to trust.
    pub fn new() -> Result<Self, ClientError> {
        Ok(Self { open: Network::new(Resolver::system(false))?, guarded: Network::new(Resolver::system(true))? })
    }

    /// Sends one delivery once: attempt `number` (the first is 1) of the delivery `id`. `now` is the time that is signed,
    /// and for `Retry-After` in its form of a date.
    ///
    /// Only a 2xx whose response was read to its end, or to 64 KiB, is delivered, and where the target has `success`, one
    /// of which that holds. The target's `timeout` covers all of it, from connecting to the last byte; an access token
    /// that has to be asked for first has a time of its own.
    pub async fn attempt(
        &self,
        target: &Target,
        event: &Event,
        payload: Result<Payload, RenderError>,
        id: DeliveryId,
        number: u32,
        now: Timestamp,
    ) -> Answer {
        let unsigned =
            payload.map_err(Into::into).and_then(|payload| Outbound::unsigned(target, event, payload, id, number));
        let mut unsigned = match unsigned {
            Ok(unsigned) => unsigned,
            Err(error) => return Answer::not_sent(&error),
        };
        let (token, now) = match &target.tokens {
            None => (None, now),
            Some(tokens) => {
                let begun = Instant::now();
                match tokens.token(self, now).await {
                    // What is signed is the time at which it is sent.
                    Ok(token) => (Some(token), now.after(begun.elapsed())),
                    Err(error) => return Answer::no_token(error),
                }
            }
        };
        if let Some(token) = &token {
            unsigned.authorize(token);
        }
        match unsigned.signed(target, now) {
            Ok(outbound) => self.send(target, outbound, token.as_ref(), now).await,
            Err(error) => Answer::not_sent(&error),
        }
    }

    /// What destinations without a TLS of their own are reached by.
    pub(super) const fn network(&self, public_only: bool) -> &Network {
        if public_only { &self.guarded } else { &self.open }
    }

    async fn send(&self, target: &Target, outbound: Outbound, token: Option<&Arc<Token>>, now: Timestamp) -> Answer {
        let mut limit = pin!(sleep(target.timeout));
        let sent = exchange::send(target.link.way(self), outbound);
        let reply = match within(limit.as_mut(), sent).await {
            Ok(reply) => reply,
            Err(failure) => return Answer::failed(&failure, target),
        };
        let refused = match (reply.status, &target.tokens, token) {
            (StatusCode::UNAUTHORIZED, Some(tokens), Some(token)) => tokens.refused(token, now),
            _ => false,
        };
        // Of a success that nobody judges nothing is shown.
        let is_plain = reply.status.is_success() && target.judge.is_none();
        let mut secrets = Vec::new();
        if !is_plain {
            secrets.extend_from_slice(target.secrets());
            secrets.extend(token.map(|token| token.secret.clone()));
        }
        let keep = match target.judge {
            Some(_) => RESPONSE_LIMIT,
            None if is_plain => 0,
            None => excerpt::needed(&secrets),
        };
        let answer = Answer::received(&read(reply, limit, keep, now).await, target, &secrets);
        if refused { answer.of_a_refused_token() } else { answer }
    }
}

// === impl Network ===

impl Network {
    fn new(resolver: Resolver) -> Result<Self, ClientError> {
        let http = builder(resolver.clone()).build().map_err(ClientError)?;
        Ok(Self { http, dialer: Dialer::new(resolver) })
    }
}

/// What comes of `work`, if it comes in time.
async fn within<T>(limit: Pin<&mut Sleep>, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        done = work => done,
        () = limit => Err(Failure::timeout()),
    }
}

/// Reads a response to its end or its bound, and keeps as much of it as `keep`. Where it is longer it is dropped, and its
/// connection with it.
async fn read(reply: Reply, mut limit: Pin<&mut Sleep>, keep: usize, now: Timestamp) -> Response {
    let Reply { status, headers, mut body } = reply;
    let mut start = Vec::new();
    let mut length = 0_usize;
    let broken = loop {
        match within(limit.as_mut(), body.chunk()).await {
            Ok(Some(chunk)) => {
                let room = keep.saturating_sub(start.len());
                start.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                length = length.saturating_add(chunk.len());
                if length > RESPONSE_LIMIT {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(failure) => break Some(failure),
        }
    };
    let whole = length <= start.len();
    Response { status, retry_after: retry_after(&headers, now), headers, start, whole, broken }
}

#[cfg(test)]
mod tests;
