//! A signature that is right, and written or put otherwise than the scheme says.
//!
//! What the words quote of a signature are prefixes and keys of the lists below, and names of header fields.

use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::mutation::{Change, Mutation};
use super::scheme::{encoding_name, hash_name};
use super::trial::Trial;
use crate::config::At;
use crate::config::file::{Encoding, HashFunction, SignatureList};
use crate::signing::decode;

/// What stands before signatures.
const PREFIXES: [&str; 12] = [
    "sha1=",
    "sha256=",
    "sha512=",
    "v0=",
    "v1=",
    "v1,",
    "hmac-sha256=",
    "sha256:",
    "HMAC-SHA256 ",
    "hmac ",
    "HMAC ",
    "Bearer ",
];
/// The keys of signatures in lists.
const KEYS: [&str; 12] = ["v1", "v0", "v2", "v1a", "s", "h", "h1", "sig", "signature", "hmac", "sha256", "sha1"];
/// What stands between the items of a list, and between an item's key and its value.
const LISTS: [(&str, &str); 5] = [(",", "="), (" ", ","), (";", "="), (", ", "="), ("&", "=")];
const ENCODINGS: [Encoding; 3] = [Encoding::Hex, Encoding::Base64, Encoding::Base64url];
/// How long the hashes are.
const HASHES: [(usize, HashFunction); 3] =
    [(20, HashFunction::Sha1), (32, HashFunction::Sha256), (64, HashFunction::Sha512)];

/// One way to read the text of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    list: ListForm,
    /// None is the described one where that is none of the list above.
    prefix: Option<&'static str>,
    encoding: Encoding,
    hash: Option<HashFunction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListForm {
    /// As the scheme says.
    Described,
    /// There is no list.
    Whole,
    Keyed(&'static str, &'static str, &'static str),
}

/// The signatures of the described places, written in every way in which they can be read.
pub(super) fn mutations(trial: &Trial) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    for text in trial.places().iter().flat_map(|place| texts(trial, place)) {
        mutations.extend(readings(trial, &text).into_iter().map(|reading| reading.mutation(trial)));
    }
    mutations.extend(rewritten(trial));
    mutations.sort_by_key(|mutation| mutation.changes.len());
    mutations
}

/// Signatures that are in another header field, or in the query.
pub(super) fn elsewhere(trial: &Trial) -> Vec<Mutation> {
    elsewhere_in(trial, &candidates(trial))
}

/// The same in these places.
pub(super) fn elsewhere_in(trial: &Trial, places: &[String]) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    let described = trial.places();
    let known = |place: &&String| described.iter().any(|known| known.eq_ignore_ascii_case(place));
    for place in places.iter().filter(|place| !known(place)) {
        let moved = Rc::new(moved(place, &described));
        for text in texts(trial, place) {
            let readings = readings(trial, &text).into_iter().map(|reading| Some(reading.mutation(trial)));
            for reading in readings.chain([None]) {
                let place = place.clone();
                let read = reading.iter().flat_map(|reading| reading.changes.iter().cloned());
                let changes = std::iter::once((*moved).clone()).chain(read).collect();
                mutations.push(Mutation::several(changes, move |trial| {
                    trial.set_place(&place) && reading.as_ref().is_none_or(|reading| reading.apply(trial))
                }));
            }
        }
    }
    mutations.sort_by_key(|mutation| mutation.changes.len());
    mutations
}

fn moved(place: &str, described: &[String]) -> Change {
    let name = |place: &str| place.split_once(':').map_or_else(|| place.to_owned(), |(_, name)| name.to_owned());
    let described = described.iter().map(|place| format!("`{}`", name(place))).collect::<Vec<_>>().join(" or ");
    Change::new(
        "signature_place",
        format!(
            "the right one is in `{}`, and it was looked for in {described}: correct the provider's `from`",
            name(place)
        ),
    )
}

/// Where a signature may be. What is not a signature's size is none.
fn candidates(trial: &Trial) -> Vec<String> {
    let mut places = Vec::new();
    for name in trial.request.headers.keys() {
        if !matches!(name.as_str(), "content-type" | "user-agent" | "accept" | "date" | "host" | "content-length") {
            places.push(format!("header:{name}"));
        }
    }
    for (name, _) in url::form_urlencoded::parse(trial.request.query.as_bytes()) {
        // A name that is longer may be anything.
        if name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            places.push(format!("query:{name}"));
        }
    }
    places
}

/// The texts at a place.
fn texts(trial: &Trial, place: &str) -> Vec<String> {
    match place.split_once(':') {
        Some(("header", name)) => {
            let values = trial.request.headers.get_all(name).iter();
            values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
        }
        Some(("query", name)) => url::form_urlencoded::parse(trial.request.query.as_bytes())
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
            .collect(),
        // Of a place in the body it is not known what it reads; it is tried as if it read everything.
        _ => vec![String::new()],
    }
}

/// In which ways a text can be read that are not the described one.
fn readings(trial: &Trial, text: &str) -> Vec<Reading> {
    let Some(signature) = trial.signature() else { return Vec::new() };
    let described = Reading::described(trial);
    let own = signature.prefix.as_deref().filter(|_| described.prefix.is_none());
    let mut readings = Vec::new();
    for (list, item) in items(signature.list.as_ref(), text) {
        let known = PREFIXES.iter().copied().filter(|prefix| item.starts_with(prefix));
        let own = own.filter(|own| item.starts_with(own)).map(|own| (None, own));
        for (prefix, text) in std::iter::once("").chain(known).map(|prefix| (Some(prefix), prefix)).chain(own) {
            let digits = item.strip_prefix(text).unwrap_or(item);
            readings.extend(
                ENCODINGS
                    .iter()
                    .flat_map(|encoding| hashes(trial, *encoding, digits))
                    .map(|(encoding, hash)| Reading { list, prefix, encoding, hash }),
            );
        }
    }
    readings.retain(|reading| *reading != described);
    readings
}

/// What of a text can be a signature, and in which list it stands.
fn items<'t>(described: Option<&At<SignatureList>>, text: &'t str) -> Vec<(ListForm, &'t str)> {
    let whole = if described.is_some() { ListForm::Whole } else { ListForm::Described };
    let mut items = vec![(whole, text)];
    if let Some(list) = described {
        let value = |item: &'t str| match (&list.pair, &list.key) {
            (Some(pair), Some(key)) => item.strip_prefix(key.as_str())?.strip_prefix(pair.as_str()),
            _ => Some(item),
        };
        let listed = text.split(list.separator.as_str()).filter_map(value);
        items.extend(listed.map(|item| (ListForm::Described, item)));
    }
    let is = |given: Option<&At<String>>, text: &str| given.is_some_and(|given| given.value == text);
    for (separator, pair) in LISTS {
        let keys = KEYS.into_iter().filter(|key| {
            !described.is_some_and(|list| {
                list.separator.value == separator && is(list.pair.as_ref(), pair) && is(list.key.as_ref(), key)
            })
        });
        items.extend(keys.filter_map(|key| {
            let item = text.split(separator).find_map(|item| item.strip_prefix(key)?.strip_prefix(pair))?;
            Some((ListForm::Keyed(separator, pair, key), item))
        }));
    }
    items
}

/// The hash that digits in an encoding can be of; of a public key's signature nothing is known.
fn hashes(trial: &Trial, encoding: Encoding, digits: &str) -> Vec<(Encoding, Option<HashFunction>)> {
    if digits.is_empty() {
        let all = HASHES.iter().map(|(_, hash)| (encoding, trial.hash().and(Some(*hash))));
        return all.collect();
    }
    let Some(bytes) = decode(encoding, digits) else { return Vec::new() };
    match trial.hash() {
        None if bytes.len() >= 32 => vec![(encoding, None)],
        None => Vec::new(),
        Some(_) => HASHES
            .iter()
            .filter(|(length, _)| *length == bytes.len())
            .map(|(_, hash)| (encoding, Some(*hash)))
            .collect(),
    }
}

// === impl Reading ===

impl Reading {
    fn described(trial: &Trial) -> Self {
        let signature = trial.signature();
        let prefix = signature.and_then(|signature| signature.prefix.as_deref()).unwrap_or_default();
        let encoding = signature.and_then(|signature| signature.encoding.as_ref()).map(|encoding| encoding.value);
        Self {
            list: ListForm::Described,
            prefix: std::iter::once("").chain(PREFIXES).find(|known| *known == prefix),
            encoding: encoding.unwrap_or(Encoding::Hex),
            hash: trial.hash(),
        }
    }

    fn mutation(self, trial: &Trial) -> Mutation {
        let described = Self::described(trial);
        Mutation::several(self.changes(described), move |trial| {
            if let (Some(hash), Some(place)) = (self.hash, trial.hash_mut()) {
                *place = hash;
            }
            let Some(signature) = trial.signature_mut() else { return false };
            if let Some(prefix) = self.prefix {
                signature.prefix = Some(prefix.to_owned());
            }
            signature.encoding = Some(At::nowhere(self.encoding));
            match self.list {
                ListForm::Described => {}
                ListForm::Whole => signature.list = None,
                ListForm::Keyed(separator, pair, key) => {
                    let text = |text: &str| At::nowhere(text.to_owned());
                    let (pair, key) = (Some(text(pair)), Some(text(key)));
                    signature.list = Some(At::nowhere(SignatureList { separator: text(separator), pair, key }));
                }
            }
            true
        })
    }

    fn changes(self, described: Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if let ListForm::Keyed(separator, pair, key) = self.list {
            changes.push(Change::new(
                "signature_list",
                format!("the signature is the item `{key}` of a list with `{separator}` between its items: say `list: {{ separator: \"{separator}\", pair: \"{pair}\", key: {key} }}`"),
            ));
        } else if self.list == ListForm::Whole {
            changes.push(Change::new(
                "signature_list",
                "the signature stands alone, and the description has a list: leave `list` out",
            ));
        }
        if let Some(prefix) = self.prefix.filter(|prefix| Some(*prefix) != described.prefix) {
            let words = if prefix.is_empty() {
                "nothing stands before the signature, and the description has a prefix: leave `prefix` out".to_owned()
            } else {
                format!(
                    "before the signature stands `{prefix}`, and the description has another prefix or none: say `prefix: \"{prefix}\"`"
                )
            };
            changes.push(Change::new("signature_prefix", words));
        }
        if self.encoding != described.encoding {
            let (is, was) = (encoding_name(self.encoding), encoding_name(described.encoding));
            changes.push(Change::new(
                "signature_encoding",
                format!("the signature is written in {is}, and the description has {was}: say `encoding: {is}`"),
            ));
        }
        if let (Some(hash), true) = (self.hash, self.hash != described.hash) {
            let was = described.hash.map(hash_name).unwrap_or_default();
            changes.push(Change::new(
                "signature_hash",
                format!("it is signed with {}, and the description has {was}: say `hash: {0}`", hash_name(hash)),
            ));
        }
        changes
    }
}

/// Signatures whose text is not the canonical one, or that are there several times.
fn rewritten(trial: &Trial) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    for place in trial.places() {
        let Some(("header", name)) = place.split_once(':') else { continue };
        let Ok(name) = name.parse::<HeaderName>() else { continue };
        for text in texts(trial, &place) {
            mutations.extend(tidied(&text).into_iter().map(|(id, words, text)| setting(&name, id, words, text)));
            let parts: Vec<&str> = text.split(',').map(str::trim).collect();
            let several = parts.len() > 1 && trial.signature().is_none_or(|signature| signature.list.is_none());
            mutations.extend(parts.iter().filter(|_| several).map(|part| {
                let words = "the header holds several signatures with commas between them, of which one is right. Two fields of \
                             one name were folded into one on the way, or the provider sends a list: have one alone passed on, \
                             or say `list: { separator: \",\" }`";
                setting(&name, "signature_folded", words, (*part).to_owned())
            }));
            if trial.request.headers.get_all(&name).iter().count() > 1 {
                let words = "the header is there more than once, and one of them is right. Something on the way adds its own: \
                             have only the provider's passed on";
                mutations.push(setting(&name, "signature_several", words, text));
            }
        }
    }
    mutations
}

/// The canonical text that a text may have been.
fn tidied(text: &str) -> Vec<(&'static str, &'static str, String)> {
    let mut texts = Vec::new();
    let bare = text.trim_matches(|char: char| matches!(char, '"' | '\'') || char.is_whitespace());
    if bare != text {
        let words =
            "the signature stands in quotes: something on the way put them there, or the sender has to leave them out";
        texts.push(("signature_quotes", words, bare.to_owned()));
    }
    let missing = (4 - bare.rsplit(['=', ',', ' ']).next().unwrap_or(bare).len() % 4) % 4;
    if matches!(missing, 1 | 2) {
        let words = "the signature is Base 64 without the `=` at its end: something on the way took it off, or the sender leaves \
                     it out; `encoding: base64url` takes both, with `-` and `_`";
        texts.push(("signature_padding", words, format!("{bare}{}", "=".repeat(missing))));
    }
    if bare.contains('%') {
        let plain = percent_encoding::percent_decode_str(bare).decode_utf8_lossy().into_owned();
        texts.push((
            "signature_percent_encoded",
            "the signature came percent-encoded: something on the way encoded it",
            plain,
        ));
    }
    if bare.contains(' ') {
        let words = "the signature has spaces where Base 64 has `+`: something on the way decoded it as a form";
        texts.push(("signature_spaces", words, bare.replace(' ', "+")));
    }
    let of_hex = decode(Encoding::Base64, bare).and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(hex) = of_hex.filter(|hex| decode(Encoding::Hex, hex).is_some()) {
        let words = "the signature is the Base 64 of hex: the sender encodes it twice (PHP's hash_hmac gives hex unless it is \
                     asked for bytes)";
        texts.push(("signature_encoded_twice", words, hex));
    }
    texts
}

/// One field of that name, with that text; read in each encoding, since the described one may not fit any more.
fn setting(name: &HeaderName, id: &'static str, words: &'static str, text: String) -> Mutation {
    let name = name.clone();
    Mutation::new(id, words, move |trial| {
        let Ok(value) = HeaderValue::from_str(&text) else { return false };
        set(&mut trial.request.headers, &name, value);
        if id == "signature_encoded_twice"
            && let Some(signature) = trial.signature_mut()
        {
            signature.encoding = Some(At::nowhere(Encoding::Hex));
        }
        true
    })
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    headers.insert(name, value);
}
