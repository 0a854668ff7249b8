//! `hookswitch check`: whether a file would load, and if not, everything that is wrong with it at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs;
use std::process::Stdio;

use support::{eventually, fixtures, hookswitch};

struct Checked {
    code: Option<i32>,
    /// What a person read, whichever stream it came on.
    said: String,
}

/// Runs `check` on `text`; fails where it does not end.
fn check_with(text: &str, environment: &[(&str, &str)]) -> Checked {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("routes.yaml");
    fs::write(&file, text).unwrap();
    let (out, err) = (directory.path().join("out"), directory.path().join("err"));
    let mut child = hookswitch()
        .args(["check", "--config"])
        .arg(&file)
        .envs(environment.iter().copied())
        .stdout(Stdio::from(fs::File::create(&out).unwrap()))
        .stderr(Stdio::from(fs::File::create(&err).unwrap()))
        .spawn()
        .unwrap();
    let status = eventually("the end of `hookswitch check`", || child.try_wait().unwrap());
    let said = fs::read_to_string(out).unwrap() + &fs::read_to_string(err).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    Checked { code: status.code(), said }
}

fn check(text: &str) -> Checked {
    check_with(text, &[])
}

const GOOD: &str = "destinations:
  warehouse: { url: http://127.0.0.1:1/ }
routes:
  - name: in
    path: /in
    auth: none
    deliver: [{ to: warehouse }]
";

impl Checked {
    fn assert_problem(&self, line: usize, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.said);
        let place = format!("routes.yaml:{line}:");
        assert!(self.said.contains(&place), "no problem at {place}\n{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word:?} is not said\n{}", self.said);
        }
    }
}

#[test]
fn a_good_file_is_0() {
    let checked = check(GOOD);
    assert_eq!(checked.code, Some(0), "{}", checked.said);
}

#[test]
fn the_example_loads_as_it_is() {
    let text = fs::read_to_string(fixtures::root().join("routes.example.yaml")).unwrap();
    let checked = check(&text);
    assert_eq!(checked.code, Some(0), "{}", checked.said);
    assert!(!checked.said.contains("warning"), "{}", checked.said);
    for provider in ["bspk", "sparkbox", "orderspace", "bubblehouse"] {
        assert!(text.contains(&format!("provider: {provider}")), "the example does not show {provider}");
    }
}

#[test]
fn a_secret_whose_variable_is_not_set_is_an_error_that_names_it() {
    let text = GOOD.replace("auth: none", "provider: bspk\n    secret: ${HOOKSWITCH_TEST_SECRET}");
    let checked = check(&text);
    checked.assert_problem(7, &["HOOKSWITCH_TEST_SECRET"]);
    assert_eq!(check_with(&text, &[("HOOKSWITCH_TEST_SECRET", "s3cret")]).code, Some(0));
    assert_eq!(check_with(&text, &[("HOOKSWITCH_TEST_SECRET", "")]).code, Some(1), "empty verifies what anybody sends");
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [&["check", "--nope"][..], &["chekc"], &["serve", "--config"], &[]] {
        let output = hookswitch().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: people read stderr");
    }
}

#[test]
fn a_file_that_is_not_there_is_1_and_named() {
    let output = hookswitch().args(["check", "--config", "/nope/routes.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nope/routes.yaml"));
}

#[test]
fn every_problem_is_said_at_once_with_its_place() {
    let checked = check(
        "destinations:
  warehouse: { url: http://127.0.0.1:1/, timeout: 3 parsecs }
  crm: { url: http://127.0.0.1:1/, retyr: { max_attempts: 2 } }
routes:
  - name: one
    path: /one
    auth: none
    filter: $.type ==
    deliver: [{ to: warehous }]
  - name: two
    path: /two
    deliver: [{ to: crm }]
  - name: three
    path: /three
    provider: bpsk
    secret: ${HOOKSWITCH_TEST_UNSET}
    deliver: [{ to: crm }]
",
    );
    checked.assert_problem(2, &["3 parsecs"]);
    checked.assert_problem(3, &["retyr", "retry"]);
    checked.assert_problem(8, &["$.type =="]);
    checked.assert_problem(9, &["warehous", "did you mean", "warehouse"]);
    checked.assert_problem(15, &["bpsk", "did you mean", "bspk"]);
    checked.assert_problem(16, &["HOOKSWITCH_TEST_UNSET"]);
    assert!(checked.said.contains("auth"), "a route without auth is not said\n{}", checked.said);
}

#[test]
fn a_place_is_a_line_and_a_column() {
    let checked = check(&GOOD.replace("    auth: none", "    ahtu: none"));
    // The sixth line, after four spaces.
    assert!(checked.said.contains("routes.yaml:6:5"), "{}", checked.said);
    assert!(checked.said.contains("    ahtu: none"), "the line itself is not shown\n{}", checked.said);
}

#[test]
fn unknown_and_duplicate_keys_are_errors_everywhere() {
    for (line, text) in [
        (8, format!("{GOOD}lisen: 127.0.0.1:1\n")),
        (2, GOOD.replace("/ }", "/, urll: x }")),
        (7, GOOD.replace("to: warehouse", "to: warehouse, filtr: $.a")),
        (7, GOOD.replace("to: warehouse", "to: warehouse, filter: { anyy: [$.a] }")),
        (6, GOOD.replace("auth: none", "auth: { hmacc: { hash: sha256 } }")),
        // A second route with `auth: none` must not replace one with a secret in silence.
        (7, GOOD.replace("    auth: none\n", "    auth: none\n    auth: none\n")),
        (8, format!("{GOOD}routes: []\n")),
        (3, GOOD.replace("routes:\n", "  warehouse: { url: http://127.0.0.1:2/ }\nroutes:\n")),
    ] {
        check(&text).assert_problem(line, &[]);
    }
}

#[test]
fn auth_is_never_off_by_omission() {
    check(&GOOD.replace("    auth: none\n", "")).assert_problem(4, &["auth"]);
    let with = |secret: &str| GOOD.replace("    auth: none\n", &format!("    provider: sparkbox\n{secret}"));
    // A provider that signs, and no secret: the sixth line names the provider.
    check(&with("")).assert_problem(6, &["needs a secret"]);
    check(&with("    secrets: {}\n")).assert_problem(7, &["secrets"]);
    check(&with("    secret: ''\n")).assert_problem(7, &["secret"]);
    check(&with("    secrets: { a: x, b: '' }\n")).assert_problem(7, &[]);
    check(&with("    secret: '${HOOKSWITCH_TEST_EMPTY:-}'\n")).assert_problem(7, &[]);
    assert_eq!(check(&with("    secret: x\n")).code, Some(0));
}

#[test]
fn routes_that_cannot_both_be_reached_are_errors() {
    let second = |name: &str, path: &str| {
        format!("{GOOD}  - {{ name: {name}, path: '{path}', auth: none, deliver: [{{ to: warehouse }}] }}\n")
    };
    check(&second("other", "/in")).assert_problem(8, &["/in"]);
    check(&second("in", "/other")).assert_problem(8, &["in"]);
    assert_eq!(check(&second("other", "/in/more")).code, Some(0));
    let parameters = |name: &str| GOOD.replace("path: /in", "path: '/in/{a}'") + &second("other", name)[GOOD.len()..];
    check(&parameters("/in/{b}")).assert_problem(8, &[]);
}

#[test]
fn a_path_that_no_client_sends_is_an_error() {
    let with = |path: &str| check(&GOOD.replace("path: /in", &format!("path: '{path}'")));
    with("/h\u{f6}ks/a b").assert_problem(5, &["/h%C3%B6ks/a%20b"]);
    with("/a/../b").assert_problem(5, &[".."]);
    with("/a/{x}/{x}").assert_problem(5, &["{x}"]);
    for path in ["/h%C3%B6ks", "/a/{x}/b/{y}", "/a/{*rest}", "/", "/a/", "/a..b"] {
        assert_eq!(with(path).code, Some(0), "{path}");
    }
}

#[test]
fn an_empty_list_of_types_is_an_error_where_it_stands() {
    check(&GOOD.replace("{ to: warehouse }", "{ to: warehouse, types: [] }")).assert_problem(7, &["types"]);
    check(&GOOD.replace("{ to: warehouse }", "{ to: warehouse, filter: { types: [] } }")).assert_problem(7, &["types"]);
}

#[test]
fn two_deliveries_of_one_name_are_an_error() {
    check(&GOOD.replace("[{ to: warehouse }]", "[{ to: warehouse }, { to: warehouse }]"))
        .assert_problem(7, &["warehouse"]);
    let named = GOOD.replace("[{ to: warehouse }]", "[{ to: warehouse }, { to: warehouse, name: again }]");
    assert_eq!(check(&named).code, Some(0));
}

#[test]
fn an_unused_destination_is_a_warning_and_the_file_loads() {
    let checked = check(&GOOD.replace("routes:\n", "  spare: { url: http://127.0.0.1:1/ }\nroutes:\n"));
    assert_eq!(checked.code, Some(0), "{}", checked.said);
    assert!(checked.said.contains("routes.yaml:3:"), "{}", checked.said);
    assert!(checked.said.contains("spare"), "{}", checked.said);
}

#[test]
fn a_secret_is_never_in_what_is_said() {
    for line in [
        "  - { name: b, pth: /b, provider: bspk, secret: hunter2hunter2, deliver: [{ to: warehouse }] }\n",
        "  - { name: b, path: /b, provider: bspk, secrets: { a: hunter2hunter2, a: hunter2hunter2 }, deliver: [{ to: nowhere }] }\n",
        "  - { name: b, path: /b, provider: bspk, secret: [hunter2hunter2], deliver: [{ to: warehouse }] }\n",
    ] {
        let checked = check(&format!("{GOOD}{line}"));
        assert_eq!(checked.code, Some(1), "{line}");
        assert!(!checked.said.contains("hunter2"), "{}", checked.said);
    }
    let from_environment = GOOD.replace("auth: none", "provider: bspk\n    secret: ${TOKEN}") + "bad: 1\n";
    let checked = check_with(&from_environment, &[("TOKEN", "hunter2hunter2")]);
    assert_eq!(checked.code, Some(1));
    assert!(!checked.said.contains("hunter2"), "{}", checked.said);
}

#[test]
fn a_variable_is_a_value_and_never_yaml() {
    let text = GOOD.replace("http://127.0.0.1:1/", "'${WAREHOUSE}'");
    let value = "http://127.0.0.1:1/ }\nroutes: []\n#";
    assert_eq!(check_with(&text, &[("WAREHOUSE", value)]).code, Some(1), "a URL with a newline in it");
    assert_eq!(check_with(&text, &[("WAREHOUSE", "http://127.0.0.1:1/")]).code, Some(0));
    let with_default = GOOD.replace("http://127.0.0.1:1/", "'${WAREHOUSE:-http://127.0.0.1:1/}'");
    assert_eq!(check(&with_default).code, Some(0));
}

#[test]
fn a_hostile_file_ends_in_an_error() {
    let mut bomb = String::from("a: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("b{level}: &a{level} [{aliases}]\n"));
    }
    for (what, text) in [
        ("an alias bomb", bomb),
        ("a scalar of 10 MB", GOOD.replace("name: in", &format!("name: {}", "x".repeat(10_000_000)))),
        ("10,000 levels of lists", format!("routes: {}", "[".repeat(10_000))),
        ("10,000 levels of maps", format!("routes: {}", "{a: ".repeat(10_000))),
        ("10,000 levels of indent", (0..10_000).map(|level| format!("{}a:\n", " ".repeat(level))).collect()),
        (
            "10,000 levels of transform",
            GOOD.replace(
                "to: warehouse",
                &format!("to: warehouse, transform: {}1{}", "[".repeat(10_000), "]".repeat(10_000)),
            ),
        ),
        (
            "100,000 parentheses in a filter",
            GOOD.replace("to: warehouse", &format!("to: warehouse, filter: '{}$.a'", "(".repeat(100_000))),
        ),
        ("a tab", "routes:\n\t- name: x\n".to_owned()),
        ("two documents", format!("{GOOD}---\n{GOOD}")),
        ("a NUL", "routes: \"\0\"\n".to_owned()),
        ("nothing", String::new()),
    ] {
        let checked = check(&text);
        assert_eq!(checked.code, Some(1), "{what}: {}", checked.said.chars().take(2000).collect::<String>());
        assert!(checked.said.len() < 100_000, "{what} is answered with {} bytes", checked.said.len());
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("routes.yaml");
    fs::write(&file, b"routes: \xff\xfe\n").unwrap();
    let output = hookswitch().args(["check", "--config"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}
