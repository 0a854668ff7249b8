//! `hookswitch try`: what it says is what the gateway does, and it sends nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::sign::{Headers, bubblehouse, headers, orderspace, sparkbox, unix_time};
use support::{Arrived, Destination, Gateway, Ran, fixtures, hookswitch};

/// The route of each kind of answer, and destinations of each kind of request.
fn routes(destination: &Destination) -> String {
    format!(
        "
public_url: https://hooks.example.com
destinations:
  warehouse: {{ url: '{0}/warehouse' }}
  crm:
    url: '{0}/contacts/{{$.data.id}}?key=hunter2'
    method: PUT
    auth: {{ bearer: hunter2 }}
    headers: {{ X-Type: '{{$.type}}' }}
  archive: {{ url: '{0}/archive', format: raw }}
  binary: {{ url: '{0}/binary', format: cloudevents-binary }}
routes:
  - name: sparkbox
    path: /hooks/sparkbox
    provider: sparkbox
    secret: s1
    deliver: [{{ to: warehouse }}, {{ to: archive }}]
  - name: orderspace
    path: /hooks/orderspace
    provider: orderspace
    secret: s2
    deliver: [{{ to: binary, types: ['customer.*'] }}]
  - name: bubblehouse
    path: /hooks/bubblehouse/{{hook}}
    provider: bubblehouse
    secret: s3
    deliver: [{{ to: warehouse }}]
  - name: open
    path: /open
    auth: none
    max_body: 1KiB
    filter: $.data.total
    deliver:
      - {{ to: crm, filter: $.data.total > 5, transform: {{ n: $.data.total, at: $.time }} }}
      - {{ to: archive, name: large, types: ['big.*'] }}
",
        destination.url("")
    )
}

/// What `try` says of a request to the gateway's own configuration, with its exit code.
fn try_it(gateway: &Gateway, path: &str, headers: &Headers, body: &[u8]) -> (Option<i32>, Value) {
    fs::write(gateway.path("body"), body).unwrap();
    let mut command = hookswitch();
    command.args(["try", "--config", "routes.yaml", "--show-secrets", "--output", "json", "--path", path]);
    for (name, value) in headers {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    let ran = Ran::of(command.arg("body").current_dir(gateway.path("")));
    let said = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {ran:?}"));
    (ran.code, said)
}

/// The requests that would be sent, as they arrive.
fn sent(said: &Value) -> Vec<(String, String, Headers, String)> {
    let deliveries =
        said["events"].as_array().unwrap().iter().flat_map(|event| event["deliveries"].as_array().unwrap());
    let mut all: Vec<_> = deliveries
        .filter(|delivery| !delivery["request"].is_null())
        .map(|delivery| {
            let request = &delivery["request"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let fields = request["headers"].as_array().unwrap();
            let fields = fields.iter().map(|field| (text(&field[0]), text(&field[1]))).collect();
            let url = text(&request["url"]);
            let path = url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap();
            (text(&request["method"]), path, fields, text(&request["body"]))
        })
        .collect();
    all.sort();
    all
}

fn arrived(arrivals: Vec<Arrived>) -> Vec<(String, String, Headers, String)> {
    let of = |arrived: Arrived| {
        let mut fields = arrived.headers;
        fields.sort();
        (arrived.method, arrived.path, fields, String::from_utf8(arrived.body).unwrap())
    };
    let mut all: Vec<_> = arrivals.into_iter().map(of).collect();
    all.sort();
    all
}

#[test]
fn what_it_says_is_what_the_gateway_does() {
    let json = |more: &Headers| [headers(&[("Content-Type", "application/json")]), more.clone()].concat();
    let approved = fixtures::one("sparkbox", "model.approved").body;
    let customers = fixtures::one("orderspace", "customer.created").body;
    let order = fixtures::one("orderspace", "order.created").body;
    let (hello, points) =
        (fixtures::one("bubblehouse", "Hello1"), fixtures::one("bubblehouse", "SendEvent1.points_updated"));
    let paid = |total: i64, kind: &str| {
        json!({ "type": kind, "id": format!("{kind}/{total}"), "total": total }).to_string().into_bytes()
    };
    let none = json(&Vec::new());
    for (path, headers, body, status) in [
        ("/hooks/sparkbox", json(&sparkbox("s1", &approved)), approved.clone(), 202),
        ("/hooks/sparkbox", json(&sparkbox("other", &approved)), approved.clone(), 401),
        ("/hooks/sparkbox", none.clone(), approved, 401),
        ("/hooks/orderspace", json(&orderspace("s2", &customers)), customers, 200),
        ("/hooks/orderspace", json(&orderspace("s2", &order)), order, 200),
        ("/hooks/bubblehouse/Hello1", json(&bubblehouse("s3")), hello.body, 200),
        ("/hooks/bubblehouse/SendEvent1", json(&bubblehouse("s3")), points.body, 200),
        ("/open?x=1", none.clone(), paid(9, "paid"), 202),
        ("/open", none.clone(), paid(3, "big.paid"), 202),
        ("/open", none.clone(), br#"{"type":"t","id":"no total"}"#.to_vec(), 202),
        ("/open", none.clone(), b"nonsense".to_vec(), 422),
        ("/open", none.clone(), br#"{"id":"1","total":1}"#.to_vec(), 422),
        ("/open", none.clone(), vec![b' '; 2000], 413),
        ("/open", headers(&[("Content-Type", "text/plain")]), b"{}".to_vec(), 415),
        ("/nobody", none, b"{}".to_vec(), 404),
    ] {
        let destination = Destination::start();
        let gateway = Gateway::start(&routes(&destination));
        let (code, said) = try_it(&gateway, path, &headers, &body);
        assert!(destination.arrived().is_empty(), "nothing is sent");
        let response = gateway.post(path, &headers, &body);
        assert_eq!(response.status, status, "{path}: {}", response.text());
        assert_eq!(said["answer"]["status"], status, "{path}: {said}");
        assert_eq!(said["answer"]["body"], response.text(), "{path}");
        assert_eq!(said["accepted"], (200..300).contains(&status));
        assert_eq!(code, Some(i32::from(!(200..300).contains(&status))));
        for field in said["answer"]["headers"].as_array().unwrap() {
            let name = field[0].as_str().unwrap();
            assert_eq!(response.header(name), field[1].as_str(), "{path}: {name}");
        }
        gateway.wait_until_drained();
        assert_eq!(sent(&said), arrived(destination.arrived()), "{path}");
    }
}

/// `routes.example.yaml`, and a command on it.
fn on_example(arguments: &[&str]) -> Ran {
    let mut command = hookswitch();
    command.arg("try").args(arguments).current_dir(fixtures::root());
    if !arguments.contains(&"--config") {
        command.args(["--config", "routes.example.yaml"]);
    }
    Ran::of(&mut command)
}

#[test]
fn people_are_told_what_would_happen_and_then_why() {
    let ran = on_example(&["--route", "bspk", "--signed", "fixtures/providers/bspk/client.updated.json"]);
    let text = ran.printed();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("accepted") && first.contains("202"), "{text}");
    for words in ["by token", "client.updated", "PUT http://127.0.0.1:8081/contacts/", "Bearer ***", "idempotency-key"]
    {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(!text.contains("example-crm-token") && !text.contains("example-bspk-secret"), "{text}");
    let shown =
        on_example(&["-r", "bspk", "--signed", "--show-secrets", "fixtures/providers/bspk/client.updated.json"]);
    assert!(shown.printed().contains("Bearer example-crm-token"));
}

#[test]
fn the_part_of_a_filter_that_decided_is_named() {
    let ran = on_example(&["-r", "bspk", "--signed", "fixtures/providers/bspk/client.created.json"]);
    let text = ran.printed();
    assert!(
        text.contains(r#"filter: `$.type == 'client.updated'` does not hold: $.type is "client.created""#),
        "{text}"
    );
}

#[test]
fn a_request_that_is_refused_is_1_and_says_what_to_check() {
    let ran = on_example(&["-r", "sparkbox", "fixtures/providers/sparkbox/model.approved.json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for words in ["refused    401", "missing", "no, by hmac", "check that the provider was given a secret"] {
        assert!(ran.stdout.contains(words), "{words} is not in {}", ran.stdout);
    }
    let ran = on_example(&["--path", "/hooks/bspkk", "fixtures/providers/sparkbox/model.approved.json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("404") && ran.stdout.contains("did you mean /hooks/bspk?"), "{}", ran.stdout);
}

/// A captured request of Bubblehouse's, whose token is good for ten minutes from `at`.
fn captured(at: i64) -> String {
    let claims = json!({ "iat": at, "exp": at + 600 });
    let token = support::sign::jwt("HS256", "example-bubblehouse-secret", &claims);
    let body = String::from_utf8(fixtures::one("bubblehouse", "SendEvent1.points_updated").body).unwrap();
    format!(
        "### hello\r\nPOST /hooks/bubblehouse/Hello1 HTTP/1.1\r\n\r\n###\r\nPOST https://hooks.test/hooks/bubblehouse/SendEvent1\r\n\
         Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\r\n{}\r\n",
        body.trim_end()
    )
}

#[test]
fn a_captured_request_is_tried_as_of_its_own_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("captured.http");
    fs::write(&file, captured(1_700_000_000)).unwrap();
    let file = file.to_str().unwrap();
    let now = |time: &str| on_example(&["--nth", "2", "--now", time, file]);
    assert!(now("1700000060").printed().contains("yes, by jwt"));
    assert!(now("2023-11-14T22:14:20Z").printed().starts_with("accepted"));
    let late = now("1700100000");
    assert_eq!(late.code, Some(1));
    assert!(late.stdout.contains("expired"), "{}", late.stdout);
    assert!(on_example(&[file]).stdout.contains("missing"), "the first has no token");
}

#[test]
fn stdin_and_har_files_are_read_too() {
    let directory = tempfile::tempdir().unwrap();
    let (piped, har) = (directory.path().join("piped"), directory.path().join("proxy.har"));
    fs::write(&piped, captured(unix_time())).unwrap();
    let run = |arguments: &[&str], stdin: &Path| {
        let mut command = hookswitch();
        command.args(["try", "--config", "routes.example.yaml"]).args(arguments).current_dir(fixtures::root());
        Ran::of(command.stdin(fs::File::open(stdin).unwrap()))
    };
    assert!(run(&["--nth", "2", "-"], &piped).printed().starts_with("accepted"));
    let body = support::sign::base64(&fixtures::one("sparkbox", "model.approved").body);
    let signature = sparkbox("example-sparkbox-secret", &fixtures::one("sparkbox", "model.approved").body).remove(0);
    let entry = json!({ "request": {
        "method": "POST", "url": "https://hooks.test/hooks/sparkbox",
        "headers": [{ "name": signature.0, "value": signature.1 }, { "name": "content-type", "value": "application/json" }],
        "postData": { "mimeType": "application/json", "text": body, "encoding": "base64" },
    } });
    fs::write(&har, json!({ "log": { "version": "1.2", "entries": [entry] } }).to_string()).unwrap();
    assert!(run(&[har.to_str().unwrap()], &piped).printed().starts_with("accepted"));
    assert!(run(&["-"], &har).printed().starts_with("accepted"));
}

#[test]
fn wrong_usage_is_2_and_says_which_file_and_why() {
    let body = "fixtures/providers/bspk/client.updated.json";
    for (arguments, words) in [
        (&["-r", "bspk", "/nope.json"][..], &["/nope.json"][..]),
        (&[body], &["--route", "--path"]),
        (&["-r", "bspkk", body], &["bspkk", "did you mean", "bspk"]),
        (&["-r", "bubblehouse", body], &["/hooks/bubblehouse/{hook}"]),
        (&["-r", "bspk", "--as", "http", body], &[body, "line 1"]),
        (&["-r", "bspk", "--nth", "2", body], &[body, "number 2"]),
        (&["-r", "bspk", "--config", "/nope.yaml", body], &["/nope.yaml"]),
        (&["-r", "bspk", "--now", "yesterday", body], &["RFC 3339"]),
        (&["-r", "bspk", "--header", "nothing", body], &["Name: value"]),
        (&["-r", "bspk"], &["FILE"]),
    ] {
        on_example(arguments).assert_failed(2, words);
    }
}
