//! Keys that are fetched: what is asked for, what is made of the answers, and that nobody else's keys are.

use super::*;
use crate::config::load;
use crate::signing::{PrivateKey, PublicScheme, encode};

const CERTIFIED: &str = "{ rsa: { hash: sha256, signature: { from: 'header:X-Sig', encoding: base64 }, content: '{secret}|{body}', \
                         certificate: { url: 'header:X-Cert', hosts: [keys.example.com] } } }";
const CERT: &str = "https://keys.example.com/2026.pem";

fn verifier(yaml: &str, secrets: &[(&str, &str)], roles: &[(&str, &str)]) -> Verifier {
    let auth = load::parse_provider(&format!("auth: {yaml}")).unwrap().auth;
    let (secrets, roles) = (super::secrets(secrets), super::secrets(roles));
    let mut problems = Problems::new();
    let surroundings = Surroundings { id: &SETUP.id, public_url: None, roles: &roles };
    let verifier = Verifier::compile(&auth, &secrets, surroundings, &mut problems);
    verifier.unwrap_or_else(|| panic!("{:#?}", problems.sorted()))
}

/// A key, and a certificate of it by nobody in particular, in PEM.
fn certified() -> (PrivateKey, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["keys.example.com".into()]).unwrap().self_signed(&pair).unwrap();
    let scheme = PublicScheme::Rsa(HashFunction::Sha256, file::Padding::Pkcs1);
    let pem = |label: &str, der: &[u8]| {
        let text = encode(Encoding::Base64, der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let key = PrivateKey::from_pem(scheme, &pem("PRIVATE KEY", pair.serialized_der())).unwrap();
    (key, pem("CERTIFICATE", certificate.der()))
}

fn signed(key: &PrivateKey, secret: &str, address: &str, body: &'static str) -> Unsigned {
    let tag = key.sign(&[format!("{secret}|{body}").into_bytes().into()]).unwrap();
    request(&[("x-sig", &encode(Encoding::Base64, &tag)), ("x-cert", address)], body)
}

#[test]
fn a_certificate_is_fetched_once_from_its_own_host_and_believed_for_what_is_ours() {
    let (key, pem) = certified();
    let verifier = verifier(CERTIFIED, &[("main", "webhook-1")], &[]);
    let sent = || signed(&key, "webhook-1", CERT, "{}").received(NOW);
    let wanted = verifier.lacks(&sent(), NOW).unwrap();
    assert_eq!((wanted.request.url.as_str(), &wanted.request.json), (CERT, &None));
    assert_eq!(verifier.verify(sent(), NOW).map(|_| ()), Err(Rejection::KeyUnavailable));
    verifier.learn(&wanted, Some(pem.as_bytes()), NOW);
    assert!(verifier.lacks(&sent(), NOW).is_none());
    assert_eq!(verifier.verify(sent(), NOW).map(|verified| verified.into_parts().1.secret), believed());
    // What the provider signs for others is not for us.
    let others = signed(&key, "webhook-2", CERT, "{}").received(NOW);
    assert_eq!(verifier.verify(others, NOW).map(|_| ()), Err(Rejection::Mismatch));
    let (other_key, _) = certified();
    let forged = signed(&other_key, "webhook-1", CERT, "{}").received(NOW);
    assert_eq!(verifier.verify(forged, NOW).map(|_| ()), Err(Rejection::Mismatch));
}

#[test]
fn nobody_is_asked_who_is_not_pinned() {
    let (key, _) = certified();
    let verifier = verifier(CERTIFIED, &[("main", "webhook-1")], &[]);
    for address in [
        "https://evil.example.com/2026.pem",
        "http://keys.example.com/2026.pem",
        "https://keys.example.com@evil.example",
    ] {
        let sent = signed(&key, "webhook-1", address, "{}").received(NOW);
        assert!(verifier.lacks(&sent, NOW).is_none(), "{address}");
        assert_eq!(verifier.verify(sent, NOW).map(|_| ()), Err(Rejection::ForeignKey), "{address}");
    }
    let unsigned = request(&[], "{}").received(NOW);
    assert!(verifier.lacks(&unsigned, NOW).is_none());
}

#[test]
fn an_answer_without_a_key_is_remembered_for_a_while_and_none_is_asked_for_again() {
    let (key, pem) = certified();
    let verifier = verifier(CERTIFIED, &[("main", "webhook-1")], &[]);
    let sent = || signed(&key, "webhook-1", CERT, "{}").received(NOW);
    let wanted = verifier.lacks(&sent(), NOW).unwrap();
    verifier.learn(&wanted, Some(b"<html>not found</html>"), NOW);
    assert!(verifier.lacks(&sent(), NOW).is_none());
    assert_eq!(verifier.verify(sent(), NOW).map(|_| ()), Err(Rejection::UnknownKey));
    let later = NOW.after(Duration::from_secs(61));
    let wanted = verifier.lacks(&sent(), later).unwrap();
    verifier.learn(&wanted, None, later);
    assert_eq!(verifier.verify(sent(), later).map(|_| ()), Err(Rejection::KeyUnavailable));
    let later = NOW.after(Duration::from_secs(70));
    verifier.learn(&verifier.lacks(&sent(), later).unwrap(), Some(pem.as_bytes()), later);
    assert!(verifier.verify(sent(), later).is_ok());
}

#[test]
fn a_token_is_verified_with_the_key_of_the_set_that_it_names() {
    let verifier =
        verifier("{ jwt: { algorithms: [ES256], keys: { jwks: 'https://issuer.example.com/jwks.json' } } }", &[], &[]);
    // {"alg":"ES256","kid":"a"} and {}: the signature does not matter to what is asked for.
    let token = |head: &str| request(&[("authorization", &format!("Bearer {head}.e30.AAAA"))], "").received(NOW);
    let named = || token("eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ");
    let wanted = verifier.lacks(&named(), NOW).unwrap();
    assert_eq!(wanted.request.url.as_str(), "https://issuer.example.com/jwks.json");
    // {"alg":"ES256"}; {"alg":"HS256","kid":"a"}
    assert!(verifier.lacks(&token("eyJhbGciOiJFUzI1NiJ9"), NOW).is_none());
    assert!(verifier.lacks(&token("eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ"), NOW).is_none());
    let set = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    verifier.learn(&wanted, Some(set.as_bytes()), NOW);
    assert!(verifier.lacks(&named(), NOW).is_none());
    assert_eq!(verifier.verify(named(), NOW).map(|_| ()), Err(Rejection::Mismatch));
}

#[test]
fn plaid_is_asked_with_the_accounts_secret_and_an_expired_key_is_none() {
    let yaml = "{ jwt: { from: 'header:Plaid-Verification', prefix: '', algorithms: [ES256], keys: { plaid: { host: sandbox.plaid.com } } } }";
    let verifier = verifier(yaml, &[], &[("client_id", "id\"1"), ("secret", "s3cret")]);
    let sent = || request(&[("plaid-verification", "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA")], "").received(NOW);
    let wanted = verifier.lacks(&sent(), NOW).unwrap();
    assert_eq!(wanted.request.url.as_str(), "https://sandbox.plaid.com/webhook_verification_key/get");
    let json: Value = serde_json::from_str(wanted.request.json.as_deref().unwrap()).unwrap();
    assert_eq!(json, serde_json::json!({ "client_id": "id\"1", "secret": "s3cret", "key_id": "a" }));
    assert!(!format!("{wanted:?} {verifier:?}").contains("s3cret"));
    let answer = |expired: &str| {
        format!(
            r#"{{"key":{{"alg":"ES256","kty":"EC","crv":"P-256","kid":"a","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","created_at":1,"expired_at":{expired}}},"request_id":"r"}}"#
        )
    };
    verifier.learn(&wanted, Some(answer("1600000000").as_bytes()), NOW);
    assert_eq!(verifier.verify(sent(), NOW).map(|_| ()), Err(Rejection::UnknownKey));
    verifier.learn(&wanted, Some(answer("null").as_bytes()), NOW);
    assert_eq!(verifier.verify(sent(), NOW).map(|_| ()), Err(Rejection::Mismatch));
}

#[test]
fn amazon_is_believed_for_our_topic_alone_and_asked_for_nobody_elses() {
    let verifier = verifier("{ sns: {} }", &[("orders", "arn:aws:sns:us-east-1:1:orders")], &[]);
    let message = |topic: &str, version: &str, address: &str| {
        let body = serde_json::json!({
            "Type": "Notification", "MessageId": "1", "TopicArn": topic, "Message": "m", "Timestamp": "2026-01-01T00:00:00Z",
            "SignatureVersion": version, "Signature": "AAAA", "SigningCertURL": address,
        });
        request(&[], body.to_string()).received(NOW)
    };
    let cert = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem";
    let wanted = verifier.lacks(&message("arn:aws:sns:us-east-1:1:orders", "2", cert), NOW);
    assert_eq!(wanted.unwrap().request.url.as_str(), cert);
    for (topic, version, address, why) in [
        ("arn:aws:sns:us-east-1:2:theirs", "2", cert, Rejection::Mismatch),
        ("arn:aws:sns:us-east-1:1:orders", "3", cert, Rejection::WrongAlgorithm),
        ("arn:aws:sns:us-east-1:1:orders", "1", "https://s3.amazonaws.com/mine.pem", Rejection::ForeignKey),
    ] {
        let sent = message(topic, version, address);
        assert!(version == "3" || verifier.lacks(&sent, NOW).is_none(), "{topic} {address}");
        assert_eq!(verifier.verify(sent, NOW).map(|_| ()), Err(why), "{topic} {version} {address}");
    }
}
