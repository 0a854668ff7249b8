//! `auth: { oauth2: ... }`: access tokens by the client credentials grant, asked for as seldom as can be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use serde_json::json;
use support::{Answer, Destination, Gateway, check};

const SECRET: &str = "hunter2hunter2";

fn routes(crm: &Destination, login: &Destination, client: &str) -> String {
    format!(
        "
destinations:
  crm:
    url: '{}'
    retry: {{ initial: 1ms, max: 5ms, max_attempts: 1000000 }}
    auth:
      oauth2:
        token_url: {}
        client_id: {client}
        client_secret: ${{CLIENT_SECRET}}
        scopes: [events.write]
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
        crm.url("/crm"),
        login.url("/token")
    )
}

fn start(crm: &Destination, login: &Destination) -> Gateway {
    Gateway::with(&routes(crm, login, "us")).env("CLIENT_SECRET", SECRET).start()
}

/// A token endpoint that gives one token after the other.
fn login(tokens: &[&str]) -> Destination {
    let login = Destination::start();
    login.answer_next(tokens.iter().map(|token| {
        Answer::Body(200, json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }).to_string())
    }));
    login.always("/none", Answer::Status(500));
    login
}

fn attempts(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric("hookswitch_delivery_attempts_total", &[("destination", "crm"), ("reason", reason)])
}

fn accept(gateway: &Gateway, id: &str) {
    assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id })).status, 202);
}

#[test]
fn many_deliveries_share_one_token_and_no_log_has_it() {
    let (crm, login) = (Destination::start(), login(&["t0ken-0ne"]));
    login.hold();
    let gateway = start(&crm, &login);
    for id in 0..20 {
        accept(&gateway, &id.to_string());
    }
    // All of them wait for the one request that is held.
    login.wait_for(1);
    login.release();
    let arrived = crm.wait_for(20);
    gateway.wait_until_drained();
    assert!(arrived.iter().all(|request| request.header("authorization") == Some("Bearer t0ken-0ne")));
    let asked = login.arrived();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body, b"grant_type=client_credentials&scope=events.write");
    let basic = format!("Basic {}", support::sign::base64(format!("us:{SECRET}").as_bytes()));
    assert_eq!(asked[0].header("authorization"), Some(&*basic));
    let log = gateway.log().join("\n");
    assert!(!log.contains(SECRET) && !log.contains("t0ken-0ne"), "{log}");
}

#[test]
fn a_token_that_the_destination_refuses_is_replaced() {
    let (crm, login) = (Destination::start(), login(&["first", "second"]));
    crm.answer_next([Answer::Status(200), Answer::Status(401)]);
    let gateway = start(&crm, &login);
    for id in ["1", "2"] {
        accept(&gateway, id);
        gateway.wait_until_drained();
    }
    let tokens: Vec<_> =
        crm.arrived().iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(tokens, ["Bearer first", "Bearer first", "Bearer second"]);
}

#[test]
fn without_a_token_nothing_is_sent_and_nothing_lost() {
    let (crm, login) = (Destination::start(), Destination::start());
    login.always("/token", Answer::Body(401, r#"{"error":"invalid_client"}"#.into()));
    let gateway = start(&crm, &login);
    accept(&gateway, "1");
    gateway.wait_for_log(&["oauth", "invalid_client", "127.0.0.1"]);
    assert!(crm.arrived().is_empty());
    login.always("/token", Answer::Body(200, r#"{"access_token":"at-last"}"#.into()));
    assert_eq!(crm.wait_for(1)[0].header("authorization"), Some("Bearer at-last"));
    gateway.wait_until_drained();
    assert!(attempts(&gateway, "oauth") >= 1.0);
    assert!(!gateway.log().join("\n").contains(SECRET));
}

#[test]
fn a_reload_keeps_the_token_unless_it_is_asked_for_in_another_way() {
    let (crm, login) = (Destination::start(), login(&["first", "second"]));
    let gateway = start(&crm, &login);
    let reload = |routes: &str| {
        gateway.write_routes(routes);
        assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    };
    accept(&gateway, "1");
    gateway.wait_until_drained();
    reload(&routes(&crm, &login, "us").replace("max: 5ms", "max: 6ms"));
    accept(&gateway, "2");
    gateway.wait_until_drained();
    assert_eq!(login.arrived().len(), 1);
    reload(&routes(&crm, &login, "others"));
    accept(&gateway, "3");
    gateway.wait_until_drained();
    let tokens: Vec<_> =
        crm.arrived().iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(tokens, ["Bearer first", "Bearer first", "Bearer second"]);
}

#[test]
fn mistakes_are_found_at_their_place() {
    let file = |auth: &str| {
        format!(
            "destinations:
  crm:
    url: https://crm.example.com/
    auth: {auth}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
"
        )
    };
    for (auth, word) in [
        ("{ oauth2: { token_url: 'http://login.example.com/', client_id: us, client_secret: hunter2 } }", "in clear"),
        (
            "{ oauth2: { token_url: 'https://login.example.com/', client_id: us, client_secret: '' } }",
            "the secret is empty",
        ),
        (
            "{ oauth2: { token_url: 'https://login.example.com/', client_id: '', client_secret: hunter2 } }",
            "the client id is empty",
        ),
        ("{ oauth2: { token_url: 'https://login.example.com/', client_id: us } }", "client_secret"),
        (
            "{ oauth2: { token_url: 'https://login.example.com/', client_id: us, client_secret: hunter2, scope: x } }",
            "scopes",
        ),
        (
            "{ oauth2: { token_url: 'https://login.example.com/', client_id: us, client_secret: hunter2, auth_style: form } }",
            "basic",
        ),
        (
            "{ bearer: hunter2, oauth2: { token_url: 'https://login.example.com/', client_id: us, client_secret: hunter2 } }",
            "",
        ),
    ] {
        let checked = check(&file(auth), &[]);
        checked.assert_problem(4, &[word]);
        assert!(!checked.said.contains("hunter2"), "{}", checked.said);
    }
}
