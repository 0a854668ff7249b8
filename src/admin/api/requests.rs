//! `/requests`: whole requests, to the byte, for who wants to run them again.
//!
//! It is the one place where what `mask:` hides is not hidden: run again, a masked request would be another one. That is why
//! the admin token is needed here always, also on loopback, where everything else is open without one: who reads this reads
//! every payload that is kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{Api, Call, selection, show};
use crate::admin::answer::{self, Answer};
use crate::queue::StoredRequest;

const LIST: &str = "requests";

pub(super) async fn list(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let table = api.gateway.table();
    if table.settings.admin_token.is_none() {
        return Err(Problem::needs_token());
    }
    let wanted = selection::read(&call.fields, api.gateway.now())?;
    let (before, limit) = (selection::cursor(&call.fields, LIST)?, selection::limit(&call.fields)?);
    let page = api.reading(api.store().requests(wanted, before, limit)).await?;
    let requests: Vec<Value> = page.entries.iter().map(whole).collect();
    let next = page.next.map(|before| selection::next(LIST, before));
    let configuration = &*table.fingerprint;
    let body = json!({ "configuration": configuration, "requests": requests, "next": next });
    Ok(answer::json(StatusCode::OK, &body))
}

fn whole(StoredRequest { number, request, route, events }: &StoredRequest) -> Value {
    // All of it by itself: what others show of a request may be masked.
    json!({
        "number": number,
        "route": &**route,
        "events": events,
        "request": request.id.to_string(),
        "at": show::time(request.received_at),
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": show::headers(&request.headers),
        "body": STANDARD.encode(&request.body),
        "evidence": show::evidence(&request.evidence),
    })
}
