//! A request that does not prove where it comes from is refused, always in the same words, and leaves no trace
//! but a counter and a line of the log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::json;
use support::sign::{self, Headers};
use support::{Destination, Gateway, Response, fixtures};

const OLD: &str = "the-old-secret-0001";
const NEW: &str = "the-new-secret-0002";

fn gateway(provider: &str, path: &str, destination: &Destination) -> Gateway {
    Gateway::with(&format!(
        "
destinations:
  warehouse: {{ url: '{}' }}
routes:
  - name: guarded
    path: {path}
    provider: {provider}
    secrets: {{ new: '${{NEW}}', old: '${{OLD}}' }}
    deliver: [{{ to: warehouse }}]
",
        destination.url("/events")
    ))
    .env("NEW", NEW)
    .env("OLD", OLD)
    .start()
}

/// Sends each forgery, then one request under each secret: only the latter arrive, and each is counted by the
/// name of its secret.
fn refuses(
    provider: &str,
    route: &str,
    post_to: &str,
    genuine: impl Fn(&str, &[u8]) -> Headers,
    bodies: [&[u8]; 2],
    forgeries: &[(&str, Headers, Vec<u8>)],
) {
    let destination = Destination::start();
    let gateway = gateway(provider, route, &destination);
    let mut first: Option<Response> = None;
    for (what, headers, body) in forgeries {
        let response = gateway.post(post_to, headers, body);
        assert_eq!(response.status, 401, "{what}: {}", response.text());
        let expected = first.get_or_insert_with(|| response.clone());
        assert_eq!(response.body, expected.body, "{what} can be told from the others by its answer");
        assert_eq!(response.header("content-type"), expected.header("content-type"), "{what}");
    }
    for (secret, body) in [(OLD, bodies[0]), (NEW, bodies[1])] {
        let response = gateway.post(post_to, &genuine(secret, body), body);
        assert!((200..300).contains(&response.status), "{}: {}", response.status, response.text());
    }
    destination.wait_for(2);
    gateway.wait_until_drained();
    assert_eq!(destination.arrived().len(), 2);

    let metrics = gateway.metrics();
    let count = |name: &str, labels: &[(&str, &str)]| support::metric(&metrics, name, labels);
    let verifications = "hookswitch_verifications_total";
    assert_eq!(count(verifications, &[("route", "guarded"), ("secret", "old")]), 1.0, "{metrics}");
    assert_eq!(count(verifications, &[("route", "guarded"), ("secret", "new")]), 1.0, "{metrics}");
    let all = forgeries.len() + 2;
    assert_eq!(count(verifications, &[("route", "guarded")]), all as f64, "{metrics}");
    let refused = count("hookswitch_requests_total", &[("route", "guarded"), ("status", "401")]);
    assert_eq!(refused, forgeries.len() as f64, "{metrics}");

    gateway.wait_for_log(&["guarded"]);
    let log = gateway.log().join("\n");
    for secret in [OLD, NEW] {
        assert!(!log.contains(secret), "a secret is in the log");
        let expected = genuine(secret, bodies[0]).pop().unwrap().1;
        let tail = &expected[expected.len() - 12..];
        assert!(!log.contains(tail), "a part of a genuine signature is in the log");
    }
}

fn change_one_byte(body: &[u8]) -> Vec<u8> {
    let mut changed = body.to_vec();
    let at = changed.iter().position(|byte| *byte == b' ').unwrap();
    changed[at] = b'\t';
    changed
}

fn one(name: &str, value: &str) -> Headers {
    sign::headers(&[(name, value)])
}

#[test]
fn bspk() {
    let body = fixtures::one("bspk", "client.updated").body;
    let other = fixtures::one("bspk", "client.created").body;
    let name = "X-Bspk-Secret";
    let forgeries = [
        ("missing", Headers::new()),
        ("empty", one(name, "")),
        ("doubled, with a wrong one first", sign::headers(&[(name, "wrong"), (name, NEW)])),
        ("doubled, with a wrong one last", sign::headers(&[(name, NEW), (name, "wrong")])),
        ("doubled", sign::headers(&[(name, NEW), (name, NEW)])),
        ("doubled in one field", one(name, &format!("{NEW},{NEW}"))),
        ("truncated", one(name, &NEW[..NEW.len() - 1])),
        ("lengthened", one(name, &format!("{NEW}x"))),
        ("in upper case", one(name, &NEW.to_uppercase())),
        ("in base64", one(name, &sign::base64(NEW.as_bytes()))),
        ("wrong", one(name, "another")),
        ("in another header", one("X-Secret", NEW)),
    ]
    .map(|(what, headers)| (what, headers, body.clone()));
    refuses("bspk", "/in", "/in", |secret, _| sign::bspk(secret), [&body, &other], &forgeries);
}

#[test]
fn sparkbox() {
    let body = fixtures::one("sparkbox", "model.submitted").body;
    // One recommendation, so that each genuine request is one event.
    let single =
        |id: &str| format!(r#"{{"event": {{"id":"{id}","event_type":"model.approved"}},"data":[{{"uuid":"u"}}]}}"#);
    let (first, second) = (single("e1"), single("e2"));
    let name = "X-Sparkbox-Signature";
    let mac = sign::hmac_sha256(NEW.as_bytes(), &body);
    let hex = hex::encode(&mac);
    let good = format!("sha256={hex}");
    let mut forgeries: Vec<_> = [
        ("missing", Headers::new()),
        ("empty", one(name, "")),
        ("the prefix alone", one(name, "sha256=")),
        ("without its prefix", one(name, &hex)),
        ("with another prefix", one(name, &format!("sha1={hex}"))),
        ("doubled", sign::headers(&[(name, &good), (name, &good)])),
        ("doubled, with a wrong one first", sign::headers(&[(name, "sha256=00"), (name, &good)])),
        ("doubled in one field", one(name, &format!("{good},{good}"))),
        ("its prefix doubled", one(name, &format!("sha256={good}"))),
        ("truncated by a byte", one(name, &good[..good.len() - 2])),
        ("truncated by a digit", one(name, &good[..good.len() - 1])),
        ("lengthened", one(name, &format!("{good}00"))),
        ("in base64", one(name, &format!("sha256={}", sign::base64(&mac)))),
        ("not hex", one(name, &format!("sha256={}", "zz".repeat(32)))),
        ("under a wrong secret", sign::sparkbox("wrong", &body)),
        ("under an empty secret", sign::sparkbox("", &body)),
        ("in another header", one("X-Signature", &good)),
    ]
    .map(|(what, headers)| (what, headers, body.clone()))
    .into();
    forgeries.push(("over another body", sign::sparkbox(NEW, &body), change_one_byte(&body)));
    forgeries.push(("over a body cut short", sign::sparkbox(NEW, &body), body[..body.len() - 1].to_vec()));
    refuses("sparkbox", "/in", "/in", sign::sparkbox, [first.as_bytes(), second.as_bytes()], &forgeries);
}

#[test]
fn orderspace() {
    let body = fixtures::one("orderspace", "customer.deleted").body;
    // One entity, so that each genuine request is one event.
    let single = |id: &str| format!(r#"{{"event": "customer.deleted","data":{{"customers":[{{"id":"{id}"}}]}}}}"#);
    let (first, second) = (single("cu_1"), single("cu_2"));
    let name = "X-Orderspace-Signature";
    let mac = sign::hmac_sha256(NEW.as_bytes(), &body);
    let good = sign::base64(&mac);
    let mut forgeries: Vec<_> = [
        ("missing", Headers::new()),
        ("empty", one(name, "")),
        ("doubled", sign::headers(&[(name, &good), (name, &good)])),
        ("doubled in one field", one(name, &format!("{good},{good}"))),
        ("with a prefix", one(name, &format!("sha256={good}"))),
        ("truncated", one(name, &good[..good.len() - 4])),
        ("without its padding", one(name, good.trim_end_matches('='))),
        ("lengthened", one(name, &format!("{good}AAAA"))),
        ("in base64 that is not canonical", one(name, &not_canonical(&good))),
        ("in hex", one(name, &hex::encode(&mac))),
        ("under a wrong key", sign::orderspace("wrong", &body)),
        ("under an empty key", sign::orderspace("", &body)),
    ]
    .map(|(what, headers)| (what, headers, body.clone()))
    .into();
    forgeries.push(("over another body", sign::orderspace(NEW, &body), change_one_byte(&body)));
    refuses("orderspace", "/in", "/in", sign::orderspace, [first.as_bytes(), second.as_bytes()], &forgeries);
}

/// The same bytes to a careless decoder: other bits where the last digit has bits to spare.
fn not_canonical(base64: &str) -> String {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let unpadded = base64.strip_suffix('=').expect("32 bytes leave two bits to spare");
    let (rest, last) = unpadded.split_at(unpadded.len() - 1);
    let value = digits.find(last).unwrap();
    format!("{rest}{}=", &digits[value + 1..value + 2])
}

#[test]
fn bubblehouse() {
    let body = fixtures::one("bubblehouse", "SendEvent1.points_updated").body;
    let other = fixtures::one("bubblehouse", "SendEvent1.customer_only").body;
    let now = sign::unix_time();
    let good = sign::jwt("HS256", NEW, &json!({ "exp": now + 600 }));
    let parts: Vec<&str> = good.split('.').collect();
    let unsigned = format!("{}.{}.", parts[0], parts[1]);
    let none = sign::jwt("none", NEW, &json!({ "exp": now + 600 }));
    let none_unsigned = none.rsplit_once('.').unwrap().0.to_owned() + ".";
    let name = "Authorization";
    let forgeries = [
        ("missing", Headers::new()),
        ("empty", one(name, "")),
        ("the scheme alone", one(name, "Bearer ")),
        ("without its scheme", one(name, &good)),
        ("under another scheme", one(name, &format!("Basic {good}"))),
        ("doubled", sign::headers(&[(name, &format!("Bearer {good}")), (name, &format!("Bearer {good}"))])),
        ("unsigned", sign::bearer(&unsigned)),
        ("truncated", sign::bearer(&good[..good.len() - 2])),
        ("without a part", sign::bearer(&format!("{}.{}", parts[0], parts[1]))),
        ("with a part too many", sign::bearer(&format!("{good}.{}", parts[2]))),
        ("with other claims under the same signature", {
            let forged = sign::jwt("HS256", "x", &json!({ "exp": now + 6000 }));
            let claims = forged.split('.').nth(1).unwrap().to_owned();
            sign::bearer(&format!("{}.{claims}.{}", parts[0], parts[2]))
        }),
        ("under a wrong secret", sign::bubblehouse("wrong")),
        ("under an empty secret", sign::bubblehouse("")),
        ("alg none", sign::bearer(&none_unsigned)),
        ("alg none with a signature", sign::bearer(&none)),
        ("alg HS512", sign::bearer(&sign::jwt("HS512", NEW, &json!({ "exp": now + 600 })))),
        ("alg RS256", sign::bearer(&sign::jwt("RS256", NEW, &json!({ "exp": now + 600 })))),
        ("expired", sign::bearer(&sign::jwt("HS256", NEW, &json!({ "exp": now - 600 })))),
        ("not valid yet", sign::bearer(&sign::jwt("HS256", NEW, &json!({ "nbf": now + 600, "exp": now + 900 })))),
    ]
    .map(|(what, headers)| (what, headers, body.clone()));
    refuses(
        "bubblehouse",
        "/in/{hook}",
        "/in/SendEvent1",
        |secret, _| sign::bubblehouse(secret),
        [&body, &other],
        &forgeries,
    );
}

#[test]
fn a_bubblehouse_token_without_exp_is_taken() {
    let destination = Destination::start();
    let gateway = gateway("bubblehouse", "/in/{hook}", &destination);
    let body = fixtures::one("bubblehouse", "SendEvent1.points_updated").body;
    let headers = sign::bearer(&sign::jwt("HS256", OLD, &json!({ "sub": "tenant" })));
    let response = gateway.post("/in/SendEvent1", &headers, &body);
    assert_eq!(response.status, 200, "{}", response.text());
    destination.wait_for(1);
}
