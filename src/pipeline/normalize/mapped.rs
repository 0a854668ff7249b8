//! Events where a provider says they are.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::forms::Forms;
use super::spans::Spans;
use super::{Draft, Kept, MAX_EVENTS, NotAnEvent, attributes, parse, with_data};
use crate::config::{At, Problem, Problems, file};
use crate::expr::{Choices, JsonRef, Needs, Pruned, Query, RequestScope, Step};
use crate::model::Reading;
use crate::pipeline::Received;

/// A provider's `event:`, compiled.
#[derive(Debug)]
pub(super) struct Mapping {
    forms: Forms,
    batch: Vec<Named<Query>>,
    split: Vec<Named<Query>>,
    kind: Named<Choices>,
    id: Option<Named<Choices>>,
    time: Choices,
    subject: Choices,
    data: Vec<Named<Query>>,
    require: Vec<Named<Query>>,
    attempt: Choices,
    /// What of a body is looked at to make the one event in it. `None` where there may be several, or its data is not at a path of
    /// names: then all of it is parsed.
    single: Option<Single>,
}

/// How the one event of a request is read.
#[derive(Debug)]
struct Single {
    needs: Needs,
    /// The mark of each of `data`'s paths.
    marks: Vec<usize>,
    /// What of its document goes with the event, for each of those paths; where there are none, the one for the whole body. Empty
    /// where nothing does.
    kept: Vec<Arc<Needs>>,
}

/// Something compiled, with the text it was compiled from, for messages.
#[derive(Debug)]
struct Named<T> {
    text: String,
    compiled: T,
}

/// One event to be: the element, what holds it, and where the element stands in the body.
struct Element<'v> {
    value: &'v Value,
    envelope: &'v Value,
    path: Vec<Step>,
}

/// Where events are read from.
#[derive(Clone, Copy)]
struct Source<'v> {
    received: &'v Received,
    /// The body, or what it is read as.
    document: &'v [u8],
    whole: JsonRef<'v>,
}

// === impl Mapping ===

impl Mapping {
    /// Compiles a provider's `event:`.
    pub(super) fn compile(map: &file::EventMap, problems: &mut Problems) -> Option<Self> {
        let queries = |texts: &Option<file::OneOrMany<At<String>>>, problems: &mut Problems| -> Vec<Named<Query>> {
            let texts = texts.as_ref().map(file::OneOrMany::as_slice).unwrap_or_default();
            texts.iter().filter_map(|text| query(text, problems)).collect()
        };
        let data = queries(&map.data, problems);
        for (query, text) in data.iter().zip(map.data.iter().flat_map(file::OneOrMany::as_slice)) {
            if !query.compiled.is_singular() {
                problems.push(
                    Problem::error(text.place, "`data` is one value, and this finds several")
                        .expected("a path such as $.object"),
                );
            }
        }
        let mut mapping = Self {
            forms: Forms::compile(map.body.as_ref(), problems),
            batch: queries(&map.batch, problems),
            split: queries(&map.split, problems),
            kind: choices(Some(&map.kind), problems),
            id: map.id.as_ref().map(|id| choices(Some(id), problems)),
            time: choices(map.time.as_ref(), problems).compiled,
            subject: choices(map.subject.as_ref(), problems).compiled,
            data,
            require: map.require.iter().filter_map(|text| query(text, problems)).collect(),
            attempt: attempt(map.attempt.as_ref(), problems),
            single: None,
        };
        mapping.single = mapping.single();
        Some(mapping)
    }

    /// Which attempt of the provider's a request is, where it says.
    pub(super) fn attempt(&self, received: &Received) -> Option<u32> {
        self.attempt.choose(&received.scope()).ok().flatten()?.trim().parse().ok()
    }

    /// How the body of a request is read.
    pub(super) fn body(&self, received: &Received) -> Result<Reading, NotAnEvent> {
        self.forms.reading(received)
    }

    /// The events of a request, in its body or what that is read as.
    pub(super) fn read(&self, received: &Received, document: &[u8]) -> Result<Vec<Draft>, NotAnEvent> {
        if let Some(single) = &self.single
            && let Some(read) = single.needs.read(document)
        {
            return Ok(vec![self.read_single(single, read, received, document)?]);
        }
        let body = parse(document)?;
        let mut spans = Spans::over(document).ok_or(NotAnEvent::NotJson { line: 1, column: 0 })?;
        let source = Source { received, document, whole: (&body).into() };
        let elements = self.elements(&body)?;
        elements.iter().map(|element| self.element(element, source, &mut spans)).collect()
    }

    fn single(&self) -> Option<Single> {
        if !self.batch.is_empty() || !self.split.is_empty() {
            return None;
        }
        let mut needs = Needs::nothing();
        self.require.iter().for_each(|query| query.compiled.add_presence(&mut needs));
        for choices in [Some(&self.kind), self.id.as_ref()].into_iter().flatten().map(|named| &named.compiled) {
            choices.add_needs(&mut needs);
        }
        self.time.add_needs(&mut needs);
        self.subject.add_needs(&mut needs);
        let marks = self.data.iter().map(|query| needs.mark(&query.compiled)).collect::<Option<_>>()?;
        Some(Single { needs, marks, kept: Vec::new() })
    }

    /// From now on so much of the data is read with what makes the event, and goes with it as part of its document.
    pub(super) fn keep(&mut self, document: &Needs, data: &Needs) {
        let Some(Single { needs, kept, .. }) = &mut self.single else { return };
        if self.data.is_empty() {
            needs.add(data);
            kept.push(with_data(document, needs));
        }
        self.data.iter().for_each(|query| needs.add_within(&query.compiled, data));
        kept.extend(self.data.iter().map(|query| with_data(document, &needs.within(&query.compiled))));
    }

    fn read_single(
        &self,
        single: &Single,
        read: Pruned<'_>,
        received: &Received,
        document: &[u8],
    ) -> Result<Draft, NotAnEvent> {
        self.check_required(read.json())?;
        let place = |mark: usize| read.marks.get(mark).cloned().flatten();
        let mut paths = self.data.iter().zip(&single.marks).enumerate();
        let found = paths.find_map(|(path, (query, mark))| Some((path, Some(&query.compiled), place(*mark)?)));
        let (path, query, data) = match found {
            Some(found) => found,
            None if self.data.is_empty() => (0, None, read.range.clone()),
            None => return Err(self.no_data()),
        };
        let source = Source { received, document, whole: read.json() };
        let draft = self.draft(read.json(), read.json(), source, data, || Some(read.range.clone()))?;
        let kept = single.kept.get(path).map(|needs| Kept {
            needs: Arc::clone(needs),
            data: match query {
                Some(query) => read.take(query),
                None => read.into_excerpt(),
            },
        });
        Ok(Draft { kept, ..draft })
    }

    fn elements<'v>(&self, body: &'v Value) -> Result<Vec<Element<'v>>, NotAnEvent> {
        let mut elements = Vec::new();
        for (envelope, path) in self.envelopes(body)? {
            if self.split.is_empty() {
                elements.push(Element { value: envelope, envelope, path });
            } else {
                self.split(envelope, &path, &mut elements)?;
            }
            if elements.len() > MAX_EVENTS {
                return Err(NotAnEvent::TooManyEvents { limit: MAX_EVENTS });
            }
        }
        if elements.is_empty() {
            return Err(NotAnEvent::NoEvents { looked_at: texts(&self.split) });
        }
        Ok(elements)
    }

    fn envelopes<'v>(&self, body: &'v Value) -> Result<Vec<(&'v Value, Vec<Step>)>, NotAnEvent> {
        let whole = vec![(body, Vec::new())];
        for batch in &self.batch {
            let found = batch.compiled.locate(body)?;
            if !found.is_empty() {
                return Ok(found.into_iter().map(|found| (found.value, found.path)).collect());
            }
        }
        Ok(whole)
    }

    fn split<'v>(&self, envelope: &'v Value, path: &[Step], elements: &mut Vec<Element<'v>>) -> Result<(), NotAnEvent> {
        for query in &self.split {
            let found = query.compiled.locate(envelope)?;
            if found.is_empty() {
                continue;
            }
            elements.extend(found.into_iter().map(|found| Element {
                value: found.value,
                envelope,
                path: path.iter().cloned().chain(found.path).collect(),
            }));
            return Ok(());
        }
        // One envelope of a batch that holds nothing makes the whole request doubtful: none of it is taken.
        Err(NotAnEvent::NoEvents { looked_at: texts(&self.split) })
    }

    fn element(&self, element: &Element<'_>, source: Source<'_>, spans: &mut Spans<'_>) -> Result<Draft, NotAnEvent> {
        self.check_required(element.value.into())?;
        let data = spans.range(&self.data(element)?).unwrap_or_default();
        self.draft(element.value.into(), element.envelope.into(), source, data, || spans.range(&element.path))
    }

    fn check_required(&self, element: JsonRef<'_>) -> Result<(), NotAnEvent> {
        for query in &self.require {
            if !query.compiled.exists(element, element)? {
                return Err(NotAnEvent::Missing { what: "required part", looked_at: query.text.clone() });
            }
        }
        Ok(())
    }

    /// An event whose data stands at `data`. `place` is where its element does, which is asked where the id is made of that.
    fn draft(
        &self,
        element: JsonRef<'_>,
        envelope: JsonRef<'_>,
        source: Source<'_>,
        data: Range<usize>,
        place: impl FnOnce() -> Option<Range<usize>>,
    ) -> Result<Draft, NotAnEvent> {
        let scope = RequestScope {
            json: Some(element),
            envelope: Some(envelope),
            whole: Some(source.whole),
            data: source.document.get(data.clone()).unwrap_or_default(),
            ..source.received.scope()
        };
        let kind = require("type", &self.kind, &scope)?;
        let id = match &self.id {
            Some(id) => require("id", id, &scope)?.into(),
            None => self.default_id(&kind, source, place()),
        };
        Ok(Draft {
            subject: self.subject.choose(&scope)?.map(|subject| subject.into()),
            time: self.time.choose_as(&scope, attributes::time)?,
            kind: kind.into(),
            id,
            source: None,
            data,
            kept: None,
        })
    }

    fn data(&self, element: &Element<'_>) -> Result<Vec<Step>, NotAnEvent> {
        if self.data.is_empty() {
            return Ok(element.path.clone());
        }
        for query in &self.data {
            if let Some(found) = query.compiled.locate(element.value)?.into_iter().next() {
                return Ok(element.path.iter().cloned().chain(found.path).collect());
            }
        }
        Err(self.no_data())
    }

    fn no_data(&self) -> NotAnEvent {
        NotAnEvent::Missing { what: "data", looked_at: texts(&self.data) }
    }

    /// All of the element counts, not what becomes its data alone: two that differ must not be taken for one.
    fn default_id(&self, kind: &str, source: Source<'_>, element: Option<Range<usize>>) -> Box<str> {
        if self.split.is_empty() && self.batch.is_empty() {
            return hex::encode(Sha256::digest(&source.received.body)).into();
        }
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        hash.update(b"\n");
        hash.update(element.and_then(|range| source.document.get(range)).unwrap_or_default());
        hex::encode(hash.finalize()).into()
    }
}

fn require<'a>(
    what: &'static str,
    choices: &Named<Choices>,
    scope: &RequestScope<'a>,
) -> Result<Cow<'a, str>, NotAnEvent> {
    let missing = || NotAnEvent::Missing { what, looked_at: choices.text.clone() };
    choices.compiled.choose(scope)?.ok_or_else(missing)
}

fn query(text: &At<String>, problems: &mut Problems) -> Option<Named<Query>> {
    match Query::parse(text) {
        Ok(compiled) => Some(Named { text: text.value.clone(), compiled }),
        Err(error) => {
            problems.push(Problem::expression(text.place, "the path", &error.message, error.expected));
            None
        }
    }
}

fn choices(given: Option<&At<file::OneOrMany<At<file::Choice>>>>, problems: &mut Problems) -> Named<Choices> {
    let mut named = Named { text: String::new(), compiled: Choices::none() };
    let Some(given) = given else { return named };
    let mut texts = Vec::new();
    for choice in given.as_slice() {
        let before = named.compiled.clone();
        let (added, what) = match &choice.value {
            file::Choice::Select(text) => (named.compiled.or_select(text), text),
            file::Choice::When { when, value } => (named.compiled.or_value_when(value, when), &when.value),
        };
        texts.push(what.as_str());
        named.compiled = added.unwrap_or_else(|error| {
            problems.push(Problem::expression(choice.place, "the selector", &error.message, error.expected));
            before
        });
    }
    named.text = texts.join(", then ");
    named
}

fn attempt(given: Option<&At<file::OneOrMany<At<file::Choice>>>>, problems: &mut Problems) -> Choices {
    let choices = choices(given, problems).compiled;
    if let Some(given) = given
        && choices.needs_json()
    {
        let problem = Problem::error(given.place, "the attempt's number is not looked for in the body");
        problems.push(problem.expected("a selector such as header:X-Attempt-Number"));
    }
    choices
}

fn texts(queries: &[Named<Query>]) -> String {
    queries.iter().map(|query| query.text.as_str()).collect::<Vec<_>>().join(", then ")
}
