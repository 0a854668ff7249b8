//! The description of the admin API holds: it has what is answered, and what is answered has the shape that it says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use hookswitch::admin::api::ENDPOINTS;
use serde_json::{Value, json};
use support::{Answer, Destination, Gateway, Response};

fn document() -> Value {
    let path = support::fixtures::root().join("src/admin/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What is described of one method of one path.
struct Described<'d> {
    document: &'d Value,
    operation: &'d Value,
}

fn described(document: &Value) -> BTreeMap<(String, String), Described<'_>> {
    let mut all = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = (path.clone(), method.to_uppercase());
            all.insert(name, Described { document, operation });
        }
    }
    all
}

/// Follows a `$ref`.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let found = document.pointer(reference.trim_start_matches('#'));
            resolve(document, found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
        }
        None => value,
    }
}

/// Checks a value against a schema, as far as JSON Schema is used here. An unknown keyword fails.
fn validate(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let schema = resolve(document, schema);
    let wrong = |why: &str| Err(format!("{place}: {why}: {value}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "type" => {
                let types: Vec<&str> = match rule {
                    Value::String(one) => vec![one],
                    several => several.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect(),
                };
                let is = |name: &str| match name {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("{other} is not understood here"),
                };
                if !types.into_iter().any(is) {
                    return wrong("another type");
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => return wrong("none of the words"),
            "minimum" if value.as_i64() < rule.as_i64() => return wrong("too small"),
            "anyOf" => {
                if !rule.as_array().unwrap().iter().any(|one| validate(document, one, value, place).is_ok()) {
                    return wrong("nothing of what it may be");
                }
            }
            "required" => {
                for key in rule.as_array().unwrap() {
                    if value.get(key.as_str().unwrap()).is_none() {
                        return wrong(&format!("{key} is missing"));
                    }
                }
            }
            "properties" => {
                for (key, value) in value.as_object().unwrap() {
                    match rule.get(key) {
                        Some(schema) => validate(document, schema, value, &format!("{place}.{key}"))?,
                        None if schema["additionalProperties"] == false => {
                            return wrong(&format!("{key} is not described"));
                        }
                        None => {}
                    }
                }
            }
            "items" => {
                for (index, value) in value.as_array().unwrap().iter().enumerate() {
                    validate(document, rule, value, &format!("{place}[{index}]"))?;
                }
            }
            "format" if rule == "date-time" => {
                let time = value.as_str().is_none_or(|text| text.len() == 24 && text.ends_with('Z'));
                if !time {
                    return wrong("not a time");
                }
            }
            "enum"
            | "minimum"
            | "description"
            | "additionalProperties"
            | "format"
            | "pattern"
            | "default"
            | "maximum" => {}
            other => panic!("{other} is not understood here"),
        }
    }
    Ok(())
}

impl Described<'_> {
    /// The parameters in a part of the request, as described.
    fn parameters(&self, part: &str) -> BTreeSet<String> {
        let parameters = self.operation.get("parameters").and_then(Value::as_array);
        let parameters = parameters.into_iter().flatten().map(|parameter| resolve(self.document, parameter));
        parameters.filter(|one| one["in"] == part).map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The keys of the body, as described.
    fn keys(&self) -> BTreeSet<String> {
        let properties = self.operation.pointer("/requestBody/content/application~1json/schema/properties");
        properties.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.clone()).collect()
    }

    fn assert_describes(&self, response: &Response, what: &str) {
        let described = &self.operation["responses"][response.status.to_string()];
        let described = resolve(self.document, described);
        assert!(!described.is_null(), "{what}: {} is not described: {}", response.status, response.text());
        let Some(content) = described.get("content") else {
            assert!(response.body.is_empty(), "{what}: no body is described: {}", response.text());
            return;
        };
        let media_type = response.header("content-type").unwrap();
        let schema = content.get(media_type).unwrap_or_else(|| panic!("{what}: {media_type} is not described"));
        if media_type != "application/octet-stream" {
            let checked = validate(self.document, &schema["schema"], &response.json(), "answer");
            assert_eq!(checked, Ok(()), "{what}");
        }
    }
}

#[test]
fn every_endpoint_is_described_and_nothing_else() {
    let document = document();
    let described = described(&document);
    let known: BTreeSet<(String, String)> =
        ENDPOINTS.iter().map(|endpoint| (endpoint.path.to_owned(), endpoint.method.to_string())).collect();
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), known);
    for endpoint in ENDPOINTS {
        let name = (endpoint.path.to_owned(), endpoint.method.to_string());
        let operation = &described[&name];
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        assert_eq!(operation.parameters("query"), set(endpoint.query), "{name:?}");
        assert_eq!(operation.keys(), set(endpoint.body), "{name:?}");
        let in_path = if endpoint.path.contains("{id}") { set(&["id"]) } else { set(&[]) };
        assert_eq!(operation.parameters("path"), in_path, "{name:?}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_part_is_used() {
    let document = document();
    let text = document.to_string();
    for (kind, parts) in document["components"].as_object().unwrap() {
        for name in parts.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(text.contains(&format!("\"#/components/{kind}/{name}\"")), "{kind}/{name} is used by nobody");
        }
    }
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn what_is_answered_has_the_described_shape() {
    let destination = Destination::start();
    destination.always("/gone", Answer::Status(410));
    destination.always("/down", Answer::Status(500));
    let gateway = Gateway::start(&format!(
        "
destinations:
  ok: {{ url: '{}' }}
  gone: {{ url: '{}' }}
  down: {{ url: '{}', retry: {{ initial: 1h, max: 1h }} }}
routes:
  - name: in
    path: /in
    auth: none
    deliver:
      - {{ to: ok }}
      - {{ to: gone, order_by: $.data.key, on_dead_letter: park }}
      - {{ to: down }}
  - {{ name: signed, path: /signed, provider: bspk, secrets: {{ new: b, old: a }}, deliver: [{{ to: ok }}] }}
",
        destination.url("/ok"),
        destination.url("/gone"),
        destination.url("/down")
    ));
    for id in ["1", "2"] {
        assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id, "key": "k" })).status, 202);
    }
    // Of two for `gone` one is dead, the other waits behind it.
    gateway.wait_for_metric("hookswitch_queue_pending", &[("route", "in")], 3.0);
    let dead = gateway.read("/dead-letters")["dead_letters"][0]["id"].as_str().unwrap().to_owned();
    let delivered = gateway.read("/deliveries?state=delivered")["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let document = document();
    let described = described(&document);
    let mut answered = BTreeSet::new();
    let mut ask = |method: &str, template: &str, id: &str, query: &str, body: Value, status: u16| {
        let path = template.replace("{id}", id);
        let response = gateway.api(method, &format!("{path}{query}"), &body);
        let what = format!("{method} {path}{query} {body}");
        assert_eq!(response.status, status, "{what}: {}", response.text());
        let name = (format!("/api/v1{template}"), method.to_owned());
        described[&name].assert_describes(&response, &what);
        if response.status < 400 {
            answered.insert(name);
        }
    };
    let none = Value::Null;
    ask("GET", "/openapi.json", "", "", none.clone(), 200);
    ask("GET", "/events", "", "?state=dead&limit=1", none.clone(), 200);
    ask("GET", "/events", "", "?stat=dead", none.clone(), 400);
    ask("GET", "/events/{id}", "2", "", none.clone(), 200);
    ask("GET", "/events/{id}", "3", "", none.clone(), 404);
    ask("GET", "/events/{id}/body", "1", "", none.clone(), 200);
    ask("GET", "/requests", "", "", none.clone(), 403);
    ask("GET", "/deliveries", "", "?limit=2", none.clone(), 200);
    ask("GET", "/deliveries/{id}", &delivered, "", none.clone(), 200);
    ask("GET", "/deliveries/{id}", "7", "", none.clone(), 400);
    ask("GET", "/dead-letters", "", "?reason=rejected", none.clone(), 200);
    ask("GET", "/dead-letters/{id}", &dead, "", none.clone(), 200);
    ask("GET", "/dead-letters/{id}", &delivered, "", none.clone(), 409);
    ask("GET", "/keys", "", "?limit=1", none.clone(), 200);
    ask("GET", "/destinations", "", "", none.clone(), 200);
    ask("GET", "/secrets", "", "", none.clone(), 200);
    ask("GET", "/secrets", "", "?route=signed", none.clone(), 200);
    ask("GET", "/secrets", "", "?rout=signed", none.clone(), 400);
    ask("GET", "/ledger", "", "", none.clone(), 200);
    ask("GET", "/audit", "", "", none.clone(), 200);
    ask("GET", "/jobs", "", "", none.clone(), 200);
    ask("POST", "/events/{id}/replay", "1", "", json!({ "delivery": "ok" }), 200);
    ask("POST", "/events/{id}/replay", "1", "", json!({ "delivery": "okay" }), 400);
    gateway.wait_for_metric("hookswitch_queue_pending", &[("delivery", "ok")], 0.0);
    ask("POST", "/deliveries/{id}/replay", &delivered, "", none.clone(), 200);
    ask(
        "POST",
        "/keys/release",
        "",
        "",
        json!({ "route": "in", "delivery": "gone", "key": "k", "replay": false }),
        200,
    );
    ask(
        "POST",
        "/keys/release",
        "",
        "",
        json!({ "route": "in", "delivery": "gone", "key": "other", "replay": false }),
        404,
    );
    // What was released is dead as well now, and parks the key anew.
    gateway.wait_for_metric("hookswitch_dead_letters", &[("delivery", "gone")], 2.0);
    ask("POST", "/dead-letters/{id}/replay", &dead, "", json!({}), 200);
    gateway.wait_for_metric("hookswitch_dead_letters", &[("delivery", "gone")], 2.0);
    ask("DELETE", "/dead-letters/{id}", &dead, "", none.clone(), 204);
    ask("DELETE", "/dead-letters/{id}", &dead, "", none.clone(), 404);
    ask("POST", "/jobs", "", "", json!({ "action": "purge" }), 400);
    ask("POST", "/jobs", "", "", json!({ "action": "purge", "all": true }), 202);
    ask("GET", "/jobs/{id}", "1", "", none.clone(), 200);
    gateway.wait_for_metric("hookswitch_dead_letters", &[("delivery", "gone")], 0.0);
    support::eventually("the job's end", || (gateway.read("/jobs/1")["state"] == "done").then_some(()));
    ask("POST", "/jobs/{id}/stop", "1", "", none.clone(), 409);
    ask("POST", "/jobs/{id}/resume", "1", "", none.clone(), 409);
    // A job that has something to do, so that it can be stopped, is in tests/replays.rs; its shape is that of any job.
    let left: Vec<_> =
        described.keys().filter(|name| !answered.contains(*name)).map(|(path, _)| path.as_str()).collect();
    // Whole requests are given only for a token, which this gateway has none of: the test below has one.
    assert_eq!(left, ["/api/v1/jobs/{id}/resume", "/api/v1/jobs/{id}/stop", "/api/v1/requests"]);
}

#[test]
fn whole_requests_are_given_for_the_token_alone() {
    let destination = Destination::start();
    let routes = format!(
        "destinations: {{ ok: {{ url: '{}' }} }}\nroutes: [{{ name: in, path: '/in/{{topic}}', auth: none, deliver: [{{ to: ok }}] }}]\n",
        destination.url("/ok")
    );
    let gateway = Gateway::with(&routes).admin("listen: 127.0.0.1:0, token: let-me-see").start();
    for id in ["1", "2", "3"] {
        assert_eq!(gateway.post_json("/in/a?b=c", &json!({ "type": "t", "id": id })).status, 202);
    }
    let ask = |token: &str, query: &str| {
        let token = [("Authorization", format!("Bearer {token}"))];
        support::http::send(gateway.admin_address(), "GET", &format!("/api/v1/requests{query}"), &token, b"")
    };
    assert_eq!(ask("let-me", "").status, 401);
    let document = document();
    let described = described(&document);
    let (mut cursor, mut bodies) = (String::new(), Vec::new());
    loop {
        let answer = ask("let-me-see", &format!("?limit=2&route=in{cursor}"));
        described[&("/api/v1/requests".to_owned(), "GET".to_owned())].assert_describes(&answer, "requests");
        let page = answer.json();
        for request in page["requests"].as_array().unwrap() {
            assert_eq!(
                (&request["path"], &request["query"], &request["events"]),
                (&json!("/in/a"), &json!("b=c"), &json!(1))
            );
            bodies.push(request["body"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected =
        ["3", "2", "1"].map(|id| support::sign::base64(json!({ "type": "t", "id": id }).to_string().as_bytes()));
    assert_eq!(bodies, expected, "each once, the last first, byte for byte");
    assert!(ask("let-me-see", "?route=other").json()["requests"].as_array().unwrap().is_empty());
}
