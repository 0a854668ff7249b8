//! A body that is not the one that was signed.
//!
//! What came in is known, what was signed is guessed: each of these gives the body as it may have been before something on
//! the way changed it, or as the sender may have signed it.

use std::cell::OnceCell;
use std::rc::Rc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::json::{self, Style};
use super::mutation::Mutation;
use super::trial::Trial;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The body that was signed, of the one that came in.
type Undo = fn(&[u8]) -> Option<Vec<u8>>;

/// The ends of a body, which change most often: they are also tried together with other mutations.
const ENDS: [(&str, &str, Undo); 6] = [
    (
        "body_newline_removed",
        "the body was signed with a newline at its end, which is not in the captured one. Something on the way, or the \
         tool that captured it, took it off: take the body byte for byte",
        |body| Some([body, b"\n"].concat()),
    ),
    (
        "body_newline_added",
        "the body ends with a newline that was not signed. An editor or `echo` adds one: take the body byte for byte",
        |body| body.strip_suffix(b"\n").map(|body| body.strip_suffix(b"\r").unwrap_or(body).to_vec()),
    ),
    (
        "body_newline_removed",
        "the body was signed with CR LF at its end, which is not in the captured one: take the body byte for byte",
        |body| Some([body, b"\r\n"].concat()),
    ),
    (
        "body_crlf",
        "the body has CR LF where LF was signed. Something rewrote its line ends (git, an editor on Windows): take the \
         body byte for byte",
        |body| contains_crlf(body).then(|| to_lf(body)),
    ),
    (
        "body_lf",
        "the body has LF where CR LF was signed. Something rewrote its line ends (git, an editor): take the body byte for \
         byte",
        |body| memchr::memchr(b'\n', body).is_some().then(|| to_crlf(body)),
    ),
    (
        "body_white_space",
        "the body begins or ends with white space that was not signed: take the body byte for byte",
        |body| Some(body.trim_ascii()).filter(|trimmed| trimmed.len() < body.len()).map(<[u8]>::to_vec),
    ),
];

const WHOLE: [(&str, &str, Undo); 11] = [
    (
        "body_empty",
        "an empty body was signed. The sender signs before it sets the body, or its framework had read the body already",
        |body| (!body.is_empty()).then(Vec::new),
    ),
    (
        "body_bom",
        "the body begins with a byte order mark that was not signed: an editor put it there, so take the body byte for byte",
        |body| body.strip_prefix(BOM).map(<[u8]>::to_vec),
    ),
    (
        "body_bom_removed",
        "the body was signed with a byte order mark before it, which something on the way took off",
        |body| Some([BOM, body].concat()),
    ),
    (
        "body_form_decoded",
        "the body was signed percent-decoded, and sent as a form: the sender signs the text before it encodes it",
        |body| decoded(body),
    ),
    (
        "body_form_spaces",
        "the form was signed with `%20` for spaces, and came in with `+`: something on the way encoded it anew",
        |body| replaced(body, "+", "%20"),
    ),
    (
        "body_form_spaces",
        "the form was signed with `+` for spaces, and came in with `%20`: something on the way encoded it anew",
        |body| replaced(body, "%20", "+"),
    ),
    (
        "body_form_encoded",
        "the form was signed in another way of percent-encoding. Something on the way decoded it and encoded it anew: \
         pass the body on untouched",
        |body| {
            is_form(body).then(|| {
                form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(form_urlencoded::parse(body))
                    .finish()
                    .into()
            })
        },
    ),
    ("body_form_field", "only the value of the form's one field was signed, not the form", |body| one_field(body)),
    (
        "body_form_to_json",
        "the fields of the form were signed as a form, and came in as JSON. Something on the way turned them into JSON: \
         pass the body on untouched",
        |body| to_form(body),
    ),
    (
        "body_charset",
        "the body was signed in UTF-8, and came in in another charset (ISO 8859-1, or UTF-8 encoded twice): something on \
         the way took it for text",
        |body| mended(body),
    ),
    (
        "body_charset",
        "the body was signed in ISO 8859-1, and came in as UTF-8: something on the way took it for text",
        |body| std::str::from_utf8(body).ok().filter(|text| !text.is_ascii()).and_then(latin1),
    ),
];

/// Every body that may have been signed.
pub(super) fn mutations(trial: &Trial) -> Vec<Mutation> {
    let mut mutations = ends(trial);
    mutations.extend(WHOLE.iter().map(|undo| mutation(trial, undo)));
    mutations.extend(form_to_json(trial));
    mutations.extend(written_anew(trial));
    mutations
}

/// Those that differ at the ends of lines.
pub(super) fn ends(trial: &Trial) -> Vec<Mutation> {
    ENDS.iter().map(|undo| mutation(trial, undo)).collect()
}

fn mutation(trial: &Trial, (id, words, undo): &(&'static str, &'static str, Undo)) -> Mutation {
    let (undo, body) = (*undo, trial.request.body.clone());
    putting(id, *words, move || undo(&body))
}

/// Puts another body into the request, if it is another. It is made when it is first needed, and once.
fn putting(id: &'static str, words: impl Into<String>, make: impl Fn() -> Option<Vec<u8>> + 'static) -> Mutation {
    let made: OnceCell<Option<Bytes>> = OnceCell::new();
    Mutation::new(id, words, move |trial| {
        let made = made.get_or_init(|| make().map(Bytes::from));
        let Some(body) = made.as_ref().filter(|body| **body != trial.request.body) else { return false };
        trial.request.body = body.clone();
        true
    })
}

/// The JSON as other programs write it.
fn written_anew(trial: &Trial) -> Vec<Mutation> {
    let Ok(value) = serde_json::from_slice::<Value>(&trial.request.body) else { return Vec::new() };
    if !value.is_object() && !value.is_array() {
        return Vec::new();
    }
    let sorted = Rc::new(json::sorted(&value));
    let value = Rc::new(value);
    let all = Style::ALL.iter().flat_map(|style| [(style, false), (style, true)]);
    all.filter(|(style, sorts)| !sorts || style.sorts)
        .map(|(style, sorts)| {
            let value = Rc::clone(if sorts { &sorted } else { &value });
            let keys = if sorts { " and sorted keys" } else { "" };
            let words = format!(
                "the body was signed as JSON {}{keys}, and came in written otherwise. A proxy or a framework parsed it and \
                 wrote it anew: verify the raw body, before any JSON parser",
                style.words
            );
            putting(if sorts { "body_json_sorted" } else { style.id }, words, move || style.write(&value))
        })
        .collect()
}

/// A form whose fields were signed as JSON.
fn form_to_json(trial: &Trial) -> Option<Mutation> {
    let kind = trial.request.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let body = trial.request.body.clone();
    kind.starts_with("application/x-www-form-urlencoded").then(|| {
        let words = "the fields of the form were signed as a JSON object: the sender signs one form and sends another";
        putting("body_json_to_form", words, move || {
            let fields = form_urlencoded::parse(&body);
            let object: Map<String, Value> =
                fields.map(|(name, value)| (name.into(), Value::String(value.into()))).collect();
            Some(Value::Object(object).to_string().into_bytes())
        })
    })
}

fn contains_crlf(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\r\n").is_some()
}

fn to_lf(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    let mut bytes = body.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte != b'\r' || bytes.peek() != Some(&&b'\n') {
            text.push(*byte);
        }
    }
    text
}

fn to_crlf(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len() + body.len() / 16);
    let mut before = 0;
    for byte in body {
        if *byte == b'\n' && before != b'\r' {
            text.push(b'\r');
        }
        text.push(*byte);
        before = *byte;
    }
    text
}

fn is_form(body: &[u8]) -> bool {
    body.is_ascii() && memchr::memchr(b'=', body).is_some() && !body.starts_with(b"{") && !body.starts_with(b"[")
}

fn decoded(body: &[u8]) -> Option<Vec<u8>> {
    let plain = String::from_utf8(body.to_vec()).ok().filter(|text| is_form(text.as_bytes()))?.replace('+', " ");
    Some(percent_encoding::percent_decode_str(&plain).collect())
}

fn replaced(body: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok().filter(|text| is_form(text.as_bytes()) && text.contains(from))?;
    Some(text.replace(from, to).into_bytes())
}

fn one_field(body: &[u8]) -> Option<Vec<u8>> {
    let mut fields = form_urlencoded::parse(body);
    let (_, value) = fields.next().filter(|_| is_form(body))?;
    fields.next().is_none().then(|| value.into_owned().into_bytes())
}

fn to_form(body: &[u8]) -> Option<Vec<u8>> {
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &object {
        form.append_pair(name, value.as_str()?);
    }
    Some(form.finish().into_bytes())
}

/// UTF-8 of what is ISO 8859-1, or of what was encoded in UTF-8 twice.
fn mended(body: &[u8]) -> Option<Vec<u8>> {
    match std::str::from_utf8(body) {
        Ok(text) if text.is_ascii() => None,
        Ok(text) => latin1(text).filter(|once| std::str::from_utf8(once).is_ok()),
        Err(_) => Some(body.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()),
    }
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect()
}
