//! `hookswitch test`: a configuration's own tests, and those apart, as people and continuous integration run them.
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

use support::{Ran, fixtures, hookswitch};

fn test_in(directory: &Path, arguments: &[&str]) -> Ran {
    Ran::of(hookswitch().arg("test").args(arguments).current_dir(directory))
}

const CONFIG: &str = "listen: ${LISTEN}
destinations:
  crm: { url: '${CRM_URL}/contacts', auth: { bearer: '${CRM_TOKEN}' } }
routes:
  - name: sparkbox
    path: /hooks/sparkbox
    provider: sparkbox
    secret: ${SPARKBOX_SECRET}
    deliver: [{ to: crm, transform: { sku: $.data.sku_id } }]
";

/// A directory with a configuration, tests apart from it in a directory below, and a body beside those.
fn directory(tests: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("routes.yaml"), CONFIG).unwrap();
    let below = directory.path().join("tests");
    fs::create_dir(&below).unwrap();
    fs::write(below.join("sparkbox.yaml"), format!("config: ../routes.yaml\ntests:\n{tests}")).unwrap();
    fs::write(below.join("approved.json"), fixtures::one("sparkbox", "model.approved").body).unwrap();
    directory
}

const GOOD: &str = "  - name: an approved price
    route: sparkbox
    body_file: approved.json
    expect: { status: 202, deliveries: [{ crm: { body: { sku: SKU-100245 } } }, { crm: {} }] }
";

#[test]
fn the_example_passes_its_own_tests() {
    let ran = test_in(fixtures::root(), &["--config", "routes.example.yaml"]);
    let text = ran.printed();
    assert!(text.lines().all(|line| line.starts_with("ok") || line.starts_with("tests ")), "{text}");
    assert!(text.ends_with("failed 0\n"), "{text}");
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    let page = fs::read_to_string(fixtures::root().join("routes.example.yaml")).unwrap();
    let tests = page.split("\ntests:\n").nth(1).unwrap();
    for name in ["bspk", "sparkbox", "orderspace", "bubblehouse"] {
        assert!(tests.contains(&format!("route: {name}")) || tests.contains(&format!("/hooks/{name}")), "{name}");
    }
}

#[test]
fn no_variable_need_be_set_and_that_is_said_once() {
    let directory = directory(&GOOD.repeat(2));
    let ran = test_in(directory.path(), &["tests/sparkbox.yaml"]);
    assert!(ran.printed().ends_with("tests 2, passed 2, failed 0\n"), "{ran:?}");
    let said: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].ends_with("CRM_TOKEN, CRM_URL, LISTEN, SPARKBOX_SECRET"), "{said:?}");
    let check = Ran::of(hookswitch().args(["check"]).current_dir(directory.path()));
    assert_eq!(check.code, Some(1), "elsewhere they are needed");
}

#[test]
fn a_test_that_fails_is_1_and_told_by_its_paths() {
    let wrong = GOOD.replace("SKU-100245", "SKU-1").replace("202", "200");
    let directory = directory(&format!("{GOOD}{wrong}"));
    let ran = test_in(directory.path(), &["tests/sparkbox.yaml", "--junit", "results.xml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let expected = "ok      an approved price
FAILED  an approved price  (tests/sparkbox.yaml:7)
        status
            expected  200
            got       202
        deliveries[0].crm.body.sku
            expected  \"SKU-1\"
            got       \"SKU-100245\"
tests 2, passed 1, failed 1
";
    assert_eq!(ran.stdout, expected);
    let xml = fs::read_to_string(directory.path().join("results.xml")).unwrap();
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "), "{xml}");
    for part in
        ["tests=\"2\" failures=\"1\"", "<failure message=\"status: expected 200, got 202\">", "&quot;SKU-1&quot;"]
    {
        assert!(xml.contains(part), "{part} is not in\n{xml}");
    }
}

#[test]
fn tests_can_be_chosen_and_none_is_no_success() {
    let directory = directory(&format!("{GOOD}{}", GOOD.replace("an approved price", "the other").replace("202", "1")));
    let file = "tests/sparkbox.yaml";
    assert!(test_in(directory.path(), &[file, "--filter", "approved"]).printed().contains("tests 1, passed 1"));
    assert_eq!(test_in(directory.path(), &[file, "--filter", "other"]).code, Some(1));
    test_in(directory.path(), &[file, "--filter", "nope"]).assert_failed(2, &["no such tests"]);
    test_in(directory.path(), &[]).assert_failed(2, &["no such tests"]);
}

#[test]
fn problems_are_told_as_check_does() {
    let directory = directory(&GOOD.replace("route: sparkbox", "rouet: sparkbox").replace("status", "stauts"));
    let ran = test_in(directory.path(), &["tests/sparkbox.yaml"]);
    ran.assert_failed(1, &["tests/sparkbox.yaml:4:5", "unknown key `rouet`", "did you mean `route`?", "`stauts`"]);
    fs::write(directory.path().join("routes.yaml"), CONFIG.replace("to: crm", "to: crn")).unwrap();
    let ran = test_in(directory.path(), &["tests/sparkbox.yaml"]);
    ran.assert_failed(1, &["routes.yaml:9:", "did you mean `crm`?", "would not load"]);
    test_in(directory.path(), &["tests/nope.yaml"]).assert_failed(1, &["tests/nope.yaml", "there is no such file"]);
}

#[test]
fn a_configuration_with_tests_in_it_still_runs() {
    let page =
        format!("{}tests:\n{}", CONFIG.replace("${LISTEN}", "127.0.0.1:0"), GOOD.replace("approved.json", "no.json"));
    let variables = ["CRM_URL", "CRM_TOKEN", "SPARKBOX_SECRET"].map(|name| (name, "http://127.0.0.1:1"));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("routes.yaml"), page).unwrap();
    let check = Ran::of(hookswitch().arg("check").envs(variables).current_dir(directory.path()));
    assert_eq!(check.code, Some(0), "the files of tests are read by `test` alone: {check:?}");
}
