//! `hookswitch diff` tells what another configuration would do otherwise with what came, and sends nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Destination, Gateway, Ran, hookswitch, sign};
use tempfile::TempDir;

/// A gateway with kept events of two routes, and the destination that they went to.
struct Kept {
    destination: Destination,
    gateway: Gateway,
}

const ROUTES: &str = "
destinations:
  crm: { url: 'URL/crm', auth: { bearer: crm-hunter2 } }
  erp: { url: 'URL/erp' }
routes:
  - name: orders
    path: /orders
    auth: none
    deliver:
      - { to: crm, filter: $.data.total > 10, transform: { id: $.data.id, sum: $.data.total } }
      - { to: erp }
  - name: spark
    path: /spark
    provider: sparkbox
    secret: spark-hunter2
    deliver: [{ to: erp }]
  - { name: tokens, path: /tokens, provider: bspk, secret: bspk-hunter2, deliver: [{ to: erp, transform: { a: 1 } }] }
";

const TOKEN: &str = "admin-hunter2";

// === impl Kept ===

impl Kept {
    fn start() -> Self {
        let destination = Destination::start();
        let routes = ROUTES.replace("URL", &destination.url(""));
        let gateway = Gateway::with(&routes).admin(&format!("listen: 127.0.0.1:0, token: {TOKEN}")).start();
        for (id, total) in [("1", 5), ("2", 20), ("3", 40)] {
            let order = json!({ "type": "order.paid", "id": id, "total": total });
            assert_eq!(gateway.post_json("/orders", &order).status, 202);
        }
        let body = support::fixtures::all("sparkbox").remove(0).body;
        assert!(gateway.post("/spark", &sign::sparkbox("spark-hunter2", &body), &body).status < 300);
        let body = support::fixtures::all("bspk").remove(0).body;
        assert!(gateway.post("/tokens", &sign::bspk("bspk-hunter2"), &body).status < 300);
        destination.wait_for(8);
        Self { destination, gateway }
    }

    /// The configuration with these changes, in a file.
    fn changed(&self, changes: &[(&str, &str)]) {
        let mut text = self.gateway.routes();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        self.gateway.write_file("new.yaml", &text);
    }

    fn diff(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["diff", "--against", "new.yaml", "--token", TOKEN];
        arguments.extend(more);
        let before = self.destination.arrived().len();
        let ran = self.gateway.run(&arguments);
        assert_eq!(self.destination.arrived().len(), before, "nothing is sent");
        for secret in ["hunter2", "hunter3"] {
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(secret), "{ran:?}");
        }
        ran
    }

    fn report(&self, more: &[&str]) -> Value {
        let ran = self.diff(&[more, &["--output", "json"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

/// What differs, in short and in the order of the report.
fn changes(report: &Value) -> Vec<String> {
    let change = |change: &Value| {
        let text = |key: &str| change[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {} {}", text("route"), text("what"), text("delivery"), text("kind"), change["count"])
    };
    report["changes"].as_array().unwrap().iter().map(change).collect()
}

#[test]
fn each_kind_of_change_is_named_with_examples() {
    let kept = Kept::start();
    let erp = format!("{}/erp", kept.destination.url(""));
    kept.changed(&[
        ("$.data.total > 10", "$.data.total > 30"),
        ("sum: $.data.total", "total: $.data.total"),
        ("crm-hunter2", "crm-hunter3"),
        ("      - { to: erp }\n", "      - { to: erp }\n      - { to: erp, name: audit }\n"),
        ("secret: spark-hunter2", "secret: spark-hunter3"),
        ("path: /tokens, provider: bspk, secret: bspk-hunter2", "path: /tokens, provider: bspk, secret: bspk-hunter3"),
    ]);
    let report = kept.report(&[]);
    assert_eq!((&report["requests"], &report["events"]), (&json!(5), &json!(6)));
    assert_eq!(
        changes(&report),
        [
            "orders delivery audit gained 3",
            "orders delivery crm lost 1",
            "orders delivery crm changed 1",
            "spark request - refused 1",
            "spark event - lost 2",
            "spark delivery erp lost 2",
        ]
    );
    let lost = &report["changes"][1]["examples"][0];
    assert_eq!((&lost["event"], &lost["type"]), (&json!("2"), &json!("order.paid")));
    assert_eq!(lost["why"][0], "filter: `$.data.total > 30` does not hold: $.data.total is 20");
    let changed = &report["changes"][2];
    assert_eq!(changed["parts"], json!({ "body": 1, "headers": 1 }));
    assert_eq!(
        changed["examples"][0]["differences"],
        json!([
            { "path": "body.sum", "was": "40", "would_be": "nothing" },
            { "path": "body.total", "was": "nothing", "would_be": "40" },
            { "path": "headers.authorization", "was": "Bearer ***", "would_be": "Bearer *** (another one)" },
        ])
    );
    let undecided = report["undecided"].as_array().unwrap();
    assert_eq!((undecided.len(), &undecided[0]["route"], &undecided[0]["count"]), (1, &json!("tokens"), &json!(1)));
    let text = kept.diff(&[]);
    for part in ["crm: 1 delivery would be lost", "body.total", "cannot tell", "erp"] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
    assert!(text.stderr.contains("is not kept"), "{text:?}");
    // A URL, and a route that is gone.
    kept.changed(&[
        (&format!("erp: {{ url: '{erp}'"), &format!("erp: {{ url: '{erp}/v2/{{$.id}}'")),
        ("path: /spark", "path: /sparkling"),
    ]);
    let report = kept.report(&["--route", "spark"]);
    assert_eq!(changes(&report), ["spark request - refused 1", "spark event - lost 2", "spark delivery erp lost 2"]);
    assert!(report["changes"][0]["examples"][0]["why"][0].as_str().unwrap().starts_with("no_route"), "{report}");
    let report = kept.report(&["--route", "orders", "--limit", "2"]);
    assert_eq!((&report["requests"], changes(&report)), (&json!(2), vec!["orders delivery erp changed 2".to_owned()]));
    let url = &report["changes"][0]["examples"][0]["differences"][0];
    assert_eq!((&url["path"], &url["would_be"]), (&json!("url"), &json!(format!("{erp}/v2/3"))));
}

#[test]
fn the_exit_code_is_what_fail_on_asks_for() {
    let kept = Kept::start();
    kept.changed(&[]);
    assert_eq!(kept.diff(&["--fail-on", "any,undecided"]).code, Some(0));
    let report = kept.report(&[]);
    assert_eq!((&report["same_route"], &report["differing"]), (&json!(5), &json!(0)));
    kept.changed(&[("$.data.total > 10", "$.data.total > 30")]);
    for (fail_on, code) in [("lost", 1), ("gained,lost", 1), ("any", 1), ("gained,changed,refused,dead,undecided", 0)] {
        assert_eq!(kept.diff(&["--fail-on", fail_on]).code, Some(code), "{fail_on}");
    }
    assert_eq!(kept.diff(&[]).code, Some(0));
    assert_eq!(kept.diff(&["--fail-on", "loss"]).code, Some(2));
    assert_eq!(kept.diff(&["--route", "order"]).code, Some(2));
    assert_eq!(kept.diff(&["--since", "yesterday"]).code, Some(2));
    let none = kept.report(&["--until", "1h"]);
    assert_eq!((&none["requests"], changes(&none).len()), (&json!(0), 0));
    assert_eq!(kept.gateway.run(&["diff", "--against", "new.yaml", "--token", "wrong"]).code, Some(2));
    kept.gateway.write_file("new.yaml", "routes: [{ nme: x }]\n");
    let broken = kept.diff(&[]);
    assert!(broken.code == Some(2) && broken.stderr.contains("nme"), "{broken:?}");
}

#[test]
fn another_configuration_than_the_gateways_is_told() {
    let kept = Kept::start();
    kept.changed(&[]);
    let told = |ran: &Ran| ran.stderr.contains("the gateway runs another configuration");
    assert!(!told(&kept.diff(&[])));
    kept.gateway.write_file("old.yaml", &format!("{}\n# another\n", kept.gateway.routes()));
    let ran = kept.diff(&["--config", "old.yaml", "--fail-on", "any,undecided"]);
    assert!(told(&ran) && ran.code == Some(0), "{ran:?}");
}

#[test]
fn a_gateway_without_a_token_gives_nothing() {
    let destination = Destination::start();
    let gateway = Gateway::start(&ROUTES.replace("URL", &destination.url("")));
    gateway.write_file("new.yaml", &gateway.routes());
    let ran = gateway.run(&["diff", "--against", "new.yaml"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("admin.token"), "{ran:?}");
}

#[test]
fn of_a_masked_route_no_value_is_printed() {
    let destination = Destination::start();
    let routes = format!(
        "providers: {{ p: {{ auth: none, event: {{ type: $.type, id: $.id }}, mask: [$.data.email] }} }}\n\
         destinations: {{ d: {{ url: '{}' }} }}\n\
         routes: [{{ name: r, path: /r, provider: p, deliver: [{{ to: d, transform: {{ mail: $.data.email }} }}] }}]\n",
        destination.url("/d")
    );
    let gateway = Gateway::with(&routes).admin(&format!("listen: 127.0.0.1:0, token: {TOKEN}")).start();
    gateway.post_json("/r", &json!({ "type": "t", "id": "1", "email": "ann@example.test" }));
    destination.wait_for(1);
    gateway.write_file("new.yaml", &gateway.routes().replace("mail: $.data.email", "mail: 'mailto:{$.data.email}'"));
    for output in ["text", "json"] {
        let ran = gateway.run(&["diff", "--against", "new.yaml", "--token", TOKEN, "--output", output]);
        assert!(ran.code == Some(0) && ran.stdout.contains("body") && ran.stdout.contains("***"), "{ran:?}");
        assert!(!ran.stdout.contains("ann") && !ran.stdout.contains("mailto"), "{ran:?}");
    }
}

#[test]
fn captured_requests_are_compared_without_a_gateway() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let routes = ROUTES.replace("URL", "http://127.0.0.1:9").replace("spark-hunter2", "${SPARK_SECRET}");
    write("old.yaml", &routes);
    write("new.yaml", &routes.replace("$.data.total > 10", "$.data.total > 30").replace("path: /spark", "path: /s"));
    fs::create_dir(directory.path().join("traffic")).unwrap();
    let order = |id: u32, total: u32| {
        format!(
            "POST /orders HTTP/1.1\nContent-Type: application/json\n\n{{\"type\":\"t\",\"id\":\"{id}\",\"total\":{total}}}\n"
        )
    };
    write("traffic/a.http", &format!("{}###\n{}", order(1, 20), order(2, 40)));
    let spark = String::from_utf8(support::fixtures::all("sparkbox").remove(0).body).unwrap();
    let har = json!({ "log": { "entries": [{ "request": {
        "method": "POST", "url": "https://hooks.test/spark",
        "headers": [{ "name": "Content-Type", "value": "application/json" }], "postData": { "text": spark },
    } }] } });
    write("traffic/b.har", &har.to_string());
    write("traffic/c.json", "{\"type\":\"t\",\"id\":\"3\",\"total\":15}");
    let run = |more: &[&str]| {
        let mut command = hookswitch();
        command.current_dir(directory.path());
        command.args(["diff", "--config", "old.yaml", "--against", "new.yaml", "--requests", "traffic"]).args(more);
        Ran::of(&mut command)
    };
    let unset = run(&[]);
    assert!(unset.code == Some(2) && unset.stderr.contains("SPARK_SECRET"), "{unset:?}");
    let report = |more: &[&str]| -> Value {
        let ran = run(&[&["--stand-in", "--output", "json"], more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("SPARK_SECRET"), "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let unsigned = report(&[]);
    assert_eq!(changes(&unsigned), ["orders delivery crm lost 1"]);
    assert_eq!(unsigned["refused_by_both"][0]["reason"], "missing");
    assert_eq!(unsigned["changes"][0]["examples"][0]["request"], "traffic/a.http#1");
    let signed = report(&["--signed"]);
    assert_eq!(
        changes(&signed),
        [
            "orders delivery crm lost 1",
            "spark request - refused 1",
            "spark event - lost 2",
            "spark delivery erp lost 2",
        ]
    );
    let bodies = report(&["--route", "orders"]);
    assert_eq!((&bodies["requests"], changes(&bodies)), (&json!(3), vec!["orders delivery crm lost 2".to_owned()]));
    assert_eq!(run(&["--stand-in", "--requests", "nowhere"]).code, Some(2));
}
