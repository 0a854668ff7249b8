//! Which parts of a document expressions look at.

use std::ops::Range;

use super::json::NOTHING;
use super::jsonpath::{Hop, Logical, Operand, Path, Pattern, Segment, Selector, Steps};
use super::{JsonRef, Query, pruned};
use crate::model::{Excerpt, Needs};

/// A document as far as it was needed.
#[derive(Debug, Clone)]
pub struct Pruned<'n> {
    pub(super) needs: &'n Needs,
    /// The document. What was not needed is not in it, or null.
    pub(super) value: Excerpt,
    /// Where in the text it stands, without the white space around it.
    pub range: Range<usize>,
    /// Where each part stands that was marked; `None` where there is none.
    pub marks: Vec<Option<Range<usize>>>,
}

// === impl Needs ===

impl Needs {
    /// Marks what a query finds, to be told where it stands: the number of the mark. `None` where the query does not lead
    /// through names alone.
    pub fn mark(&mut self, query: &Query) -> Option<usize> {
        let number = self.marks;
        let node = names(query)?.into_iter().fold(&mut *self, |node, name| node.name(name));
        if let Some(known) = node.mark {
            return Some(known);
        }
        node.mark = Some(number);
        self.marks = number + 1;
        Some(number)
    }

    /// Adds parts of what a query finds, where that leads through names alone.
    pub fn add_within(&mut self, query: &Query, needs: &Self) {
        if let Some(names) = names(query) {
            names.into_iter().fold(self, |node, name| node.name(name)).add(needs);
        }
    }

    /// What is needed of what a query finds, where that leads through names alone.
    #[must_use]
    pub fn within(&self, query: &Query) -> Self {
        let found = names(query).and_then(|names| names.into_iter().try_fold(self, |node, name| node.of(name)));
        found.cloned().unwrap_or_default()
    }

    /// Reads these parts of a JSON text. `None` where it is not one, or says something that is left to a parser that keeps
    /// all of it: what this reads, serde_json reads with the same result.
    #[must_use]
    pub fn read(&self, text: &[u8]) -> Option<Pruned<'_>> {
        pruned::read(text, self)
    }

    /// The marks in it.
    pub(super) fn for_each_mark(&self, act: &mut impl FnMut(usize)) {
        self.mark.into_iter().for_each(&mut *act);
        self.names.iter().for_each(|(_, needs)| needs.for_each_mark(act));
    }

    /// Adds what a query looks at, wherever it starts.
    pub(super) fn add_path(&mut self, path: &Path) {
        match &path.steps {
            Steps::Singular(hops) => hops.iter().fold(self, Self::hop).whole = true,
            Steps::Many(segments) if segments.iter().any(Segment::has_filter) => self.whole = true,
            Steps::Many(segments) => self.add_segments(segments),
        }
    }

    /// Adds what there must be to see whether a query finds anything: of one node its place is enough.
    pub(super) fn add_presence(&mut self, path: &Path) {
        match &path.steps {
            Steps::Singular(hops) => {
                hops.iter().fold(self, Self::hop);
            }
            Steps::Many(_) => self.add_path(path),
        }
    }

    /// Adds what a condition looks at.
    pub(super) fn add_logical(&mut self, logical: &Logical) {
        match logical {
            Logical::Or(parts) | Logical::And(parts) => parts.iter().for_each(|part| self.add_logical(part)),
            Logical::Not(inner) => self.add_logical(inner),
            Logical::Exists(path) => self.add_presence(path),
            Logical::Compare(comparison) => {
                self.add_operand(&comparison.left);
                self.add_operand(&comparison.right);
            }
            Logical::Matches { subject, pattern } => {
                self.add_operand(subject);
                if let Pattern::Dynamic { source, .. } = pattern {
                    self.add_operand(source);
                }
            }
        }
    }

    fn add_operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Literal(_) => {}
            Operand::Query(path) | Operand::Count(path) | Operand::ValueOf(path) => self.add_path(path),
            Operand::Length(inner) => self.add_operand(inner),
        }
    }

    /// Without filters: what those look at may be anywhere.
    fn add_segments(&mut self, segments: &[Segment]) {
        let Some((first, rest)) = segments.split_first() else {
            self.whole = true;
            return;
        };
        let Segment::Child(selectors) = first else {
            self.whole = true;
            return;
        };
        for selector in selectors {
            match selector {
                Selector::Hop(hop) => self.hop(hop).add_segments(rest),
                Selector::Slice { .. } => self.each().add_segments(rest),
                Selector::Wildcard | Selector::Filter(_) => {
                    self.object = true;
                    self.each().add_segments(rest);
                }
            }
        }
    }

    fn hop(&mut self, hop: &Hop) -> &mut Self {
        match hop {
            Hop::Name(name) => self.name(name),
            Hop::Index(_) => self.each(),
        }
    }
}

// === impl Pruned ===

impl Pruned<'_> {
    /// What expressions look at.
    #[must_use]
    pub fn json(&self) -> JsonRef<'_> {
        JsonRef::part(self.needs, &self.value)
    }

    /// All that was kept.
    #[must_use]
    pub fn into_excerpt(self) -> Excerpt {
        self.value
    }

    /// What a query finds that leads through names alone, taken out of what was kept: as far as [`Needs::within`] says. Null
    /// where it is not there.
    #[must_use]
    pub fn take(self, query: &Query) -> Excerpt {
        let Steps::Singular(hops) = &query.path().steps else { return Excerpt::NOTHING };
        take(self.value, self.needs, hops).unwrap_or(Excerpt::NOTHING)
    }
}

fn take(excerpt: Excerpt, needs: &Needs, hops: &[Hop]) -> Option<Excerpt> {
    let Some((first, rest)) = hops.split_first() else { return Some(excerpt) };
    let name = first.name()?;
    match excerpt {
        Excerpt::Value(mut value) => take(Excerpt::Value(value.get_mut(name)?.take()), &NOTHING, rest),
        Excerpt::Members(members) => {
            let at = needs.position(name)?;
            let (_, member) = members.into_iter().find(|(place, _)| *place == at)?;
            take(member, &needs.names.get(at)?.1, rest)
        }
        Excerpt::Elements(_) => None,
    }
}

fn names(query: &Query) -> Option<Vec<&str>> {
    let Steps::Singular(hops) = &query.path().steps else { return None };
    hops.iter().map(Hop::name).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::expr::arbitrary::{json_text, json_value, small_query};
    use crate::expr::{Predicate, Template};

    fn full(text: &[u8]) -> Option<Value> {
        serde_json::from_slice(text).ok()
    }

    #[test]
    fn only_what_is_needed_is_kept() {
        let mut needs = Needs::members(&["id"]);
        Query::parse("$.a.list[*].n").unwrap().add_needs(&mut needs);
        let mark = needs.mark(&Query::parse("$.a.b").unwrap()).unwrap();
        let text = br#" {"id": 1, "x": [1e2], "a": {"b": {"c": 1}, "list": [{"n": 1, "m": 2}, 3], "y": "\u00e9"}} "#;
        let read = needs.read(text).unwrap();
        assert_eq!(read.json().to_value(), json!({"id": 1, "a": {"b": {}, "list": [{"n": 1}, null]}}));
        assert_eq!(read.range, 1..text.len() - 1);
        assert_eq!(read.marks[mark].clone().map(|range| &text[range]), Some(&br#"{"c": 1}"#[..]));
    }

    #[test]
    fn of_what_must_only_be_there_nothing_is_kept() {
        for (query, text) in [
            ("$.a.b", r#"{"a":{"b":{"c":[1,2]},"x":1}}"#),
            ("$.a.b", r#"{"a":{"b":null}}"#),
            ("$.a.b", r#"{"a":{}}"#),
            ("$.a.b", r#"{"a":"b"}"#),
            ("$.a[1]", r#"{"a":[1,{"c":2}]}"#),
            ("$.a[-1].b", r#"{"a":[1,{"b":{"c":2}}]}"#),
            ("$.a[2]", r#"{"a":[1,2]}"#),
        ] {
            let (query, full) = (Query::parse(query).unwrap(), full(text.as_bytes()).unwrap());
            let mut needs = Needs::nothing();
            query.add_presence(&mut needs);
            let read = needs.read(text.as_bytes()).unwrap();
            assert_eq!(query.exists(read.json(), read.json()), query.exists(&full, &full), "{text}");
            assert!(!read.json().to_value().to_string().contains('c'), "{text}");
        }
    }

    #[test]
    fn of_equal_names_the_last_is_marked_and_kept() {
        let mut needs = Needs::nothing();
        Query::parse("$.a.x").unwrap().add_needs(&mut needs);
        needs.mark(&Query::parse("$.a.x").unwrap()).unwrap();
        let range = |text: &str| needs.read(text.as_bytes()).unwrap().marks[0].clone();
        assert_eq!(range(r#"{"a":{"x":1},"a":{"x":2}}"#), Some(22..23));
        assert_eq!(range(r#"{"a":{"x":1},"a":{"y":2}}"#), None);
        assert_eq!(range(r#"{"a":{"x":1},"\u0061":5}"#), None);
    }

    #[test]
    fn what_nests_as_deep_as_the_parser_allows_is_read_and_nothing_deeper() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [1, 126, 127, 128, 129, 100_000] {
            let text = nested(depth);
            assert_eq!(Needs::nothing().read(text.as_bytes()).is_some(), full(text.as_bytes()).is_some(), "{depth}");
        }
    }

    /// What a few queries look at, one of them marked where it can be.
    fn some_needs() -> impl Strategy<Value = Needs> {
        prop::collection::vec(small_query(), 0..4).prop_map(|queries| {
            let queries: Vec<_> = queries.iter().map(|text| Query::parse(text).unwrap()).collect();
            let mut needs = Needs::nothing();
            queries.iter().for_each(|query| query.add_needs(&mut needs));
            queries.first().and_then(|query| needs.mark(query));
            needs
        })
    }

    #[test]
    fn no_other_white_space_is_read() {
        for space in ["\u{b}", "\u{c}", "\0", "\u{1f}", "\u{7f}", "\u{a0}", "\u{2028}"] {
            for text in [format!("{space}1"), format!("[1{space}]"), format!("{{\"a\"{space}:1}}"), format!("1{space}")]
            {
                assert!(
                    Needs::nothing().read(text.as_bytes()).is_none() && full(text.as_bytes()).is_none(),
                    "{text:?}"
                );
            }
        }
        assert!(Needs::nothing().read(b" \t\r\n{ \t\r\n}\n").is_some());
    }

    proptest! {
        #[test]
        fn what_is_read_is_json_and_what_is_json_is_read(text in json_text(), mut needs in some_needs(), whole: bool) {
            needs.whole |= whole;
            let (read, full) = (needs.read(text.as_bytes()), full(text.as_bytes()));
            let special = text.contains("RawValue");
            match (read, full) {
                (Some(read), Some(full)) if needs.whole => prop_assert_eq!(read.json().to_value().to_string(), full.to_string()),
                (Some(_), full) => prop_assert!(full.is_some(), "serde_json refuses {}", text),
                (None, full) => prop_assert!(full.is_none() || special, "serde_json reads {}", text),
            }
        }

        #[test]
        fn no_bytes_are_read_that_serde_json_refuses(
            text in json_text(), needs in some_needs(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
        ) {
            let mut bytes = text.into_bytes();
            if bytes.is_empty() {
                return Ok(());
            }
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            prop_assert!(needs.read(&bytes).is_none() || full(&bytes).is_some(), "{:?}", bytes);
        }

        #[test]
        fn a_query_finds_the_same_in_what_is_kept(text in json_text(), value in json_value(), query in small_query()) {
            let query = Query::parse(&query).unwrap();
            let mut needs = Needs::nothing();
            query.add_needs(&mut needs);
            for text in [text, value.to_string(), format!(" {value:#}\n")] {
                let Some(full) = full(text.as_bytes()) else { continue };
                let Some(kept) = needs.read(text.as_bytes()) else { continue };
                let texts = |found: Result<Vec<&Value>, _>| found.map(|found| Value::from_iter(found.into_iter().cloned()).to_string());
                prop_assert_eq!(texts(query.all(kept.json(), kept.json())), texts(query.all(&full, &full)), "{}", text);
            }
        }

        #[test]
        fn what_is_kept_for_many_queries_has_what_each_of_them_finds(
            text in json_text(), value in json_value(), queries in prop::collection::vec(small_query(), 1..4),
            other in small_query(),
        ) {
            let parse = |text: &String| {
                let query = Query::parse(text).unwrap();
                let mut needs = Needs::nothing();
                query.add_needs(&mut needs);
                (query, needs)
            };
            let mut all = Needs::nothing();
            let queries: Vec<_> = queries.iter().map(parse).collect();
            queries.iter().for_each(|(_, needs)| all.add(needs));
            prop_assert!(queries.iter().all(|(_, needs)| all.covers(needs)));
            for text in [text, value.to_string()] {
                let Some(kept) = all.read(text.as_bytes()) else { continue };
                for (query, needs) in queries.iter().chain([&parse(&other)]).filter(|(_, needs)| all.covers(needs)) {
                    let fresh = needs.read(text.as_bytes()).unwrap();
                    let texts = |found: Result<Vec<&Value>, _>| found.map(|found| Value::from_iter(found.into_iter().cloned()).to_string());
                    prop_assert_eq!(texts(query.all(kept.json(), kept.json())), texts(query.all(fresh.json(), fresh.json())), "{}", text);
                }
            }
        }

        #[test]
        fn a_predicate_and_a_template_say_the_same_over_what_is_kept(value in json_value(), query in small_query()) {
            let predicate =
                Predicate::parse(&format!("count({query}) > 1 || !$.a && @.b == 1 || $.b.a && !$.a[0].b && {query}")).unwrap();
            let template = Template::compile(&serde_json::json!({ "x": query, "y": "$.a[*]", "each": { "$each": "$.b", "$do": "@.a" } })).unwrap();
            let (mut one, mut other) = (Needs::nothing(), Needs::nothing());
            predicate.add_needs(&mut one);
            template.add_needs(&mut other);
            let text = value.to_string();
            let (one, other) = (one.read(text.as_bytes()).unwrap(), other.read(text.as_bytes()).unwrap());
            prop_assert_eq!(predicate.holds(one.json()), predicate.holds(&value));
            prop_assert_eq!(template.render(other.json()), template.render(&value));
        }
    }
}
