//! What a gateway asks of others before it can answer: keys of providers, and addresses that confirm a subscription. Only
//! `https` and only hosts of the configuration ([`KeyRequest`], [`crate::pipeline::Hosts`]) come this far.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderValue, header};
use url::Url;

use crate::pipeline::verify::KeyRequest;

/// Who asks.
pub trait Fetch: fmt::Debug + Send + Sync {
    /// Asks for a key.
    fn key<'f>(&'f self, request: &'f KeyRequest) -> BoxFuture<'f, Result<Bytes, FetchError>>;

    /// Visits an address.
    fn visit<'f>(&'f self, address: &'f Url) -> BoxFuture<'f, Result<(), FetchError>>;
}

/// Why nothing came back. It names no address: there is a token in the one that confirms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, no answer in time, or none that is HTTP.
    #[error("no answer: {0}")]
    Transport(String),
    /// The answer was no success. Redirects are not followed.
    #[error("it answered {0}")]
    Status(u16),
    /// The answer is longer than a key.
    #[error("its answer is longer than {LARGEST} bytes")]
    TooLarge,
}

/// Over the network.
#[derive(Debug)]
pub struct Network(reqwest::Client);

/// A provider waits for its answer meanwhile, commonly ten seconds.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes: a chain of certificates has some thousand.
const LARGEST: usize = 64 << 10;

// === impl Network ===

impl Network {
    /// A client of its own, which has nothing to do with destinations.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self(client))
    }
}

impl Fetch for Network {
    fn key<'f>(&'f self, request: &'f KeyRequest) -> BoxFuture<'f, Result<Bytes, FetchError>> {
        let builder = match &request.json {
            None => self.0.get(request.url.clone()),
            Some(json) => self
                .0
                .post(request.url.clone())
                .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(String::from(&**json)),
        };
        Box::pin(read(builder))
    }

    fn visit<'f>(&'f self, address: &'f Url) -> BoxFuture<'f, Result<(), FetchError>> {
        Box::pin(async { read(self.0.get(address.clone())).await.map(|_| ()) })
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Bytes, FetchError> {
    let mut response = request.send().await?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

// === impl FetchError ===

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        let what = if error.is_timeout() {
            "it took too long"
        } else if error.is_connect() {
            "it cannot be connected to"
        } else {
            "the connection broke off"
        };
        Self::Transport(what.to_owned())
    }
}
