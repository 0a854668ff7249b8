//! Signed tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::keys::{EC_PUBLIC, RSA_PUBLIC};
use super::*;

const SECRET: &str = "a-shared-secret-of-32-characters";

fn verifier(change: impl FnOnce(&mut file::Jwt)) -> Verifier {
    let mut jwt = plain_jwt();
    change(&mut jwt);
    SETUP.verifier(file::Auth::Jwt(jwt), &[("main", SECRET)])
}

fn token(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let tag = crate::signing::MacKey::new(HashFunction::Sha256, key).unwrap().tag(&[message.as_bytes().into()]);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn hs256(claims: &Value) -> String {
    token(&json!({ "alg": "HS256" }), claims, SECRET.as_bytes())
}

fn bearer(verifier: &Verifier, token: &str) -> Result<Option<Arc<str>>, Rejection> {
    judge(verifier, request(&[("authorization", &format!("Bearer {token}"))], "{}"))
}

#[test]
fn the_algorithm_is_the_configurations_and_never_the_tokens() {
    let hs256_only = verifier(|_| {});
    assert_eq!(bearer(&hs256_only, &hs256(&json!({}))), believed());
    for alg in ["none", "None", "NONE", "nOnE", "hs256", "HS384", "RS256", "ES256", ""] {
        let signed = token(&json!({ "alg": alg }), &json!({}), SECRET.as_bytes());
        assert_eq!(bearer(&hs256_only, &signed), Err(Rejection::WrongAlgorithm), "{alg}");
        let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
        assert_eq!(bearer(&hs256_only, &unsigned), Err(Rejection::WrongAlgorithm), "{alg}");
    }
    let none_signed = format!("{}.", hs256(&json!({})).rsplit_once('.').unwrap().0);
    assert!(bearer(&hs256_only, &none_signed).is_err());
}

#[test]
fn a_token_of_another_form_is_refused() {
    let verifier = verifier(|_| {});
    let right = hs256(&json!({}));
    let (message, signature) = right.rsplit_once('.').unwrap();
    for wrong in [
        message.to_owned(),
        format!("{right}."),
        format!(".{right}"),
        format!("{right}.{signature}"),
        format!("{right}="),
        format!("{message}.{signature}!"),
        format!(" {right}"),
        "..".to_owned(),
        "a.b.c".to_owned(),
        token(&json!({ "alg": "HS256", "crit": ["exp"] }), &json!({}), SECRET.as_bytes()),
        token(&json!({ "alg": "HS256", "crit": null }), &json!({}), SECRET.as_bytes()),
        token(&json!({ "typ": "JWT" }), &json!({}), SECRET.as_bytes()),
        token(&json!({ "alg": ["HS256"] }), &json!({}), SECRET.as_bytes()),
        token(&json!({ "alg": "HS256" }), &json!(["not", "claims"]), SECRET.as_bytes()),
    ] {
        assert_eq!(bearer(&verifier, &wrong), Err(Rejection::Malformed), "{wrong}");
    }
    let bare = request(&[("authorization", &right)], "{}");
    assert_eq!(judge(&verifier, bare), Err(Rejection::Malformed));
    assert_eq!(judge(&verifier, request(&[], "{}")), Err(Rejection::Missing));
    let field = format!("Bearer {right}");
    let doubled = request(&[("authorization", &field), ("authorization", &field)], "{}");
    assert_eq!(judge(&verifier, doubled), Err(Rejection::Several));
}

#[test]
fn a_changed_token_is_refused() {
    let verifier = verifier(|_| {});
    let (right, other) = (hs256(&json!({ "sub": "a" })), hs256(&json!({ "sub": "b" })));
    let (_, signature) = right.rsplit_once('.').unwrap();
    let (message, _) = other.rsplit_once('.').unwrap();
    assert_eq!(bearer(&verifier, &format!("{message}.{signature}")), Err(Rejection::Mismatch));
    let foreign = token(&json!({ "alg": "HS256" }), &json!({}), b"another secret");
    assert_eq!(bearer(&verifier, &foreign), Err(Rejection::Mismatch));
}

#[test]
fn the_times_are_held_against_the_given_clock_with_leeway() {
    let now = NOW.as_seconds();
    let verifier = verifier(|jwt| jwt.leeway = span(60));
    for (claims, expected) in [
        (json!({ "exp": now + 1 }), believed()),
        (json!({ "exp": now - 59 }), believed()),
        (json!({ "exp": now - 60 }), Err(Rejection::Expired)),
        (json!({ "exp": 0 }), Err(Rejection::Expired)),
        (json!({ "exp": -1 }), Err(Rejection::Expired)),
        (json!({ "nbf": now + 60 }), believed()),
        (json!({ "nbf": now + 61 }), Err(Rejection::NotYetValid)),
        (json!({ "exp": 1e300, "nbf": -1e300 }), believed()),
        (json!({ "nbf": 1e300 }), Err(Rejection::NotYetValid)),
        // To the millisecond: the moment of `exp` itself is too late, that of `nbf` is not too early.
        (json!({ "exp": now as f64 - 59.499 }), believed()),
        (json!({ "exp": now as f64 - 59.5 }), Err(Rejection::Expired)),
        (json!({ "nbf": now as f64 + 60.5 }), believed()),
        (json!({ "nbf": now as f64 + 60.502 }), Err(Rejection::NotYetValid)),
        (json!({ "exp": "tomorrow" }), Err(Rejection::WrongClaims)),
        (json!({ "exp": null }), Err(Rejection::WrongClaims)),
        (json!({ "nbf": [now] }), Err(Rejection::WrongClaims)),
        (json!({}), believed()),
    ] {
        assert_eq!(bearer(&verifier, &hs256(&claims)), expected, "{claims}");
    }
}

#[test]
fn what_the_claims_must_say_has_to_be_there() {
    let many = |values: &[&str]| Some(OneOrMany::Many(values.iter().map(ToString::to_string).collect()));
    let verifier = verifier(|jwt| {
        jwt.claims.aud = many(&["us", "them"]);
        jwt.claims.iss = Some(OneOrMany::One("bubblehouse".to_owned()));
        jwt.claims.sub = Some("shop".to_owned());
        jwt.claims.require = vec![text("jti")];
    });
    let right = json!({ "aud": "us", "iss": "bubblehouse", "sub": "shop", "jti": 1 });
    assert_eq!(bearer(&verifier, &hs256(&right)), believed());
    let with = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        claims
    };
    assert_eq!(bearer(&verifier, &hs256(&with("aud", json!(["others", "them"])))), believed());
    for wrong in [
        with("aud", json!("US")),
        with("aud", json!([])),
        with("aud", json!(["others"])),
        with("aud", json!({ "us": true })),
        with("aud", Value::Null),
        with("iss", json!("bubblehouse2")),
        with("iss", json!(["bubblehouse"])),
        with("sub", json!("")),
        with("jti", Value::Null),
        json!({}),
    ] {
        assert_eq!(bearer(&verifier, &hs256(&wrong)), Err(Rejection::WrongClaims), "{wrong}");
    }
}

#[test]
fn the_claims_are_looked_at_only_in_a_token_that_a_known_secret_signed() {
    let verifier = verifier(|_| {});
    let foreign = token(&json!({ "alg": "HS256" }), &json!({ "exp": 0 }), b"another secret");
    assert_eq!(bearer(&verifier, &foreign), Err(Rejection::Mismatch));
}

#[test]
fn the_clocks_difference_is_that_of_iat_or_else_of_nbf() {
    let verifier = verifier(|_| {});
    let skew = |claims: Value| {
        let field = format!("Bearer {}", hs256(&claims));
        let request = request(&[("authorization", &field)], "{}");
        verifier.verify(request.received(NOW), NOW).unwrap().evidence().skew_ms
    };
    let now = NOW.as_seconds();
    assert_eq!(skew(json!({ "iat": now - 2, "nbf": now })), Some(-2_500));
    assert_eq!(skew(json!({ "nbf": now })), Some(-500));
    assert_eq!(skew(json!({ "exp": now + 9 })), None);
}

#[test]
fn a_key_of_unknown_encoding_is_tried_in_each() {
    let mut jwt = plain_jwt();
    jwt.key.encoding = Some(at(OneOrMany::Many(vec![Encoding::Base64, Encoding::Text])));
    let verifier = SETUP.verifier(file::Auth::Jwt(jwt), &[("main", "AAECAwQFBgc=")]);
    let header = json!({ "alg": "HS256" });
    assert_eq!(bearer(&verifier, &token(&header, &json!({}), &[0, 1, 2, 3, 4, 5, 6, 7])), believed());
    assert_eq!(bearer(&verifier, &token(&header, &json!({}), b"AAECAwQFBgc=")), believed());
}

#[test]
fn the_tokens_of_rfc_7515_are_verified_with_their_public_keys() {
    for (algorithm, key, token) in
        [(file::JwtAlgorithm::RS256, RSA_PUBLIC, RSA_TOKEN), (file::JwtAlgorithm::ES256, EC_PUBLIC, EC_TOKEN)]
    {
        let jwt = file::Jwt { algorithms: at(vec![at(algorithm)]), ..plain_jwt() };
        let verifier = SETUP.verifier(file::Auth::Jwt(jwt), &[("main", key)]);
        let field = format!("Bearer {token}");
        let sent = request(&[("authorization", &field)], "{}");
        let when = Timestamp::from_seconds(1_300_819_379);
        let verified = verifier.verify(sent.clone().received(when), when).unwrap();
        assert_eq!(verified.evidence().secret.as_deref(), Some("main"));
        assert_eq!(judge(&verifier, sent.clone()), Err(Rejection::Expired));

        let changed = bearer(&verifier, &token.replacen(".eyJ", ".eyK", 1));
        assert_eq!(changed, Err(Rejection::Mismatch));
        // The public key as a shared secret: whoever knows it could sign.
        let confused = hs256_with(key.as_bytes());
        assert_eq!(bearer(&verifier, &confused), Err(Rejection::WrongAlgorithm));
        assert_eq!(verifier.sign(&mut sent.clone(), when), Err(SignError::PublicKey));
    }
}

fn hs256_with(key: &[u8]) -> String {
    token(&json!({ "alg": "HS256" }), &json!({}), key)
}

/// RFC 7515, section A.2.1.
const RSA_TOKEN: &str = "\
    eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL\
    mNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7\
    AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWz\
    O75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZES\
    c6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlU\
    PQGe77Rw";

/// RFC 7515, section A.3.1.
const EC_TOKEN: &str = "\
    eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL\
    mNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA\
    pmWQxfKTUJqPP3-Kg6NU1Q";
