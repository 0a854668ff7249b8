//! Where a signature is and how it is written.

use std::borrow::Cow;

use http::HeaderName;

use super::Rejection;
use super::encoding::{decode, encode};
use super::view::{View, compile_selector, is_scheme_name, strip};
use crate::config::file::{Encoding, OneOrMany};
use crate::config::{At, Problem, Problems, file};
use crate::expr::Selector;

/// Where a signature is and how it is written.
#[derive(Debug)]
pub(super) struct Signature {
    from: Vec<Selector>,
    prefix: Box<str>,
    list: Option<List>,
    encoding: Encoding,
}

/// How a list of several is taken apart.
#[derive(Debug)]
struct List {
    separator: Box<str>,
    pair: Option<Pair>,
}

/// What stands between key and value, and the key of the items that are signatures.
#[derive(Debug)]
struct Pair {
    between: Box<str>,
    key: Box<str>,
}

// === impl Signature ===

impl Signature {
    pub(super) fn compile(file: &file::Signature, problems: &mut Problems) -> Option<Self> {
        let encoding = file.encoding.as_ref().map_or(Encoding::Hex, |encoding| encoding.value);
        if let Some(given) = file.encoding.as_ref().filter(|given| given.value == Encoding::Text) {
            problems.push(
                Problem::error(given.place, "a signature cannot be `text`").expected("`hex`, `base64` or `base64url`"),
            );
        }
        let list = match &file.list {
            None => Some(None),
            Some(list) => List::compile(list, problems).map(Some),
        };
        let from = selectors(&file.from, problems)?;
        let prefix = file.prefix.as_deref().unwrap_or_default().into();
        (encoding != Encoding::Text).then_some(Self { from, prefix, list: list?, encoding })
    }

    pub(super) fn needs_json(&self) -> bool {
        self.from.iter().any(Selector::needs_json)
    }

    /// Whether an item of it can be the timestamp.
    pub(super) fn has_keys(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.pair.is_some())
    }

    /// Every place that has a signature, or a list of them; at least one.
    pub(super) fn given<'a>(&self, view: &View<'a>) -> Result<Vec<Cow<'a, str>>, Rejection> {
        let mut given = Vec::with_capacity(self.from.len());
        for selector in &self.from {
            given.extend(view.one(selector)?.filter(|text| !text.is_empty()));
        }
        if given.is_empty() { Err(Rejection::Missing) } else { Ok(given) }
    }

    /// Every signature in the text of one place; at least one.
    pub(super) fn candidates(&self, given: &str) -> Result<Vec<Vec<u8>>, Rejection> {
        let Some(list) = &self.list else {
            return match self.decode(given) {
                Some(signature) => Ok(vec![signature]),
                // What two header fields become on their way through a proxy (RFC 9110, section 5.3).
                None if given.contains(',') => Err(Rejection::Several),
                None => Err(Rejection::Malformed),
            };
        };
        // Items of another key or form are the scheme's other versions, or those to come.
        let candidates: Vec<_> = list.signatures(given).filter_map(|item| self.decode(item)).collect();
        if candidates.is_empty() { Err(Rejection::Malformed) } else { Ok(candidates) }
    }

    /// The one item of a list under `key`.
    pub(super) fn item<'t>(&self, given: &'t str, key: &str) -> Result<Option<&'t str>, Rejection> {
        let Some(List { separator, pair: Some(pair) }) = &self.list else { return Ok(None) };
        let mut values = items(given, separator)
            .filter_map(|item| item.split_once(&*pair.between))
            .filter_map(|(k, value)| (k == key).then_some(value));
        let value = values.next();
        if values.next().is_some() { Err(Rejection::Several) } else { Ok(value) }
    }

    /// The header in which a signature is put, if it belongs into one.
    pub(super) fn header(&self) -> Option<HeaderName> {
        self.from.first()?.header_name()?.parse().ok()
    }

    /// Writes a signature, and the item that is the timestamp where it is one, as [`Self::candidates`] and
    /// [`Self::item`] read them.
    pub(super) fn write(&self, tag: &[u8], timestamp: Option<(&str, &str)>) -> String {
        let signature = format!("{}{}", self.prefix, encode(self.encoding, tag));
        let Some(List { separator, pair: Some(pair) }) = &self.list else { return signature };
        let signature = format!("{}{}{signature}", pair.key, pair.between);
        match timestamp {
            Some((key, time)) => format!("{key}{}{time}{separator}{signature}", pair.between),
            None => signature,
        }
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let any_case = self.from.iter().all(|selector| is_scheme_name(selector, &self.prefix));
        decode(self.encoding, strip(text, &self.prefix, any_case).ok()?)
    }
}

// === impl List ===

impl List {
    fn compile(file: &At<file::SignatureList>, problems: &mut Problems) -> Option<Self> {
        let mut sound = true;
        for (part, name) in
            [(Some(&file.separator), "separator"), (file.pair.as_ref(), "pair"), (file.key.as_ref(), "key")]
        {
            if let Some(part) = part.filter(|part| part.is_empty()) {
                sound = false;
                problems.push(Problem::error(part.place, format!("`{name}` is empty")));
            }
        }
        let pair = match (&file.pair, &file.key) {
            (None, None) => None,
            (Some(pair), Some(key)) => Some(Pair { between: pair.as_str().into(), key: key.as_str().into() }),
            (None, Some(key)) => {
                let problem = Problem::error(key.place, "`key` is given, but without `pair` the items have none");
                problems.push(problem.expected("`pair`: what stands between an item's key and its value, such as `=`"));
                return None;
            }
            (Some(pair), None) => {
                let problem = Problem::error(pair.place, "`pair` is given, but not which items are signatures");
                problems.push(problem.expected("`key`: the key of the items that are signatures, such as `v1`"));
                return None;
            }
        };
        sound.then(|| Self { separator: file.separator.as_str().into(), pair })
    }

    fn signatures<'t>(&self, given: &'t str) -> impl Iterator<Item = &'t str> {
        items(given, &self.separator).filter_map(|item| match &self.pair {
            None => Some(item),
            Some(pair) => item.split_once(&*pair.between).filter(|(key, _)| *key == &*pair.key).map(|(_, value)| value),
        })
    }
}

fn items<'t>(given: &'t str, separator: &str) -> impl Iterator<Item = &'t str> {
    given.split(separator).filter(|item| !item.is_empty())
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
    let selectors: Vec<_> = texts.iter().map(|text| compile_selector(text, problems)).collect();
    selectors.into_iter().collect()
}
