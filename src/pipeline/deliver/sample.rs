//! What the tests of this stage deliver.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use super::Target;
use crate::config::{At, Named, Problem, Problems, file};
use crate::model::{Attributes, DeliveryId, Event, Evidence, Headers, Lane, Request, RequestId, Timestamp};
use crate::pipeline::Payload;

/// An event with `data`, one JSON text.
pub(super) fn event(data: &str) -> Event {
    let request = Request {
        id: RequestId(Uuid::nil()),
        received_at: Timestamp::from_seconds(0),
        method: "POST".into(),
        path: "/hooks/shop".into(),
        query: "".into(),
        path_params: vec![],
        headers: Headers::new(),
        body: Bytes::copy_from_slice(data.as_bytes()),
        evidence: Evidence::default(),
    };
    let attributes = Attributes {
        id: "evt_1".into(),
        source: "/hooks/shop".into(),
        kind: "order.created".into(),
        subject: None,
        time: None,
        provider: "shop".into(),
        route: "orders".into(),
    };
    let value: Value = serde_json::from_str(data).unwrap();
    Event::new(attributes, Arc::new(request), 0..data.len(), value)
}

pub(super) fn payload() -> Payload {
    Payload { headers: HeaderMap::new(), body: Bytes::from_static(b"{}") }
}

pub(super) fn id() -> DeliveryId {
    DeliveryId::new("evt_1", &Lane::new("orders", "crm"))
}

/// A destination as the file has it, with nothing but a URL.
pub(super) fn destination(url: &str) -> file::Destination {
    file::Destination {
        url: At::nowhere(url.to_owned()),
        method: None,
        headers: Named::default(),
        auth: None,
        timeout: None,
        concurrency: None,
        retry: file::Retry::default(),
        format: None,
    }
}

pub(super) fn headers(fields: &[(&str, &str)]) -> Named<At<String>> {
    Named(fields.iter().map(|(name, value)| (At::nowhere((*name).into()), At::nowhere((*value).into()))).collect())
}

pub(super) fn target(file: &file::Destination) -> Target {
    compile(file).unwrap_or_else(|problems| panic!("{problems:?}"))
}

pub(super) fn problems(file: &file::Destination) -> Vec<Problem> {
    compile(file).err().unwrap_or_default()
}

fn compile(file: &file::Destination) -> Result<Target, Vec<Problem>> {
    let mut problems = Problems::new();
    let target = Target::compile(&At::nowhere("crm".into()), file, &mut problems);
    target.filter(|_| problems.is_empty()).ok_or_else(|| problems.sorted())
}
