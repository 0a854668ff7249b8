//! A request and its answer, whichever client is asked: what both have in common, and all that an attempt knows of them.

use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::Full;
use url::Url;

use super::failure::Failure;
use super::link::Way;
use super::{Outbound, direct};

/// The head of an answer, and what follows it.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// The body of an answer. One that is dropped before its end closes its connection.
pub(super) enum Body {
    Direct(direct::Body),
    Reqwest(reqwest::Response),
}

/// What is asked for.
pub(super) const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// Sends a request, and waits for the head of its answer: the first that is not an interim one. No redirect is followed.
pub(super) async fn send(way: Way<'_>, outbound: Outbound) -> Result<Reply, Failure> {
    match way {
        Way::Direct(pool, dialer) => {
            let request = direct_request(outbound)?;
            let (head, body) = pool.send(dialer, request).await?.into_parts();
            Ok(Reply { status: head.status, headers: head.headers, body: Body::Direct(body) })
        }
        Way::Reqwest(client) => {
            let mut response = client.execute(reqwest_request(outbound)).await?;
            let headers = std::mem::take(response.headers_mut());
            Ok(Reply { status: response.status(), headers, body: Body::Reqwest(response) })
        }
    }
}

// === impl Body ===

impl Body {
    /// Some more of it, or `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Direct(body) => Ok(body.chunk().await?),
            Self::Reqwest(response) => Ok(response.chunk().await?),
        }
    }
}

fn direct_request(outbound: Outbound) -> Result<Request<Full<Bytes>>, Failure> {
    let uri = outbound.url.request_target().ok_or_else(Failure::no_request_target)?;
    let mut request = Request::new(Full::new(outbound.body));
    *request.method_mut() = outbound.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = outbound.headers;
    request.headers_mut().entry(ACCEPT).or_insert(ANYTHING);
    Ok(request)
}

fn reqwest_request(outbound: Outbound) -> reqwest::Request {
    let mut request = reqwest::Request::new(outbound.method, Url::clone(&outbound.url));
    *request.headers_mut() = outbound.headers;
    *request.body_mut() = Some(outbound.body.into());
    request
}
