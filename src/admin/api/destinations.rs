//! `/destinations`: what they have at run time.

use http::StatusCode;
use serde_json::{Value, json};

use super::Api;
use crate::admin::answer::{self, Answer};
use crate::app::DestinationReport;

pub(super) fn list(api: &Api) -> Answer {
    let all: Vec<Value> = api.gateway.destinations().iter().map(shown).collect();
    answer::json(StatusCode::OK, &json!({ "destinations": all }))
}

fn shown(report: &DestinationReport) -> Value {
    let DestinationReport { name, breaker, since, consecutive_failures, next_probe, in_flight, concurrency, rate } =
        report;
    json!({
        "destination": &**name,
        "breaker": breaker.as_str(),
        "since": since.to_rfc3339(),
        "consecutive_failures": consecutive_failures,
        "next_probe": next_probe.map(|at| at.to_rfc3339()),
        "in_flight": in_flight,
        "concurrency": concurrency,
        "rate": rate.map(|rate| rate.to_string()),
    })
}
