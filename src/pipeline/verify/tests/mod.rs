//! The schemes from outside: what is believed, what is refused and why, and what does not load.

mod compile;
mod credentials;
mod fetched;
mod hmac;
mod jwt;
mod keys;
mod round_trip;
mod schemes;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;
use crate::config::file::{Encoding, HashFunction, OneOrMany};
use crate::config::{At, Problem, Problems, Span, file};
use crate::expr::Choices;
use crate::model::Secret;

/// When the tests play.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_500);

fn at<T>(value: T) -> At<T> {
    At::nowhere(value)
}

fn text(text: &str) -> At<String> {
    at(text.to_owned())
}

fn span(seconds: u64) -> Option<At<Span>> {
    Some(at(Span(Duration::from_secs(seconds))))
}

fn secrets(named: &[(&str, &str)]) -> Vec<At<NamedSecret>> {
    named.iter().map(|(name, value)| at(NamedSecret::new(*name, Secret::new((*value).to_owned())))).collect()
}

/// HMAC-SHA256 of the body in hex, in `X-Signature`.
fn plain_hmac() -> file::Hmac {
    file::Hmac {
        hash: HashFunction::Sha256,
        key: file::Key::default(),
        signature: file::Signature {
            from: at(OneOrMany::One(text("header:X-Signature"))),
            prefix: None,
            list: None,
            encoding: None,
        },
        timestamp: None,
        content: None,
        url: None,
        body_hash: None,
        each: None,
    }
}

fn plain_token() -> file::Token {
    file::Token { from: text("header:X-Token"), prefix: None, each: None }
}

fn plain_jwt() -> file::Jwt {
    file::Jwt {
        from: None,
        prefix: None,
        algorithms: at(vec![at(file::JwtAlgorithm::HS256)]),
        key: file::Key::default(),
        keys: None,
        claims: file::Claims::default(),
        leeway: None,
        max_age: None,
        body_hash: None,
    }
}

/// What a verifier is compiled from, beside the scheme.
struct Setup {
    id: Choices,
    public_url: Option<&'static str>,
}

const SETUP: Setup = Setup { id: Choices::none(), public_url: None };

impl Setup {
    fn compile(&self, auth: file::Auth, named: &[(&str, &str)]) -> (Option<Verifier>, Vec<Problem>) {
        let mut problems = Problems::new();
        let surroundings = Surroundings { id: &self.id, public_url: self.public_url, roles: &[] };
        let verifier = Verifier::compile(&at(auth), &secrets(named), surroundings, &mut problems);
        (verifier, problems.sorted())
    }

    fn verifier(&self, auth: file::Auth, named: &[(&str, &str)]) -> Verifier {
        let (verifier, problems) = self.compile(auth, named);
        assert!(problems.is_empty(), "{problems:?}");
        verifier.unwrap()
    }
}

fn request(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Unsigned {
    let field =
        |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) { (name.parse().unwrap(), value.parse().unwrap()) };
    let mut fields = HeaderMap::new();
    for (name, value) in headers.iter().map(field) {
        fields.append(name, value);
    }
    Unsigned {
        method: Method::POST,
        path: "/hooks/acme".into(),
        query: "".into(),
        path_params: Vec::new(),
        headers: fields,
        body: body.into(),
    }
}

/// The name of the secret that verified the request, or why none did.
fn judge(verifier: &Verifier, request: Unsigned) -> Result<Option<Arc<str>>, Rejection> {
    verifier.verify(request.received(NOW), NOW).map(|verified| verified.into_parts().1.secret)
}

/// The outcome where a secret called `main` matched.
#[expect(clippy::unnecessary_wraps, reason = "it stands for a verdict")]
fn believed() -> Result<Option<Arc<str>>, Rejection> {
    Ok(Some("main".into()))
}

#[test]
fn nothing_is_asked_for_under_none_and_the_evidence_says_so() {
    let verifier = SETUP.verifier(file::Auth::None, &[]);
    let verified = verifier.verify(request(&[], "{}").received(NOW), NOW).unwrap();
    let evidence = Evidence { scheme: "none".into(), ..Evidence::default() };
    assert_eq!(verified.evidence(), &evidence);
    assert_eq!(verifier.credential_headers(), &[] as &[HeaderName]);
    assert_eq!(verifier.secret_names().count(), 0);
}

#[test]
fn a_verifier_shows_no_secret_and_nothing_made_of_it() {
    let secret = "hunter2-hunter2";
    let schemes = [
        file::Auth::Token(plain_token()),
        file::Auth::Basic(file::Basic { username: Some(text("acme")) }),
        file::Auth::Hmac(plain_hmac()),
        file::Auth::Jwt(plain_jwt()),
    ];
    use sha2::Digest;
    let digest: Vec<u8> = sha2::Sha256::digest(secret).to_vec();
    for auth in schemes {
        let shown = format!("{:?}", SETUP.verifier(auth, &[("main", secret)]));
        for form in [secret.to_owned(), format!("{digest:?}"), format!("{:?}", secret.as_bytes())] {
            assert!(!shown.contains(&form), "{shown}");
        }
    }
}

#[test]
fn each_rejection_has_a_word_of_its_own_and_something_to_do() {
    let mut words: Vec<_> = Rejection::ALL.iter().map(|rejection| rejection.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Rejection::ALL.len());
    assert!(Rejection::ALL.iter().all(|rejection| rejection.next_step().len() > 20));
    assert!(Rejection::ALL.is_sorted(), "in the order of how far a request got");
}
