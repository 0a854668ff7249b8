//! The header field that should prove who sends, under each built-in provider: whatever a stranger writes into it, nothing
//! is let through, because nobody but the provider knows the secret.
#![no_main]

use bytes::Bytes;
use hookswitch::config::{At, Problems};
use hookswitch::expr::Choices;
use hookswitch::model::{NamedSecret, Secret, Timestamp};
use hookswitch::pipeline::Received;
use hookswitch::pipeline::verify::Verifier;
use hookswitch::providers;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "5d41402abc4b2a76b9719d911017c592";
const HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-bspk-secret"),
    HeaderName::from_static("x-sparkbox-signature"),
    HeaderName::from_static("x-orderspace-signature"),
    http::header::AUTHORIZATION,
];

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (field, body) = input;
    // BSPK sends the secret as it is: that is no forgery.
    if field == SECRET.as_bytes() {
        return;
    }
    let Ok(value) = HeaderValue::from_bytes(&field) else { return };
    let secret = NamedSecret { name: "default".into(), value: Secret::new(SECRET.to_owned()) };
    for name in providers::names() {
        let provider = providers::builtin(name).expect("a built-in provider");
        let secrets = [At::nowhere(secret.clone())];
        let verifier = Verifier::compile(&provider.auth, &secrets, &Choices::none(), None, &mut Problems::new())
            .expect("a built-in provider compiles");
        let received = Received {
            method: Method::POST,
            path: "/".into(),
            query: "".into(),
            path_params: Vec::new(),
            headers: HEADERS.iter().map(|header| (header.clone(), value.clone())).collect::<HeaderMap>(),
            body: Bytes::copy_from_slice(&body),
            received_at: Timestamp::from_millis(1_800_000_000_000),
        };
        let now = received.received_at;
        assert!(verifier.verify(received, now).is_err(), "{name} took a forgery");
    }
});
