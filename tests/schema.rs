//! `hookswitch schema`, as an editor uses it: judged by `check-jsonschema`, which knows nothing of us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::fixtures::root;
use support::{Ran, check, hookswitch};

/// What is wrong with each of these files by the schema: where, and what.
fn judged(schema: &[&str], files: &[PathBuf]) -> BTreeMap<PathBuf, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let schema_file = directory.path().join("schema.json");
    fs::write(&schema_file, Ran::of(hookswitch().args(schema)).printed()).unwrap();
    let output = Command::new("check-jsonschema")
        .args(["--output-format", "json", "--schemafile"])
        .arg(&schema_file)
        .args(files)
        .output()
        .expect("check-jsonschema: run tests/run.sh, which fetches it, or `pip install check-jsonschema`");
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(report["parse_errors"].as_array().is_none_or(Vec::is_empty), "{report:#}");
    let mut judged = BTreeMap::new();
    for error in report["errors"].as_array().into_iter().flatten() {
        let said = format!("{} {}", error["path"].as_str().unwrap(), error["message"].as_str().unwrap());
        judged.entry(PathBuf::from(error["filename"].as_str().unwrap())).or_insert_with(Vec::new).push(said);
    }
    judged
}

/// The same of texts; what is wrong with each, in their order.
fn judged_texts(schema: &[&str], texts: &[&str]) -> Vec<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let write = |(index, text): (usize, &&str)| {
        let path = directory.path().join(format!("{index}.yaml"));
        fs::write(&path, text).unwrap();
        path
    };
    let files: Vec<PathBuf> = texts.iter().enumerate().map(write).collect();
    let mut judged = judged(schema, &files);
    files.iter().map(|file| judged.remove(file).unwrap_or_default()).collect()
}

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn every_configuration_of_the_project_is_valid() {
    let files = [root().join("routes.example.yaml"), root().join("deploy/kubernetes/routes.yaml")];
    assert_eq!(judged(&["schema"], &files), BTreeMap::new());
}

#[test]
fn every_built_in_provider_is_valid() {
    let files = in_folder(&root().join("src/providers"));
    let names = Ran::of(hookswitch().arg("providers"));
    assert!(files.len() >= 4 && names.printed().lines().count() >= files.len(), "{files:?}");
    assert_eq!(judged(&["schema", "--provider"], &files), BTreeMap::new());
}

#[test]
fn the_schema_is_of_the_draft_that_every_editor_knows() {
    for arguments in [&["schema"][..], &["schema", "--provider"]] {
        let schema = Ran::of(hookswitch().args(arguments)).json();
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("schema.json");
        fs::write(&file, schema.to_string()).unwrap();
        let output = Command::new("check-jsonschema").arg("--check-metaschema").arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_example_names_the_schema_as_a_person_would_save_it() {
    let text = fs::read_to_string(root().join("routes.example.yaml")).unwrap();
    assert_eq!(text.lines().next(), Some("# yaml-language-server: $schema=routes.schema.json"));
}

/// A misspelt key on each level, and the key that was meant.
const MISSPELT: [(&str, &str); 26] = [
    ("listn: a\n", "listn"),
    ("admin: { tokn: a }\n", "tokn"),
    ("queue: { embeded: {} }\n", "embeded"),
    ("queue: { embedded: { pth: a } }\n", "pth"),
    ("limits: { max_bdy: 1B }\n", "max_bdy"),
    ("providers: { a: { auth: none, auht: none } }\n", "auht"),
    ("providers: { a: { auth: { hmca: {} } } }\n", "hmca"),
    ("providers: { a: { auth: { token: { from: x, form: x } } } }\n", "form"),
    ("providers: { a: { auth: none, event: { type: x, tpye: x } } }\n", "tpye"),
    ("providers: { a: { auth: none, event: { type: { when: x, wen: x, value: y } } } }\n", "wen"),
    ("providers: { a: { auth: none, event: { type: [x, { wen: x }] } } }\n", "wen"),
    ("providers: { a: { auth: none, handshake: [{ match: {}, mtch: {}, reply: {} }] } }\n", "mtch"),
    ("providers: { a: { auth: none, handshake: [{ match: { x: { exist: true } }, reply: {} }] } }\n", "exist"),
    ("providers: { a: { auth: none, respond: { acepted: {} } } }\n", "acepted"),
    ("destinations: { a: { url: x, timout: 1s } }\n", "timout"),
    ("destinations: { a: { url: x, auth: { basic: { username: a, usrname: a, password: b } } } }\n", "usrname"),
    ("destinations: { a: { url: x, retry: { max_atempts: 1 } } }\n", "max_atempts"),
    ("destinations: { a: { url: x, format: cloudevent } }\n", "cloudevent"),
    ("destinations: { a: { url: x, raet: 1/s } }\n", "raet"),
    ("destinations: { a: { url: x, braker: off } }\n", "braker"),
    ("destinations: { a: { url: x, breaker: { failure: 1 } } }\n", "failure"),
    ("destinations: { a: { url: x, breaker: { cooldown: 1s } } }\n", "cooldown"),
    ("routes: [{ name: a, path: /a, deliver: [], delver: [] }]\n", "delver"),
    ("routes: [{ name: a, path: /a, deliver: [{ to: a, tranform: {} }] }]\n", "tranform"),
    ("routes: [{ name: a, path: /a, deliver: [], filter: { tpes: [a] } }]\n", "tpes"),
    ("routes: [{ name: a, path: /a, deliver: [], filter: { any: [{ all: [{ tpes: [a] }] }] } }]\n", "tpes"),
];

#[test]
fn a_misspelt_key_is_found_on_every_level_and_named() {
    let texts = MISSPELT.map(|(text, _)| text);
    for ((text, misspelt), problems) in MISSPELT.iter().zip(judged_texts(&["schema"], &texts)) {
        assert_eq!(problems.len(), 1, "{text}{problems:?}");
        let listed = text.contains("[x, {");
        assert!(listed || problems[0].contains(&format!("'{misspelt}'")), "{text}{problems:?}");
    }
}

/// A file that loads, with this in its destination, its route and at its end.
fn file(destination: &str, route: &str, end: &str) -> String {
    format!(
        "destinations:\n  a: {{ url: http://127.0.0.1:1/{destination} }}\nroutes:\n  - {{ name: in, path: /in, auth: none, \
         deliver: [{{ to: a }}]{route} }}\n{end}"
    )
}

/// What the decoder takes, the schema takes; what the one refuses for its form, the other does.
#[test]
fn the_schema_and_check_agree() {
    let destination = |text: &str| file(text, "", "");
    let route = |text: &str| file("", text, "");
    let end = |text: &str| file("", "", text);
    let cases = [
        // A reference stands wherever a scalar does.
        destination(", concurrency: '${N:-3}'"),
        destination(", timeout: '${N:-30s}', rate: '${N:-1/s}', allow_private: '${N:-true}'"),
        destination(", format: '${N:-raw}', breaker: '${N:-off}', retry: { give_up_on: ['${N:-400}', 410] }"),
        route(", dedup: '${N:-off}', max_body: '${N:-1MiB}'"),
        end("limits: { max_connections: '1${N:-00}', header_timeout: '${N:-1}s' }\n"),
        destination(", concurrency: '$${N}'"),
        destination(", timeout: '${N'"),
        destination(", format: '$${raw}'"),
        // Any scalar is text where text is wanted, and only there.
        destination(", headers: { A: true, B: 1, C: 1.5, D: x }"),
        destination(", headers: { A: [x] }"),
        destination(", concurrency: '3'"),
        destination(", concurrency: 3.5"),
        destination(", concurrency: -1"),
        destination(", concurrency: 4294967296"),
        destination(", retry: { give_up_on: [65536] }"),
        destination(", allow_private: 'true'"),
        destination(", allow_private: yes"),
        destination(", timeout: 30"),
        destination(", timeout: ''"),
        destination(", timeout: 1h30m"),
        destination(", timeout: 30m1h"),
        destination(", rate: 100"),
        // A mapping that needs nothing may be empty, what is optional may not be nothing.
        end("limits:\nproviders:\n"),
        end("queue: { embedded: }\n"),
        end("queue:\n"),
        end("queue: {}\n"),
        destination(", headers: , retry: "),
        destination(", breaker: "),
        destination(", breaker: {}"),
        destination(", sign: {}"),
        route(", filter: "),
        // Shapes.
        destination(", breaker: off"),
        destination(", breaker: false"),
        destination(", breaker: on"),
        destination(", breaker: []"),
        destination(", auth: bearer"),
        destination(", auth: { bearer: x }"),
        destination(", auth: { bearer: x, header: { name: a, value: b } }"),
        route(", dedup: off"),
        route(", dedup: 24h"),
        route(", dedup: of"),
        route(", filter: $.a"),
        route(", filter: { all: [$.a, { any: [$.b, { not: [$.c] }] }] }"),
        route(", filter: [$.a]"),
        end(
            "providers: { p: { auth: { token: { from: 'header:A' } }, event: { type: [$.a, { when: $.b, value: c }] } } }\n",
        ),
        end("providers: { p: { auth: none, event: { type: { when: $.b } } } }\n"),
        end("providers: { p: { auth: hmac } }\n"),
        end("providers: { p: { event: { type: $.a } } }\n"),
        end(
            "providers: { p: { auth: none, handshake: [{ match: { 'header:A': [a, b], 'header:B': { not: c } }, reply: { body: [null, { a: 1 }] } }] } }\n",
        ),
    ];
    let texts: Vec<&str> = cases.iter().map(String::as_str).collect();
    for (text, problems) in texts.iter().zip(judged_texts(&["schema"], &texts)) {
        let checked = check(text, &[]);
        assert_eq!(problems.is_empty(), checked.code == Some(0), "{text}{problems:?}\n{}", checked.said);
    }
}

#[test]
fn nothing_is_interpolated_in_a_provider_of_its_own() {
    let provider = |status: &str| format!("auth: none\nrespond: {{ accepted: {{ status: {status} }} }}\n");
    let (number, reference) = (provider("200"), provider("'${N:-200}'"));
    let problems = judged_texts(&["schema", "--provider"], &[&number, &reference, "evnt: {}\nauth: none\n"]);
    assert_eq!(problems.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 1], "{problems:?}");
}
