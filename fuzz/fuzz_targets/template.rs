//! A template over an event: whatever both say, compiling ends in a template or in problems, and rendering in a value or an
//! error, within the node budget.
#![no_main]

use hookswitch::expr::{Predicate, Template, Text};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: (&str, &str)| {
    let (source, event) = input;
    let _ = Text::parse(source);
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    if let Ok(predicate) = Predicate::parse(source) {
        let _ = predicate.holds(&event);
    }
    // Text that is not JSON is a template of one string.
    let source = serde_json::from_str(source).unwrap_or_else(|_| Value::from(source));
    if let Ok(template) = Template::compile(&source) {
        let _ = template.render(&event);
    }
});
