//! A list or mapping that is still being read.

use std::collections::{HashMap, HashSet};

use super::{Content, Entry, Form, Node, Scalar};
use crate::config::secrets::shown_name;
use crate::config::{Place, Problem};

/// A list or mapping whose end has not come yet.
#[derive(Debug)]
pub(super) struct Open {
    /// Where it starts.
    pub(super) place: Place,
    /// The anchor that it has; 0 is none.
    pub(super) anchor: usize,
    /// Whether it is in block notation. The end of such a one comes only where the next thing starts.
    block: bool,
    body: Body,
}

/// Where in the file a list or mapping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// It is the whole file.
    Top,
    /// It is a part of it.
    Inside,
}

#[derive(Debug)]
enum Body {
    Sequence(Vec<Node>),
    Mapping(Pairs),
}

#[derive(Debug, Default)]
struct Pairs {
    entries: Vec<Entry>,
    /// Which entry has which key.
    index: HashMap<String, usize>,
    /// What `<<` brings in.
    merged: Vec<Node>,
    /// The key whose value has not come yet.
    key: Option<Node>,
    /// Whether an entry was left out, because its key is not text.
    lacks_entry: bool,
}

// === impl Open ===

impl Open {
    pub(super) fn sequence(place: Place, block: bool, anchor: usize) -> Self {
        Self { place, anchor, block, body: Body::Sequence(Vec::new()) }
    }

    pub(super) fn mapping(place: Place, block: bool, anchor: usize) -> Self {
        Self { place, anchor, block, body: Body::Mapping(Pairs::default()) }
    }

    /// The key whose value comes next.
    pub(super) fn pending_key(&self) -> Option<&Node> {
        match &self.body {
            Body::Mapping(pairs) => pairs.key.as_ref(),
            Body::Sequence(_) => None,
        }
    }

    /// Whether what comes next is a key.
    pub(super) fn wants_key(&self) -> bool {
        matches!(&self.body, Body::Mapping(pairs) if pairs.key.is_none())
    }

    /// Takes the next item, key or value.
    pub(super) fn add(&mut self, node: Node, spot: Spot, problems: &mut Vec<Problem>) {
        match &mut self.body {
            Body::Sequence(items) => items.push(node),
            Body::Mapping(pairs) => match pairs.key.take() {
                None => pairs.key = Some(node),
                Some(key) => pairs.add(key, node, spot, problems),
            },
        }
    }

    /// The node that it became. `end` is where the parser found its end.
    pub(super) fn close(self, end: usize, problems: &mut Vec<Problem>) -> Node {
        let (last, lacks_entry, content) = match self.body {
            Body::Sequence(items) => (items.last().map(|item| item.place.end), false, Content::Sequence(items)),
            Body::Mapping(pairs) => {
                let last = pairs.entries.last().map(|entry| entry.value.place.end);
                (last, pairs.lacks_entry, Content::Mapping(pairs.merge(problems)))
            }
        };
        let end = if self.block { last.unwrap_or(self.place.start) } else { end };
        let node = Node::new(Place { end: end.max(self.place.start), ..self.place }, content);
        // `{{ name }}` is a template's placeholder and no mapping: what is wrong with it was said.
        if lacks_entry && matches!(&node.content, Content::Mapping(entries) if entries.is_empty()) {
            node.break_off();
        }
        node
    }
}

// === impl Pairs ===

impl Pairs {
    fn add(&mut self, key: Node, value: Node, spot: Spot, problems: &mut Vec<Problem>) {
        let Content::Scalar(scalar) = &key.content else {
            let problem = Problem::error(key.place, "a key must be text, this is a list or a mapping");
            problems.push(problem.expected("quotes around text that starts with `{` or `[`"));
            self.lacks_entry = true;
            return;
        };
        if is_merge(scalar) {
            self.merged.push(value);
            return;
        }
        let first = self.index.get(&scalar.text).and_then(|index| self.entries.get_mut(*index));
        let Some(first) = first else {
            self.index.insert(scalar.text.clone(), self.entries.len());
            self.entries.push(Entry::new(key, value));
            return;
        };
        let line = first.key.place.line;
        problems.push(Problem::error(
            key.place,
            format!("duplicate key `{}`: it is on line {line} too", shown_name(&scalar.text)),
        ));
        // Two `routes:` are most often two halves of one list: both are read, so that their own problems
        // show too.
        if spot == Spot::Top {
            absorb(&mut first.value, value);
        }
    }

    fn merge(mut self, problems: &mut Vec<Problem>) -> Vec<Entry> {
        let merged = std::mem::take(&mut self.merged);
        for node in merged.into_iter().flat_map(each_merged) {
            let Content::Mapping(entries) = node.content else {
                problems.push(Problem::error(node.place, "`<<` merges mappings, this is none"));
                continue;
            };
            for entry in entries {
                if !self.index.contains_key(entry.key.text()) {
                    self.index.insert(entry.key.text().to_owned(), self.entries.len());
                    self.entries.push(entry);
                }
            }
        }
        self.entries
    }
}

/// `<<`, the merge key of YAML 1.1.
fn is_merge(key: &Scalar) -> bool {
    key.form == Form::Plain && key.text == "<<"
}

fn each_merged(node: Node) -> Vec<Node> {
    match node.content {
        Content::Sequence(items) => items,
        Content::Scalar(_) | Content::Mapping(_) => vec![node],
    }
}

fn absorb(first: &mut Node, second: Node) {
    match (&mut first.content, second.content) {
        (Content::Sequence(items), Content::Sequence(more)) => items.extend(more),
        (Content::Mapping(entries), Content::Mapping(more)) => {
            let known: HashSet<String> = entries.iter().map(|entry| entry.key.text().to_owned()).collect();
            entries.extend(more.into_iter().filter(|entry| !known.contains(entry.key.text())));
        }
        _ => {}
    }
}
