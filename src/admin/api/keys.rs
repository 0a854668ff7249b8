//! `/keys`: order keys that wait behind a dead letter.

use http::StatusCode;
use serde_json::{Value, json};

use super::fields::{Fields, missing};
use super::problem::Problem;
use super::sight::Sight;
use super::{Api, Call, deliveries, selection, show};
use crate::admin::answer::{self, Answer};
use crate::model::Lane;
use crate::queue::{DeliveryRecord, ParkedKey, State};

const LIST: &str = "keys";
/// How many keys are passed over at once.
const STRIDE: usize = 1000;

/// How many keys were listed, and the last of them. Where that is hidden, it is not in the cursor either.
type Listed = (u64, Option<(String, String, Box<str>)>);

pub(super) async fn list(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let limit = selection::limit(&call.fields)?;
    let (before, last) = selection::cursor::<Listed>(&call.fields, LIST)?.unwrap_or_default();
    let keys = match last {
        Some((route, delivery, key)) => page(api, Some((Lane::new(route, delivery), key)), limit).await?,
        None => skip(api, before, limit).await?,
    };
    let table = api.gateway.table();
    let sight = |parked: &ParkedKey| Sight::of_route(&table, &parked.lane.route);
    let shown: Vec<Value> = keys.iter().map(|parked| show::parked(parked, &sight(parked))).collect();
    let next = keys.last().filter(|_| keys.len() >= limit).map(|last| {
        let ParkedKey { lane, key, .. } = last;
        let is_shown = sight(last).order_key(lane, key) == &**key;
        let listed = before.saturating_add(u64::try_from(keys.len()).unwrap_or(u64::MAX));
        selection::next(LIST, (listed, is_shown.then_some((&*lane.route, &*lane.delivery, &**key))))
    });
    Ok(answer::json(StatusCode::OK, &json!({ LIST: shown, "next": next })))
}

async fn page(api: &Api, after: Option<(Lane, Box<str>)>, limit: usize) -> Result<Vec<ParkedKey>, Problem> {
    Ok(api.reading(api.store().parked(after, limit)).await?)
}

/// The keys that come after so many. One that was released since then is counted no more: a later one may be passed over.
async fn skip(api: &Api, mut listed: u64, limit: usize) -> Result<Vec<ParkedKey>, Problem> {
    let mut after = None;
    while listed > 0 {
        let passed = page(api, after, usize::try_from(listed).unwrap_or(usize::MAX).min(STRIDE)).await?;
        let Some(last) = passed.last() else { return Ok(passed) };
        listed = listed.saturating_sub(u64::try_from(passed.len()).unwrap_or(u64::MAX));
        after = Some((last.lane.clone(), last.key.clone()));
    }
    page(api, after, limit).await
}

pub(super) async fn release(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let (lane, key) = meant(api, &call.fields).await?;
    let replay = call.fields.flag("replay")?.ok_or_else(|| missing("replay"))?;
    let released = api.store().release(&lane, &key, replay, api.gateway.now()).await?;
    let released = released.ok_or_else(|| Problem::not_found(format!("this key of `{lane}` is not parked")))?;
    api.gateway.wake(&[lane]).await;
    Ok(answer::json(StatusCode::OK, &json!({ "released": released })))
}

/// The key that is meant: by itself, or by the dead letter that it waits behind.
async fn meant(api: &Api, fields: &Fields) -> Result<(Lane, Box<str>), Problem> {
    let Some(behind) = fields.text("behind")? else {
        return Ok((Lane::new(fields.needed("route")?, fields.needed("delivery")?), fields.needed("key")?.into()));
    };
    for name in ["route", "delivery", "key"] {
        if fields.text(name)?.is_some() {
            return Err(Problem::field(name, format!("`{name}` and `behind` contradict: one of them says which key")));
        }
    }
    let id = behind.parse().map_err(|error| Problem::field("behind", format!("`behind` is no delivery's: {error}")))?;
    let record = deliveries::find(api, id, "dead letter").await?;
    let key = record.order_key.ok_or_else(|| Problem::conflict("it has no order key, so nothing waits behind it"))?;
    Ok((record.lane, key))
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
