//! The schemes as a file says them: what their own sender signs is believed, and what a forger does to it is not.

use proptest::prelude::*;

use super::*;
use crate::config::load;

const URL: &str = "https://hooks.example.com";

fn auth(yaml: &str) -> At<file::Auth> {
    let provider = load::parse_provider(&format!("auth: {yaml}"));
    provider.unwrap_or_else(|problems| panic!("{yaml}: {problems:#?}")).auth
}

/// The problems of a scheme with these secrets.
fn problems(yaml: &str, secrets: &[(&str, &str)]) -> Vec<String> {
    match load::parse_provider(&format!("auth: {yaml}")) {
        Ok(provider) => {
            let (_, problems) = Setup { public_url: Some(URL), ..SETUP }.compile(provider.auth.value, secrets);
            problems.into_iter().map(|problem| problem.message).collect()
        }
        Err(problems) => problems.into_iter().map(|problem| problem.message).collect(),
    }
}

fn simulator(yaml: &str, seed: &str) -> Simulator {
    let mut problems = Problems::new();
    let surroundings = Surroundings { id: &SETUP.id, public_url: Some(URL), roles: &[] };
    let simulator = Simulator::new(&auth(yaml), surroundings, seed, &mut problems);
    simulator.unwrap_or_else(|| panic!("{yaml}: {:#?}", problems.sorted()))
}

const SIGNED: [&str; 12] = [
    "{ keyed_hash: { hash: sha256, signature: { from: 'header:X-Sig' }, content: '{secret}{method}{url}{body}' } }",
    "{ keyed_hash: { hash: sha512, signature: { from: 'header:X-Sig', encoding: base64 }, content: '{body}{secret}' } }",
    "{ ed25519: { signature: { from: 'header:X-Sig' }, timestamp: { from: 'header:X-Time' }, content: '{timestamp}{body}' } }",
    "{ ed25519: { key: { encoding: base64, strip_prefix: whpk_ }, signature: { from: 'header:X-Sig', encoding: base64, \
       list: { separator: ' ', pair: ',', key: v1a } } } }",
    "{ ed25519: { seed: true, signature: { from: 'header:X-Sig' } } }",
    "{ ecdsa_p256: { signature: { from: 'header:X-Sig', encoding: base64 } } }",
    "{ ecdsa_p256: { format: p1363, key: { encoding: base64url }, signature: { from: 'header:X-Sig', encoding: base64url } } }",
    "{ rsa: { hash: sha256, signature: { from: 'header:X-Sig', encoding: base64 } } }",
    "{ rsa: { hash: sha512, padding: pss, signature: { from: 'header:X-Sig', encoding: base64 }, \
       content: '{method} {path}|{crc32}|{body}' } }",
    "{ jwt: { algorithms: [ES256], max_age: 5m, body_hash: { claim: h } } }",
    "{ jwt: { algorithms: [EdDSA], from: 'header:X-Token', prefix: '', body_hash: { claim: h, hash: sha512, encoding: base64 } } }",
    "{ hmac: { hash: sha256, signature: { from: 'header:X-Sig-{1-3}' }, content: '{headers:X-Signed}{body}' } }",
];

#[test]
fn what_its_sender_signs_is_believed_and_nothing_that_was_tampered_with() {
    let body = r#"{"a":1}"#;
    let sent = || request(&[("x-signed", "x-a,x-b"), ("x-a", "1"), ("x-b", "2")], body);
    for yaml in SIGNED {
        let (ours, other) = (simulator(yaml, "ours"), simulator(yaml, "another's"));
        let mut signed = sent();
        ours.sign(&mut signed, NOW).unwrap();
        assert!(ours.verifier().covers_body(), "{yaml}");
        ours.verifier().verify(signed.received(NOW), NOW).unwrap_or_else(|why| panic!("{yaml}: {why}"));
        for tampering in [Tampering::Body, Tampering::Signature, Tampering::Secret, Tampering::Timestamp] {
            let mut forged = sent();
            if ours.sign_badly(&mut forged, NOW, tampering, &other).unwrap() {
                let refused = ours.verifier().verify(forged.received(NOW), NOW).map(|_| ());
                let wanted: &[Rejection] = match tampering {
                    Tampering::Timestamp => &[Rejection::Stale, Rejection::Expired],
                    _ => &[Rejection::Mismatch],
                };
                assert!(refused.is_err_and(|why| wanted.contains(&why)), "{yaml}, {tampering:?}: {refused:?}");
            }
        }
        let unsigned = ours.verifier().verify(sent().received(NOW), NOW).map(|_| ());
        assert_eq!(unsigned, Err(Rejection::Missing), "{yaml}");
    }
}

#[test]
fn every_part_of_a_body_that_is_signed_by_itself_must_hold() {
    let yaml = "{ hmac: { hash: sha256, signature: { from: $.sign }, content: '{$.id}:{$.sum}:{body:$.live}', each: '$.items[0:]' } }";
    let token = "{ token: { from: $.state, each: '$.items[0:]' } }";
    for yaml in [yaml, token] {
        let ours = simulator(yaml, "ours");
        let verdict = |body: &str| {
            let sent = request(&[], body.to_owned());
            ours.verifier().verify(sent.received(NOW), NOW).map(|_| ())
        };
        let mut signed = request(&[], r#"{"live":true,"items":[{"id":1,"sum":2},{"id":2}]}"#);
        ours.sign(&mut signed, NOW).unwrap();
        let body = String::from_utf8(signed.body.to_vec()).unwrap();
        assert_eq!(verdict(&body), Ok(()), "{yaml}");
        // One more that nobody signed, as a forger would add who has one good request.
        assert_eq!(verdict(&body.replace("]}", r#",{"id":3}]}"#)), Err(Rejection::Missing), "{yaml}");
        assert_eq!(verdict(r#"{"items":[]}"#), Err(Rejection::Missing), "{yaml}");
        assert_eq!(verdict(r#"{"items":{}}"#), Err(Rejection::Missing), "{yaml}");
        assert_eq!(verdict("not json"), Err(Rejection::Missing), "{yaml}");
        assert!(!ours.verifier().covers_body());
    }
    let ours = simulator(yaml, "ours");
    let mut signed = request(&[], r#"{"live":true,"items":[{"id":1,"sum":2}]}"#);
    ours.sign(&mut signed, NOW).unwrap();
    let other_sum = String::from_utf8(signed.body.to_vec()).unwrap().replace(r#""sum":2"#, r#""sum":3"#);
    let refused = ours.verifier().verify(request(&[], other_sum).received(NOW), NOW).map(|_| ());
    assert_eq!(refused, Err(Rejection::Mismatch));
}

#[test]
fn a_body_that_is_signed_by_its_hash_has_to_have_it() {
    let yaml = "{ hmac: { hash: sha1, signature: { from: 'header:X-Sig', encoding: base64 }, content: '{url}{form_sorted}', \
                url: { ports: any }, body_hash: { from: 'query:bodySHA256' } } }";
    let ours = simulator(yaml, "ours");
    let verdict = |sent: Unsigned| ours.verifier().verify(sent.received(NOW), NOW).map(|_| ());
    let mut json = request(&[("content-type", "application/json")], "{}");
    ours.sign(&mut json, NOW).unwrap();
    assert!(json.query.starts_with("bodySHA256="));
    assert_eq!(verdict(json.clone()), Ok(()));
    assert_eq!(verdict(Unsigned { body: "{ }".into(), ..json.clone() }), Err(Rejection::Mismatch));
    // A form is signed by its fields. The same bytes under another name are no form.
    let mut form = request(&[("content-type", "application/x-www-form-urlencoded")], "b=2&a=1");
    ours.sign(&mut form, NOW).unwrap();
    assert_eq!((verdict(form.clone()), &*form.query), (Ok(()), ""));
    let mut other = form.clone();
    other.headers.insert("content-type", "application/json".parse().unwrap());
    assert_eq!(verdict(other), Err(Rejection::Mismatch));
    // A URL that was signed without a hash is no cover for any body.
    let mut bare = request(&[("content-type", "application/x-www-form-urlencoded")], "");
    ours.sign(&mut bare, NOW).unwrap();
    bare.headers.insert("content-type", "application/json".parse().unwrap());
    assert_eq!(verdict(Unsigned { body: r#"{"forged":true}"#.into(), ..bare }), Err(Rejection::IncompleteContent));
}

#[test]
fn a_url_may_be_signed_with_its_port_or_without() {
    let yaml = |ports: &str| {
        format!(
            "{{ hmac: {{ hash: sha256, signature: {{ from: 'header:X-Sig' }}, content: '{{url}}{{body}}', url: {{ ports: {ports} }} }} }}"
        )
    };
    let key = "12345";
    let signed = |url: &str| {
        let tag =
            crate::signing::MacKey::new(HashFunction::Sha256, key.as_bytes()).unwrap().tag(&[url.as_bytes().into()]);
        request(&[("x-sig", &hex::encode(tag))], "")
    };
    for (public_url, ports, url, believed) in [
        (URL, "exact", "https://hooks.example.com/hooks/acme", true),
        (URL, "exact", "https://hooks.example.com:443/hooks/acme", false),
        (URL, "any", "https://hooks.example.com:443/hooks/acme", true),
        (URL, "any", "https://hooks.example.com/hooks/acme", true),
        ("https://hooks.example.com:8443/", "any", "https://hooks.example.com/hooks/acme", true),
        ("https://hooks.example.com:8443/", "any", "https://hooks.example.com:8443/hooks/acme", true),
        (URL, "any", "https://other.example.com/hooks/acme", false),
        (URL, "any", "http://hooks.example.com/hooks/acme", false),
    ] {
        let setup = Setup { id: Choices::none(), public_url: Some(public_url) };
        let verifier = setup.verifier(auth(&yaml(ports)).value, &[("main", key)]);
        assert_eq!(judge(&verifier, signed(url)).is_ok(), believed, "{public_url} {ports} {url}");
    }
}

#[test]
fn a_token_is_for_its_body_and_of_late() {
    let yaml = "{ jwt: { algorithms: [HS256], max_age: 5m, body_hash: { claim: h } } }";
    let ours = simulator(yaml, "ours");
    let mut signed = request(&[], "{}");
    ours.sign(&mut signed, NOW).unwrap();
    let at = |seconds: u64, sent: Unsigned| {
        let now = NOW.after(Duration::from_secs(seconds));
        ours.verifier().verify(sent.received(now), now).map(|_| ())
    };
    assert_eq!(at(299, signed.clone()), Ok(()));
    assert_eq!(at(301, signed.clone()), Err(Rejection::Stale));
    assert_eq!(at(0, Unsigned { body: "{ }".into(), ..signed }), Err(Rejection::Mismatch));
    // Without `iat` nobody knows how old it is.
    let ageless = simulator("{ jwt: { algorithms: [HS256] } }", "ours");
    assert_eq!(ageless.verifier().tolerance(), Some(Duration::from_secs(360)));
}

#[test]
fn a_key_is_taken_from_a_set_by_its_id() {
    let set = r#"{"keys":[
        {"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty":"oct","kid":"shared","k":"AAAA"}]}"#;
    let yaml = "{ jwt: { algorithms: [ES256], from: 'header:X-T' } }";
    let verifier = SETUP.verifier(auth(yaml).value, &[("main", set)]);
    // RFC 7515, appendix A.3, which has no `kid`.
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                 DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let then = Timestamp::from_seconds(1_300_819_379);
    let verdict = |token: &str| verifier.verify(request(&[("x-t", token)], "").received(then), then).map(|_| ());
    assert_eq!(verdict(token), Ok(()));
    // {"alg":"ES256","kid":"b"}: another key is meant, whatever the signature.
    let other = token.replace("eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFUzI1NiIsImtpZCI6ImIifQ");
    assert_eq!(verdict(&other), Err(Rejection::Mismatch));
    for (set, wanted) in [
        (r#"{"keys":[]}"#, "the secret `main` has no key that fits"),
        (r#"{"keys":[{"kty":"oct","kid":"shared","k":"AAAA"}]}"#, "the secret `main` has no key that fits"),
        ("{ not json", "the secret `main` has no key that fits"),
    ] {
        assert_eq!(problems(yaml, &[("main", set)]), [wanted]);
    }
}

#[test]
fn what_can_verify_nothing_does_not_load() {
    let key = &[("main", "secret")][..];
    for (yaml, wanted) in [
        (
            "{ hmac: { hash: sha256, signature: { from: 'header:X' }, content: '' } }",
            "`content` has nothing of the request: one signature would do for all",
        ),
        (
            "{ hmac: { hash: sha256, signature: { from: 'header:X' }, content: '{secret}' } }",
            "`{secret}` is for `keyed_hash` and `rsa`: elsewhere the secret is the key",
        ),
        ("{ hmac: { hash: sha256, signature: { from: [] } } }", "it is not said where the signature is"),
        ("{ hmac: { hash: sha256, signature: { from: 'header:X-{9-1}' } } }", "this range of numbers cannot be read"),
        ("{ hmac: { hash: sha256, signature: { from: 'header:X-{1-999}' } } }", "this range of numbers cannot be read"),
        (
            "{ hmac: { hash: sha256, signature: { from: 'header:X' }, timestamp: { from: 'header:T', tolerance: 0s }, content: '{timestamp}{body}' } }",
            "a tolerance of nothing refuses every request",
        ),
        ("{ hmac: { hash: sha256, signature: { from: 'header:X' }, each: '$.a[' } }", "the path cannot be read: "),
        (
            "{ keyed_hash: { hash: sha256, signature: { from: 'header:X' }, content: '{body}' } }",
            "`content` has no `{secret}`: anybody could make this hash",
        ),
        (
            "{ keyed_hash: { hash: sha256, signature: { from: 'header:X' }, content: '{secret}' } }",
            "`content` has nothing of the request: one signature would do for all",
        ),
        ("{ ed25519: { signature: { from: 'header:X' } } }", "the secret `main` is no public key for Ed25519"),
        (
            "{ ecdsa_p256: { signature: { from: 'header:X' } } }",
            "the secret `main` is no public key for ECDSA with the curve P-256",
        ),
        (
            "{ rsa: { hash: sha256, signature: { from: 'header:X' } } }",
            "the secret `main` is no public key for RSA of at least 2048 bits",
        ),
        ("{ rsa: { hash: sha1, padding: pss, signature: { from: 'header:X' } } }", "`pss` is not taken with `sha1`"),
        (
            "{ rsa: { hash: sha256, signature: { from: 'header:X' }, certificate: { url: 'header:C', hosts: [a.example.com] } } }",
            "`content` has no `{secret}`: whatever the provider signs for anybody would do",
        ),
        (
            "{ rsa: { hash: sha256, signature: { from: 'header:X' }, content: '{secret}{body}', certificate: { url: 'header:C', hosts: ['*'] } } }",
            "`*` is no host that is known by its name",
        ),
        ("{ sns: {} }", "`main` is no ARN of a topic"),
        (
            "{ jwt: { algorithms: [HS256], keys: { jwks: 'https://a.example.com/jwks' } } }",
            "shared secrets are not fetched",
        ),
        (
            "{ jwt: { algorithms: [ES256], keys: { jwks: 'http://a.example.com/jwks' } } }",
            "keys are fetched over TLS, and this is no such address",
        ),
        (
            "{ jwt: { algorithms: [ES256], keys: { plaid: { host: evil.example.com } } } }",
            "the route has no secret called `client_id`",
        ),
        ("{ jwt: { algorithms: [none] } }", "`none` is not known here"),
        ("{ jwt: { algorithms: [HS256], max_age: 0s } }", "an age of nothing refuses every token"),
    ] {
        let found = problems(yaml, key);
        assert!(found.iter().any(|problem| problem.starts_with(wanted)), "{yaml}: {found:?}");
    }
}

#[test]
fn what_leaves_the_body_to_anybody_is_told() {
    let warned = |content: &str| {
        let yaml = format!("{{ hmac: {{ hash: sha256, signature: {{ from: 'header:X' }}, content: '{content}' }} }}");
        problems(&yaml, &[("main", "secret")])
    };
    assert_eq!(warned("{url}"), ["the signature does not cover the body: who sees one request can send others"]);
    for covered in ["{body}", "{url}{form_sorted}", "{$.id}:{$.sum}", "{header:X-Id}.{body:sha256}"] {
        assert_eq!(warned(covered), [""; 0], "{covered}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_rubbish_makes_a_scheme_panic(value in "\\PC{0,80}", body in prop::collection::vec(any::<u8>(), 0..64)) {
        for yaml in SIGNED.iter().filter(|yaml| !yaml.contains("rsa")) {
            let ours = simulator(yaml, "ours");
            let mut sent = request(&[], body.clone());
            for name in ["x-sig", "x-sig-1", "x-time", "x-token", "authorization"] {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    sent.headers.insert(HeaderName::from_static(name), value);
                }
            }
            prop_assert!(ours.verifier().verify(sent.received(NOW), NOW).is_err());
        }
    }
}
