//! Signatures: where they are, how they are written, what they cover and when.

use super::*;

// RFC 4231, section 4.3.
const KEY: &str = "Jefe";
const BODY: &str = "what do ya want for nothing?";
const HEX: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
const BASE64: &str = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";

fn verifier(change: impl FnOnce(&mut file::Hmac)) -> Verifier {
    let mut hmac = plain_hmac();
    change(&mut hmac);
    SETUP.verifier(file::Auth::Hmac(hmac), &[("main", KEY)])
}

fn given(verifier: &Verifier, signature: &str) -> Result<Option<Arc<str>>, Rejection> {
    judge(verifier, request(&[("x-signature", signature)], BODY))
}

fn list(separator: &str, pair_key: Option<(&str, &str)>) -> Option<At<file::SignatureList>> {
    let (pair, key) = pair_key.map(|(pair, key)| (text(pair), text(key))).unzip();
    Some(at(file::SignatureList { separator: text(separator), pair, key }))
}

/// As Stripe signs: `t=...,v1=...`, over the time and the body.
fn stripe() -> file::Hmac {
    let mut hmac = plain_hmac();
    hmac.signature.list = list(",", Some(("=", "v1")));
    hmac.timestamp = Some(at(time_from("signature:t")));
    hmac.content = Some(text("{timestamp}.{body}"));
    hmac
}

fn time_from(from: &str) -> file::TimestampRule {
    file::TimestampRule { from: text(from), format: file::TimestampFormat::Unix, tolerance: None, symmetric: None }
}

fn signed(verifier: &Verifier, mut request: Unsigned, when: Timestamp) -> Unsigned {
    verifier.sign(&mut request, when).unwrap();
    request
}

#[test]
fn a_signature_of_another_form_is_refused() {
    let hex = verifier(|_| {});
    assert_eq!(given(&hex, HEX), believed());
    assert_eq!(given(&hex, &HEX.to_uppercase()), believed());
    for (signature, why) in [
        (BASE64.to_owned(), Rejection::Malformed),
        (format!("sha256={HEX}"), Rejection::Malformed),
        (format!("{HEX} "), Rejection::Malformed),
        (HEX[1..].to_owned(), Rejection::Malformed),
        (HEX[2..].to_owned(), Rejection::Mismatch),
        (format!("{HEX}00"), Rejection::Mismatch),
        (HEX.replace('5', "6"), Rejection::Mismatch),
        (format!("{HEX}, {HEX}"), Rejection::Several),
        (String::new(), Rejection::Missing),
    ] {
        // A header cannot end in a space; one set here by hand would reach the scheme.
        assert_eq!(given(&hex, &signature), Err(why), "{signature:?}");
    }
    assert_eq!(judge(&hex, request(&[], BODY)), Err(Rejection::Missing));
}

#[test]
fn a_doubled_signature_is_refused() {
    let doubled = request(&[("x-signature", HEX), ("x-signature", HEX)], BODY);
    assert_eq!(judge(&verifier(|_| {}), doubled), Err(Rejection::Several));
}

#[test]
fn a_prefix_is_part_of_the_form() {
    let prefixed = verifier(|hmac| hmac.signature.prefix = Some("sha256=".to_owned()));
    assert_eq!(given(&prefixed, &format!("sha256={HEX}")), believed());
    for wrong in [HEX.to_owned(), format!("SHA256={HEX}"), format!("sha256= {HEX}"), "sha256=".to_owned()] {
        assert_eq!(given(&prefixed, &wrong), Err(Rejection::Malformed), "{wrong}");
    }
}

#[test]
fn base_64_is_read_in_its_one_canonical_form() {
    let base64 = verifier(|hmac| hmac.signature.encoding = Some(at(Encoding::Base64)));
    assert_eq!(given(&base64, BASE64), believed());
    for wrong in [BASE64.trim_end_matches('=').to_owned(), BASE64.replace("OEM=", "OEN="), HEX.to_owned() + "="] {
        assert_eq!(given(&base64, &wrong), Err(Rejection::Malformed), "{wrong}");
    }
}

#[test]
fn any_of_several_signatures_will_do() {
    let plain = verifier(|hmac| hmac.signature.list = list(" ", None));
    assert_eq!(given(&plain, &format!("{} {HEX}", "00".repeat(32))), believed());
    let keyed = verifier(|hmac| hmac.signature.list = list(",", Some(("=", "v1"))));
    for right in [
        format!("v1={HEX}"),
        format!("v0=dummy,v1={},v1={HEX}", "00".repeat(32)),
        format!("v1=dummy,v1={HEX},v1={}", "00".repeat(32)),
        format!("nonsense,,v1={HEX},"),
    ] {
        assert_eq!(given(&keyed, &right), believed(), "{right}");
    }
    for (wrong, why) in [
        (format!("v2={HEX}"), Rejection::Malformed),
        (HEX.to_owned(), Rejection::Malformed),
        (format!(" v1={HEX}"), Rejection::Malformed),
        ("v1=".to_owned(), Rejection::Malformed),
        (format!("v1={}", "00".repeat(32)), Rejection::Mismatch),
    ] {
        assert_eq!(given(&keyed, &wrong), Err(why), "{wrong}");
    }
}

#[test]
fn any_of_several_places_will_do_and_the_furthest_failure_is_told() {
    let box_like = verifier(|hmac| {
        hmac.signature.from = at(OneOrMany::Many(vec![text("header:X-Primary"), text("header:X-Secondary")]));
    });
    let wrong = "00".repeat(32);
    assert_eq!(judge(&box_like, request(&[("x-secondary", HEX)], BODY)), believed());
    assert_eq!(judge(&box_like, request(&[("x-primary", &wrong), ("x-secondary", HEX)], BODY)), believed());
    assert_eq!(judge(&box_like, request(&[("x-primary", "?"), ("x-secondary", HEX)], BODY)), believed());
    let neither = request(&[("x-primary", &wrong), ("x-secondary", "?")], BODY);
    assert_eq!(judge(&box_like, neither), Err(Rejection::Mismatch));
    let doubled = request(&[("x-primary", "?"), ("x-primary", "?"), ("x-secondary", HEX)], BODY);
    assert_eq!(judge(&box_like, doubled), Err(Rejection::Several));
}

#[test]
fn the_secret_that_signed_is_named_and_so_is_the_clocks_difference() {
    let signer = SETUP.verifier(file::Auth::Hmac(stripe()), &[("x", "old key")]);
    let both = SETUP.verifier(file::Auth::Hmac(stripe()), &[("new", "new key"), ("old", "old key")]);
    let request = signed(&signer, request(&[], BODY), Timestamp::from_seconds(1_699_999_990));
    let verified = both.verify(request.received(NOW), NOW).unwrap();
    let expected =
        Evidence { scheme: "hmac".into(), secret: Some("old".into()), skew_ms: Some(-10_500), ..Evidence::default() };
    assert_eq!(verified.evidence(), &expected);
}

#[test]
fn a_time_that_is_missing_doubled_or_no_time_is_refused() {
    let verifier = SETUP.verifier(file::Auth::Hmac(stripe()), &[("main", KEY)]);
    let right = signed(&verifier, request(&[], BODY), NOW);
    let header = right.headers["x-signature"].to_str().unwrap().to_owned();
    assert_eq!(judge(&verifier, right), believed());
    for (wrong, why) in [
        (header.replace("t=1700000000,", ""), Rejection::MissingTimestamp),
        (header.replace("t=1700000000", "t="), Rejection::MissingTimestamp),
        (header.replace("t=1700000000", "t=+1700000000"), Rejection::MalformedTimestamp),
        (header.replace("t=1700000000", "t=1700000000,t=1700000000"), Rejection::Several),
        (header.replace("t=1700000000", "t=1700000001"), Rejection::Mismatch),
    ] {
        assert_eq!(given(&verifier, &wrong), Err(why), "{wrong}");
    }
}

#[test]
fn stale_is_said_only_of_what_a_known_secret_signed() {
    let verifier = SETUP.verifier(file::Auth::Hmac(stripe()), &[("main", KEY)]);
    let old = signed(&verifier, request(&[], BODY), Timestamp::from_seconds(1_699_999_000));
    let forged = Unsigned { body: "other".into(), ..old.clone() };
    assert_eq!(judge(&verifier, old), Err(Rejection::Stale));
    assert_eq!(judge(&verifier, forged), Err(Rejection::Mismatch));
    let ahead = signed(&verifier, request(&[], BODY), Timestamp::from_seconds(1_700_001_000));
    assert_eq!(judge(&verifier, ahead), Err(Rejection::TooFarAhead));
}

#[test]
fn content_is_put_together_from_any_part_of_the_request() {
    let setup =
        Setup { id: Choices::none().or_select("header:X-Id").unwrap(), public_url: Some("https://hooks.example.com/") };
    let mut hmac = plain_hmac();
    hmac.content =
        Some(text("{{{id}}}|{method}|{url}|{header:X-Topic}|{query:shop}|{path:name}|{$.n}{$.s}{$.none}|{body}"));
    let verifier = setup.verifier(file::Auth::Hmac(hmac), &[("main", KEY)]);
    let body = r#"{"n":7,"s":"x","none":null}"#;
    let message = format!("{{evt_1}}|POST|https://hooks.example.com/hooks/acme?shop=a%20b&x|order|a b|eu|7x|{body}");
    let tag = crate::signing::MacKey::new(HashFunction::Sha256, KEY.as_bytes()).unwrap();
    let tag = hex::encode(tag.tag(&[message.as_bytes().into()]));
    let fields = [("x-id", "evt_1"), ("x-topic", "order"), ("x-signature", &tag)];
    let sent = Unsigned {
        query: "shop=a%20b&x".into(),
        path_params: vec![("name".into(), "eu".into())],
        ..request(&fields, body)
    };
    assert_eq!(judge(&verifier, sent.clone()), believed());

    let twice = |name: &'static str| {
        let mut request = sent.clone();
        request.headers.append(name, HeaderValue::from_static("order"));
        request
    };
    assert_eq!(judge(&verifier, twice("x-topic")), Err(Rejection::Several));
    let mut without = sent.clone();
    without.headers.remove("x-topic");
    assert_eq!(judge(&verifier, without), Err(Rejection::IncompleteContent));
    let mut without = sent;
    without.headers.remove("x-id");
    assert_eq!(judge(&verifier, without), Err(Rejection::IncompleteContent));
}

#[test]
fn an_object_cannot_be_put_where_the_sender_signed_nothing() {
    let fields = verifier(|hmac| hmac.content = Some(text("{$.id}:{$.note}")));
    let sent = signed(&fields, request(&[], r#"{"id":1}"#), NOW);
    let with = |body: &'static str| Unsigned { body: body.into(), ..sent.clone() };
    assert_eq!(judge(&fields, with(r#"{"id":1,"note":null}"#)), believed());
    assert_eq!(judge(&fields, with(r#"{"id":1,"note":{}}"#)), Err(Rejection::IncompleteContent));
    assert_eq!(judge(&fields, with(r#"{"id":1,"note":[1]}"#)), Err(Rejection::IncompleteContent));
    assert_eq!(judge(&fields, with("not json")), Err(Rejection::IncompleteContent));
}

#[test]
fn a_body_that_is_no_json_and_no_text_is_signed_byte_for_byte() {
    let plain = verifier(|_| {});
    let sent = signed(&plain, request(&[], vec![0xff, 0x00, 0x0d, 0x0a]), NOW);
    assert_eq!(judge(&plain, sent.clone()), believed());
    let trimmed = Unsigned { body: vec![0xff, 0x00].into(), ..sent };
    assert_eq!(judge(&plain, trimmed), Err(Rejection::Mismatch));
    let empty = signed(&plain, request(&[], ""), NOW);
    assert_eq!(judge(&plain, empty), believed());
}
