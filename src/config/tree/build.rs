//! From text to a tree.
//!
//! We take the parser's events rather than its `Deserialize`: only they show a second document, the
//! place of a key and a key that is there twice. Nothing here recurses.

use std::ops::Range;

use serde_yaml::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::anchors::{Anchors, MAX_DEPTH, Refusal};
use super::open::{Open, Spot};
use super::{Form, Node};
use crate::config::secrets::Words;
use crate::config::{Place, Problem};

/// What came of a text.
#[derive(Debug)]
pub(in crate::config) struct Built {
    /// The tree. There is none where the text is not YAML, is empty or is too much.
    pub(in crate::config) root: Option<Node>,
    /// What is wrong with it, none of which the tree shows.
    pub(in crate::config) problems: Vec<Problem>,
    /// The bytes of the text that hold a secret.
    pub(in crate::config) secrets: Vec<Range<usize>>,
    /// Whether the text was read to its end, so that `secrets` are all there are.
    pub(in crate::config) complete: bool,
}

/// Parses `text`, which holds one document.
pub(in crate::config) fn build(text: &str) -> Built {
    let mut builder = Builder::new(text);
    let options = granit_parser::options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => Err(not_yaml(&error)),
        };
        match step {
            Ok(Step::On) => {}
            Ok(Step::End) => break,
            Err(problem) => return builder.give_up(problem),
        }
    }
    builder.finish()
}

/// Builds a tree of events.
struct Builder<'t> {
    text: &'t str,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: Anchors,
    problems: Vec<Problem>,
    secrets: Vec<Range<usize>>,
    words: Words,
}

enum Step {
    On,
    End,
}

// === impl Builder ===

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let (open, problems, secrets) = (Vec::new(), Vec::new(), Vec::new());
        Self { text, open, root: None, anchors: Anchors::new(), problems, secrets, words: Words::default() }
    }

    fn take(&mut self, event: Event<'_>, span: &granit_parser::Span) -> Result<Step, Problem> {
        let place = place_of(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), place)?,
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), place);
                self.start(Open::sequence(place, style == StructureStyle::Block, anchor))?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), place);
                self.start(Open::mapping(place, style == StructureStyle::Block, anchor))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(place)?,
            Event::Alias(anchor) => self.alias(anchor, place)?,
            Event::DocumentStart(..) if self.root.is_some() => {
                self.problems.push(
                    Problem::error(place, "a second document starts here")
                        .expected("one document: take the `---` out, or make it a file of its own"),
                );
                return Ok(Step::End);
            }
            _ => {}
        }
        Ok(Step::On)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Place,
    ) -> Result<(), Problem> {
        let forced_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
        if !forced_text {
            self.refuse_tag(tag, place);
        }
        let form = if style == ScalarStyle::Plain && !forced_text { Form::Plain } else { Form::Quoted };
        // The parser counts the indentation of what follows a block as part of it.
        let place = match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                Place { end: place.start + self.raw(place).trim_end().len(), ..place }
            }
            _ => place,
        };
        // Where no value is written the parser points at what comes next: the key is the better place.
        let nothing = place.start == place.end && form == Form::Plain;
        let place = self.pending_key().map(|key| key.place).filter(|_| nothing).unwrap_or(place);
        if !nothing {
            self.note_secret(text, place);
        }
        self.anchors.pay(text.len()).map_err(|refusal| refused(refusal, place))?;
        self.complete(Node::scalar(place, text.to_owned(), form), anchor)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Problem> {
        let expanded = self.anchors.expand(anchor, self.open.len(), place);
        let (node, origin) = expanded.map_err(|refusal| refused(refusal, place))?;
        self.note_secret(node.text(), origin);
        self.complete(node, 0)
    }

    fn start(&mut self, open: Open) -> Result<(), Problem> {
        let place = open.place;
        if self.open.len() >= MAX_DEPTH {
            return Err(refused(Refusal::TooDeep, place));
        }
        self.anchors.pay(0).map_err(|refusal| refused(refusal, place))?;
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, place: Place) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let anchor = open.anchor;
        let node = open.close(place.end, &mut self.problems);
        self.complete(node, anchor)
    }

    /// Puts a node that is whole where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.anchors.define(anchor, &node).map_err(|refusal| refused(refusal, node.place))?;
        let spot = if self.open.len() == 1 { Spot::Top } else { Spot::Inside };
        match self.open.last_mut() {
            Some(open) => open.add(node, spot, &mut self.problems),
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn pending_key(&self) -> Option<&Node> {
        self.open.last().and_then(Open::pending_key)
    }

    fn note_secret(&mut self, text: &str, place: Place) {
        let raw = self.raw(place);
        // A value in a list stands under the key of that list.
        let secret = if self.open.last().is_some_and(Open::wants_key) {
            self.words.key_holds_secret(raw)
        } else {
            let path: Vec<&str> = self.open.iter().filter_map(|open| open.pending_key().map(Node::text)).collect();
            self.words.holds_secret(&path, text, raw)
        };
        self.secrets.extend(secret.map(|part| place.start + part.start..place.start + part.end));
    }

    fn raw(&self, place: Place) -> &'t str {
        self.text.get(place.start..place.end).unwrap_or_default()
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, place: Place) {
        let Some(tag) = tag else { return };
        if !matches!(tag.core_suffix(), Some("map" | "seq")) {
            self.problems
                .push(Problem::error(place, "this value has a tag (`!...`)").expected("a value without a tag"));
        }
    }

    fn finish(mut self) -> Built {
        if self.root.as_ref().is_none_or(Node::is_null) && self.problems.is_empty() {
            self.problems.push(Problem::error(Place::default(), "the file is empty"));
            self.root = None;
        }
        Built { root: self.root, problems: self.problems, secrets: self.secrets, complete: true }
    }

    fn give_up(mut self, problem: Problem) -> Built {
        self.problems.push(problem);
        Built { root: None, problems: self.problems, secrets: self.secrets, complete: false }
    }
}

fn place_of(span: &granit_parser::Span) -> Place {
    let start = point(&span.start);
    Place { end: span.end.byte_offset().unwrap_or(start.start).max(start.start), ..start }
}

fn point(marker: &granit_parser::Marker) -> Place {
    let start = marker.byte_offset().unwrap_or_default();
    let line = u32::try_from(marker.line()).unwrap_or(u32::MAX);
    let column = u32::try_from(marker.col().saturating_add(1)).unwrap_or(u32::MAX);
    Place { line, column, start, end: start }
}

fn not_yaml(error: &ScanError) -> Problem {
    let place = point(error.marker());
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => refused(Refusal::TooDeep, place),
        ErrorKind::UnknownAnchor => Problem::error(place, "no anchor before here has this alias's name"),
        kind => Problem::error(place, format!("this is not YAML: {kind}")),
    }
}

fn refused(refusal: Refusal, place: Place) -> Problem {
    match refusal {
        Refusal::TooMuch => Problem::error(
            place,
            "the file is too large from here on: it has too many values or its aliases stand for too much",
        ),
        Refusal::TooDeep => Problem::error(place, format!("nested too deeply: more than {MAX_DEPTH} levels")),
        Refusal::Circular => Problem::error(place, "this alias stands within the value that it stands for"),
    }
}
