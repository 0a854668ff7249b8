//! What does not load, and what is said of it.

use super::keys::{EC_PUBLIC, ED_PUBLIC, RSA_PUBLIC, SMALL_RSA_PUBLIC};
use super::*;
use crate::config::file::JwtAlgorithm;
use crate::config::{Place, Severity};

/// The messages of the problems of a scheme that must not load.
fn refused(auth: file::Auth, named: &[(&str, &str)]) -> Vec<String> {
    let (verifier, problems) = SETUP.compile(auth, named);
    assert!(verifier.is_none(), "it loads");
    assert!(problems.iter().any(|problem| problem.severity == Severity::Error), "no error is told");
    problems.into_iter().map(|problem| problem.message).collect()
}

/// The messages of the warnings about a scheme that loads.
fn warned(auth: file::Auth, named: &[(&str, &str)]) -> Vec<String> {
    let (verifier, problems) = SETUP.compile(auth, named);
    assert!(verifier.is_some(), "{problems:?}");
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:?}");
    problems.into_iter().map(|problem| problem.message).collect()
}

fn hmac(change: impl FnOnce(&mut file::Hmac)) -> file::Auth {
    let mut hmac = plain_hmac();
    change(&mut hmac);
    file::Auth::Hmac(hmac)
}

fn jwt(algorithms: &[JwtAlgorithm]) -> file::Auth {
    file::Auth::Jwt(file::Jwt {
        algorithms: at(algorithms.iter().map(|algorithm| at(*algorithm)).collect()),
        ..plain_jwt()
    })
}

const MAIN: &[(&str, &str)] = &[("main", "s3cret")];

#[test]
fn a_scheme_without_a_secret_does_not_load() {
    let token = || file::Auth::Token(plain_token());
    for auth in [token(), hmac(|_| {}), file::Auth::Basic(file::Basic::default()), file::Auth::Jwt(plain_jwt())] {
        assert_eq!(refused(auth.clone(), &[]), ["this auth scheme needs a secret"]);
        assert_eq!(refused(auth, &[("main", "")]), ["the secret `main` is empty"]);
    }
    assert_eq!(refused(token(), &[("new", "n"), ("old", "")]), ["the secret `old` is empty"]);
}

#[test]
fn a_secret_that_is_not_used_or_not_as_meant_is_warned_of() {
    let unused = "a secret is given, but `auth: none` believes whoever sends";
    assert_eq!(warned(file::Auth::None, MAIN), [unused]);
    let same = "the secrets `new` and `old` are the same: only the first is counted";
    assert_eq!(warned(hmac(|_| {}), &[("new", "s"), ("old", "s")]), [same]);
    let space = "the secret `main` starts or ends with white space, which counts";
    assert_eq!(warned(hmac(|_| {}), &[("main", "s3cret\n")]), [space]);
}

#[test]
fn a_basic_secret_needs_a_user_name() {
    assert_eq!(refused(file::Auth::Basic(file::Basic::default()), MAIN), ["the secret `main` has no user name"]);
    let colon = file::Basic { username: Some(text("a:b")) };
    assert_eq!(refused(file::Auth::Basic(colon), MAIN), ["a user name cannot hold a colon (RFC 7617, section 2)"]);
}

#[test]
fn content_has_to_say_what_is_signed() {
    for (content, message) in [
        ("", "`content` has nothing of the request: one signature would do for all"),
        ("constant", "`content` has nothing of the request: one signature would do for all"),
        ("{{body}}", "`content` has nothing of the request: one signature would do for all"),
        ("{body", "`content` has a `{` that is not closed"),
        ("{body}}", "`content` has a `}` that closes nothing"),
        ("{timestamp}.{body}", "`content` has `{timestamp}`, but there is no `timestamp`"),
        ("{url}{body}", "`content` has `{url}`, but there is no `public_url`"),
        ("{bdy}", "`content` has `{bdy}`, which is no part of a request"),
        ("{envelope:$.a}", "`content` has `{envelope:$.a}`, which is no part of a request"),
        ("{$.a[*]}", "`{$.a[*]}` in `content` can find more than one value"),
    ] {
        let messages = refused(hmac(|hmac| hmac.content = Some(text(content))), MAIN);
        assert_eq!(messages, [message], "{content}");
    }
}

#[test]
fn a_misspelt_part_of_the_content_is_guessed_and_pointed_at() {
    let mut hmac = plain_hmac();
    let place = Place { line: 7, column: 3, start: 90, end: 96 };
    hmac.content = Some(At::new("{tmestamp}{body}".to_owned(), place));
    let (_, problems) = SETUP.compile(file::Auth::Hmac(hmac), MAIN);
    assert_eq!(problems[0].did_you_mean.as_deref(), Some("timestamp"));
    assert_eq!(problems[0].place, place);
}

#[test]
fn a_timestamp_has_to_be_somewhere_and_hold_for_a_while() {
    let rule = |from: &str, tolerance| {
        let format = file::TimestampFormat::Unix;
        file::TimestampRule { from: text(from), format, tolerance: span(tolerance), symmetric: None }
    };
    let with = |rule| {
        hmac(|hmac| {
            hmac.timestamp = Some(at(rule));
            hmac.content = Some(text("{timestamp}{body}"));
        })
    };
    assert_eq!(refused(with(rule("header:X-Time", 0)), MAIN), ["a tolerance of nothing refuses every request"]);
    assert_eq!(refused(with(rule("signature:t", 5)), MAIN), ["the signature is no list of keys and values"]);
    assert_eq!(refused(with(rule("signature:", 5)), MAIN), ["`signature:` names no item"]);
    let uncovered = hmac(|hmac| hmac.timestamp = Some(at(rule("header:X-Time", 5))));
    let warning = "the signature does not cover the timestamp: a replay can carry a fresh one";
    assert_eq!(warned(uncovered, MAIN), [warning]);
    let in_the_body = hmac(|hmac| hmac.timestamp = Some(at(rule("$.time", 5))));
    assert_eq!(warned(in_the_body, MAIN), [""; 0]);
}

#[test]
fn a_list_says_how_it_is_taken_apart() {
    let list = |separator, pair: Option<&str>, key: Option<&str>| {
        let list = file::SignatureList { separator: text(separator), pair: pair.map(text), key: key.map(text) };
        hmac(|hmac| hmac.signature.list = Some(at(list)))
    };
    assert_eq!(refused(list(",", None, Some("v1")), MAIN), ["`key` is given, but without `pair` the items have none"]);
    assert_eq!(refused(list(",", Some("="), None), MAIN), ["`pair` is given, but not which items are signatures"]);
    assert_eq!(refused(list("", Some("="), Some("v1")), MAIN), ["`separator` is empty"]);
    let text = hmac(|hmac| hmac.signature.encoding = Some(at(Encoding::Text)));
    assert_eq!(refused(text, MAIN), ["a signature cannot be `text`"]);
    let nowhere = hmac(|hmac| hmac.signature.from = at(OneOrMany::Many(Vec::new())));
    assert_eq!(refused(nowhere, MAIN), ["it is not said where the signature is"]);
}

#[test]
fn every_problem_of_a_scheme_is_told_at_once() {
    let auth = hmac(|hmac| {
        hmac.key.encoding = Some(at(OneOrMany::One(Encoding::Hex)));
        hmac.signature.encoding = Some(at(Encoding::Text));
        hmac.content = Some(text("{bdy}{url}"));
        hmac.signature.from = at(OneOrMany::Many(vec![text("haeder:X"), text("nonsense")]));
    });
    assert_eq!(refused(auth, MAIN).len(), 6);
}

#[test]
fn one_key_is_for_algorithms_of_one_family() {
    use JwtAlgorithm::{ES256, HS256, HS512, PS256, RS256};
    assert_eq!(refused(jwt(&[]), MAIN), ["no algorithm is named, so no token would be taken"]);
    assert_eq!(refused(jwt(&[HS256, RS256]), MAIN), ["one key cannot be for both HS256 and RS256"]);
    assert_eq!(refused(jwt(&[RS256, ES256]), MAIN), ["one key cannot be for both RS256 and ES256"]);
    assert_eq!(warned(jwt(&[HS256, HS512]), MAIN), [""; 0]);
    assert_eq!(warned(jwt(&[RS256, PS256]), &[("main", RSA_PUBLIC)]), [""; 0]);
}

#[test]
fn a_public_key_is_never_a_shared_secret_and_the_other_way_round() {
    use JwtAlgorithm::{ES256, ES384, EdDSA, HS256, RS256};
    assert_eq!(
        refused(jwt(&[HS256]), &[("main", RSA_PUBLIC)]),
        ["the secret `main` is a key in PEM, not a shared secret"]
    );
    for (algorithm, name, secret) in [
        (RS256, "RS256", "s3cret"),
        (RS256, "RS256", EC_PUBLIC),
        (RS256, "RS256", SMALL_RSA_PUBLIC),
        // An even exponent, which no RSA key has.
        (RS256, "RS256", &RSA_PUBLIC.replace("IDAQAB", "IDAQAA")),
        (RS256, "RS256", &RSA_PUBLIC.replace("PUBLIC", "PRIVATE")),
        (RS256, "RS256", &RSA_PUBLIC.replace("PUBLIC KEY", "CERTIFICATE")),
        (ES256, "ES256", RSA_PUBLIC),
        (EdDSA, "EdDSA", EC_PUBLIC),
        // A key of another curve.
        (ES384, "ES384", EC_PUBLIC),
        (ES256, "ES256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
    ] {
        let message = format!("the secret `main` is no public key for {name}");
        assert_eq!(refused(jwt(&[algorithm]), &[("main", secret)]), [message]);
    }
    assert_eq!(warned(jwt(&[ES256]), &[("main", EC_PUBLIC)]), [""; 0]);
    assert_eq!(warned(jwt(&[EdDSA]), &[("main", ED_PUBLIC)]), [""; 0]);
    assert_eq!(warned(jwt(&[ES256]), &[("main", &format!("\n{EC_PUBLIC}\n"))]), [""; 0]);
}
