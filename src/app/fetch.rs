//! What a gateway asks of others before it can answer: keys of providers, and addresses that confirm a subscription. Only
//! `https` and only hosts of the configuration ([`KeyRequest`], [`crate::pipeline::Hosts`]) come this far.

use std::fmt;
use std::sync::OnceLock;
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
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: the system has no certificate authorities")]
    Tls,
    /// The answer was no success. Redirects are not followed.
    #[error("it answered {0}")]
    Status(u16),
    /// The answer is longer than a key.
    #[error("its answer is longer than {LARGEST} bytes")]
    TooLarge,
}

/// Over the network, by a client of its own that has nothing to do with destinations. It is made when it is first needed: most
/// gateways fetch nothing.
#[derive(Debug, Default)]
pub struct Network(OnceLock<Option<reqwest::Client>>);

/// A provider waits for its answer meanwhile, commonly ten seconds.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes: a chain of certificates has some thousand.
const LARGEST: usize = 64 << 10;

// === impl Network ===

impl Network {
    fn client(&self) -> Result<&reqwest::Client, FetchError> {
        let client = self.0.get_or_init(|| {
            let builder = reqwest::Client::builder().https_only(true).no_proxy();
            let builder = builder.redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
            builder.pool_max_idle_per_host(1).build().ok()
        });
        client.as_ref().ok_or(FetchError::Tls)
    }
}

impl Fetch for Network {
    fn key<'f>(&'f self, request: &'f KeyRequest) -> BoxFuture<'f, Result<Bytes, FetchError>> {
        Box::pin(async {
            let client = self.client()?;
            let json = HeaderValue::from_static("application/json");
            read(match &request.json {
                None => client.get(request.url.clone()),
                Some(body) => {
                    client.post(request.url.clone()).header(header::CONTENT_TYPE, json).body(String::from(&**body))
                }
            })
            .await
        })
    }

    fn visit<'f>(&'f self, address: &'f Url) -> BoxFuture<'f, Result<(), FetchError>> {
        Box::pin(async { read(self.client()?.get(address.clone())).await.map(|_| ()) })
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
