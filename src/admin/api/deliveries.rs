//! `/deliveries`: one event for one entry of its route's `deliver`.

use http::StatusCode;
use serde_json::{Value, json};

use super::problem::{Problem, nothing};
use super::sight::Sight;
use super::{Api, Call, selection, show};
use crate::admin::answer::{self, Answer};
use crate::model::DeliveryId;
use crate::queue::{DeliveryRecord, Selection};

const LIST: &str = "deliveries";

pub(super) async fn list(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let wanted = selection::read(&call.fields, api.gateway.now())?;
    page(api, call, wanted, LIST).await
}

pub(super) async fn show(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let record = find(api, call.delivery_id()?, "delivery").await?;
    Ok(whole(api, &record))
}

pub(super) async fn replay(api: &Api, call: &Call) -> Result<Answer, Problem> {
    replay_one(api, call.delivery_id()?, "delivery").await
}

/// A page of deliveries, under the name of its list.
pub(super) async fn page(api: &Api, call: &Call, wanted: Selection, list: &str) -> Result<Answer, Problem> {
    let (before, limit) = (selection::cursor(&call.fields, list)?, selection::limit(&call.fields)?);
    let page = api.reading(api.store().deliveries(wanted, before, limit)).await?;
    let table = api.gateway.table();
    let shown = page.entries.iter().map(|record| show::delivery(record, &Sight::of_route(&table, &record.lane.route)));
    let shown: Vec<Value> = shown.collect();
    let next = page.next.map(|before| selection::next(list, before));
    Ok(answer::json(StatusCode::OK, &json!({ list: shown, "next": next })))
}

/// A delivery with the attempts that are kept.
pub(super) fn whole(api: &Api, record: &DeliveryRecord) -> Answer {
    let table = api.gateway.table();
    let sight = Sight::of_route(&table, &record.lane.route);
    answer::json(StatusCode::OK, &show::delivery_with_history(record, &sight))
}

/// The delivery of an id, which is called `what` where there is none.
pub(super) async fn find(api: &Api, id: DeliveryId, what: &str) -> Result<DeliveryRecord, Problem> {
    api.reading(api.store().delivery(id)).await?.ok_or_else(|| nothing(what, id))
}

/// Replays a delivery that ended, where the configuration has somebody still who makes it.
pub(super) async fn replay_one(api: &Api, id: DeliveryId, what: &str) -> Result<Answer, Problem> {
    let lane = find(api, id, what).await?.lane;
    if api.gateway.table().delivery(&lane).is_none() {
        return Err(Problem::conflict(format!("the configuration no longer has `{lane}`: put it back, then replay")));
    }
    let replayed = api.store().replay(id, api.gateway.now()).await?.ok_or_else(|| nothing(what, id))?;
    if !replayed.replayed {
        return Err(Problem::conflict("it is pending already"));
    }
    api.gateway.wake(&[lane]).await;
    Ok(answer::json(StatusCode::OK, &show::replayed(&replayed)))
}
