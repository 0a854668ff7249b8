//! `tls:` of a destination: whom it trusts there, and the certificate that it shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;
#[path = "support/tls/mod.rs"]
mod tls;

use serde_json::json;
use support::{Gateway, check, eventually};
use tls::{Authority, TlsDestination};

const HTTP2: &[&str] = &["h2", "http/1.1"];

fn routes(destination: &TlsDestination, tls: &str) -> String {
    format!(
        "
destinations:
  crm: {{ url: '{}', retry: {{ initial: 10ms, max: 50ms, max_attempts: 1000000 }}, tls: {tls} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
",
        destination.url("/crm")
    )
}

const OURS: &str = "{ ca: '${file:DIRECTORY/ca.pem}', client_cert: '${file:DIRECTORY/us.pem}', client_key: '${file:DIRECTORY/us.key}' }";
const CA_ALONE: &str = "{ ca: '${file:DIRECTORY/ca.pem}' }";

fn accept(gateway: &Gateway, id: &str) {
    assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": id })).status, 202);
}

fn attempts(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric("hookswitch_delivery_attempts_total", &[("destination", "crm"), ("reason", reason)])
}

#[test]
fn a_destination_that_asks_for_a_certificate_gets_ours_and_nothing_without_one() {
    for protocols in [HTTP2, &["http/1.1"]] {
        let (theirs, ours) = (Authority::called("theirs"), Authority::called("ours"));
        let destination = TlsDestination::start(theirs.certify("localhost").server_for(&ours, protocols));
        let us = ours.certify_client("gateway");
        let gateway = Gateway::with(&routes(&destination, CA_ALONE))
            .file("ca.pem", &theirs.pem())
            .file("us.pem", &us.pem())
            .file("us.key", &us.key_pem())
            .start();
        accept(&gateway, "1");
        // TLS 1.3 has the refusal come behind the handshake, where HTTP/2 knows no more than that the connection is gone.
        eventually("an attempt without a certificate", || {
            (attempts(&gateway, "tls") + attempts(&gateway, "broken_response") >= 1.0).then_some(())
        });
        gateway.wait_for_log(&["attempt failed", "`tls`"]);
        assert!(destination.arrived().is_empty());
        gateway.write_routes(&routes(&destination, OURS));
        assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
        assert_eq!(destination.wait_for(1)[0].request.json()["id"], "1");
        gateway.wait_until_drained();
        let key = us.key_pem();
        let line_of_key = key.lines().nth(1).unwrap();
        assert!(!gateway.log().join("\n").contains(line_of_key));
    }
}

#[test]
fn an_authority_of_a_destination_is_trusted_there_in_place_of_the_systems() {
    let (theirs, systems) = (Authority::called("theirs"), Authority::called("the system's"));
    let destination = TlsDestination::start(systems.certify("localhost").server(HTTP2));
    let gateway = Gateway::with(&routes(&destination, CA_ALONE))
        .file("ca.pem", &theirs.pem())
        .file("system.pem", &systems.pem())
        .env("SSL_CERT_FILE", "system.pem")
        .env("SSL_CERT_DIR", "")
        .start();
    accept(&gateway, "1");
    eventually("an attempt", || (attempts(&gateway, "tls") >= 1.0).then_some(()));
    assert!(destination.arrived().is_empty());
    destination.become_another(theirs.certify("localhost").server(HTTP2));
    destination.wait_for(1);
    gateway.wait_until_drained();
}

#[test]
fn a_reload_keeps_the_connection_until_the_certificate_is_another() {
    let (theirs, ours) = (Authority::called("theirs"), Authority::called("ours"));
    let destination = TlsDestination::start(theirs.certify("localhost").server_for(&ours, HTTP2));
    let us = ours.certify_client("gateway");
    let gateway = Gateway::with(&routes(&destination, OURS))
        .file("ca.pem", &theirs.pem())
        .file("us.pem", &us.pem())
        .file("us.key", &us.key_pem())
        .start();
    let deliver = |id: &str| {
        accept(&gateway, id);
        gateway.wait_until_drained();
    };
    let reload = || assert_eq!(gateway.admin("POST", "/-/reload").status, 200);
    deliver("1");
    for id in ["2", "3"] {
        gateway.write_routes(&routes(&destination, OURS).replace("max: 50ms", &format!("max: {id}0ms")));
        reload();
        deliver(id);
    }
    assert_eq!(destination.connections(), 1);
    let renewed = ours.certify_client("gateway");
    gateway.write_file("us.pem", &renewed.pem());
    gateway.write_file("us.key", &renewed.key_pem());
    reload();
    deliver("4");
    assert_eq!((destination.connections(), destination.arrived().len()), (2, 4));
}

#[test]
fn what_cannot_be_used_is_found_at_its_place_and_not_shown() {
    let ours = Authority::called("ours");
    let (us, other) = (ours.certify_client("us"), ours.certify_client("other"));
    let broken = us.pem().replace("MII", "AAA");
    let beside = [
        ("ca.pem", ours.pem()),
        ("us.pem", us.pem()),
        ("us.key", us.key_pem()),
        ("other.key", other.key_pem()),
        ("broken.pem", broken),
        ("encrypted.key", us.key_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        ("text.txt", "hunter2".to_owned()),
        ("empty.txt", String::new()),
    ];
    let beside: Vec<_> = beside.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let file = |scheme: &str, tls: &str| {
        format!(
            "destinations:
  crm:
    url: {scheme}://crm.example.com/
    tls:
      {tls}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: crm }}] }}
"
        )
    };
    let good = "{ ca: '${file:ca.pem}', client_cert: '${file:us.pem}', client_key: '${file:us.key}' }";
    let checked = check(&file("https", good), &beside);
    assert_eq!(checked.code, Some(0), "{}", checked.said);
    for (tls, word) in [
        ("{ ca: '${file:text.txt}' }", "there is no certificate"),
        ("{ ca: 'hunter2' }", "there is no certificate"),
        ("{ ca: '${file:broken.pem}' }", "cannot be read"),
        ("{ ca: '${file:missing.pem}' }", "missing.pem"),
        ("{}", "says nothing"),
        ("{ client_cert: '${file:us.pem}' }", "client_key"),
        ("{ client_key: '${file:us.key}' }", "client_cert"),
        ("{ client_cert: '${file:us.pem}', client_key: '${file:other.key}' }", "not the key of `client_cert`"),
        ("{ client_cert: '${file:us.pem}', client_key: '${file:encrypted.key}' }", "encrypted"),
        ("{ client_cert: '${file:us.pem}', client_key: '${file:text.txt}' }", "no private key"),
        ("{ client_cert: '${file:us.key}', client_key: '${file:us.key}' }", "there is no certificate"),
        ("{ client_cert: '${file:broken.pem}', client_key: '${file:us.key}' }", "cannot be read"),
        ("{ client_cert: '${file:us.pem}', client_key: 'hunter2' }", "no private key"),
    ] {
        let checked = check(&file("https", tls), &beside);
        checked.assert_problem(5, &[word]);
        let key = us.key_pem();
        assert!(!checked.said.contains(key.lines().nth(1).unwrap()), "{tls}");
        assert!(!checked.said.contains("client_key: 'hunter2'"), "{}", checked.said);
    }
    check(&file("http", good), &beside).assert_problem(5, &["no TLS is spoken"]);
}
