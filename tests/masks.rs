//! What is masked is shown to nobody who looks, delivered as it came, and hidden also where it was stored before the mask was
//! written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::{Value, json};
use support::{Answer, Destination, Gateway, fixtures, sign};

/// What stands in the sample of a person.
const PERSON: [&str; 6] =
    ["mark.d@email.com", "Desmound", "WT0010002098", "661 N Park Ave", "1980-01-23", "555 98765998"];
/// And what is no person's.
const PREFERENCE: &str = "special_order";

/// A gateway with the route `in`, which has these lines too.
fn routes(destination: &Destination, route: &str) -> String {
    format!(
        "
destinations:
  crm: {{ url: '{}', retry: {{ initial: 1ms, max: 5ms }} }}
routes:
  - name: in
    path: /in
    deliver: [{{ to: crm, order_by: $.data.email, on_dead_letter: park }}]
{route}
",
        destination.url("/crm")
    )
}

const BSPK: &str = "    provider: bspk\n    secret: s3cret";

fn accept_bspk(gateway: &Gateway) -> (String, Vec<u8>) {
    let body = fixtures::one("bspk", "client.updated").body;
    let response = gateway.post("/in", &sign::bspk("s3cret"), &body);
    assert_eq!(response.status, 202, "{}", response.text());
    (response.json()["id"].as_str().unwrap().to_owned(), body.to_vec())
}

fn accept(gateway: &Gateway, body: &Value) {
    assert_eq!(gateway.post_json("/in", body).status, 202);
}

fn reload(gateway: &Gateway, routes: &str) {
    gateway.write_routes(routes);
    let response = gateway.admin("POST", "/-/reload");
    assert_eq!(response.status, 200, "{}", response.text());
}

/// Everything that a person gets to see of the event: by the commands, by the API, and in the log.
fn everything_seen(gateway: &Gateway, id: &str) -> String {
    let mut seen = gateway.log().join("\n");
    for command in [
        &["events", "list"][..],
        &["events", "list", "--output", "json"],
        &["events", "show", id],
        &["events", "show", id, "--output", "json"],
        &["events", "show", id, "--body"],
        &["deliveries", "list", "--output", "json"],
        &["dead-letters", "list", "--output", "json"],
        &["keys", "list"],
        &["keys", "list", "--output", "json"],
        &["jobs", "list", "--output", "json"],
    ] {
        let ran = gateway.run(command);
        seen += &ran.stdout;
        seen += &ran.stderr;
    }
    let deliveries = gateway.read("/deliveries")["deliveries"].as_array().unwrap().clone();
    for delivery in deliveries {
        let id = delivery["id"].as_str().unwrap();
        seen += &gateway.read(&format!("/deliveries/{id}")).to_string();
        seen += gateway.run(&["deliveries", "show", id]).printed();
        if delivery["state"] == "dead" {
            seen += gateway.run(&["dead-letters", "show", id]).printed();
        }
    }
    seen + &gateway.api("GET", &format!("/events/{id}/body"), &Value::Null).text()
}

#[test]
fn no_person_of_bspk_is_seen_and_each_is_delivered() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, BSPK));
    let (id, body) = accept_bspk(&gateway);
    gateway.wait_until_drained();
    let seen = everything_seen(&gateway, &id);
    for personal in PERSON {
        assert!(!seen.contains(personal), "{personal} is in {seen}");
    }
    assert!(seen.contains(PREFERENCE) && seen.contains("***"), "{seen}");
    let sent: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(destination.wait_for(1)[0].json()["data"], sent["object"]);

    // Replayed, it is what it was.
    assert_eq!(gateway.run(&["events", "replay", &id]).code, Some(0));
    assert_eq!(destination.wait_for(2)[1].json()["data"], sent["object"]);
}

#[test]
fn the_body_of_a_masked_event_is_its_document_and_says_so() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, BSPK));
    let (id, _) = accept_bspk(&gateway);
    let response = gateway.api("GET", &format!("/events/{id}/body"), &Value::Null);
    assert_eq!(response.header("hookswitch-masked"), Some("true"));
    assert_eq!(response.header("hookswitch-content-type"), Some("application/json"));
    let document = response.json();
    assert_eq!((&document["data"]["email"], &document["data"]["addresses"]), (&json!("***"), &json!("***")));
    assert_eq!((&document["type"], &document["data"]["segment"]), (&json!("client.updated"), &json!("VIP")));
    let ran = gateway.run(&["events", "show", &id, "--body"]);
    assert_eq!(ran.json(), document);
    assert!(ran.stderr.contains("not what was received"), "{ran:?}");
    // There is no asking for more.
    assert_eq!(gateway.api("GET", &format!("/events/{id}/body?reveal=true"), &Value::Null).status, 400);
}

#[test]
fn a_mask_that_is_added_hides_what_is_stored_already() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, "    auth: none"));
    accept(&gateway, &json!({ "type": "t", "id": "1", "email": "a@b.example", "items": [{ "note": "hush" }], "n": 7 }));
    gateway.wait_until_drained();
    let before = everything_seen(&gateway, "1");
    assert!(before.contains("a@b.example") && before.contains("hush"), "{before}");

    reload(&gateway, &routes(&destination, "    auth: none\n    mask: [$.data.email, \"$.data.items[*].note\"]"));
    let after = everything_seen(&gateway, "1");
    assert!(!after.contains("a@b.example") && !after.contains("hush"), "{after}");
    assert!(after.contains(r#""items":[{"note":"***"}],"n":7"#), "{after}");

    accept(&gateway, &json!({ "type": "t", "id": "2", "email": "a@b.example" }));
    assert_eq!(destination.wait_for(2)[1].json()["data"]["email"], "a@b.example");
    // A filter and an id look at what came.
    accept(&gateway, &json!({ "type": "t", "id": "2", "email": "a@b.example" }));
    assert_eq!(gateway.read("/ledger")["routes"][0]["duplicate"], 1);

    reload(&gateway, &routes(&destination, "    auth: none"));
    assert!(everything_seen(&gateway, "1").contains("hush"), "nothing that is stored was changed");
}

#[test]
fn a_route_adds_to_what_its_provider_masks() {
    let destination = Destination::start();
    let gateway =
        Gateway::start(&routes(&destination, &format!("{BSPK}\n    mask: [$.data.preferred_journey, $.subject]")));
    let (id, _) = accept_bspk(&gateway);
    gateway.wait_until_drained();
    let seen = everything_seen(&gateway, &id);
    assert!(!seen.contains(PREFERENCE) && !seen.contains(PERSON[0]), "{seen}");
    assert_eq!(gateway.read("/events")["events"][0]["subject"], "***");
    assert_eq!(gateway.read("/deliveries")["deliveries"][0]["event"]["subject"], "***");
    assert_eq!(gateway.read(&format!("/events/{id}"))["events"][0]["subject"], "***");
}

#[test]
fn of_a_route_that_is_gone_nothing_is_seen_but_what_its_provider_lets() {
    let destination = Destination::start();
    let gateway = Gateway::start(&routes(&destination, BSPK));
    let (id, _) = accept_bspk(&gateway);
    gateway.wait_until_drained();
    let other = "    auth: none";
    reload(&gateway, &routes(&destination, other).replace("name: in", "name: other").replace("/in", "/other"));
    let seen = everything_seen(&gateway, &id);
    assert!(!seen.contains(PERSON[0]) && seen.contains(PREFERENCE), "{seen}");

    // One without a provider has nobody left to say what of it is whose.
    let response = gateway.post_json("/other", &json!({ "type": "t", "id": "1", "email": "a@b.example", "n": "hush" }));
    assert_eq!(response.status, 202);
    gateway.wait_until_drained();
    reload(&gateway, &routes(&destination, other));
    let seen = everything_seen(&gateway, "1");
    assert!(!seen.contains("a@b.example") && !seen.contains("hush"), "{seen}");
    let refused = gateway.api("GET", "/events/1/body", &Value::Null);
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("`other`"), "{}", refused.text());
    gateway.run(&["events", "show", "1", "--body"]).assert_failed(1, &["409", "put one of them back"]);
}

#[test]
fn a_form_and_what_comes_beside_the_body_are_masked_by_name() {
    let destination = Destination::start();
    let own = "providers: { own: { auth: none, event: { body: form, type: $.kind, id: $.id, subject: $.phone } } }\n";
    let mask = "    provider: own\n    mask: [$.data.phone, \"$.headers['x-who']\", $.query.token]";
    let gateway = Gateway::start(&(own.to_owned() + &routes(&destination, mask)));
    let headers = sign::headers(&[("Content-Type", "application/x-www-form-urlencoded"), ("X-Who", "mark")]);
    let response = gateway.post("/in?token=t0ken&a=1", &headers, b"kind=t&id=1&phone=%2B1555&n=2");
    assert_eq!(response.status, 202, "{}", response.text());
    gateway.wait_until_drained();
    let event = gateway.read("/events/1")["events"][0].clone();
    assert_eq!(event["received"]["query"], "token=***&a=1");
    assert_eq!(event["subject"], "+1555", "the subject is not named");
    let body = gateway.api("GET", "/events/1/body", &Value::Null);
    assert_eq!(body.json()["data"], json!({ "kind": "t", "id": "1", "phone": "***", "n": "2" }));
    let seen = everything_seen(&gateway, "1");
    assert!(!seen.contains("t0ken") && !seen.contains("mark") && !seen.contains("%2B1555"), "{seen}");
}

#[test]
fn what_a_destination_says_and_an_order_key_are_hidden_where_they_may_repeat_what_is_masked() {
    let destination = Destination::start();
    destination.always("/crm", Answer::Body(422, "a@b.example is taken".to_owned()));
    let mask = "    auth: none\n    mask: [$.data.email]";
    let gateway = Gateway::start(&routes(&destination, mask));
    for (id, email) in [("1", "a@b.example"), ("2", "a@b.example"), ("3", "c@d.example"), ("4", "c@d.example")] {
        accept(&gateway, &json!({ "type": "t", "id": id, "email": email }));
    }
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 2.0);
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 2.0);
    let job = json!({ "action": "purge", "order_key": "nobody@b.example" });
    assert_eq!(gateway.api("POST", "/jobs", &job).status, 202);
    let seen = everything_seen(&gateway, "1") + &everything_seen(&gateway, "4");
    assert!(!seen.contains(".example"), "{seen}");
    assert!(seen.contains("answered 422: ***"), "{seen}");

    // They are listed page by page all the same, and no cursor has one in it.
    let first = gateway.read("/keys?limit=1");
    let next = first["next"].as_str().unwrap();
    let second = gateway.read(&format!("/keys?limit=1&cursor={next}"));
    assert_ne!(first["keys"][0]["behind"], second["keys"][0]["behind"]);
    assert_eq!((&first["keys"][0]["key"], &second["keys"][0]["key"]), (&json!("***"), &json!("***")));
    let cursor = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, next).unwrap();
    assert!(!String::from_utf8_lossy(&cursor).contains("example"));

    // A key is released by what it waits behind.
    destination.always("/crm", Answer::Status(200));
    let behind = first["keys"][0]["behind"].as_str().unwrap();
    gateway.run(&["keys", "release", "--behind", behind, "--route", "in"]).assert_failed(2, &["--behind"]);
    let released = gateway.run(&["keys", "release", "--behind", behind]);
    assert!(released.printed().contains("1 waited"), "{released:?}");
    gateway.wait_for_metric("hookswitch_queue_pending", &[], 1.0);
}

#[test]
fn without_a_mask_all_is_shown() {
    let destination = Destination::start();
    destination.always("/crm", Answer::Body(422, "a@b.example is taken".to_owned()));
    let gateway = Gateway::start(&routes(&destination, "    auth: none"));
    accept(&gateway, &json!({ "type": "t", "id": "1", "email": "a@b.example" }));
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 1.0);
    let shown = gateway.read("/dead-letters")["dead_letters"][0].clone();
    assert_eq!(shown["last_attempt"]["detail"], "answered 422: a@b.example is taken");
    assert_eq!(shown["order_key"], "a@b.example");
    assert!(!gateway.log().join("\n").contains("a@b.example"), "the log has no payload, masked or not");
}

#[test]
fn a_mask_that_hides_nothing_keeps_the_file_from_loading() {
    let destination = Destination::start();
    let sound = routes(&destination, "    auth: none");
    let gateway = Gateway::start(&sound);
    for (path, words) in [
        ("$.dta.email", &["no event has a member `dta`", "did you mean `$.data`?"][..]),
        ("\"@.email\"", &["starts with `@`"]),
        ("data.email", &["`$`"]),
        ("\"$.headers['X-Who']\"", &["lower case", "`x-who`"]),
    ] {
        gateway.write_routes(&routes(&destination, &format!("    auth: none\n    mask: [{path}]")));
        let ran = support::Ran::of(support::hookswitch().args(["check", "--config"]).arg(gateway.path("routes.yaml")));
        ran.assert_failed(1, words);
        assert!(ran.stderr.contains("routes.yaml:"), "{ran:?}");
    }
}
