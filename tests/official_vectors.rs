//! Requests with published secrets and signatures, from RFCs and from providers' documents and libraries, and
//! tampered forms of each: what must be accepted is, and what must be refused is, for the right reason.
//!
//! The vectors are not part of the project: `HOOKSWITCH_VECTORS` says where they are.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use hookswitch::config::file::{self, Auth, Encoding, HashFunction, OneOrMany, TimestampFormat};
use hookswitch::config::{At, Problems, Span};
use hookswitch::expr::Choices;
use hookswitch::model::{NamedSecret, Secret, Timestamp};
use hookswitch::pipeline::Received;
use hookswitch::pipeline::handshake::{self, Handshakes, Moment};
use hookswitch::pipeline::verify::{Rejection, Surroundings, Verifier};
use hookswitch::providers;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

/// How many there are: exactly, so that the number cannot shrink unseen.
const VECTORS: usize = 332;
const ACCEPTS: usize = 61;
/// How many of them are of a built-in provider.
const BUILT_IN: usize = 272;
/// How many ask whether the address is ours.
const HANDSHAKES: usize = 12;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
    handshakes: Vec<Handshake>,
}

/// A request that is answered on the spot.
#[derive(Deserialize)]
struct Handshake {
    id: String,
    provider: String,
    request: Asked,
    expect_response: Answered,
    #[serde(default)]
    secret: Option<String>,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct Answered {
    status: u16,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    secret: String,
    method: String,
    headers: serde_json::Map<String, Value>,
    body: String,
    body_encoding: String,
    scheme: Value,
    expect: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    now: Option<i64>,
    #[serde(default)]
    url: Option<String>,
}

#[test]
fn every_published_request_is_judged_as_its_source_says() {
    let (mut accepted, mut refused) = (0, 0);
    let mut failures = Vec::new();
    for vector in &load().vectors {
        let verdict = judge(vector);
        match vector.expect.as_str() {
            "accept" => accepted += 1,
            "reject" => refused += 1,
            other => panic!("{}: `expect` is {other}", vector.id),
        }
        if let Some(failure) = failure(vector, verdict) {
            failures.push(failure);
        }
    }
    assert!(failures.is_empty(), "{} of them fail:\n{}", failures.len(), failures.join("\n"));
    assert_eq!((accepted + refused, accepted), (VECTORS, ACCEPTS));
}

#[test]
fn the_built_in_providers_judge_their_own_requests_alike() {
    let mut judged = 0;
    let mut failures = Vec::new();
    for vector in load().vectors {
        let Some((name, case)) = vector.id.split_once('/') else { continue };
        let Some(provider) = providers::builtin(built_in(name, case)) else { continue };
        // These two ask for a claim, and for a key in one encoding alone: the route's affair.
        if matches!(case, "jwt/aud" | "jwt/key-as-text") {
            continue;
        }
        // These three say nothing of how old a request may be, and send again for hours what they signed once: their presets
        // take it that long, and refuse what comes twice by its signed id. The vectors' 300 seconds are a route's affair.
        if matches!(name, "sendgrid" | "mailgun" | "discord-scheme")
            && matches!(vector.id.rsplit('/').next(), Some("stale" | "future"))
        {
            continue;
        }
        judged += 1;
        failures.extend(failure(&vector, judge_by(&vector, &provider.auth)));
    }
    assert!(failures.is_empty(), "{} of them fail:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(judged, BUILT_IN);
}

/// The built-in provider whose scheme a vector is of.
fn built_in<'v>(name: &'v str, case: &str) -> &'v str {
    match (name, case.split('/').next().unwrap_or_default()) {
        ("hubspot", "v1") => "hubspot-v1",
        ("hubspot", "v2") => "hubspot-v2",
        ("adyen", "payload") => "adyen-platform",
        ("standard-webhooks", "v1a-ed25519") => "standard-webhooks-ed25519",
        ("discord-scheme", _) => "discord",
        _ => name,
    }
}

#[test]
fn every_handshake_is_answered_as_its_source_says() {
    let handshakes = load().handshakes;
    assert_eq!(handshakes.len(), HANDSHAKES);
    for Handshake { id, provider, request, expect_response, secret } in handshakes {
        let name = match provider.as_str() {
            "x-twitter" => "x",
            other => other,
        };
        // The secret of a vector is whichever one it is about.
        let secret = secret.unwrap_or_else(|| "of the route".to_owned());
        let named = |name: &str| At::nowhere(NamedSecret::new(name, Secret::new(secret.clone())));
        let (secrets, roles) = ([named("main")], [named("verify_token")]);
        let compiled = match providers::builtin(name) {
            Some(provider) => {
                let surroundings = handshake::Surroundings { secrets: &secrets, roles: &roles, public_url: None };
                let mut problems = Problems::new();
                let compiled = Handshakes::compile(&provider.handshake, surroundings, &mut problems);
                assert!(problems.is_empty(), "{id}: {:?}", problems.sorted());
                compiled
            }
            None => Handshakes::cloudevents(),
        };
        let hook = request.path.as_deref().and_then(|path| path.rsplit_once('/')).map(|(_, hook)| hook);
        let now = Timestamp::from_seconds(1_700_000_000);
        let received = Received {
            method: Method::from_bytes(request.method.as_bytes()).unwrap(),
            path: request.path.as_deref().unwrap_or("/").into(),
            query: request.query.as_str().into(),
            path_params: hook.map(|hook| ("hook".into(), hook.into())).into_iter().collect(),
            headers: headers(&request.headers),
            body: request.body.clone().into(),
            received_at: now,
        };
        let answered = [Moment::BeforeAuth, Moment::AfterAuth].into_iter().find_map(|m| compiled.answer(&received, m));
        let answer = answered.unwrap_or_else(|| panic!("{id} is no handshake")).answer;
        assert_eq!(answer.status, expect_response.status, "{id}");
        let body = answer.body.unwrap_or_default();
        if let Some(json) = &expect_response.json {
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), *json, "{id}");
        }
        if let Some(text) = &expect_response.text {
            assert_eq!(body, text.as_bytes(), "{id}");
        }
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        for (name, value) in &expect_response.headers {
            assert_eq!(header(name), value.as_str().unwrap(), "{id}");
        }
        if let Some(kind) = &expect_response.content_type {
            assert!(header("content-type").starts_with(kind), "{id}");
        }
    }
}

fn failure(vector: &Vector, verdict: Result<(), Refusal>) -> Option<String> {
    let wrong = match (&verdict, vector.expect.as_str()) {
        (Ok(()), "accept") => false,
        (Err(refusal), "reject") => {
            let reason = vector.reason.as_deref().unwrap_or_default();
            reasons(reason).is_some_and(|right| !right.contains(refusal))
        }
        _ => true,
    };
    wrong.then(|| format!("{}: {verdict:?}, not {} ({:?})", vector.id, vector.expect, vector.reason))
}

/// Why a request is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// The configuration does not load.
    Configuration,
    Request(Rejection),
}

/// What a reason of the vectors is in our words, where it says as much.
fn reasons(reason: &str) -> Option<&'static [Refusal]> {
    use Refusal::{Configuration, Request};
    Some(match reason {
        // A wrong secret may be one that cannot be read.
        "wrong secret" => &[Request(Rejection::Mismatch), Configuration],
        "signed bytes changed" | "signed URL differs" | "payload altered" | "wrong password" | "wrong token" => {
            &[Request(Rejection::Mismatch)]
        }
        "signature header absent" | "header absent" | "absent" | "empty header" => &[Request(Rejection::Missing)],
        "timestamp older than tolerance" => &[Request(Rejection::Stale)],
        "timestamp ahead of tolerance" => &[Request(Rejection::TooFarAhead)],
        "required prefix absent" | "scheme missing" | "wrong scheme" | "only unknown version" => {
            &[Request(Rejection::Malformed)]
        }
        "timestamp not numeric (official)" => &[Request(Rejection::MalformedTimestamp)],
        "now == exp" | "exp passed" | "exp + leeway passed" => &[Request(Rejection::Expired)],
        "alg none" | "alg none, empty signature" | "mixed-case none" => &[Request(Rejection::WrongAlgorithm)],
        "required iss differs" | "aud policy" | "policy requires exp, token has none" => {
            &[Request(Rejection::WrongClaims)]
        }
        "empty secret must fail closed" | "empty configured secret must not match empty header" => &[Configuration],
        _ => return None,
    })
}

fn judge(vector: &Vector) -> Result<(), Refusal> {
    judge_by(vector, &At::nowhere(auth(&vector.scheme, &vector.id)))
}

fn judge_by(vector: &Vector, auth: &At<Auth>) -> Result<(), Refusal> {
    let mut problems = Problems::new();
    let secret = if vector.secret.starts_with("{\"kty\"") { pem(&vector.secret) } else { vector.secret.clone() };
    let secrets = [At::nowhere(NamedSecret::new("main", Secret::new(secret)))];
    let id = match vector.scheme["id"].as_str() {
        Some(selector) => Choices::none().or_select(selector).unwrap(),
        None => Choices::none(),
    };
    let (public_url, path, query) = vector.url.as_deref().map_or((None, "/", ""), split_url);
    let surroundings = Surroundings { id: &id, public_url, roles: &[] };
    let verifier = Verifier::compile(auth, &secrets, surroundings, &mut problems).ok_or(Refusal::Configuration)?;

    let now = Timestamp::from_seconds(vector.now.unwrap_or(1_700_000_000));
    let received = Received {
        method: Method::from_bytes(vector.method.as_bytes()).unwrap(),
        path: path.into(),
        query: query.into(),
        path_params: Vec::new(),
        headers: headers(&vector.headers),
        body: body(vector),
        received_at: now,
    };
    let sent = received.body.clone();
    let verified = verifier.verify(received, now).map_err(Refusal::Request)?;
    assert_eq!(verified.received().body, sent, "{}", vector.id);
    assert_eq!(verified.evidence().secret.as_deref(), Some("main"), "{}", vector.id);
    Ok(())
}

// The vectors' description of a scheme in the words of our file.

fn auth(scheme: &Value, id: &str) -> Auth {
    match scheme["type"].as_str().unwrap() {
        "token" => Auth::Token(file::Token { from: text(&scheme["signature"]["from"]), prefix: None, each: None }),
        "hash" => Auth::KeyedHash(file::KeyedHash {
            hash: hash(scheme),
            signature: signature(&scheme["signature"]),
            timestamp: scheme.get("timestamp").map(|rule| At::nowhere(timestamp(rule))),
            content: content(scheme),
            url: None,
        }),
        "ed25519" => Auth::Ed25519(file::Ed25519 {
            key: key(scheme),
            seed: false,
            signature: signature(&scheme["signature"]),
            timestamp: scheme.get("timestamp").map(|rule| At::nowhere(timestamp(rule))),
            content: Some(content(scheme)),
            url: None,
        }),
        "ecdsa_p256" => Auth::EcdsaP256(file::EcdsaP256 {
            key: key(scheme),
            format: file::EcdsaFormat::Der,
            signature: signature(&scheme["signature"]),
            timestamp: scheme.get("timestamp").map(|rule| At::nowhere(timestamp(rule))),
            content: Some(content(scheme)),
            url: None,
        }),
        "basic" => Auth::Basic(file::Basic::default()),
        "hmac" => Auth::Hmac(hmac(scheme)),
        "jwt" => Auth::Jwt(jwt(scheme)),
        other => panic!("{id}: no scheme {other}"),
    }
}

fn hash(scheme: &Value) -> HashFunction {
    match scheme["hash"].as_str().unwrap() {
        "sha1" => HashFunction::Sha1,
        "sha256" => HashFunction::Sha256,
        other => panic!("no hash {other}"),
    }
}

fn content(scheme: &Value) -> At<String> {
    At::nowhere(template(scheme["content"].as_str().unwrap()))
}

fn hmac(scheme: &Value) -> file::Hmac {
    let ports = if scheme["url_port_variants"] == true { file::Ports::Any } else { file::Ports::Exact };
    file::Hmac {
        url: Some(At::nowhere(file::UrlRule { ports, decode: String::new() })),
        body_hash: scheme["body_hash_query"].as_str().map(|name| {
            let from = At::nowhere(format!("query:{name}"));
            At::nowhere(file::BodyHash { from, hash: HashFunction::Sha256, encoding: None })
        }),
        each: None,
        hash: hash(scheme),
        key: key(scheme),
        signature: signature(&scheme["signature"]),
        timestamp: scheme.get("timestamp").map(|rule| At::nowhere(timestamp(rule))),
        content: Some(content(scheme)),
    }
}

fn signature(signature: &Value) -> file::Signature {
    let from = match &signature["from"] {
        Value::Array(many) => OneOrMany::Many(many.iter().map(text).collect()),
        one => OneOrMany::One(text(one)),
    };
    let list = (signature["format"] == "list").then(|| {
        At::nowhere(file::SignatureList {
            separator: text(&signature["item_sep"]),
            pair: Some(text(&signature["kv_sep"])),
            key: Some(text(&signature["sig_key"])),
        })
    });
    file::Signature {
        from: At::nowhere(from),
        prefix: signature["prefix"].as_str().map(str::to_owned),
        list,
        encoding: Some(At::nowhere(encoding(signature["encoding"].as_str().unwrap()))),
    }
}

fn timestamp(rule: &Value) -> file::TimestampRule {
    let format = match rule["format"].as_str().unwrap() {
        "unix_s" => TimestampFormat::Unix,
        "unix_ms" => TimestampFormat::UnixMs,
        "rfc3339" => TimestampFormat::Rfc3339,
        other => panic!("no format {other}"),
    };
    file::TimestampRule {
        from: text(&rule["from"]),
        format,
        tolerance: Some(seconds(&rule["tolerance_s"])),
        symmetric: None,
    }
}

fn jwt(scheme: &Value) -> file::Jwt {
    let algorithms = scheme["algs"].as_array().unwrap().iter();
    let claims = &scheme["claims"];
    file::Jwt {
        from: Some(text(&scheme["from"])),
        prefix: scheme["prefix"].as_str().map(str::to_owned),
        algorithms: At::nowhere(
            algorithms.map(|algorithm| At::nowhere(Deserialize::deserialize(algorithm).unwrap())).collect(),
        ),
        key: key(scheme),
        claims: file::Claims {
            aud: claims["aud"].as_str().map(|aud| OneOrMany::One(aud.to_owned())),
            iss: claims["iss"].as_str().map(|iss| OneOrMany::One(iss.to_owned())),
            sub: None,
            require: scheme["require"].as_array().into_iter().flatten().map(text).collect(),
        },
        keys: None,
        max_age: None,
        body_hash: scheme["body_sha256_claim"].as_str().map(|claim| {
            At::nowhere(file::ClaimedHash { claim: claim.to_owned(), hash: HashFunction::Sha256, encoding: None })
        }),
        leeway: Some(scheme.get("leeway_s").map_or(At::nowhere(Span(Duration::ZERO)), seconds)),
    }
}

fn key(scheme: &Value) -> file::Key {
    let key = &scheme["key"];
    file::Key {
        encoding: key["encoding"].as_str().map(|name| At::nowhere(OneOrMany::One(encoding(name)))),
        strip_prefix: key["strip_prefix"][0].as_str().map(str::to_owned),
    }
}

fn encoding(name: &str) -> Encoding {
    match name {
        "utf8" => Encoding::Text,
        "hex" => Encoding::Hex,
        "base64" => Encoding::Base64,
        "base64url" => Encoding::Base64url,
        other => panic!("no encoding {other}"),
    }
}

fn text(value: &Value) -> At<String> {
    At::nowhere(selector(value.as_str().unwrap()))
}

/// `json:/a/0/b` is our `$.a[0].b`, and `sig:ts` our `signature:ts`.
fn selector(theirs: &str) -> String {
    if let Some(item) = theirs.strip_prefix("sig:") {
        return format!("signature:{item}");
    }
    let Some(pointer) = theirs.strip_prefix("json:") else { return theirs.to_owned() };
    let steps = pointer.split('/').skip(1);
    let steps = steps.map(|step| if step.parse::<usize>().is_ok() { format!("[{step}]") } else { format!(".{step}") });
    format!("${}", steps.collect::<String>())
}

/// Their content in our words: `{ts}` is `{timestamp}`, `{json:/a/b}` is `{$.a.b}`.
fn template(theirs: &str) -> String {
    let mut ours = String::new();
    for piece in theirs.split_inclusive('}') {
        let (literal, hole) = piece.split_once('{').unwrap_or((piece, ""));
        ours.push_str(literal);
        match hole.strip_suffix('}') {
            Some("ts") => ours.push_str("{timestamp}"),
            Some(hole) => ours.push_str(&format!("{{{}}}", selector(hole))),
            None => {}
        }
    }
    ours
}

fn seconds(value: &Value) -> At<Span> {
    At::nowhere(Span(Duration::from_secs(value.as_u64().unwrap())))
}

fn headers(given: &serde_json::Map<String, Value>) -> HeaderMap {
    let field = |(name, value): (&String, &Value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    };
    given.iter().map(field).collect()
}

fn body(vector: &Vector) -> Bytes {
    match vector.body_encoding.as_str() {
        "base64" => STANDARD.decode(&vector.body).unwrap().into(),
        _ => vector.body.clone().into(),
    }
}

/// The origin, as what the provider was given; the path; the query.
fn split_url(url: &str) -> (Option<&str>, &str, &str) {
    let host = url.find("://").unwrap() + 3;
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    let (path_part, query) = url[path..].split_once('?').unwrap_or((&url[path..], ""));
    (Some(&url[..path]), path_part, query)
}

// The vectors' public keys are JWKs; ours are PEM (RFC 8410, 5480 and 8017).

fn pem(jwk: &str) -> String {
    let jwk: Value = serde_json::from_str(jwk).unwrap();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    // The object identifiers of the key's algorithm, and of its curve.
    let spki = match jwk["kty"].as_str().unwrap() {
        "EC" => {
            let point = [vec![0, 4], part("x"), part("y")].concat();
            let algorithm = hex::decode("06072a8648ce3d020106082a8648ce3d030107").unwrap();
            der(0x30, &[der(0x30, &algorithm), der(0x03, &point)].concat())
        }
        "RSA" => {
            let key = der(0x30, &[integer(&part("n")), integer(&part("e"))].concat());
            let algorithm = hex::decode("06092a864886f70d0101010500").unwrap();
            der(0x30, &[der(0x30, &algorithm), der(0x03, &[vec![0], key].concat())].concat())
        }
        other => panic!("no key {other}"),
    };
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki))
}

/// A leading zero keeps a number positive; DER has none where it is not needed.
fn integer(magnitude: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if magnitude[0] < 0x80 { &[] } else { &[0] };
    der(0x02, &[sign, magnitude].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match length {
        [0, short @ 0..0x80] => vec![short],
        [0, long] => vec![0x81, long],
        long => vec![0x82, long[0], long[1]],
    };
    [vec![tag], length, content.to_vec()].concat()
}

fn load() -> Vectors {
    let path = std::env::var_os("HOOKSWITCH_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/official.json"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}: set HOOKSWITCH_VECTORS to where official.json is", path.display())
    });
    serde_json::from_str::<Vectors>(&text).unwrap()
}
