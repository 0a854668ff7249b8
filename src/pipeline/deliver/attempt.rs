//! One HTTP try.

use std::time::Duration;

use super::answer::{Response, retry_after};
use super::{Answer, Outbound, Target, excerpt};
use crate::expr::RenderError;
use crate::model::{DeliveryId, Event, Timestamp};
use crate::pipeline::Payload;

/// The pooled HTTP client that all attempts share.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
}

/// The most that is read of a response's body, in bytes.
const RESPONSE_LIMIT: usize = 64 * 1024;
/// A destination that does not take a connection for this long is down, whatever its `timeout` allows.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below the idle timeouts that servers and balancers commonly have (60 s and more), so that it is rarely the other
/// side that closes a connection just when it is used again.
const POOL_IDLE: Duration = Duration::from_secs(30);
const POOL_IDLE_PER_HOST: usize = 64;
/// An HTTP/2 connection that has died in silence would take every attempt to its host with it.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

// === impl Client ===

impl Client {
    /// Builds the client. The certificate authorities are those of the operating system.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .http2_keep_alive_interval(HTTP2_PING_EVERY)
            .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
            .build()?;
        Ok(Self { http })
    }

    /// Sends one delivery once: attempt `number` (the first is 1) of the delivery `id`. `now` is for `Retry-After` in
    /// its form of a date.
    ///
    /// Only a 2xx whose response was read to its end, or to 64 KiB, is delivered. The target's `timeout` covers all of
    /// it, from connecting to the last byte.
    pub async fn attempt(
        &self,
        target: &Target,
        event: &Event,
        payload: Result<Payload, RenderError>,
        id: DeliveryId,
        number: u32,
        now: Timestamp,
    ) -> Answer {
        let outbound =
            match payload.map_err(Into::into).and_then(|payload| Outbound::new(target, event, payload, id, number)) {
                Ok(outbound) => outbound,
                Err(error) => return Answer::not_sent(&error),
            };
        let mut request = outbound.into_request();
        *request.timeout_mut() = Some(target.timeout);
        match self.http.execute(request).await {
            Ok(response) => Answer::received(&read(response, target, now).await, target),
            Err(error) => Answer::failed(&error, target),
        }
    }
}

/// Reads a response to its end or its bound. Where it is longer it is dropped, and its connection with it.
async fn read(mut response: reqwest::Response, target: &Target, now: Timestamp) -> Response {
    let keep = excerpt::needed(target.secrets());
    let mut start = Vec::new();
    let mut length = 0_usize;
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = keep.saturating_sub(start.len());
                start.extend(chunk.iter().take(room));
                length = length.saturating_add(chunk.len());
                if length > RESPONSE_LIMIT {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    Response { status: response.status(), retry_after: retry_after(response.headers(), now), start, broken }
}
