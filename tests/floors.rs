//! The house: imports go down, stages do not know each other, and a file holds one thing.
//!
//! This reads the source as text, which is crude and enough: every path in it begins with `crate::`, `self::`,
//! `super::` or a crate's name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground to the roof. Rooms on one floor do not know each other.
const FLOORS: [&[&str]; 8] = [
    &["model"],
    &["expr", "config", "telemetry"],
    &["providers", "queue", "signing"],
    &["pipeline"],
    &["routing"],
    &["app", "rehearsal"],
    &["admin"],
    &["cli"],
];

/// Modules of `pipeline`; none imports another.
const STAGES: [&str; 7] = ["receive", "verify", "normalize", "filter", "enqueue", "transform", "deliver"];

/// Lines a file may have, tests aside: more usually means that it holds two things.
const LONGEST_FILE: usize = 400;

struct Source {
    /// Below `src/`.
    path: PathBuf,
    /// Its module's path from the crate's root.
    module: Vec<String>,
    /// Its text without comments and tests.
    code: String,
    /// How many lines it has, tests aside.
    lines: usize,
}

#[test]
fn imports_go_down() {
    let mut wrong = BTreeSet::new();
    for source in sources() {
        let Some(here) = source.module.first().and_then(|room| floor(room)) else { continue };
        let room = &source.module[0];
        for import in imports(&source) {
            let Some(there) = import.first().and_then(|room| floor(room)) else { continue };
            if import[0] != *room && there >= here {
                wrong.insert(format!("{} imports crate::{}", source.path.display(), import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or across:\n{}", list(&wrong));
}

#[test]
fn every_room_has_its_floor() {
    let unknown: BTreeSet<String> = sources()
        .iter()
        .filter_map(|source| source.module.first().cloned())
        .filter(|room| floor(room).is_none())
        .collect();
    assert!(unknown.is_empty(), "rooms without a floor in tests/floors.rs: {unknown:?}");
}

#[test]
fn no_stage_imports_another() {
    let mut wrong = BTreeSet::new();
    for source in sources() {
        let [room, stage, ..] = source.module.as_slice() else { continue };
        if room != "pipeline" || !STAGES.contains(&stage.as_str()) {
            continue;
        }
        for import in imports(&source) {
            if let [room, other, ..] = import.as_slice()
                && room == "pipeline"
                && other != stage
                && STAGES.contains(&other.as_str())
            {
                wrong.insert(format!("{} imports crate::{}", source.path.display(), import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "a stage takes from another only what `pipeline` itself names:\n{}", list(&wrong));
}

#[test]
fn what_the_file_says_and_what_runs_are_two_types() {
    let mut wrong = BTreeSet::new();
    for source in sources() {
        // `rehearsal` compiles the tests of a file, as `routing` does its routes.
        let allowed = ["config", "providers", "signing", "pipeline", "routing", "rehearsal"];
        if source.module.first().is_some_and(|room| allowed.contains(&room.as_str())) {
            continue;
        }
        for import in imports(&source) {
            if import.starts_with(&["config".to_owned(), "file".to_owned()]) {
                wrong.insert(format!("{} imports crate::{}", source.path.display(), import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "the YAML's shape is known above `routing`:\n{}", list(&wrong));
}

#[test]
fn a_file_holds_one_thing() {
    let long: BTreeSet<String> = sources()
        .iter()
        .filter(|source| source.lines >= LONGEST_FILE)
        .map(|source| format!("{} has {} lines", source.path.display(), source.lines))
        .collect();
    assert!(long.is_empty(), "files that probably hold two things, tests aside:\n{}", list(&long));
}

#[test]
fn no_module_is_a_bag() {
    let bags = ["utils", "util", "common", "helpers", "helper", "types", "misc"];
    let found: Vec<String> = sources()
        .iter()
        .filter(|source| source.module.iter().any(|name| bags.contains(&name.as_str())))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let code = "use crate::{model::{Event, Secret}, queue::Queue as Q};\nuse super::super::expr::Text;\n
        let x: crate::config::At<crate::app::X> = super::other::y(); pub(in crate::pipeline) fn f() {}";
    let source = Source {
        path: PathBuf::new(),
        module: ["pipeline", "verify", "hmac"].map(str::to_owned).into(),
        code: code.to_owned(),
        lines: 0,
    };
    let found: BTreeSet<String> = imports(&source).iter().map(|import| import.join("::")).collect();
    for expected in [
        "model::Event",
        "model::Secret",
        "queue::Queue",
        "config::At",
        "app::X",
        "pipeline::expr::Text",
        "pipeline::verify::other::y",
    ] {
        assert!(found.contains(expected), "{expected} is not in {found:?}");
    }
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn list(lines: &BTreeSet<String>) -> String {
    lines.iter().cloned().collect::<Vec<_>>().join("\n")
}

/// Every source file that is not a test.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 20, "the source is not at {}", root.display());
    let read = |path: &PathBuf| Source::read(&root, path);
    found.iter().map(read).filter(|source| !source.module.iter().any(|name| name == "tests")).collect()
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let below = path.strip_prefix(root).unwrap();
        let mut module: Vec<String> =
            below.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        let text = fs::read_to_string(path).unwrap();
        // Unit tests stand last in a file.
        let without_tests = text.find("#[cfg(test)]\nmod ").map_or(text.as_str(), |at| &text[..at]);
        let code: Vec<&str> = without_tests.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        Self { path: below.to_owned(), module, code: code.join("\n"), lines: without_tests.lines().count() }
    }
}

/// Every path of our own in a file, from the crate's root.
fn imports(source: &Source) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in source.code.match_indices(start) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut prefix = Vec::new();
            let mut rest = &source.code[at..];
            if let Some(after) = rest.strip_prefix("crate::") {
                rest = after;
            } else {
                prefix.clone_from(&source.module);
                while let Some(after) = rest.strip_prefix("super::") {
                    prefix.pop();
                    rest = after;
                }
            }
            tree(rest, &prefix, &mut found);
        }
    }
    found
}

/// Takes `a::{b, c::d}` apart; gives what follows it.
fn tree<'a>(text: &'a str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = tree(rest, prefix, found).trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut path = prefix.to_vec();
    if !name.is_empty() {
        path.push(name.to_owned());
    }
    if let Some(rest) = rest.strip_prefix("::")
        && !name.is_empty()
    {
        return tree(rest, &path, found);
    }
    found.push(path);
    match rest.trim_start().strip_prefix("as ") {
        Some(alias) => alias.trim_start().trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
        None => rest,
    }
}
