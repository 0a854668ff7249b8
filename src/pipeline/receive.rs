//! The first stage: a request, read to its end within its bounds.

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::expr::RequestScope;
use crate::model::Timestamp;

/// A request, read to its end within its bounds. Nothing in it is to be believed yet.
#[derive(Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// The path as sent, without the query.
    pub path: Box<str>,
    /// The query as sent, without the `?`; empty where there is none.
    pub query: Box<str>,
    /// The values of the route's path parameters, by name.
    pub path_params: Vec<(Box<str>, Box<str>)>,
    /// Every header field.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// When its last byte had arrived.
    pub received_at: Timestamp,
}

impl Received {
    /// What selectors look at before the body is parsed.
    #[must_use]
    pub fn scope(&self) -> RequestScope<'_> {
        RequestScope {
            headers: &self.headers,
            query: &self.query,
            path_params: &self.path_params,
            body: &self.body,
            json: None,
            envelope: None,
            data: &self.body,
        }
    }
}
