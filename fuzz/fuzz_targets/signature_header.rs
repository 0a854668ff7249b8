//! The header fields that should prove who sends, under each built-in provider: whatever a stranger writes into them, and
//! into the body, nothing is let through, because nobody but the provider knows the secret.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use hookswitch::config::Problems;
use hookswitch::expr::Choices;
use hookswitch::model::Timestamp;
use hookswitch::pipeline::verify::{Simulator, Surroundings, Unsigned};
use hookswitch::providers;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A provider as it is played, a request of its own that it signed, and the header fields that signing set.
struct Played {
    name: &'static str,
    simulator: Simulator,
    signed: Unsigned,
    fields: Vec<HeaderName>,
}

static PLAYED: LazyLock<Vec<Played>> = LazyLock::new(|| providers::names().filter_map(play).collect());

/// `None` for a provider that is asked for its keys with secrets of the route's.
fn play(name: &'static str) -> Option<Played> {
    let provider = providers::builtin(name)?;
    let id = Choices::none();
    let surroundings = Surroundings { id: &id, public_url: Some("https://hooks.example.com"), roles: &[] };
    let simulator = Simulator::new(&provider.auth, surroundings, name, &mut Problems::new())?;
    let sample = providers::samples(name)?.ok()?.samples.into_iter().next()?;
    let mut headers = HeaderMap::new();
    for (name, value) in &sample.headers {
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
    }
    let mut signed = Unsigned {
        method: Method::POST,
        path: "/".into(),
        query: sample.query.as_str().into(),
        path_params: sample.path_params.clone(),
        headers: headers.clone(),
        body: sample.body.clone(),
    };
    simulator.sign(&mut signed, NOW).ok()?;
    let fields = signed.headers.iter().filter(|(name, value)| headers.get(*name) != Some(value)).map(|(name, _)| name);
    let fields = fields.cloned().collect();
    Some(Played { name, simulator, signed, fields })
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (field, body) = input;
    let Ok(value) = HeaderValue::from_bytes(&field) else { return };
    for Played { name, simulator, signed, fields } in PLAYED.iter() {
        let mut request = signed.clone();
        request.body = Bytes::copy_from_slice(&body);
        for field in fields {
            request.headers.insert(field.clone(), value.clone());
        }
        let verdict = simulator.verifier().verify(request.received(NOW), NOW);
        // With nothing set in the header the proof is in the body, which may be the provider's own.
        assert!(verdict.is_err() || (fields.is_empty() && body == signed.body), "{name} took a forgery");
    }
});
