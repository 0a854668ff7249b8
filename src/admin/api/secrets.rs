//! `/secrets`: which secret of a route is in use still. Never the secret, nor anything made of it.

use http::StatusCode;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{Api, Call, show};
use crate::admin::answer::{self, Answer};
use crate::app::SecretReport;

pub(super) fn list(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let route = call.fields.text("route")?;
    let secrets: Vec<Value> = api.gateway.secrets(route).iter().map(shown).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "as_of": show::time(api.gateway.now()), "secrets": secrets })))
}

fn shown(report: &SecretReport) -> Value {
    let SecretReport { route, secret, first, known_since, last_used, verifications, used_since, advice, removable } =
        report;
    let used_since: Vec<&str> = used_since.iter().map(|name| &**name).collect();
    json!({
        "route": &**route,
        "secret": &**secret,
        "first": first,
        "known_since": show::maybe_time(*known_since),
        "last_used_at": show::maybe_time(*last_used),
        "verifications": verifications,
        "used_since": used_since,
        "advice": advice.as_str(),
        "removable": removable,
    })
}
