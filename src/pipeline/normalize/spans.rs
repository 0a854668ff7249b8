//! Where in a body a part of its JSON stands, so that the exact bytes can be kept and sent.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;

use crate::expr::Step;

/// Finds the byte ranges of parts of one JSON text. The parts on the way to the last one found are kept, so
/// that going through a list costs one pass over it.
#[derive(Debug)]
pub(super) struct Spans<'b> {
    body: &'b [u8],
    root: &'b RawValue,
    way: Vec<Step>,
    /// The children of the root, and of each part on the way.
    levels: Vec<Children<'b>>,
}

#[derive(Debug)]
enum Children<'b> {
    Array(Vec<&'b RawValue>),
    Object(HashMap<String, &'b RawValue>),
    Leaf,
}

// === impl Spans ===

impl<'b> Spans<'b> {
    /// Over a body; `None` where it is not one JSON text.
    pub(super) fn over(body: &'b [u8]) -> Option<Self> {
        let root: &RawValue = serde_json::from_slice(body).ok()?;
        Some(Self { body, root, way: Vec::new(), levels: vec![Children::of(root)] })
    }

    /// The range of the part at `path`.
    pub(super) fn range(&mut self, path: &[Step]) -> Option<Range<usize>> {
        let Some((last, way)) = path.split_last() else { return Some(self.offsets(self.root)) };
        let shared = self.way.iter().zip(way).take_while(|(a, b)| a == b).count();
        self.way.truncate(shared);
        self.levels.truncate(shared + 1);
        for step in way.iter().skip(shared) {
            let next = Children::of(self.levels.last()?.get(step)?);
            self.levels.push(next);
            self.way.push(step.clone());
        }
        let part = self.levels.last()?.get(last)?;
        Some(self.offsets(part))
    }

    fn offsets(&self, part: &RawValue) -> Range<usize> {
        // `part` borrows from `body`, so the difference of the addresses is its place in it.
        let start = part.get().as_ptr().addr() - self.body.as_ptr().addr();
        start..start + part.get().len()
    }
}

// === impl Children ===

impl<'b> Children<'b> {
    fn of(part: &'b RawValue) -> Self {
        let text = part.get();
        match text.as_bytes().first() {
            Some(b'[') => serde_json::from_str(text).map_or(Self::Leaf, Self::Array),
            // Of two equal names the last counts, as it does in `serde_json::Value`.
            Some(b'{') => serde_json::from_str(text).map_or(Self::Leaf, Self::Object),
            _ => Self::Leaf,
        }
    }

    fn get(&self, step: &Step) -> Option<&'b RawValue> {
        match (self, step) {
            (Self::Array(elements), Step::Index(index)) => elements.get(*index).copied(),
            (Self::Object(members), Step::Name(name)) => members.get(name).copied(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::tests::any_json;
    use super::*;

    fn name(name: &str) -> Step {
        Step::Name(name.into())
    }

    #[test]
    fn a_part_is_found_byte_for_byte() {
        let body = br#" { "a" : [ 1.50 , {"b\u0041": [ ]} ], "a2": null, "a" : [10, {"b\u0041":  [true ] }] } "#;
        let mut spans = Spans::over(body).unwrap();
        let mut text = |path: &[Step]| spans.range(path).map(|range| std::str::from_utf8(&body[range]).unwrap());
        assert_eq!(text(&[name("a"), Step::Index(0)]), Some("10"), "of two equal names the last counts");
        assert_eq!(text(&[name("a"), Step::Index(1), name("bA")]), Some("[true ]"));
        assert_eq!(text(&[name("a"), Step::Index(1)]), Some(r#"{"b\u0041":  [true ] }"#));
        assert_eq!(text(&[name("a2")]), Some("null"));
        assert_eq!(text(&[name("a"), Step::Index(2)]), None);
        assert_eq!(text(&[name("a2"), name("x")]), None);
        assert_eq!(text(&[]).unwrap().len(), body.len() - 2);
    }

    /// Every part of a JSON text with its path, in the order of the text.
    fn parts(value: &Value, path: &[Step], found: &mut Vec<(Vec<Step>, Value)>) {
        found.push((path.to_owned(), value.clone()));
        let below = |step: Step| [path, &[step]].concat();
        match value {
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(at, part)| parts(part, &below(Step::Index(at)), found));
            }
            Value::Object(members) => members.iter().for_each(|(key, part)| parts(part, &below(name(key)), found)),
            _ => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_bytes_at_a_path_are_its_value_in_whatever_order_it_is_asked(body in any_json(), pretty: bool, turn: usize) {
            let text = if pretty { format!(" {body:#}\n") } else { body.to_string() };
            let mut found = Vec::new();
            parts(&body, &[], &mut found);
            let length = found.len();
            found.rotate_left(turn % length);
            let mut spans = Spans::over(text.as_bytes()).unwrap();
            for (path, value) in found {
                let range = spans.range(&path).unwrap();
                let parsed: Value = serde_json::from_str(&text[range]).unwrap();
                prop_assert_eq!(parsed, value);
            }
        }
    }
}
