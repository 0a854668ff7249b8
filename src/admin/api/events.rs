//! `/events`: what came in, and what became of it.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderName, X_CONTENT_TYPE_OPTIONS};
use serde_json::{Value, json};

use super::problem::{Problem, nothing};
use super::sight::Sight;
use super::{Api, Call, keys, selection, show, story};
use crate::admin::answer::{self, Answer, respond, with};
use crate::config::nearest;
use crate::model::Lane;
use crate::queue::{NewDelivery, StoredEvent};

const LIST: &str = "events";
const BYTES: &str = "application/octet-stream";
/// The content type of the request that the body came in.
const RECEIVED_TYPE: HeaderName = HeaderName::from_static("hookswitch-content-type");
/// Says that it is not the body, but the event's document, without what is hidden.
const MASKED: HeaderName = HeaderName::from_static("hookswitch-masked");

pub(super) async fn list(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let wanted = selection::read(&call.fields, api.gateway.now())?;
    let (before, limit) = (selection::cursor(&call.fields, LIST)?, selection::limit(&call.fields)?);
    let page = api.reading(api.store().events(wanted, before, limit)).await?;
    let table = api.gateway.table();
    let events = page.entries.iter().map(|record| show::event(record, &Sight::of_route(&table, &record.head.route)));
    let events: Vec<Value> = events.collect();
    let next = page.next.map(|before| selection::next(LIST, before));
    Ok(answer::json(StatusCode::OK, &json!({ "events": events, "next": next })))
}

pub(super) async fn show(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let mut shown = Vec::new();
    for found in stored(api, &call.id).await? {
        shown.push(whole(api, found).await?);
    }
    Ok(answer::json(StatusCode::OK, &json!({ "events": shown })))
}

/// The exact bytes of the request; where anything of the event is hidden, its document instead. There is no asking for the
/// bytes then: they hold what is hidden, as it is written, twice even, and what belongs to other events of the request.
pub(super) async fn body(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let event = the_one(api, call).await?.event;
    let (request, table) = (event.request(), api.gateway.table());
    let sight = Sight::of_event(&table, &event);
    if sight.mask().is_everything() {
        let attributes = event.attributes();
        return Err(Problem::conflict(format!(
            "the configuration has neither the event's route `{}` nor its provider any more, so nothing says what of it \
             is to be masked: put one of them back",
            attributes.route
        )));
    }
    if sight.mask().is_nothing() {
        return Ok(download(request.body.clone(), request.content_type().unwrap_or(BYTES)));
    }
    let document = sight.mask().document(&event).to_string();
    Ok(with(download(document, answer::JSON), MASKED, "true"))
}

fn download(body: impl Into<Bytes>, received_type: &str) -> Answer {
    // Never as the type that the sender says: a browser must not run it.
    let answer = respond(StatusCode::OK, BYTES, body);
    let answer = with(answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    let answer = with(answer, CONTENT_DISPOSITION, "attachment; filename=\"body\"");
    with(answer, RECEIVED_TYPE, received_type)
}

pub(super) async fn replay(api: &Api, call: &Call) -> Result<Answer, Problem> {
    let found = the_one(api, call).await?;
    let to = lanes(api, &found, call.fields.text("delivery")?)?;
    let replayed = api.store().redeliver(found.number, to, api.gateway.now()).await?;
    let replayed = replayed.ok_or_else(|| nothing("event", &call.id))?;
    if replayed.iter().all(|replayed| !replayed.replayed) {
        return Err(Problem::conflict("each of these deliveries is pending already"));
    }
    let lanes: Vec<Lane> = replayed.iter().map(|replayed| replayed.lane.clone()).collect();
    api.gateway.wake(&lanes).await;
    let shown: Vec<Value> = replayed.iter().map(show::replayed).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "number": found.number, "deliveries": shown })))
}

/// Where a replay goes: to everyone who wants the event now, or to the one who is named.
fn lanes(api: &Api, found: &StoredEvent, named: Option<&str>) -> Result<Vec<NewDelivery>, Problem> {
    let table = api.gateway.table();
    let name = &found.event.attributes().route;
    let Some(route) = table.routes().iter().find(|route| route.name == *name) else {
        return Err(Problem::conflict(format!("the configuration no longer has the event's route `{name}`")));
    };
    let undecided = |error| Problem::conflict(format!("the route cannot tell who wants the event: {error}"));
    let Some(named) = named else {
        let wanted = route.wants.deliveries(&found.event).map_err(undecided)?;
        return if wanted.is_empty() {
            Err(Problem::conflict("no delivery of its route wants the event: name one by `delivery`"))
        } else {
            Ok(wanted)
        };
    };
    let lane = Lane::new(std::sync::Arc::clone(&route.name), named);
    match route.wants.delivery(&found.event, &lane).map_err(undecided)? {
        Some(delivery) => Ok(vec![delivery]),
        None => {
            let known = table.lanes().filter(|lane| lane.route == *name).map(|lane| &*lane.delivery);
            let hint = nearest(named, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            Err(Problem::field("delivery", format!("the route `{name}` has no delivery `{named}`{hint}")))
        }
    }
}

/// Every stored event of an id: at least one.
async fn stored(api: &Api, id: &str) -> Result<Vec<StoredEvent>, Problem> {
    let found = api.reading(api.store().event(id)).await?;
    if found.is_empty() { Err(nothing("event", id)) } else { Ok(found) }
}

/// The stored event that is meant, where an id may mean several.
async fn the_one(api: &Api, call: &Call) -> Result<StoredEvent, Problem> {
    let number = call.fields.number("number")?;
    let mut found = stored(api, &call.id).await?;
    if let Some(number) = number {
        found.retain(|event| event.number == number);
    }
    let numbers: Vec<String> = found.iter().map(|event| event.number.to_string()).collect();
    match found.pop() {
        None => Err(Problem::not_found(format!("no event `{}` has this number", call.id)).for_field("number")),
        Some(event) if found.is_empty() => Ok(event),
        Some(_) => {
            let detail = format!("several events have this id: say which by `number`, one of {}", numbers.join(", "));
            Err(Problem::conflict(detail).for_field("number"))
        }
    }
}

async fn whole(api: &Api, StoredEvent { number, event, deliveries }: StoredEvent) -> Result<Value, Problem> {
    let attributes = event.attributes();
    let mut told = Vec::with_capacity(deliveries.len());
    for record in deliveries {
        let parked = keys::holds_up(api, &record).await?;
        told.push((record, parked));
    }
    let table = api.gateway.table();
    let sight = Sight::of_event(&table, &event);
    let seen = sight.request(&event);
    let maybe = |name, value: &Option<Box<str>>| value.as_deref().map(|value| sight.attribute(name, value).to_owned());
    let shown: Vec<Value> = told.iter().map(|(record, _)| show::delivery_with_history(record, &sight)).collect();
    Ok(json!({
        "number": number,
        "id": sight.attribute("id", &attributes.id),
        "type": sight.attribute("type", &attributes.kind),
        "source": sight.source(&event, &seen),
        "subject": maybe("subject", &attributes.subject),
        "time": maybe("time", &attributes.time),
        "provider": Some(&*attributes.provider).filter(|name| !name.is_empty()),
        "route": &*attributes.route,
        "received": show::received(&seen),
        "deliveries": shown,
        "story": story::tell(event.request(), &told, &sight),
    }))
}
