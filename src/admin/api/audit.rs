//! `/ledger` and `/audit`: what was counted, and whether what is stored agrees.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Api;
use super::problem::Problem;
use crate::admin::answer::{self, Answer};
use crate::model::Lane;
use crate::queue::{Audit, Found, LaneCounts, Ledger, RouteCounts};

/// The counts alone.
pub(super) fn ledger(api: &Api) -> Answer {
    let Ledger { routes, lanes, lost } = api.store().ledger();
    let routes: Vec<Value> = routes.iter().map(|(name, counts)| route(name, counts)).collect();
    let lanes: Vec<Value> = lanes.iter().map(|(lane, counts)| Value::Object(self::lane(lane, counts))).collect();
    answer::json(StatusCode::OK, &json!({ "routes": routes, "lanes": lanes, "lost": lost }))
}

/// The counts beside what is stored.
pub(super) async fn audit(api: &Api) -> Result<Answer, Problem> {
    let _turn = api.auditing.acquire().await;
    let audit = api.reading(api.store().audit()).await?;
    Ok(answer::json(StatusCode::OK, &report(&audit)))
}

/// An audit, with its differences by name.
pub(super) fn report(audit: &Audit) -> Value {
    let routes: Vec<Value> = audit.ledger.routes.iter().map(|(name, counts)| route(name, counts)).collect();
    let lanes: Vec<Value> = audit
        .ledger
        .lanes
        .iter()
        .map(|(lane, counts)| {
            let mut shown = self::lane(lane, counts);
            let Found { pending, dead, kept } = audit.found(lane);
            shown.insert("stored".to_owned(), json!({ "pending": pending, "dead": dead, "retained": kept }));
            Value::Object(shown)
        })
        .collect();
    json!({
        "clean": audit.is_clean(),
        "differences": differences(audit),
        "routes": routes,
        "lanes": lanes,
        "lost": audit.ledger.lost,
        "without_event": audit.without_event,
        "without_delivery": audit.without_delivery,
        "stuck_keys": audit.stuck_keys,
    })
}

fn route(name: &str, counts: &RouteCounts) -> Value {
    let RouteCounts { received, accepted, filtered, duplicate, invalid } = counts;
    json!({
        "route": name,
        "received": received,
        "accepted": accepted,
        "filtered": filtered,
        "duplicate": duplicate,
        "invalid": invalid,
        "difference": counts.difference(),
    })
}

fn lane(lane: &Lane, counts: &LaneCounts) -> Map<String, Value> {
    let bytes = [counts.pending_bytes, counts.dead_bytes, counts.kept_bytes];
    let [pending_bytes, dead_bytes, retained_bytes] = bytes;
    let LaneCounts { accepted, delivered, dead, pending, purged, lost, replayed, kept, .. } = counts;
    let shown = json!({
        "route": &*lane.route,
        "delivery": &*lane.delivery,
        "accepted": accepted,
        "delivered": delivered,
        "dead": dead,
        "pending": pending,
        "purged": purged,
        "lost": lost,
        "difference": counts.difference(),
        "replayed": replayed,
        "retained": kept,
        "bytes": { "pending": pending_bytes, "dead": dead_bytes, "retained": retained_bytes },
    });
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

/// What is wrong, each in a sentence. None exactly where the audit is clean.
fn differences(audit: &Audit) -> Vec<Value> {
    let mut all = Vec::new();
    for (name, counts) in &audit.ledger.routes {
        if counts.difference() != 0 {
            let detail = format!("received is off its parts by {}", counts.difference());
            all.push(json!({ "route": &**name, "delivery": null, "what": "events", "detail": detail }));
        }
    }
    for (lane, counts) in &audit.ledger.lanes {
        of_lane(lane, counts, audit.found(lane), &mut all);
    }
    for (lane, _) in &audit.found {
        if !audit.ledger.lanes.iter().any(|(known, _)| known == lane) {
            all.push(of(lane, "lane", "deliveries are stored of which the ledger knows nothing".to_owned()));
        }
    }
    for (count, what, detail) in [
        (
            audit.ledger.lost,
            "lost",
            "deliveries were lost with a damaged log or database, and nobody knows of which lane",
        ),
        (audit.without_event, "without_event", "deliveries have no event"),
        (audit.without_delivery, "without_delivery", "events have no delivery"),
        (audit.stuck_keys, "stuck_keys", "order keys wait for nothing"),
    ] {
        if count > 0 {
            all.push(json!({ "route": null, "delivery": null, "what": what, "detail": format!("{count} {detail}") }));
        }
    }
    all
}

fn of_lane(lane: &Lane, counts: &LaneCounts, found: Found, all: &mut Vec<Value>) {
    if counts.difference() != 0 {
        let lost = if counts.lost == 0 { String::new() } else { format!("; lost to damage: {}", counts.lost) };
        all.push(of(lane, "deliveries", format!("accepted is off its parts by {}{lost}", counts.difference())));
    }
    for (what, counted, stored) in [
        ("pending", counts.pending, found.pending),
        ("dead", counts.dead, found.dead),
        ("retained", counts.kept, found.kept),
    ] {
        if counted != stored {
            all.push(of(lane, what, format!("{what}: the ledger says {counted}, stored are {stored}")));
        }
    }
}

fn of(lane: &Lane, what: &str, detail: String) -> Value {
    json!({ "route": &*lane.route, "delivery": &*lane.delivery, "what": what, "detail": detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_that_is_not_clean_names_what_differs_and_a_clean_one_nothing() {
        let lane = Lane::new("orders", "crm");
        let counts = LaneCounts { accepted: 3, delivered: 1, dead: 1, pending: 1, kept: 1, ..LaneCounts::default() };
        let found = Found { pending: 1, dead: 1, kept: 1 };
        let audit = |counts, found| Audit {
            ledger: Ledger { lanes: vec![(lane.clone(), counts)], ..Ledger::default() },
            found: vec![(lane.clone(), found)],
            ..Audit::default()
        };
        let clean = report(&audit(counts, found));
        assert_eq!((&clean["clean"], &clean["differences"]), (&json!(true), &json!([])));
        for (wrong, what) in [
            (audit(counts, Found { pending: 0, ..found }), "pending"),
            (audit(counts, Found { dead: 2, ..found }), "dead"),
            (audit(counts, Found { kept: 0, ..found }), "retained"),
            (audit(LaneCounts { accepted: 4, lost: 1, ..counts }, found), "deliveries"),
            (Audit { ledger: Ledger::default(), ..audit(counts, found) }, "lane"),
            (Audit { stuck_keys: 1, ..audit(counts, found) }, "stuck_keys"),
            (Audit { ledger: Ledger { lost: 1, ..audit(counts, found).ledger }, ..audit(counts, found) }, "lost"),
        ] {
            let report = report(&wrong);
            assert_eq!((&report["clean"], &report["differences"][0]["what"]), (&json!(false), &json!(what)));
        }
    }
}
