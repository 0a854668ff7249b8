//! `hookswitch demo`: the first thing a newcomer runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::fs::{self, File};
use std::process::Stdio;

use support::{eventually, hookswitch};

#[test]
fn the_demo_shows_each_provider_and_what_to_do_next() {
    let directory = tempfile::tempdir().unwrap();
    let (out, err) = (directory.path().join("out"), directory.path().join("err"));
    // An empty directory: it needs nothing but itself.
    let work = directory.path().join("work");
    fs::create_dir(&work).unwrap();
    let mut child = hookswitch()
        .arg("demo")
        .current_dir(&work)
        .env_remove("BSPK_SECRET")
        .stdout(Stdio::from(File::create(&out).unwrap()))
        .stderr(Stdio::from(File::create(&err).unwrap()))
        .spawn()
        .unwrap();
    let status = eventually("the demo's end", || child.try_wait().unwrap());
    let said = fs::read_to_string(out).unwrap() + &fs::read_to_string(err).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    for word in ["bspk", "sparkbox", "orderspace", "bubblehouse"] {
        assert!(said.to_lowercase().contains(word), "the demo does not show {word}\n{said}");
    }
    // What arrived, in the samples' own words.
    for word in ["client.updated", "model.approved", "customer.created", "Points Updated"] {
        assert!(said.contains(word), "the demo does not show {word}\n{said}");
    }
    for command in ["hookswitch check", "hookswitch serve"] {
        assert!(said.contains(command), "the demo does not name `{command}`\n{said}");
    }
    let left: Vec<_> = fs::read_dir(&work).unwrap().collect();
    assert!(left.is_empty(), "the demo left {left:?} behind");
}
