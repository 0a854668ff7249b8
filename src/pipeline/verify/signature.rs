//! Where a signature is and how it is written.

use std::borrow::Cow;

use http::HeaderName;

use super::Rejection;
use super::prefix::{is_scheme_name, strip};
use crate::config::file::OneOrMany;
use crate::config::{At, Problem, Problems, file};
use crate::expr::Selector;
use crate::signing::{Form, Item, Message, compile_selector};

/// Where a signature is and how it is written.
#[derive(Debug)]
pub(super) struct Signature {
    from: Vec<Selector>,
    form: Form,
}

// === impl Signature ===

impl Signature {
    pub(super) fn compile(file: &file::Signature, problems: &mut Problems) -> Option<Self> {
        // Every part is compiled before any is missed, so that every problem is found.
        let form = Form::compile(file.prefix.as_deref(), file.list.as_ref(), file.encoding.as_ref(), problems);
        let from = selectors(&file.from, problems)?;
        Some(Self { from, form: form? })
    }

    pub(super) fn needs_json(&self) -> bool {
        self.from.iter().any(Selector::needs_json)
    }

    /// Where it may be.
    pub(super) fn selectors(&self) -> &[Selector] {
        &self.from
    }

    /// Whether an item of it can be the timestamp.
    pub(super) fn has_keys(&self) -> bool {
        self.form.has_keys()
    }

    /// Every place that has a signature, or a list of them; at least one.
    pub(super) fn given<'a>(&self, message: &Message<'a>) -> Result<Vec<Cow<'a, str>>, Rejection> {
        let mut given = Vec::with_capacity(self.from.len());
        for selector in &self.from {
            given.extend(message.one(selector)?.filter(|text| !text.is_empty()));
        }
        if given.is_empty() { Err(Rejection::Missing) } else { Ok(given) }
    }

    /// Every signature in the text of one place; at least one.
    pub(super) fn candidates(&self, given: &str) -> Result<Vec<Vec<u8>>, Rejection> {
        let mut candidates = Vec::new();
        for item in self.form.signatures(given) {
            match item {
                Item::Whole(text) => match self.decode(text) {
                    Some(signature) => candidates.push(signature),
                    // What two header fields become on their way through a proxy (RFC 9110, section 5.3).
                    None if text.contains(',') => return Err(Rejection::Several),
                    None => {}
                },
                // Items of another key or form are the scheme's other versions, or those to come.
                Item::OfList(text) => candidates.extend(self.decode(text)),
            }
        }
        if candidates.is_empty() { Err(Rejection::Malformed) } else { Ok(candidates) }
    }

    /// The one item of a list under `key`.
    pub(super) fn item<'t>(&self, given: &'t str, key: &str) -> Result<Option<&'t str>, Rejection> {
        let mut values = self.form.items(given, key);
        let value = values.next();
        if values.next().is_some() { Err(Rejection::Several) } else { Ok(value) }
    }

    /// The header in which a signature is put, if it belongs into one.
    pub(super) fn header(&self) -> Option<HeaderName> {
        self.from.first()?.header_name()?.parse().ok()
    }

    /// The member of the body in which a signature is put, if it belongs there.
    pub(super) fn body_path(&self) -> Option<Vec<&str>> {
        self.from.first()?.body_member()
    }

    /// Writes a signature, and the item that is the timestamp where it is one, as [`Self::candidates`] and
    /// [`Self::item`] read them.
    pub(super) fn write(&self, tag: Vec<u8>, timestamp: Option<(&str, &str)>) -> String {
        self.form.write(&[tag], timestamp)
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let any_case = self.from.iter().all(|selector| is_scheme_name(selector, self.form.prefix()));
        self.form.decode(strip(text, self.form.prefix(), any_case).ok()?)
    }
}

fn selectors(from: &At<OneOrMany<At<String>>>, problems: &mut Problems) -> Option<Vec<Selector>> {
    let texts = match &from.value {
        OneOrMany::One(one) => std::slice::from_ref(one),
        OneOrMany::Many(many) => many,
    };
    if texts.is_empty() {
        problems.push(Problem::error(from.place, "it is not said where the signature is").expected("a selector"));
        return None;
    }
    // All are compiled before any is missed, so that every problem is found.
    let mut selectors = Vec::new();
    for text in texts {
        let each = numbered(text, problems).unwrap_or_else(|| vec![text.clone()]);
        selectors.push(each.iter().map(|text| compile_selector(text, problems)).collect::<Option<Vec<_>>>());
    }
    let selectors: Option<Vec<_>> = selectors.into_iter().collect();
    selectors.map(|selectors| selectors.into_iter().flatten().collect())
}

/// How many header fields a range may stand for.
const MOST_NUMBERS: u32 = 100;

/// The selectors that `header:X-Signature-{1-100}` stands for.
fn numbered(text: &At<String>, problems: &mut Problems) -> Option<Vec<At<String>>> {
    let (name, range) = text.strip_suffix('}')?.split_once('{')?;
    let (first, last) = range.split_once('-')?;
    let range = first.parse::<u32>().ok().zip(last.parse::<u32>().ok());
    let Some((first, last)) = range.filter(|(first, last)| first <= last && last - first < MOST_NUMBERS) else {
        problems.push(
            Problem::error(text.place, "this range of numbers cannot be read")
                .expected(format!("`{{1-9}}`, at most {MOST_NUMBERS} of them")),
        );
        return Some(Vec::new());
    };
    Some((first..=last).map(|number| At::new(format!("{name}{number}"), text.place)).collect())
}
