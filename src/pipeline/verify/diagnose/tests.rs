//! What goes wrong is done to a request, or to who signs it, and has to be found again: by its name, and without a word of
//! what would have been right.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::trial::Trial;
use super::*;
use crate::config::file::{Encoding, HashFunction, OneOrMany, TimestampFormat};
use crate::config::{At, Problems, file, load};
use crate::expr::Choices;
use crate::model::{NamedSecret, Secret};
use crate::pipeline::verify::{Simulator, Surroundings, Verifier};
use crate::providers;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_500);
const BODY: &str = "{\"b\":1,\"a\":{\"name\":\"J\u{fc}rgen / <x>\",\"n\":[1,2]}}";
const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

const PLAIN: &str = "hmac: { hash: sha256, signature: { from: \"header:X-Signature-256\", prefix: \"sha256=\" } }";
const BASE64: &str = "hmac: { hash: sha256, signature: { from: \"header:X-Signature\", encoding: base64 } }";
const LIST: &str = "hmac: { hash: sha256, signature: { from: \"header:X-Signature\", list: { separator: \",\", pair: \"=\", key: v1 } }, \
                    timestamp: { from: \"signature:t\" }, content: \"{timestamp}.{body}\" }";
const TIMED: &str = "hmac: { hash: sha256, signature: { from: \"header:X-Signature\" }, timestamp: { from: \"header:X-Time\" }, \
                     content: \"{timestamp}.{body}\" }";
const STANDARD: &str = "hmac: { hash: sha256, key: { encoding: base64, strip_prefix: whsec_ }, signature: { from: \"header:X-Signature\" } }";
const URL: &str =
    "hmac: { hash: sha1, signature: { from: \"header:X-Signature\", encoding: base64 }, content: \"{url}{body}\" }";
const JWT: &str = "jwt: { algorithms: [HS256], claims: { aud: us, require: [exp] }, body_hash: { claim: h } }";
const TOKEN: &str = "token: { from: \"header:X-Token\" }";

/// What is different where it is signed.
type Sender = fn(&mut Trial);
/// What happens to it on the way.
type Way = fn(&mut Unsigned);

/// What went wrong: in the sender's description or secret, then on the way.
struct Wrong {
    scheme: &'static str,
    sender: Sender,
    way: Way,
    /// The names of what is found.
    found: &'static [&'static str],
}

fn case(scheme: &str, secret: &str) -> Case {
    let provider = load::parse_provider(&format!("auth: {{ {scheme} }}\n")).unwrap();
    Case {
        auth: provider.auth,
        secrets: vec![named("main", secret)],
        roles: vec![named("verify_token", "another secret by its role")],
        id: Choices::none(),
        public_url: Some("https://hooks.example.com".to_owned()),
        key: None,
        provider: None,
    }
}

fn named(name: &str, secret: &str) -> At<NamedSecret> {
    At::nowhere(NamedSecret::new(name, Secret::new(secret.to_owned())))
}

fn request(body: impl Into<Bytes>) -> Unsigned {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("other.example.com"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("x-request-id", HeaderValue::from_static("8f14e45fceea167a5a36dedd4bea2543"));
    Unsigned {
        method: Method::POST,
        path: "/hooks/acme".into(),
        query: "".into(),
        path_params: Vec::new(),
        headers,
        body: body.into(),
    }
}

fn verifier(case: &Case) -> Verifier {
    let mut problems = Problems::new();
    let surroundings = Surroundings { id: &case.id, public_url: case.public_url.as_deref(), roles: &case.roles };
    Verifier::compile(&case.auth, &case.secrets, surroundings, &mut problems)
        .unwrap_or_else(|| panic!("{:#?}", problems.sorted()))
}

fn ids(diagnosis: &Diagnosis) -> Vec<&'static str> {
    diagnosis.near_miss.iter().map(|change| change.id).collect()
}

/// Fails where one of the texts, or eight bytes of one, are in what is said.
fn assert_silent<'t>(diagnosis: &Diagnosis, texts: impl IntoIterator<Item = &'t [u8]>) {
    let said = format!("{diagnosis:?}");
    for text in texts {
        for window in text.windows(8) {
            assert!(
                !said.as_bytes().windows(8).any(|said| said == window),
                "{} in {said}",
                String::from_utf8_lossy(window)
            );
        }
    }
}

/// Everything that must not be said: what the request has, what would be right, and the secret.
fn secrets_of(case: &Case, request: &Unsigned) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> =
        case.secrets.iter().map(|secret| secret.value.value.expose().as_bytes().to_vec()).collect();
    let of = |request: &Unsigned| -> Vec<Vec<u8>> {
        ["x-signature", "x-signature-256", "x-token", "authorization", "x-other"]
            .iter()
            .filter_map(|name| request.headers.get(*name))
            .map(|value| value.as_bytes().to_vec())
            .collect()
    };
    texts.extend(of(request));
    let mut right = request.clone();
    let mut problems = Problems::new();
    let surroundings = Surroundings { id: &case.id, public_url: case.public_url.as_deref(), roles: &case.roles };
    if let Some(verifier) = Verifier::compile(&case.auth, &case.secrets, surroundings, &mut problems)
        && verifier.sign(&mut right, NOW).is_ok()
    {
        texts.extend(of(&right));
    }
    texts
}

impl Wrong {
    fn check(&self) {
        self.check_with(SECRET, BODY);
    }

    fn check_with(&self, secret: &str, body: &str) {
        let ours = case(self.scheme, secret);
        let mut theirs = Trial { case: ours.clone(), request: request(body.to_owned()) };
        (self.sender)(&mut theirs);
        verifier(&theirs.case).sign(&mut theirs.request, NOW).unwrap();
        let mut request = theirs.request;
        // Only the time is signed: what was sent is put back where the sender signed another body or URL.
        (self.way)(&mut request);
        let hidden = secrets_of(&ours, &request);
        let diagnosis = diagnose(ours, request, NOW);
        assert_eq!(ids(&diagnosis), self.found, "{diagnosis:#?}");
        assert!(diagnosis.near_miss.iter().all(|change| change.words.len() > 20));
        assert_silent(&diagnosis, hidden.iter().map(Vec::as_slice));
    }
}

fn nothing(_: &mut Trial) {}

fn untouched(_: &mut Unsigned) {}

fn body(request: &mut Unsigned, body: &str) {
    request.body = Bytes::copy_from_slice(body.as_bytes());
}

fn header(request: &mut Unsigned, name: &str, value: &str) {
    request.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
}

fn rename(request: &mut Unsigned, from: &str, to: &str) {
    let value = request.headers.remove(from).unwrap();
    request.headers.insert(to.parse::<HeaderName>().unwrap(), value);
}

fn edit(request: &mut Unsigned, name: &str, edit: fn(&str) -> String) {
    let value = edit(request.headers[name].to_str().unwrap());
    header(request, name, &value);
}

/// Has the sender sign with another secret.
fn secret(trial: &mut Trial, text: &str) {
    trial.case.secrets = vec![named("main", text)];
}

fn key(trial: &mut Trial, encoding: Encoding) {
    trial.key_mut().unwrap().encoding = Some(At::nowhere(OneOrMany::One(encoding)));
}

#[test]
fn a_body_that_is_not_the_one_that_was_signed() {
    let python = r#"{"b": 1, "a": {"name": "J\u00fcrgen / <x>", "n": [1, 2]}}"#;
    let sorted = "{\"a\":{\"n\":[1,2],\"name\":\"J\u{fc}rgen / <x>\"},\"b\":1}";
    let php = r#"{"b":1,"a":{"name":"J\u00fcrgen \/ <x>","n":[1,2]}}"#;
    let indented = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(BODY).unwrap()).unwrap();
    let owned = [
        (format!("{BODY}\n"), BODY.to_owned(), "body_newline_removed"),
        (format!("{BODY}\r\n"), BODY.to_owned(), "body_newline_removed"),
        (BODY.to_owned(), format!("{BODY}\n"), "body_newline_added"),
        (BODY.to_owned(), format!("{BODY}\r\n"), "body_newline_added"),
        ("{\n\"a\":1\n}".to_owned(), "{\r\n\"a\":1\r\n}".to_owned(), "body_crlf"),
        ("{\r\n\"a\":1\r\n}".to_owned(), "{\n\"a\":1\n}".to_owned(), "body_lf"),
        (BODY.to_owned(), format!(" {BODY}\t"), "body_white_space"),
        (BODY.to_owned(), format!("\u{feff}{BODY}"), "body_bom"),
        (format!("\u{feff}{BODY}"), BODY.to_owned(), "body_bom_removed"),
        (String::new(), BODY.to_owned(), "body_empty"),
        (BODY.to_owned(), indented.clone(), "body_json_compact"),
        (indented, BODY.to_owned(), "body_json_pretty"),
        (python.to_owned(), BODY.to_owned(), "body_json_spaced"),
        (php.to_owned(), BODY.to_owned(), "body_json_escaped"),
        (sorted.to_owned(), BODY.to_owned(), "body_json_sorted"),
        (BODY.to_owned(), php.to_owned(), "body_json_compact"),
        ("a=x y&b=\u{e9}".to_owned(), "a=x+y&b=%C3%A9".to_owned(), "body_form_decoded"),
        ("a=x%20y".to_owned(), "a=x+y".to_owned(), "body_form_spaces"),
        ("a=x+y".to_owned(), "a=x%20y".to_owned(), "body_form_spaces"),
        ("a=x%2Fy&c=d".to_owned(), "a=x/y&c=d".to_owned(), "body_form_encoded"),
        ("{\"a\":1}".to_owned(), "payload=%7B%22a%22%3A1%7D".to_owned(), "body_form_field"),
        ("a=1&b=2".to_owned(), r#"{"a":"1","b":"2"}"#.to_owned(), "body_form_to_json"),
        ("{\"a\":\"\u{fc}\"}".to_owned(), "{\"a\":\"\u{c3}\u{bc}\"}".to_owned(), "body_charset"),
    ];
    for (signed, received, id) in owned {
        let ours = case(PLAIN, SECRET);
        let mut request = request(signed);
        verifier(&ours).sign(&mut request, NOW).unwrap();
        body(&mut request, &received);
        let hidden = secrets_of(&ours, &request);
        let diagnosis = diagnose(ours, request, NOW);
        assert_eq!(ids(&diagnosis), [id], "{received}");
        assert_silent(&diagnosis, hidden.iter().map(Vec::as_slice));
    }
}

#[test]
fn a_secret_that_is_taken_for_something_else() {
    let wrongs: [(&str, &str, Sender, &[&str]); 15] = [
        (PLAIN, SECRET, |trial| key(trial, Encoding::Base64), &["secret_is_base64"]),
        (PLAIN, "00ff11ee22dd33cc44bb55aa", |trial| key(trial, Encoding::Hex), &["secret_is_hex"]),
        (PLAIN, "-_-_c2VjcmV0", |trial| key(trial, Encoding::Base64url), &["secret_is_base64url"]),
        (STANDARD, SECRET, |trial| key(trial, Encoding::Text), &["secret_is_text"]),
        (
            STANDARD,
            "whsec_c2VjcmV0LXNlY3JldA==",
            |trial| {
                key(trial, Encoding::Text);
                trial.key_mut().unwrap().strip_prefix = None;
            },
            &["secret_prefix_kept", "secret_is_text"],
        ),
        (PLAIN, "whsec_c2VjcmV0LXNlY3JldA", |trial| secret(trial, "c2VjcmV0LXNlY3JldA"), &["secret_prefix_stripped"]),
        (
            PLAIN,
            "whsec_c2VjcmV0LXNlY3JldA==",
            |trial| {
                secret(trial, "c2VjcmV0LXNlY3JldA==");
                key(trial, Encoding::Base64);
            },
            &["secret_prefix_stripped", "secret_is_base64"],
        ),
        (PLAIN, "c2VjcmV0LXNlY3JldA", |trial| secret(trial, "whsec_c2VjcmV0LXNlY3JldA"), &["secret_prefix_missing"]),
        (PLAIN, "Zq7-vX2.kP9w~Lm4\n", |trial| secret(trial, "Zq7-vX2.kP9w~Lm4"), &["secret_white_space"]),
        (PLAIN, "Zq7-vX2.kP9w~Lm4", |trial| secret(trial, "Zq7-vX2.kP9w~Lm4\n"), &["secret_newline"]),
        (PLAIN, "\"Zq7-vX2.kP9w~Lm4\"", |trial| secret(trial, "Zq7-vX2.kP9w~Lm4"), &["secret_quotes"]),
        (STANDARD, "c2VjcmV0LXNlY3JldA", |trial| secret(trial, "c2VjcmV0LXNlY3JldA=="), &["secret_padding"]),
        (STANDARD, " c2VjcmV0LXNlY3JldA==\n", |trial| secret(trial, "c2VjcmV0LXNlY3JldA=="), &["secret_white_space"]),
        (PLAIN, "00FF11EE22DD33CC44BB55AA", |trial| secret(trial, "00ff11ee22dd33cc44bb55aa"), &["secret_case"]),
        (PLAIN, "Zq7-vX2.kP9w~Lm4", |trial| secret(trial, "another secret by its role"), &["secret_role"]),
    ];
    for (scheme, secret, sender, found) in wrongs {
        Wrong { scheme, sender, way: untouched, found }.check_with(secret, BODY);
    }
}

#[test]
fn a_signature_that_is_written_or_put_otherwise() {
    let wrongs = [
        Wrong {
            scheme: PLAIN,
            sender: |trial| trial.signature_mut().unwrap().prefix = None,
            way: untouched,
            found: &["signature_prefix"],
        },
        Wrong {
            scheme: PLAIN,
            sender: |trial| trial.signature_mut().unwrap().prefix = Some("v0=".into()),
            way: untouched,
            found: &["signature_prefix"],
        },
        Wrong {
            scheme: PLAIN,
            sender: |trial| {
                trial.signature_mut().unwrap().prefix = Some("sha1=".into());
                *trial.hash_mut().unwrap() = HashFunction::Sha1;
            },
            way: untouched,
            found: &["signature_prefix", "signature_hash"],
        },
        Wrong {
            scheme: BASE64,
            sender: |trial| trial.signature_mut().unwrap().encoding = None,
            way: untouched,
            found: &["signature_encoding"],
        },
        Wrong {
            scheme: BASE64,
            sender: |trial| *trial.hash_mut().unwrap() = HashFunction::Sha512,
            way: untouched,
            found: &["signature_hash"],
        },
        Wrong {
            scheme: BASE64,
            sender: |trial| *trial.hash_mut().unwrap() = HashFunction::Sha1,
            way: untouched,
            found: &["signature_hash"],
        },
        Wrong {
            scheme: PLAIN,
            sender: |trial| trial.signature_mut().unwrap().encoding = Some(At::nowhere(Encoding::Base64)),
            way: untouched,
            found: &["signature_encoding"],
        },
        Wrong {
            scheme: BASE64,
            sender: nothing,
            way: |request| edit(request, "x-signature", |text| text.trim_end_matches('=').to_owned()),
            found: &["signature_padding"],
        },
        Wrong {
            scheme: BASE64,
            sender: nothing,
            way: |request| edit(request, "x-signature", |text| format!("\"{text}\"")),
            found: &["signature_quotes"],
        },
        Wrong {
            scheme: BASE64,
            sender: nothing,
            way: |request| edit(request, "x-signature", |text| format!("AAAA, {text}")),
            found: &["signature_folded"],
        },
        Wrong {
            scheme: BASE64,
            sender: nothing,
            way: |request| {
                request.headers.append("x-signature", HeaderValue::from_static("AAAA"));
            },
            found: &["signature_several"],
        },
        Wrong {
            scheme: BASE64,
            sender: |trial| trial.signature_mut().unwrap().encoding = None,
            way: |request| {
                edit(request, "x-signature", |text| crate::signing::encode(Encoding::Base64, text.as_bytes()))
            },
            found: &["signature_encoded_twice"],
        },
        Wrong {
            scheme: LIST,
            sender: |trial| {
                trial.signature_mut().unwrap().list.as_mut().unwrap().value.key = Some(At::nowhere("v0".into()))
            },
            way: untouched,
            found: &["signature_list"],
        },
        Wrong {
            scheme: PLAIN,
            sender: nothing,
            way: |request| rename(request, "x-signature-256", "x-signature"),
            found: &["signature_place"],
        },
        Wrong {
            scheme: PLAIN,
            sender: nothing,
            way: |request| rename(request, "x-signature-256", "x-other"),
            found: &["signature_place"],
        },
        Wrong {
            scheme: PLAIN,
            sender: |trial| {
                trial.signature_mut().unwrap().prefix = Some("sha1=".into());
                *trial.hash_mut().unwrap() = HashFunction::Sha1;
            },
            way: |request| rename(request, "x-signature-256", "x-signature"),
            found: &["signature_place", "signature_prefix", "signature_hash"],
        },
    ];
    wrongs.iter().for_each(Wrong::check);
    let own = "hmac: { hash: sha256, signature: { from: \"header:X-Signature\", prefix: \"acme \" } }";
    let without: Sender = |trial| trial.signature_mut().unwrap().prefix = None;
    let base64: Sender = |trial| trial.signature_mut().unwrap().encoding = Some(At::nowhere(Encoding::Base64));
    let sha512: Sender = |trial| *trial.hash_mut().unwrap() = HashFunction::Sha512;
    for (scheme, sender, found) in [
        (own, without, &["signature_prefix"]),
        (own, base64, &["signature_encoding"]),
        (LIST, base64, &["signature_encoding"]),
        (LIST, sha512, &["signature_hash"]),
    ] {
        Wrong { scheme, sender, way: untouched, found }.check();
    }
}

#[test]
fn a_time_that_is_written_otherwise_or_too_far_from_now() {
    let at = |scheme: &'static str, sender: fn(&mut Trial), signed: Timestamp, found: &[&str]| {
        let ours = case(scheme, SECRET);
        let mut theirs = Trial { case: ours.clone(), request: request(BODY) };
        sender(&mut theirs);
        verifier(&theirs.case).sign(&mut theirs.request, signed).unwrap();
        let hidden = secrets_of(&ours, &theirs.request);
        let diagnosis = diagnose(ours, theirs.request, NOW);
        assert_eq!(ids(&diagnosis), found, "{diagnosis:#?}");
        assert_silent(&diagnosis, hidden.iter().map(Vec::as_slice));
        diagnosis
    };
    let ms: fn(&mut Trial) =
        |trial| trial.timestamp_mut().unwrap().as_mut().unwrap().value.format = TimestampFormat::UnixMs;
    let date: fn(&mut Trial) =
        |trial| trial.timestamp_mut().unwrap().as_mut().unwrap().value.format = TimestampFormat::HttpDate;
    at(TIMED, ms, NOW, &["timestamp_unit"]);
    at(TIMED, date, NOW, &["timestamp_format"]);
    at(TIMED, nothing, NOW.after(Duration::from_secs(7 * 3600)), &["timestamp_zone"]);
    at(TIMED, nothing, NOW.before(Duration::from_secs(5 * 3600 + 1800)), &["timestamp_zone"]);
    at(TIMED, nothing, NOW.after(Duration::from_secs(900)), &["ahead"]);
    let stale = at(LIST, nothing, NOW.before(Duration::from_secs(3 * 86_400 + 700)), &["stale"]);
    let words = &stale.near_miss[0].words;
    assert!(words.contains("3 days 11 minutes before now") && words.contains("--now 2023-11-11T"), "{words}");
    let expired = at(JWT, nothing, NOW.before(Duration::from_secs(86_400)), &["expired"]);
    assert!(expired.near_miss[0].words.contains("23 hours 55 minutes before now"), "{expired:?}");
    // What is wrong and old is both.
    let body_first: fn(&mut Trial) = |trial| trial.set_content("{body}.{timestamp}");
    at(TIMED, body_first, NOW.before(Duration::from_secs(86_400)), &["content", "stale"]);
}

#[test]
fn something_else_is_signed() {
    let contents: [(&str, Sender); 5] = [
        (TIMED, |trial| trial.set_content("{body}.{timestamp}")),
        (TIMED, |trial| trial.set_content("{timestamp}{body}")),
        (TIMED, |trial| trial.set_content("{body}")),
        (LIST, |trial| trial.set_content("v0:{timestamp}:{body}")),
        (BASE64, |trial| trial.set_content("{url}{body}")),
    ];
    for (scheme, sender) in contents {
        Wrong { scheme, sender, way: untouched, found: &["content"] }.check();
    }
    let timed: fn(&mut Trial) =
        |trial| trial.case = Case { secrets: trial.case.secrets.clone(), ..case(TIMED, SECRET) };
    let untimed = "hmac: { hash: sha256, signature: { from: \"header:X-Signature\" } }";
    Wrong { scheme: untimed, sender: timed, way: untouched, found: &["content_timestamp"] }.check();
}

#[test]
fn a_url_that_is_another_for_the_sender() {
    let wrongs: [(Sender, Way, &[&str]); 6] = [
        (|trial| trial.case.public_url = Some("http://hooks.example.com".into()), untouched, &["url_scheme"]),
        (|trial| trial.case.public_url = Some("https://other.example.com".into()), untouched, &["url_host"]),
        (|trial| trial.case.public_url = Some("https://hooks.example.com:443".into()), untouched, &["url_port"]),
        (
            |trial| trial.request.path = "/hooks/acme/".into(),
            |request| request.path = "/hooks/acme".into(),
            &["url_slash"],
        ),
        (|_| {}, |request| request.query = "utm=1".into(), &["url_query"]),
        (
            |trial| trial.case.public_url = Some("http://other.example.com".into()),
            |request| request.query = "utm=1".into(),
            &["url_scheme", "url_host", "url_query"],
        ),
    ];
    for (sender, way, found) in wrongs {
        Wrong { scheme: URL, sender, way, found }.check();
    }
    // Where nobody said what the address is, the request's Host is tried.
    let mut ours = case(URL, SECRET);
    let mut request = request(BODY);
    ours.public_url = Some("https://other.example.com".to_owned());
    verifier(&ours).sign(&mut request, NOW).unwrap();
    ours.public_url = None;
    let diagnosis = diagnose(ours, request, NOW);
    assert_eq!(ids(&diagnosis), ["url_unknown"]);
    assert!(diagnosis.near_miss[0].words.contains("https://other.example.com"));
}

#[test]
fn a_token_that_is_another_than_the_description_says() {
    let wrongs = [
        Wrong {
            scheme: TOKEN,
            sender: nothing,
            way: |request| edit(request, "x-token", |text| format!("Bearer {text}")),
            found: &["token_prefix"],
        },
        Wrong {
            scheme: TOKEN,
            sender: nothing,
            way: |request| rename(request, "x-token", "x-other"),
            found: &["signature_place"],
        },
        Wrong {
            scheme: TOKEN,
            sender: nothing,
            way: |request| {
                rename(request, "x-token", "x-other");
                edit(request, "x-other", |text| format!("Bearer {text}"));
            },
            found: &["signature_place", "token_prefix"],
        },
        Wrong {
            scheme: JWT,
            sender: nothing,
            way: |request| edit(request, "authorization", |text| text.replace("Bearer ", "")),
            found: &["token_prefix"],
        },
        Wrong {
            scheme: JWT,
            sender: |trial| jwt(trial).claims.aud = Some(OneOrMany::One("them".into())),
            way: untouched,
            found: &["jwt_aud"],
        },
        Wrong {
            scheme: "jwt: { algorithms: [HS256], claims: { require: [jti] } }",
            sender: |trial| jwt(trial).claims.require.clear(),
            way: untouched,
            found: &["jwt_require"],
        },
        Wrong {
            scheme: JWT,
            sender: |trial| jwt(trial).algorithms = At::nowhere(vec![At::nowhere(file::JwtAlgorithm::HS512)]),
            way: untouched,
            found: &["jwt_algorithm"],
        },
        Wrong {
            scheme: JWT,
            sender: |trial| jwt(trial).body_hash.as_mut().unwrap().value.hash = HashFunction::Sha512,
            way: untouched,
            found: &["jwt_body_hash"],
        },
        Wrong {
            scheme: JWT,
            sender: nothing,
            way: |request| body(request, &format!("{BODY}\n")),
            found: &["body_newline_added"],
        },
        Wrong {
            scheme: JWT,
            sender: |trial| key(trial, Encoding::Base64),
            way: untouched,
            found: &["secret_is_base64"],
        },
    ];
    wrongs.iter().for_each(Wrong::check);
    let basic = "basic: { username: acme }";
    let other: fn(&mut Trial) =
        |trial| trial.case.auth.value = file::Auth::Basic(file::Basic { username: Some(At::nowhere("other".into())) });
    Wrong { scheme: basic, sender: other, way: untouched, found: &["basic_user"] }.check();
}

fn jwt(trial: &mut Trial) -> &mut file::Jwt {
    match &mut trial.case.auth.value {
        file::Auth::Jwt(jwt) => jwt,
        _ => panic!("no JWT"),
    }
}

#[test]
fn two_things_that_go_wrong_together() {
    let wrongs = [
        Wrong {
            scheme: PLAIN,
            sender: |trial| key(trial, Encoding::Base64),
            way: |request| body(request, &format!("{BODY}\n")),
            found: &["secret_is_base64", "body_newline_added"],
        },
        Wrong {
            scheme: PLAIN,
            sender: |trial| trial.signature_mut().unwrap().prefix = None,
            way: |request| body(request, &format!("{BODY}\n")),
            found: &["signature_prefix", "body_newline_added"],
        },
        Wrong {
            scheme: TIMED,
            sender: |trial| {
                key(trial, Encoding::Base64);
                trial.set_content("{body}.{timestamp}");
            },
            way: untouched,
            found: &["content", "secret_is_base64"],
        },
    ];
    wrongs.iter().for_each(Wrong::check);
}

#[test]
fn a_request_of_another_provider() {
    let stripe = providers::builtin("stripe").unwrap();
    let theirs = Case { auth: stripe.auth.clone(), provider: Some("stripe".to_owned()), ..case(PLAIN, SECRET) };
    let mut request = request(BODY);
    verifier(&theirs).sign(&mut request, NOW).unwrap();
    let github = providers::builtin("github").unwrap();
    let ours = Case { auth: github.auth.clone(), provider: Some("github".to_owned()), ..theirs };
    let diagnosis = diagnose(ours, request, NOW);
    assert_eq!(ids(&diagnosis), ["provider"]);
    let words = &diagnosis.near_miss[0].words;
    assert!(words.contains("`stripe`") && words.contains("`github`"), "{words}");
}

#[test]
fn a_public_key_without_its_first_line() {
    let mut ours = case("jwt: { algorithms: [RS256] }", "any");
    let surroundings = Surroundings { id: &ours.id, public_url: None, roles: &ours.roles };
    let simulator = Simulator::new(&ours.auth, surroundings, "seed", &mut Problems::new()).unwrap();
    let mut request = request(BODY);
    simulator.sign(&mut request, NOW).unwrap();
    let pem = simulator.private.as_ref().unwrap().public_pem();
    let bare: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    ours.secrets = vec![named("main", &bare)];
    let diagnosis = diagnose(ours.clone(), request.clone(), NOW);
    assert!(matches!(diagnosis.verdict, Verdict::Unusable(_)), "{diagnosis:?}");
    assert_eq!(ids(&diagnosis), ["secret_pem_header"]);
    assert_silent(&diagnosis, [bare.as_bytes()]);
    ours.secrets = vec![named("main", &pem.replace('\n', "\\n"))];
    assert_eq!(ids(&diagnose(ours, request, NOW)), ["secret_line_ends"]);
}

#[test]
fn a_key_that_would_be_fetched_is_asked_for_and_taken_from_a_file() {
    let scheme = "jwt: { algorithms: [ES256], keys: { jwks: \"https://keys.example.com/jwks\" } }";
    let mut ours = case(scheme, "");
    ours.secrets.clear();
    let simulator = Simulator::new(
        &ours.auth,
        Surroundings { id: &ours.id, public_url: None, roles: &ours.roles },
        "seed",
        &mut Problems::new(),
    )
    .unwrap();
    let mut request = request(BODY);
    simulator.sign(&mut request, NOW).unwrap();
    let diagnosis = diagnose(ours.clone(), request.clone(), NOW);
    assert!(
        matches!(&diagnosis.verdict, Verdict::KeyWanted(url) if url.as_str() == "https://keys.example.com/jwks"),
        "{diagnosis:?}"
    );
    ours.key = Some(Bytes::from_static(b"no key"));
    assert_eq!(diagnose(ours.clone(), request.clone(), NOW).verdict, Verdict::KeyUnreadable);
    let pem = simulator.private.as_ref().unwrap().public_pem();
    ours.key = Some(pem.clone().into());
    assert!(matches!(diagnose(ours.clone(), request.clone(), NOW).verdict, Verdict::Verified { .. }));
    // The same as a JWK, under another name and under its own.
    let key = jsonwebtoken::DecodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    let mut jwk = serde_json::to_value(jsonwebtoken::jwk::Jwk::from_decoding_key(&key, None).unwrap()).unwrap();
    jwk["kid"] = "another".into();
    for key in [jwk.to_string(), serde_json::json!({ "keys": [jwk] }).to_string()] {
        ours.key = Some(key.into());
        let diagnosis = diagnose(ours.clone(), request.clone(), NOW);
        assert_eq!(diagnosis.verdict, Verdict::Refused(Rejection::UnknownKey));
        assert_eq!(ids(&diagnosis), ["jwt_kid"]);
    }
    jwk["kid"] = "simulated".into();
    ours.key = Some(jwk.to_string().into());
    assert!(matches!(diagnose(ours, request, NOW).verdict, Verdict::Verified { .. }));
}

#[test]
fn nothing_that_matches_is_found_in_time_and_says_what_was_tried() {
    let large = format!("{{\"a\":\"{}\"}}", "x y ".repeat(25_000));
    for scheme in [
        PLAIN,
        URL,
        LIST,
        "hmac: { hash: sha512, signature: { from: \"header:X-Signature\" }, content: \"{$.a}{body}\" }",
    ] {
        let ours = case(scheme, SECRET);
        let mut request = request(large.clone());
        verifier(&case(scheme, "quite another one")).sign(&mut request, NOW).unwrap();
        let hidden = secrets_of(&ours, &request);
        let start = Instant::now();
        let diagnosis = diagnose(ours, request, NOW);
        println!("{scheme}: {} attempts in {:?}, cut {}", diagnosis.attempts, start.elapsed(), diagnosis.cut_short);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(ids(&diagnosis), [""; 0]);
        assert!(diagnosis.attempts > 50 && diagnosis.checked.contains(&"body"), "{diagnosis:?}");
        assert_silent(&diagnosis, hidden.iter().map(Vec::as_slice));
    }
}

#[test]
fn a_header_that_is_missing_and_a_secret_that_is_none_are_hinted_at() {
    let diagnosis = diagnose(case(PLAIN, "we_1NxyzABC"), request(""), NOW);
    assert_eq!(diagnosis.verdict, Verdict::Refused(Rejection::Missing));
    let hints = diagnosis.hints.join("\n");
    for words in ["no header `x-signature-256`", "`we_`", "body is empty"] {
        assert!(hints.contains(words), "{hints}");
    }
    let mut near = request(BODY);
    header(&mut near, "X-Signature", "sha256=00");
    assert!(diagnose(case(PLAIN, SECRET), near, NOW).hints.join("").contains("did you mean `x-signature`"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_rubbish_makes_it_panic_or_tell(
        scheme in prop::sample::select(vec![PLAIN, BASE64, LIST, TIMED, STANDARD, URL, JWT, TOKEN, "basic: {}", "sns: {}"]),
        secret in prop_oneof!["[ -~]{1,40}", "\\PC{1,20}", "[A-Z]{16,40}"],
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        value in prop_oneof!["[ -~]{0,60}", "(sha256=|v1=|t=|,|=|[0-9a-f]{8}){0,12}", "[A-Za-z0-9+/=.]{0,80}"],
        now in any::<i64>(),
    ) {
        let mut request = request(bytes);
        for name in ["x-signature", "x-signature-256", "x-token", "authorization", "x-time", "x-other"] {
            header(&mut request, name, &value);
        }
        let ours = case(scheme, &secret);
        let mut unsigned = request.clone();
        unsigned.headers.clear();
        let is_plain = secret.bytes().all(|byte| byte.is_ascii_uppercase());
        let hidden = if is_plain { secrets_of(&ours, &unsigned) } else { Vec::new() };
        let diagnosis = diagnose(ours, request, Timestamp::from_millis(now));
        assert_silent(&diagnosis, hidden.iter().map(Vec::as_slice));
    }
}

/// The sample of a provider as it signs it, and what it is judged by.
fn played(name: &'static str) -> Vec<(Case, Unsigned, Timestamp)> {
    let provider = providers::builtin(name).unwrap();
    let samples = providers::samples(name).unwrap().unwrap();
    let mut roles: Vec<_> = samples.roles.iter().map(|(name, secret)| named(name, secret)).collect();
    roles.extend([named("client_id", "an id"), named("secret", "of the account")]);
    let id = crate::pipeline::verify::event_id(Some(provider));
    let surroundings = Surroundings { id: &id, public_url: Some("https://hooks.example.com"), roles: &roles };
    let mut problems = Problems::new();
    let simulator = match &samples.secret {
        Some(secret) => Simulator::with_secret(&provider.auth, secret, surroundings, &mut problems),
        None => Simulator::new(&provider.auth, surroundings, "ours", &mut problems),
    };
    let simulator = simulator.unwrap();
    let secrets = simulator.verifier().first_secret.iter().map(|secret| named("main", secret.value.expose())).collect();
    let case = Case {
        auth: provider.auth.clone(),
        secrets,
        roles: roles.clone(),
        id: id.clone(),
        public_url: Some("https://hooks.example.com".to_owned()),
        key: simulator.private.as_ref().map(|key| key.public_pem().into()),
        provider: Some(name.to_owned()),
    };
    let now = samples.now.unwrap_or(NOW);
    let signed = samples.samples.iter().map(|sample| {
        let mut request = request(sample.body.clone());
        request.headers.clear();
        for (name, value) in &sample.headers {
            header(&mut request, name, value);
        }
        request.method = sample.method.parse().unwrap();
        request.query = sample.query.as_str().into();
        request.path_params.clone_from(&sample.path_params);
        simulator.sign(&mut request, now).unwrap_or_else(|why| panic!("{name}: {why}"));
        (case.clone(), request, now)
    });
    signed.collect()
}

#[test]
fn what_every_provider_sends_is_verified_and_found_again_where_an_editor_added_a_newline() {
    for name in providers::names() {
        for (case, request, now) in played(name) {
            let diagnosis = diagnose(case.clone(), request.clone(), now);
            assert!(matches!(diagnosis.verdict, Verdict::Verified { .. }), "{name}: {diagnosis:?}");
            let mut edited = request.clone();
            edited.body = [&request.body[..], b"\n"].concat().into();
            let diagnosis = diagnose(case.clone(), edited, now);
            let covers = !matches!(diagnosis.verdict, Verdict::Verified { .. });
            assert!(!covers || ids(&diagnosis) == ["body_newline_added"], "{name}: {diagnosis:?}");
            let mut wrapped = case.clone();
            for secret in &mut wrapped.secrets {
                *secret = named("main", &format!("\"{}\"\n", secret.value.value.expose()));
            }
            let diagnosis = diagnose(wrapped, request, now);
            let right = diagnosis.near_miss.iter().all(|change| change.id.starts_with("secret_"));
            assert!(right && (!diagnosis.near_miss.is_empty() || case.secrets.is_empty()), "{name}: {diagnosis:#?}");
        }
    }
}
