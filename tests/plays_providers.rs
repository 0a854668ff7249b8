//! `hookswitch send` plays providers against a running gateway: what they send is taken for what it is, what they ask is
//! answered, and what a forger does to it is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::command::Ran;
use support::{Destination, Gateway, hookswitch};

/// A key pair: the private half in PEM, the public one's 32 bytes in hex.
fn ed25519() -> (String, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pair.serialized_der()));
    (pem, hex::encode(pair.public_key_raw()))
}

fn start(destination: &Destination, private: &str, public: &str) -> Gateway {
    let mut routes = format!("destinations: {{ d: {{ url: '{}' }} }}\nroutes:\n", destination.url("/"));
    for (provider, secret) in [
        ("github", "secret: s3cret"),
        ("stripe", "secret: whsec_s3cret"),
        ("slack", "secret: s3cret"),
        ("twilio", "secret: '12345'"),
        ("mailgun", "secret: key-1"),
        ("adyen", "secret: 44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"),
        ("microsoft-graph", "secret: s3cret"),
        ("meta", "secrets: { app: s3cret, verify_token: 'to be shown & kept' }"),
        ("zoom", "secret: s3cret"),
        ("xero", "secret: s3cret"),
        ("linear", "secret: s3cret"),
        ("discord", &format!("secret: {public}")),
    ] {
        routes.push_str(&format!(
            "  - {{ name: {provider}, path: /{provider}, provider: {provider}, {secret}, deliver: [{{ to: d }}] }}\n"
        ));
    }
    Gateway::with(&routes).top("public_url: https://hooks.example.com").file("key.pem", private).start()
}

/// A command beside the gateway's configuration.
fn run(gateway: &Gateway, arguments: &[&str]) -> Ran {
    let directory = gateway.path("routes.yaml").parent().unwrap().to_owned();
    Ran::of(hookswitch().args(arguments).current_dir(directory))
}

fn send(gateway: &Gateway, arguments: &[&str]) -> Ran {
    let to = format!("http://{}", gateway.address());
    run(gateway, &[&["send", "--to", &to, "--output", "json"], arguments].concat())
}

/// The type and the data of what arrived last.
fn last(destination: &Destination, count: usize) -> Value {
    let arrived = destination.wait_for(count);
    let event = arrived[count - 1].json();
    json!([event["type"], event["data"]])
}

#[test]
fn what_a_provider_sends_is_taken_and_what_a_forger_sends_is_not() {
    let destination = Destination::start();
    let (private, public) = ed25519();
    let gateway = start(&destination, &private, &public);
    let key = gateway.path("key.pem").display().to_string();
    let mut count = 0;
    for (route, sample, more) in [
        ("github", "issues.opened", &[][..]),
        ("stripe", "setup_intent.created", &[]),
        ("discord", "APPLICATION_AUTHORIZED", &["--key", key.as_str()]),
        ("linear", "Issue.create", &[]),
        ("mailgun", "opened", &[]),
    ] {
        let base = [&["--route", route, "--sample", sample], more].concat();
        let sent = send(&gateway, &base);
        assert_eq!(sent.code, Some(0), "{route}: {sent:?}");
        count += 1;
        destination.wait_for(count);
        for tamper in ["signature", "secret", "timestamp", "body"] {
            let refused = send(&gateway, &[&base[..], &["--tamper", tamper]].concat());
            match (route, tamper) {
                // It signs no time; it does not cover the body.
                ("github", "timestamp") => refused.assert_failed(2, &["signs no time"]),
                ("mailgun", "body") => {
                    assert_eq!((refused.code, &refused.lines()[0]["status"]), (Some(0), &json!(200)))
                }
                _ => assert_eq!(
                    (refused.code, &refused.lines()[0]["status"]),
                    (Some(0), &json!(401)),
                    "{route} {tamper}"
                ),
            }
        }
        let twice = send(&gateway, &[&base[..], &["--tamper", "replay"]].concat());
        assert_eq!((twice.code, twice.lines().len()), (Some(0), 2), "{route}");
    }
    assert_eq!(destination.arrived().len(), count, "nothing is delivered twice, and nothing that was forged");
}

#[test]
fn a_body_that_is_no_json_is_delivered_as_json_and_kept_as_it_came() {
    let destination = Destination::start();
    let (private, public) = ed25519();
    let mut gateway = start(&destination, &private, &public);
    assert_eq!(send(&gateway, &["--route", "twilio", "--sample", "message.received"]).code, Some(0));
    let [kind, data] = <[Value; 2]>::try_from(last(&destination, 1).as_array().unwrap().clone()).unwrap();
    assert!(kind.is_string() && data["MessageSid"].is_string() && data["Body"].is_string(), "{kind} {data}");
    let listed = gateway.run(&["events", "list", "--route", "twilio", "--output", "json"]);
    let id = listed.lines()[0]["id"].clone();
    // It is read back from the store the same: a form is told from JSON there too.
    gateway.kill9();
    gateway.restart();
    let replayed = gateway.run(&["events", "replay", id.as_str().unwrap()]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    assert_eq!(last(&destination, 2), json!([kind, data]));
}

#[test]
fn what_a_provider_asks_is_answered() {
    let destination = Destination::start();
    let (private, public) = ed25519();
    let gateway = start(&destination, &private, &public);
    let key = gateway.path("key.pem").display().to_string();
    for (route, more) in [
        ("slack", &[][..]),
        ("meta", &[]),
        ("zoom", &[]),
        ("xero", &[]),
        ("microsoft-graph", &[]),
        ("discord", &["--key", key.as_str()]),
    ] {
        let asked = send(&gateway, &[&["--route", route, "--challenge"], more].concat());
        assert!(asked.code == Some(0) && !asked.lines().is_empty(), "{route}: {asked:?}");
        assert!(!asked.printed().contains("to be shown"), "a secret is in no output");
    }
    assert!(destination.arrived().is_empty(), "no question is an event");
    send(&gateway, &["--route", "github", "--challenge"]);
}

#[test]
fn a_provider_hears_what_it_wants_to_hear() {
    let destination = Destination::start();
    let (private, public) = ed25519();
    let gateway = start(&destination, &private, &public);
    let sent = send(&gateway, &["--route", "adyen", "--sample", "AUTHORISATION"]);
    assert_eq!((&sent.lines()[0]["status"], &sent.lines()[0]["body"]), (&json!(200), &json!("[accepted]")), "{sent:?}");
    let sent = send(&gateway, &["--route", "microsoft-graph", "--sample", "created"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
}

#[test]
fn what_cannot_be_played_is_said() {
    let destination = Destination::start();
    let (private, public) = ed25519();
    let gateway = start(&destination, &private, &public);
    send(&gateway, &["--route", "githbu", "--sample", "x"]).assert_failed(2, &["did you mean `github`?"]);
    send(&gateway, &["--route", "github", "--sample", "issues.open"])
        .assert_failed(2, &["did you mean `issues.opened`?"]);
    send(&gateway, &["--route", "discord", "--sample", "APPLICATION_AUTHORIZED"])
        .assert_failed(2, &["only the provider can sign"]);
    let no_key = gateway.path("routes.yaml").display().to_string();
    send(&gateway, &["--route", "discord", "--sample", "APPLICATION_AUTHORIZED", "--key", &no_key])
        .assert_failed(2, &["no private key of the scheme `ed25519`"]);
    let nobody = ["send", "--to", "http://127.0.0.1:1", "--route", "github", "--sample", "issues.opened"];
    run(&gateway, &nobody).assert_failed(1, &["no answer from http://127.0.0.1:1/github", "--to"]);
}

#[test]
fn every_sample_of_every_built_in_provider_passes_through_a_configuration_of_them_all() {
    let mut yaml = String::from(
        "public_url: https://hooks.example.com\ndestinations: { d: { url: 'http://127.0.0.1:9' } }\nroutes:\n",
    );
    let mut tests = String::from("tests:\n");
    let listed = Ran::of(hookswitch().args(["providers", "--output", "json"]));
    for provider in listed.lines() {
        let name = provider["provider"].as_str().or(provider["name"].as_str()).unwrap();
        let samples = hookswitch::providers::samples(name).unwrap().unwrap();
        let (mut path, mut secrets) = (format!("/{name}"), Vec::new());
        for need in provider["needs"].as_array().unwrap() {
            match need.as_str().unwrap().split_once(':') {
                Some(("path", parameter)) => path.push_str(&format!("/{{{parameter}}}")),
                Some(("secret", role)) => secrets.push(format!("{role}: of-the-role")),
                _ if need == "secret" => {
                    let fits = samples.secret.clone().unwrap_or_else(|| "00ff".repeat(16));
                    let fits = if name == "postmark" { format!("user:{fits}") } else { fits };
                    secrets.push(format!("main: '{fits}'"));
                }
                _ => {}
            }
        }
        yaml.push_str(&format!(
            "  - {{ name: {name}, path: '{path}', provider: {name}, secrets: {{ {} }}, deliver: [{{ to: d }}] }}\n",
            secrets.join(", ")
        ));
        for sample in &samples.samples {
            let (case, count) = (&sample.name, sample.events.len());
            let types: Vec<String> =
                sample.events.iter().map(|event| format!("{{ type: '{}' }}", event.kind)).collect();
            let request = format!("route: {name}, sample: '{case}'");
            tests.push_str(&format!(
                "  - {{ name: '{name} {case} {count}', {request}, expect: {{ verdict: verified, events: [{}] }} }}\n  \
                 - {{ name: '{name} {case} forged', {request}, tamper: signature, expect: {{ status: 401 }} }}\n",
                types.join(", ")
            ));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("all.yaml"), format!("{yaml}{tests}")).unwrap();
    let ran = Ran::of(hookswitch().args(["test", "all.yaml"]).current_dir(directory.path()));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(tests.lines().count() > 250);
}
