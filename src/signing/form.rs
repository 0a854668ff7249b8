//! How a signature is written as text.

use super::encoding::{decode, encode};
use crate::config::file::Encoding;
use crate::config::{At, Problem, Problems, file};

/// How a signature is written: its encoding, what stands before it, and the list in which it stands.
#[derive(Debug)]
pub struct Form {
    prefix: Box<str>,
    list: Option<List>,
    encoding: Encoding,
}

/// What the text of one place has of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'t> {
    /// It is one signature.
    Whole(&'t str),
    /// It is a list, and this is one of its signatures.
    OfList(&'t str),
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

// === impl Form ===

impl Form {
    /// Compiles a description. `None` and a problem where it is none.
    pub fn compile(
        prefix: Option<&str>,
        list: Option<&At<file::SignatureList>>,
        encoding: Option<&At<Encoding>>,
        problems: &mut Problems,
    ) -> Option<Self> {
        if let Some(given) = encoding.filter(|given| given.value == Encoding::Text) {
            problems.push(
                Problem::error(given.place, "a signature cannot be `text`").expected("`hex`, `base64` or `base64url`"),
            );
        }
        let list = match list {
            None => Some(None),
            Some(list) => List::compile(list, problems).map(Some),
        };
        let encoding = encoding.map_or(Encoding::Hex, |encoding| encoding.value);
        let list = list.filter(|_| encoding != Encoding::Text)?;
        Some(Self { prefix: prefix.unwrap_or_default().into(), list, encoding })
    }

    /// What stands before each signature.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether several signatures can be written.
    #[must_use]
    pub const fn is_list(&self) -> bool {
        self.list.is_some()
    }

    /// Whether an item of it can be the timestamp.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.pair.is_some())
    }

    /// The bytes of a signature without its prefix; `None` where the text is not canonical in its encoding.
    #[must_use]
    pub fn decode(&self, text: &str) -> Option<Vec<u8>> {
        decode(self.encoding, text)
    }

    /// The signatures in a text, with their prefixes.
    pub fn signatures<'t>(&self, given: &'t str) -> impl Iterator<Item = Item<'t>> {
        let whole = self.list.is_none().then_some(Item::Whole(given));
        let listed = self.list.iter().flat_map(move |list| list.signatures(given)).map(Item::OfList);
        whole.into_iter().chain(listed)
    }

    /// The items of a list under `key`.
    pub fn items<'t>(&self, given: &'t str, key: &str) -> impl Iterator<Item = &'t str> {
        let list =
            self.list.as_ref().and_then(|list| list.pair.as_ref().map(|pair| (&*list.separator, &*pair.between)));
        list.into_iter()
            .flat_map(move |(separator, between)| {
                items(given, separator).filter_map(move |item| item.split_once(between))
            })
            .filter_map(move |(found, value)| (found == key).then_some(value))
    }

    /// Writes signatures, and the item that is the timestamp where it is one, as they are read here. Without a list
    /// there is room for the first alone.
    #[must_use]
    pub fn write(&self, tags: &[Vec<u8>], timestamp: Option<(&str, &str)>) -> String {
        let mut signatures = tags.iter().map(|tag| format!("{}{}", self.prefix, encode(self.encoding, tag)));
        let Some(list) = &self.list else { return signatures.next().unwrap_or_default() };
        let Some(pair) = &list.pair else { return signatures.collect::<Vec<_>>().join(&list.separator) };
        let time = timestamp.map(|(key, time)| format!("{key}{}{time}", pair.between));
        let signatures = signatures.map(|signature| format!("{}{}{signature}", pair.key, pair.between));
        time.into_iter().chain(signatures).collect::<Vec<_>>().join(&list.separator)
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
