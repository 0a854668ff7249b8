//! The samples, and how they are sent: signed as the provider would.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};

use crate::model::Timestamp;
use crate::pipeline::verify::{SignError, Unsigned};
use crate::routing::RouteTable;

/// A request that a provider would send.
#[derive(Debug)]
pub(super) struct Sample {
    /// What it is, for a person.
    pub(super) title: &'static str,
    /// The path on the gateway.
    pub(super) path: &'static str,
    /// The body, from the provider's own document.
    pub(super) body: &'static str,
    /// What is done to it on the way.
    pub(super) fate: Fate,
}

/// What is done to a sample on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing: it arrives as it was signed.
    Untouched,
    /// It is signed by somebody who does not know the secret.
    Forged,
}

/// What the gateway answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A sample that could not be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SampleError {
    #[error("no route of the example has the path {0}")]
    NoRoute(&'static str),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../fixtures/providers/", $path))
    };
}

/// The samples, in the order in which they are shown.
pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        title: "BSPK: a client gave consent",
        path: "/hooks/bspk",
        body: fixture!("bspk/client.updated.json"),
        fate: Fate::Untouched,
    },
    Sample {
        title: "Sparkbox: two prices were approved, in one request",
        path: "/hooks/sparkbox",
        body: fixture!("sparkbox/model.approved.json"),
        fate: Fate::Untouched,
    },
    Sample {
        title: "Orderspace: three customers were created, in one request",
        path: "/hooks/orderspace",
        body: fixture!("orderspace/customer.created.json"),
        fate: Fate::Untouched,
    },
    Sample {
        title: "Bubblehouse: it asks who is there",
        path: "/hooks/bubblehouse/Hello1",
        body: fixture!("bubblehouse/Hello1.json"),
        fate: Fate::Untouched,
    },
    Sample {
        title: "Bubblehouse: a customer earned points",
        path: "/hooks/bubblehouse/SendEvent1",
        body: fixture!("bubblehouse/SendEvent1.points_updated.json"),
        fate: Fate::Untouched,
    },
    Sample {
        title: "BSPK: the first one again, as providers do when our answer was lost",
        path: "/hooks/bspk",
        body: fixture!("bspk/client.updated.json"),
        fate: Fate::Untouched,
    },
    Sample {
        title: "Orderspace, says somebody who does not know the key",
        path: "/hooks/orderspace",
        body: fixture!("orderspace/order.created.json"),
        fate: Fate::Forged,
    },
];

// === impl Sample ===

impl Sample {
    /// Signs it as the provider would, and posts it.
    pub(super) async fn send(
        &self,
        table: &RouteTable,
        gateway: SocketAddr,
        now: Timestamp,
    ) -> Result<Answer, SampleError> {
        let matched = table.find(self.path).ok_or(SampleError::NoRoute(self.path))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let mut unsigned = Unsigned {
            method: Method::POST,
            path: self.path.into(),
            query: "".into(),
            path_params: matched.path_params,
            headers,
            body: Bytes::from_static(self.body.as_bytes()),
        };
        matched.route.verifier.sign(&mut unsigned, now)?;
        if self.fate == Fate::Forged {
            // One more byte than was signed.
            unsigned.body = [self.body.as_bytes(), b"\n"].concat().into();
        }
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        let url = format!("http://{gateway}{}", self.path);
        let mut response = client.post(url).headers(unsigned.headers).body(unsigned.body).send().await?;
        let status = response.status().as_u16();
        let body = response.chunk().await?.unwrap_or_default();
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}
