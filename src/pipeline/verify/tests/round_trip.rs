//! What is signed by a description is believed by it, and nothing else is.

use proptest::prelude::*;

use super::*;

/// A scheme with the secrets it is for. Every knob is turned one way or the other.
fn hmacs() -> impl Strategy<Value = file::Hmac> {
    let hash = prop::sample::select(vec![HashFunction::Sha1, HashFunction::Sha256, HashFunction::Sha512]);
    let encoding = prop::sample::select(vec![Encoding::Hex, Encoding::Base64, Encoding::Base64url]);
    let list = prop::sample::select(vec![
        None,
        Some((" ", None)),
        Some((",", Some(("=", "v1")))),
        Some((" ", Some((",", "v1")))),
    ]);
    let format = prop::sample::select(vec![
        None,
        Some(file::TimestampFormat::Unix),
        Some(file::TimestampFormat::UnixMs),
        Some(file::TimestampFormat::Rfc3339),
        Some(file::TimestampFormat::HttpDate),
    ]);
    let prefix = prop::sample::select(vec![None, Some("sha="), Some("v0:")]);
    let order = any::<bool>();
    (hash, encoding, list, format, prefix, order).prop_map(|(hash, encoding, list, format, prefix, body_first)| {
        let mut hmac = plain_hmac();
        hmac.hash = hash;
        hmac.signature.encoding = Some(at(encoding));
        hmac.signature.prefix = prefix.map(str::to_owned);
        hmac.signature.list = list.map(|(separator, pair)| {
            let (pair, key) = pair.map(|(pair, key)| (text(pair), text(key))).unzip();
            at(file::SignatureList { separator: text(separator), pair, key })
        });
        hmac.timestamp = format.map(|format| {
            // An HTTP date has a comma and spaces in it, so it cannot be an item of a list.
            let in_list = matches!(list, Some((",", Some(_)))) && format == file::TimestampFormat::Unix;
            let from = text(if in_list { "signature:t" } else { "header:X-Time" });
            at(file::TimestampRule { from, format, tolerance: None, symmetric: None })
        });
        let timestamp = if hmac.timestamp.is_some() { "{timestamp}." } else { "" };
        hmac.content =
            Some(text(&if body_first { format!("{{body}}{timestamp}") } else { format!("{timestamp}{{body}}") }));
        hmac
    })
}

fn schemes() -> impl Strategy<Value = file::Auth> {
    let token = Just(file::Auth::Token(file::Token {
        from: text("header:X-Token"),
        prefix: Some("Key ".to_owned()),
        each: None,
    }));
    let basic = Just(file::Auth::Basic(file::Basic { username: Some(text("acme")) }));
    let algorithms = vec![file::JwtAlgorithm::HS256, file::JwtAlgorithm::HS384, file::JwtAlgorithm::HS512];
    let jwt = prop::sample::select(algorithms).prop_map(|algorithm| {
        let mut jwt = plain_jwt();
        jwt.algorithms = at(vec![at(algorithm)]);
        jwt.claims.aud = Some(OneOrMany::One("us".to_owned()));
        jwt.claims.require = vec![text("exp"), text("nbf"), text("jti")];
        file::Auth::Jwt(jwt)
    });
    prop_oneof![1 => token, 1 => basic, 2 => jwt, 4 => hmacs().prop_map(file::Auth::Hmac)]
}

/// The header that holds the credential or signature.
fn proof_header(auth: &file::Auth) -> &'static str {
    match auth {
        file::Auth::Token(_) => "x-token",
        file::Auth::Hmac(_) => "x-signature",
        _ => "authorization",
    }
}

fn sign(verifier: &Verifier, body: Vec<u8>) -> Unsigned {
    let mut request = request(&[], body);
    verifier.sign(&mut request, NOW).unwrap();
    request
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_is_believed(
        auth in schemes(),
        secret in "[!-~]{1,40}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let verifier = SETUP.verifier(auth, &[("main", &secret), ("other", "another secret")]);
        prop_assert_eq!(judge(&verifier, sign(&verifier, body)), believed());
    }

    #[test]
    fn one_changed_byte_of_the_proof_is_refused(
        auth in schemes(),
        body in prop::collection::vec(any::<u8>(), 0..50),
        index in any::<prop::sample::Index>(),
        to in 0x21_u8..0x7f,
    ) {
        let header = proof_header(&auth);
        let verifier = SETUP.verifier(auth, &[("main", "s3cret")]);
        let mut request = sign(&verifier, body);
        let mut value = request.headers[header].as_bytes().to_vec();
        let index = index.index(value.len());
        // Hex and the names of authentication schemes have no case.
        prop_assume!(!value[index].eq_ignore_ascii_case(&to));
        value[index] = to;
        request.headers.insert(header, HeaderValue::from_bytes(&value).unwrap());
        prop_assert!(judge(&verifier, request).is_err());
    }

    #[test]
    fn one_changed_byte_of_the_body_is_refused(
        hmac in hmacs(),
        body in prop::collection::vec(any::<u8>(), 1..50),
        index in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let verifier = SETUP.verifier(file::Auth::Hmac(hmac), &[("main", "s3cret")]);
        let mut request = sign(&verifier, body);
        let mut body = request.body.to_vec();
        let index = index.index(body.len());
        body[index] ^= flip;
        request.body = body.into();
        prop_assert_eq!(judge(&verifier, request), Err(Rejection::Mismatch));
    }

    #[test]
    fn another_secret_is_refused(auth in schemes(), body in prop::collection::vec(any::<u8>(), 0..50)) {
        let signer = SETUP.verifier(auth.clone(), &[("main", "s3cret")]);
        let verifier = SETUP.verifier(auth, &[("main", "s3cret2")]);
        prop_assert_eq!(judge(&verifier, sign(&signer, body)), Err(Rejection::Mismatch));
    }

    #[test]
    fn no_header_is_believed_by_chance_and_none_panics(
        auth in schemes(),
        value in prop::collection::vec(prop_oneof![3 => 0x20_u8..0x7f, 1 => 0x80_u8..=0xff], 0..120),
        time in "[ -~]{0,30}",
        prefix in prop::sample::select(vec!["", "Bearer ", "Basic ", "t=1,v1=", "sha=", "eyJhbGciOiJIUzI1NiJ9."]),
    ) {
        let header = proof_header(&auth);
        let verifier = SETUP.verifier(auth, &[("main", "s3cret")]);
        let mut request = request(&[("x-time", &time)], "{}");
        let value = HeaderValue::from_bytes(&[prefix.as_bytes(), &value].concat()).unwrap();
        request.headers.insert(header, value);
        prop_assert!(judge(&verifier, request).is_err());
    }
}
