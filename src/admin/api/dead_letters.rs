//! `/dead-letters`: deliveries that were given up and wait for a person.

use http::StatusCode;

use super::problem::Problem;
use super::{Api, Call, deliveries, selection};
use crate::admin::answer::{self, Answer, respond};
use crate::model::DeliveryId;
use crate::queue::{DeliveryRecord, Selection, StateKind};

const LIST: &str = "dead_letters";
const WHAT: &str = "dead letter";

pub(super) async fn list(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let wanted = selection::read(&call.fields, api.gateway.now())?;
    deliveries::page(api, call, Selection { state: Some(StateKind::Dead), ..wanted }, LIST).await
}

pub(super) async fn show(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let record = find(api, call.delivery_id()?).await?;
    Ok(deliveries::whole(api, &record))
}

pub(super) async fn replay(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let id = call.delivery_id()?;
    find(api, id).await?;
    deliveries::replay_one(api, id, WHAT).await
}

pub(super) async fn purge(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let id = call.delivery_id()?;
    if !api.store().purge(id).await? {
        find(api, id).await?;
        return Err(Problem::conflict("it was replayed meanwhile"));
    }
    Ok(respond(StatusCode::NO_CONTENT, answer::JSON, ""))
}

/// The dead letter of an id.
async fn find(api: &Api, id: DeliveryId) -> Result<DeliveryRecord, Problem> {
    let record = deliveries::find(api, id, WHAT).await?;
    match record.state.kind() {
        StateKind::Dead => Ok(record),
        other => Err(Problem::conflict(format!("`{id}` is no dead letter: it is {}", other.as_str()))),
    }
}
