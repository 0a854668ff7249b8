//! HAR files: HTTP archives (HAR 1.2), as browsers and proxies export them.
//!
//! The text of a body is what the exporter could make text of. Where it says `"encoding": "base64"`, as proxies do for
//! bytes that are none, those bytes are meant.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::Method;
use http::header::HeaderMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Captured, ParseError, Target, field};

#[derive(Deserialize)]
struct Archive {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
    #[serde(default)]
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct PostData {
    #[serde(default)]
    text: Option<String>,
    #[serde(default, alias = "_encoding")]
    encoding: Option<String>,
    #[serde(default)]
    params: Vec<IgnoredAny>,
}

/// As much of an archive as tells it from other JSON.
#[derive(Deserialize)]
struct Outline {
    #[expect(dead_code, reason = "that it is there is all that is asked")]
    log: OutlineLog,
}

#[derive(Deserialize)]
struct OutlineLog {
    #[expect(dead_code, reason = "that it is there is all that is asked")]
    entries: Vec<IgnoredAny>,
}

/// Exporters pad, or do not, and some write bits behind the last byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The request of the entry number `nth`, from 1.
pub(super) fn parse(text: &[u8], nth: usize) -> Result<Captured, ParseError> {
    let archive = archive(text)?;
    let found = archive.log.entries.len();
    let entry = archive.log.entries.into_iter().nth(nth.wrapping_sub(1));
    match entry {
        Some(entry) => entry.request.captured().map_err(|what| ParseError::Entry { entry: nth, what }),
        None if found == 0 => Err(ParseError::Nothing),
        None => Err(ParseError::TooFew { wanted: nth, found }),
    }
}

/// The request of every entry.
pub(super) fn parse_all(text: &[u8]) -> Result<Vec<Captured>, ParseError> {
    let entries = archive(text)?.log.entries;
    if entries.is_empty() {
        return Err(ParseError::Nothing);
    }
    let captured = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| entry.request.captured().map_err(|what| ParseError::Entry { entry: index + 1, what }));
    captured.collect()
}

fn archive(text: &[u8]) -> Result<Archive, ParseError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    serde_json::from_slice(text).map_err(|error| ParseError::NotHar(error.to_string()))
}

/// Whether a text is an archive.
pub(super) fn looks_like_it(text: &[u8]) -> bool {
    serde_json::from_slice::<Outline>(text).is_ok()
}

// === impl Request ===

impl Request {
    fn captured(self) -> Result<Captured, String> {
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|_| "its method is none".to_owned())?;
        let target = Target::of(&self.url).ok_or_else(|| "its url is none of http or https".to_owned())?;
        let mut headers = HeaderMap::new();
        // HTTP/2 has its request line among the header fields.
        for header in self.headers.iter().filter(|header| !header.name.starts_with(':')) {
            let (name, value) = field(format!("{}:{}", header.name, header.value).as_bytes())
                .ok_or_else(|| format!("its header `{}` could not be sent", header.name))?;
            headers.append(name, value);
        }
        let body = self.post_data.map_or_else(|| Ok(Bytes::new()), PostData::bytes)?;
        Ok(Captured { method, target: Some(target), headers, body })
    }
}

// === impl PostData ===

impl PostData {
    fn bytes(self) -> Result<Bytes, String> {
        let Some(text) = self.text else {
            if self.params.is_empty() {
                return Ok(Bytes::new());
            }
            return Err("its body is kept as `params` alone: the bytes that were sent are not in the file".to_owned());
        };
        match self.encoding.as_deref() {
            None | Some("") => Ok(text.into()),
            Some("base64") => {
                let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                BASE64.decode(digits).map(Into::into).map_err(|error| format!("its body is not base64: {error}"))
            }
            Some(other) => Err(format!("its body has the encoding `{other}`, which is not known here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn archive(requests: &[Value]) -> Vec<u8> {
        let entries: Vec<Value> = requests.iter().map(|request| json!({ "request": request, "time": 5 })).collect();
        json!({ "log": { "version": "1.2", "entries": entries } }).to_string().into_bytes()
    }

    fn with_body(post_data: Value) -> Value {
        json!({ "method": "POST", "url": "https://hooks.test/a?b=1", "headers": [], "postData": post_data })
    }

    fn body(post_data: Value) -> Result<Vec<u8>, ParseError> {
        parse(&archive(&[with_body(post_data)]), 1).map(|captured| captured.body.to_vec())
    }

    #[test]
    fn an_entry_is_read_by_its_number() {
        let first = json!({ "method": "GET", "url": "https://hooks.test/first" });
        let second = json!({
            "method": "POST", "url": "https://hooks.test/a%2Fb?c=1",
            "headers": [
                { "name": ":method", "value": "POST" }, { "name": "X-A", "value": "1" }, { "name": "x-a", "value": "2" },
            ],
            "postData": { "mimeType": "application/json", "text": "{\"é\":1}\n" },
        });
        let text = archive(&[first, second]);
        let captured = parse(&text, 2).unwrap_or_else(|why| panic!("{why}"));
        let target = captured.target.unwrap();
        assert_eq!((captured.method.as_str(), &*target.path, &*target.query), ("POST", "/a%2Fb", "c=1"));
        assert_eq!(captured.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(captured.headers.len(), 2);
        assert_eq!(&*captured.body, "{\"é\":1}\n".as_bytes());
        assert!(parse(&text, 1).is_ok_and(|captured| captured.body.is_empty()));
        assert_eq!(parse(&text, 3).err(), Some(ParseError::TooFew { wanted: 3, found: 2 }));
        assert!(parse(&text, 0).is_err());
        assert_eq!(parse(&archive(&[]), 1).err(), Some(ParseError::Nothing));
    }

    #[test]
    fn base64_is_read_padded_or_not_and_in_lines() {
        for text in ["/wBh", "/wB\r\nh", " /w Bh\n"] {
            assert_eq!(body(json!({ "text": text, "encoding": "base64" })), Ok(vec![0xff, 0, b'a']), "{text}");
        }
        assert_eq!(body(json!({ "text": "YQ==", "_encoding": "base64" })), Ok(b"a".to_vec()));
        assert_eq!(body(json!({ "text": "YQ", "encoding": "base64" })), Ok(b"a".to_vec()));
        assert!(body(json!({ "text": "*", "encoding": "base64" })).is_err());
        assert!(body(json!({ "text": "a", "encoding": "rot13" })).is_err());
    }

    #[test]
    fn a_body_whose_bytes_are_not_there_is_none() {
        assert!(body(json!({ "params": [{ "name": "a", "value": "b" }] })).is_err());
        assert_eq!(body(json!({ "mimeType": "" })), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_archive_says_so() {
        for text in ["", "{}", "[]", r#"{"log":{"entries":[{}]}}"#, r#"{"log":{}}"#] {
            assert!(matches!(parse(text.as_bytes(), 1), Err(ParseError::NotHar(_))), "{text}");
        }
        let wrong = [
            json!({ "method": "PO ST", "url": "https://x/" }),
            json!({ "method": "POST", "url": "chrome://x/" }),
            json!({ "method": "POST", "url": "https://x/", "headers": [{ "name": "a b", "value": "" }] }),
        ];
        for request in wrong {
            assert!(matches!(parse(&archive(&[request]), 1), Err(ParseError::Entry { entry: 1, .. })));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,40}", nth in 0_usize..3) {
            let _ = parse(&bytes, nth);
            let _ = body(json!({ "text": text, "encoding": "base64" }));
            let _ = looks_like_it(&bytes);
        }

        #[test]
        fn any_bytes_come_back_from_base64(bytes in prop::collection::vec(any::<u8>(), 0..200), width in 1_usize..80) {
            let encoded = base64::engine::general_purpose::STANDARD.encode(&bytes);
            let lines: Vec<&str> = encoded.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            prop_assert_eq!(body(json!({ "text": lines.join("\r\n"), "encoding": "base64" })), Ok(bytes));
        }
    }
}
