//! What the tests of this stage deliver.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use super::Target;
use crate::config::{At, Named, Problem, Problems, file};
use crate::model::{DeliveryId, Event, Lane, sample};
use crate::pipeline::Payload;

/// An event with `data`, one JSON text.
pub(super) fn event(data: &str) -> Event {
    let value: Value = serde_json::from_str(data).unwrap();
    let attributes = sample::attributes("orders", "order.created");
    Event::new(attributes, sample::request(data).into(), 0..data.len(), value)
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
        sign: None,
        tls: None,
        allow_private: None,
        success: None,
        timeout: None,
        concurrency: None,
        rate: None,
        breaker: None,
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
