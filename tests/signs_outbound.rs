//! What goes out is signed, so that whoever gets it can tell that it is ours, and of now.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::json;
use support::sign::{base64, hmac_sha256, unix_time};
use support::{Answer, Arrived, Destination, Gateway, check};

/// In base 64, as the secret is given.
const KEY: &[u8] = b"24 bytes are the least!!";
const OLD: &[u8] = b"another key of 24 bytes.";

fn routes(destination: &Destination, sign: &str) -> String {
    format!(
        "
destinations:
  crm:
    url: {}
    retry: {{ initial: 1ms, max: 5ms }}
    sign: {sign}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
        destination.url("/crm?key=1")
    )
}

fn near_now(seconds: &str) {
    let seconds: i64 = seconds.parse().unwrap();
    assert!((unix_time() - seconds).abs() < 60, "{seconds}");
}

/// What Standard Webhooks says that the signature is, over the bytes that arrived.
fn webhook_signature(request: &Arrived, key: &[u8]) -> String {
    let header = |name| request.header(name).unwrap();
    let signed = [header("webhook-id").as_bytes(), b".", header("webhook-timestamp").as_bytes(), b".", &request.body];
    format!("v1,{}", base64(&hmac_sha256(key, &signed.concat())))
}

#[test]
fn standard_webhooks_sign_each_attempt_with_the_deliverys_id() {
    let crm = Destination::start();
    crm.answer_next([Answer::Status(500)]);
    let gateway = Gateway::with(&routes(&crm, "{ standard_webhooks: { secrets: { new: '${NEW}', old: '${OLD}' } } }"))
        .env("NEW", &format!("whsec_{}", base64(KEY)))
        .env("OLD", &base64(OLD))
        .start();
    gateway.post_json("/in", &json!({ "type": "t", "id": "1", "name": "Zoë" }));
    let arrived = crm.wait_for(2);
    for request in &arrived {
        assert_eq!(request.header("webhook-id"), Some(&*request.key()));
        near_now(request.header("webhook-timestamp").unwrap());
        let both = format!("{} {}", webhook_signature(request, KEY), webhook_signature(request, OLD));
        assert_eq!(request.header("webhook-signature"), Some(&*both));
    }
    gateway.wait_until_drained();
    assert!(!gateway.log().join("\n").contains(&base64(KEY)));
}

#[test]
fn any_scheme_of_hmac_can_be_said() {
    let crm = Destination::start();
    let sign = "
      hmac:
        hash: sha256
        secret: s3cret
        signature: { to: 'header:X-Signature', list: { separator: ',', pair: '=', key: v1 } }
        timestamp: { to: 'signature:t' }
        content: '{timestamp}.{method}.{url}.{id}.{body}'";
    let gateway = Gateway::start(&routes(&crm, sign));
    gateway.post_json("/in", &json!({ "type": "t", "id": "1" }));
    let request = crm.wait_for(1).remove(0);
    let signature = request.header("x-signature").unwrap();
    let (time, signature) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    near_now(time);
    let signed = format!("{time}.POST.{}.{}.", crm.url("/crm?key=1"), request.key());
    let expected = hex::encode(hmac_sha256(b"s3cret", &[signed.as_bytes(), &request.body].concat()));
    assert_eq!(signature, expected);
}

#[test]
fn another_gateway_believes_what_this_one_signs() {
    let end = Destination::start();
    let receiving = format!(
        "
providers:
  us:
    auth:
      hmac:
        hash: sha256
        key: {{ encoding: base64, strip_prefix: whsec_ }}
        signature:
          from: header:webhook-signature
          list: {{ separator: ' ', pair: ',', key: v1 }}
          encoding: base64
        timestamp: {{ from: header:webhook-timestamp }}
        content: '{{id}}.{{timestamp}}.{{body}}'
    event: {{ type: $.type, id: header:webhook-id }}
destinations:
  end: {{ url: {} }}
routes:
  - {{ name: from-us, path: /from-us, provider: us, secret: {}, deliver: [{{ to: end }}] }}
",
        end.url("/"),
        base64(KEY)
    );
    let receiving = Gateway::start(&receiving);
    for (secret, reaches) in [(KEY, true), (OLD, false)] {
        let sending = Gateway::start(&format!(
            "
destinations:
  next:
    url: http://{}/from-us
    retry: {{ max_attempts: 1 }}
    sign: {{ standard_webhooks: {{ secret: {} }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: next }}] }}
",
            receiving.address(),
            base64(secret)
        ));
        sending.post_json("/in", &json!({ "type": "order.paid", "id": "1" }));
        sending.wait_until_drained();
        let labels = [("reason", if reaches { "delivered" } else { "client_error" })];
        assert_eq!(sending.metric("hookswitch_delivery_attempts_total", &labels), 1.0, "{labels:?}");
    }
    receiving.wait_until_drained();
    assert_eq!(end.arrived().len(), 1);
    let refused = [("route", "from-us"), ("result", "mismatch")];
    assert_eq!(receiving.metric("hookswitch_verifications_total", &refused), 1.0);
}

#[test]
fn what_the_request_lacks_is_a_dead_letter_that_says_so() {
    let crm = Destination::start();
    let sign = "{ hmac: { hash: sha256, secret: s, signature: { to: 'header:X-S' }, content: '{$.data.missing}' } }";
    let gateway = Gateway::start(&routes(&crm, &sign.replace("$.data.missing", "header:X-Missing")));
    gateway.post_json("/in", &json!({ "type": "t", "id": "1" }));
    gateway.wait_for_metric("hookswitch_dead_letters", &[], 1.0);
    gateway.wait_for_log(&["sign.content"]);
    assert_eq!(crm.arrived().len(), 0);
}

#[test]
fn mistakes_are_found_at_their_place() {
    let file = |sign: &str| {
        format!(
            "destinations:
  crm:
    url: https://crm.example.com/
    sign:
      {sign}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
"
        )
    };
    for (sign, words) in [
        ("standard_webhooks: { secret: '' }", &["is empty"][..]),
        ("standard_webhooks: {}", &["no secret to sign with"]),
        ("standard_webhooks: { secret: 'hunter2!' }", &["is not base64"]),
        ("standard_webhook: { secret: AAEC }", &["standard_webhooks"]),
        (
            "hmac: { hash: sha256, secret: hunter2, signature: { to: 'header:X-S' }, content: '{bdy}' }",
            &["{bdy}", "{body}"],
        ),
        ("hmac: { hash: sha256, secret: hunter2, signature: { to: 'X-S' } }", &["header:NAME"]),
        ("hmac: { hash: md5, secret: hunter2, signature: { to: 'header:X-S' } }", &["sha256"]),
    ] {
        let checked = check(&file(sign), &[]);
        checked.assert_problem(5, words);
        assert!(!checked.said.contains("hunter2"), "{}", checked.said);
    }
}
