//! Credentials that are sent as they are: tokens, user names and passwords.

use super::*;

fn token(from: &str, prefix: Option<&str>) -> file::Auth {
    file::Auth::Token(file::Token { from: text(from), prefix: prefix.map(str::to_owned), each: None })
}

#[test]
fn a_token_has_to_be_the_secret_to_the_last_byte() {
    let verifier = SETUP.verifier(token("header:X-Token", None), &[("main", "s3cret")]);
    assert_eq!(judge(&verifier, request(&[("x-token", "s3cret")], "")), believed());
    for wrong in ["s3cre", "s3cret2", "S3cret", "s3cret, s3cret", "Bearer s3cret"] {
        assert_eq!(judge(&verifier, request(&[("x-token", wrong)], "")), Err(Rejection::Mismatch), "{wrong}");
    }
    assert_eq!(judge(&verifier, request(&[], "")), Err(Rejection::Missing));
    assert_eq!(judge(&verifier, request(&[("x-token", "")], "")), Err(Rejection::Missing));
    let doubled = request(&[("x-token", "s3cret"), ("x-token", "s3cret")], "");
    assert_eq!(judge(&verifier, doubled), Err(Rejection::Several));
}

#[test]
fn the_evidence_names_the_secret_that_matched() {
    let verifier = SETUP.verifier(token("header:X-Token", None), &[("new", "n"), ("old", "o")]);
    assert_eq!(judge(&verifier, request(&[("x-token", "n")], "")), Ok(Some("new".into())));
    assert_eq!(judge(&verifier, request(&[("x-token", "o")], "")), Ok(Some("old".into())));
    assert_eq!(verifier.secret_names().collect::<Vec<_>>(), ["new", "old"]);
}

#[test]
fn only_the_name_of_an_authentication_scheme_may_be_in_any_case() {
    let bearer = SETUP.verifier(token("header:Authorization", Some("Bearer ")), &[("main", "s3cret")]);
    for right in ["Bearer s3cret", "bearer s3cret", "BEARER s3cret"] {
        assert_eq!(judge(&bearer, request(&[("authorization", right)], "")), believed(), "{right}");
    }
    for wrong in ["s3cret", "Bearers3cret", "Bearer ", "Basic s3cret"] {
        assert_eq!(judge(&bearer, request(&[("authorization", wrong)], "")), Err(Rejection::Malformed), "{wrong}");
    }
    let own = SETUP.verifier(token("header:X-Token", Some("Key ")), &[("main", "s3cret")]);
    assert_eq!(judge(&own, request(&[("x-token", "Key s3cret")], "")), believed());
    assert_eq!(judge(&own, request(&[("x-token", "key s3cret")], "")), Err(Rejection::Malformed));
}

#[test]
fn a_token_in_the_query_is_read_and_then_masked() {
    let verifier = SETUP.verifier(token("query:token", None), &[("main", "s3cret")]);
    let with = |query: &str| Unsigned { query: query.into(), ..request(&[], "") };
    assert_eq!(judge(&verifier, with("token=s3cret&token=s3cret")), Err(Rejection::Several));
    for (query, kept) in [
        ("token=s3cret", "token=***"),
        ("a=b&token=s3cret&c", "a=b&token=***&c"),
        ("a=token&t%6Fken=s%33cret&tokens=s", "a=token&t%6Fken=***&tokens=s"),
    ] {
        let verified = verifier.verify(with(query).received(NOW), NOW).unwrap();
        assert_eq!(&*verified.received().query, kept);
    }
}

#[test]
fn a_token_in_the_body_is_read_and_warned_of() {
    let (verifier, problems) = SETUP.compile(token("$.auth.token", None), &[("main", "s3cret")]);
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages, ["the credential is in the body, which is kept with each event"]);
    let verifier = verifier.unwrap();
    assert_eq!(judge(&verifier, request(&[], r#"{"auth":{"token":"s3cret"}}"#)), believed());
    assert_eq!(judge(&verifier, request(&[], r#"{"auth":{"token":["s3cret"]}}"#)), Err(Rejection::Missing));
    assert_eq!(judge(&verifier, request(&[], "not json")), Err(Rejection::Missing));
}

#[test]
fn a_user_name_and_a_password_are_read_as_rfc_7617_writes_them() {
    // RFC 7617, section 2 and section 2.1.
    let whole = SETUP.verifier(file::Auth::Basic(file::Basic::default()), &[("main", "Aladdin:open sesame")]);
    let basic = |value: &str| request(&[("authorization", value)], "");
    assert_eq!(judge(&whole, basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")), believed());
    assert_eq!(judge(&whole, basic("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")), believed());
    let password = file::Basic { username: Some(text("test")) };
    let utf8 = SETUP.verifier(file::Auth::Basic(password), &[("main", "123£")]);
    assert_eq!(judge(&utf8, basic("Basic dGVzdDoxMjPCow==")), believed());
    for (value, why) in [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", Rejection::Malformed),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==", Rejection::Malformed),
        ("Basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Rejection::Malformed),
        ("Basic QWxhZGRpbg==", Rejection::Malformed),
        ("Basic ", Rejection::Malformed),
        ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Rejection::Malformed),
        ("Basic QWxhZGRpbjpvcGVu", Rejection::Mismatch),
        ("", Rejection::Missing),
    ] {
        assert_eq!(judge(&whole, basic(value)), Err(why), "{value}");
    }
    let right = ("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(judge(&whole, request(&[right, right], "")), Err(Rejection::Several));
}

#[test]
fn headers_with_a_credential_are_named_so_that_they_are_not_stored() {
    let headers = |auth| -> Vec<String> {
        let verifier = SETUP.verifier(auth, &[("main", "a:b")]);
        verifier.credential_headers().iter().map(ToString::to_string).collect()
    };
    assert_eq!(headers(token("header:X-Token", None)), ["x-token"]);
    assert_eq!(headers(file::Auth::Basic(file::Basic::default())), ["authorization"]);
    assert_eq!(headers(file::Auth::Jwt(plain_jwt())), ["authorization"]);
    assert_eq!(headers(file::Auth::Hmac(plain_hmac())), [""; 0], "a signature is evidence");
}
