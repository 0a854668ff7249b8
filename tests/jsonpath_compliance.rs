//! The JSONPath Compliance Test Suite (<https://github.com/jsonpath-standard/jsonpath-compliance-test-suite>),
//! whole, through the path that production takes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use hookswitch::expr::{Query, Step};
use serde::Deserialize;
use serde_json::Value;

const VARIABLE: &str = "HOOKSWITCH_JSONPATH_CTS";

/// The suite has grown with each of its versions: a smaller file is not it.
const CASES: usize = 703;

#[derive(Deserialize)]
struct Suite {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    selector: String,
    #[serde(default)]
    invalid_selector: bool,
    document: Option<Value>,
    result: Option<Vec<Value>>,
    results: Option<Vec<Vec<Value>>>,
    result_paths: Option<Vec<String>>,
    results_paths: Option<Vec<Vec<String>>>,
}

#[test]
fn every_case_of_the_compliance_suite_passes() -> Result<(), String> {
    let suite = suite()?;
    assert!(suite.tests.len() >= CASES, "the suite has {} cases, not {CASES}", suite.tests.len());
    let failures: Vec<String> =
        suite.tests.iter().filter_map(|case| case.check().err().map(|why| format!("{}: {why}", case.name))).collect();
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

#[test]
fn of_the_valid_selectors_production_refuses_only_those_without_a_literal_pattern() -> Result<(), String> {
    for case in suite()?.tests {
        let whole = Query::parse_rfc9535(&case.selector);
        match Query::parse(&case.selector) {
            Ok(_) => assert!(whole.is_ok(), "{}", case.name),
            Err(error) if whole.is_ok() => assert!(error.message.contains("pattern"), "{}: {error}", case.name),
            Err(_) => {}
        }
    }
    Ok(())
}

fn suite() -> Result<Suite, String> {
    let path = place();
    let text = fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is not the suite: {error}", path.display()))
}

fn place() -> PathBuf {
    if let Some(path) = env::var_os(VARIABLE) {
        return path.into();
    }
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/cts.json");
    assert!(
        default.is_file(),
        "the JSONPath Compliance Test Suite is not at {}: set {VARIABLE} to the place of its cts.json",
        default.display()
    );
    default
}

// === impl Case ===

impl Case {
    fn check(&self) -> Result<(), String> {
        let query = match Query::parse_rfc9535(&self.selector) {
            Err(_) if self.invalid_selector => return Ok(()),
            Ok(_) if self.invalid_selector => return Err(format!("`{}` is accepted", self.selector)),
            Err(error) => return Err(format!("`{}` is refused: {error}", self.selector)),
            Ok(query) => query,
        };
        let document = self.document.as_ref().ok_or("the case has no document")?;
        let found: Vec<Value> =
            query.all(document, document).map_err(|error| error.to_string())?.into_iter().cloned().collect();
        let located = query.locate(document).map_err(|error| error.to_string())?;
        let paths: Vec<String> = located.iter().map(|found| normalized(&found.path)).collect();
        if located.iter().map(|found| found.value).ne(&found) {
            return Err("`locate` finds other values than `all`".to_owned());
        }
        let alternatives: Vec<_> = self.result.iter().chain(self.results.iter().flatten()).collect();
        if !alternatives.contains(&&found) {
            return Err(format!("`{}` finds {found:?}, not one of {alternatives:?}", self.selector));
        }
        let alternatives: Vec<_> = self.result_paths.iter().chain(self.results_paths.iter().flatten()).collect();
        if !alternatives.contains(&&paths) {
            return Err(format!("`{}` finds the paths {paths:?}, not one of {alternatives:?}", self.selector));
        }
        let first = query.first(document, document).map_err(|error| error.to_string())?;
        if first != found.first() {
            return Err("`first` is not the first of `all`".to_owned());
        }
        Ok(())
    }
}

/// RFC 9535, section 2.7.
fn normalized(path: &[Step]) -> String {
    path.iter().fold("$".to_owned(), |mut text, step| {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Name(name) => {
                text.push_str("['");
                name.chars().for_each(|c| push_escaped(&mut text, c));
                text.push_str("']");
            }
        }
        text
    })
}

fn push_escaped(text: &mut String, c: char) {
    match c {
        '\u{8}' => text.push_str("\\b"),
        '\u{c}' => text.push_str("\\f"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\'' => text.push_str("\\'"),
        '\\' => text.push_str("\\\\"),
        c if c < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => text.push(c),
    }
}
