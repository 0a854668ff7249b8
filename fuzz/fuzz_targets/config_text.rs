//! The configuration's text: whatever it says, reading it ends in problems or in a file, and showing the problems ends too.
#![no_main]

use std::io;
use std::path::Path;

use hookswitch::config::load::{Surroundings, parse};
use hookswitch::config::render;
use libfuzzer_sys::fuzz_target;

/// Every variable and every file says the same.
struct Anything;

impl Surroundings for Anything {
    fn variable(&self, name: &str) -> Option<String> {
        (!name.is_empty()).then(|| format!("value of {name}"))
    }

    fn read(&self, _path: &Path) -> io::Result<String> {
        Ok("from a file\n".to_owned())
    }
}

fuzz_target!(|text: &str| {
    let loaded = parse("routes.yaml", text, &Anything);
    let problems = loaded.problems.sorted();
    let said = render::render_text(&loaded.source, &problems);
    assert_eq!(problems.is_empty(), said.is_empty());
});
