//! What the tests of several rooms build events from. Each sets what it is about, and leaves the rest.

use bytes::Bytes;
use uuid::Uuid;

use super::{Attributes, Evidence, Headers, Request, RequestId, Timestamp};

/// A request with this body.
pub(crate) fn request(body: &str) -> Request {
    Request {
        id: RequestId(Uuid::nil()),
        received_at: Timestamp::from_seconds(0),
        method: "POST".into(),
        path: "/hooks/shop".into(),
        query: "".into(),
        path_params: Vec::new(),
        headers: Headers::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        evidence: Evidence::default(),
        json: None,
    }
}

/// The attributes of an event of this type on this route.
pub(crate) fn attributes(route: &str, kind: &str) -> Attributes {
    Attributes {
        id: "evt_1".into(),
        source: "/hooks/shop".into(),
        kind: kind.into(),
        subject: None,
        time: None,
        provider: "shop".into(),
        route: route.into(),
    }
}
