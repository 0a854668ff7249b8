//! `/keys`: order keys that wait behind a dead letter.

use http::StatusCode;
use serde_json::{Value, json};

use super::fields::missing;
use super::problem::Problem;
use super::sight::Sight;
use super::{Api, Call, selection, show};
use crate::admin::answer::{self, Answer};
use crate::model::Lane;
use crate::queue::{DeliveryRecord, State};

const LIST: &str = "keys";

pub(super) async fn list(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let limit = selection::limit(&call.fields)?;
    let after = selection::cursor::<(String, String, Box<str>)>(&call.fields, LIST)?;
    let after = after.map(|(route, delivery, key)| (Lane::new(route, delivery), key));
    let keys = api.reading(api.store().parked(after, limit)).await?;
    let last = keys.last().filter(|_| keys.len() >= limit);
    let next = last.map(|last| selection::next(LIST, (&*last.lane.route, &*last.lane.delivery, &*last.key)));
    let table = api.gateway.table();
    let shown = keys.iter().map(|parked| show::parked(parked, &Sight::of_route(&table, &parked.lane.route)));
    let shown: Vec<Value> = shown.collect();
    Ok(answer::json(StatusCode::OK, &json!({ LIST: shown, "next": next })))
}

pub(super) async fn release(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let fields = &call.fields;
    let lane = Lane::new(fields.needed("route")?, fields.needed("delivery")?);
    let key = fields.needed("key")?;
    let replay = fields.flag("replay")?.ok_or_else(|| missing("replay"))?;
    let released = api.store().release(&lane, key, replay, api.gateway.now()).await?;
    let released = released.ok_or_else(|| Problem::not_found(format!("this key of `{lane}` is not parked")))?;
    api.gateway.wake(&[lane]).await;
    Ok(answer::json(StatusCode::OK, &json!({ "released": released })))
}

/// Whether a delivery waits behind a dead letter that parked its order key.
pub(super) async fn holds_up(api: &Api, record: &DeliveryRecord) -> Result<bool, Problem> {
    let (State::Pending { due_at: None }, Some(key)) = (record.state, &record.order_key) else { return Ok(false) };
    // The first key that comes after the one just before it.
    let after = (record.lane.clone(), just_before(key));
    let found = api.reading(api.store().parked(Some(after), 1)).await?;
    Ok(found.first().is_some_and(|parked| parked.lane == record.lane && parked.key == *key))
}

/// A text that comes before `key`, and between which and `key` there is none that anybody would write.
fn just_before(key: &str) -> Box<str> {
    let mut text = key.to_owned();
    let last = text.pop();
    if let Some(before) = last.and_then(|last| char::from_u32(u32::from(last).checked_sub(1)?)) {
        text.push(before);
        text.push(char::MAX);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_between_a_key_and_what_is_just_before_it() {
        for key in ["a", "7", "customer-10", "\u{0}", "é", "\u{e000}"] {
            let before = just_before(key);
            assert!(&*before < key, "{key}");
        }
        assert!(
            ["customer-1", "customer-0z", "customer-"].into_iter().all(|other| other < &*just_before("customer-10"))
        );
    }
}
