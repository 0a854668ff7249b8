//! Every built-in provider: its file loads, compiles and says what it is, and its own samples come to what they say, however
//! they are tampered with.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use uuid::Uuid;

use super::*;
use crate::config::file::{self, Auth};
use crate::config::{At, Problems};
use crate::expr::{Choices, Mask};
use crate::model::{Event, NamedSecret, RequestId, Secret, Timestamp};
use crate::pipeline::handshake::{self, Handshaken, Handshakes, Moment, secret_roles};
use crate::pipeline::normalize::{Normalized, Normalizer};
use crate::pipeline::respond::Respond;
use crate::pipeline::verify::{Rejection, Simulator, Surroundings, Tampering, Unsigned, Verifier};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const PUBLIC_URL: &str = "https://hooks.example.com";
const PATH: &str = "/hooks/provider";

/// A provider as a test plays it.
struct Played {
    name: &'static str,
    provider: &'static Provider,
    samples: Samples,
    id: Choices,
    roles: Vec<At<NamedSecret>>,
}

/// Has every provider checked, also where one fails: what is wrong with each is above the last line.
fn every(check: impl Fn(&Played)) {
    let fails = |name: &&'static str| catch_unwind(AssertUnwindSafe(|| check(&Played::new(name)))).is_err();
    let failed: Vec<&str> = names().filter(fails).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

impl Played {
    fn new(name: &'static str) -> Self {
        let provider =
            builtin(name).unwrap_or_else(|| panic!("{name}: {:#?}", load::parse_provider(source(name).unwrap())));
        let samples = samples(name).unwrap_or_else(|| panic!("{name} has no fixtures/providers/{name}/samples.yaml"));
        let samples = samples.unwrap_or_else(|problems| panic!("the samples of {name}: {problems:#?}"));
        let given = samples.roles.iter().map(|(name, secret)| named(name, secret));
        let mut roles: Vec<_> = given.collect();
        if let Auth::Jwt(file::Jwt { keys: Some(At { value: file::JwtKeys::Plaid(_), .. }), .. }) = &provider.auth.value
        {
            roles.extend([named("client_id", "an id"), named("secret", "of the account")]);
        }
        let mut id = Choices::none();
        for choice in
            provider.event.as_ref().and_then(|event| event.id.as_ref()).into_iter().flat_map(|id| id.as_slice())
        {
            if let file::Choice::Select(text) = &choice.value {
                id = id.or_select(text).unwrap();
            }
        }
        Self { name, provider, samples, id, roles }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { id: &self.id, public_url: Some(PUBLIC_URL), roles: &self.roles }
    }

    fn simulator(&self) -> Simulator {
        let mut problems = Problems::new();
        let simulator = match &self.samples.secret {
            Some(secret) => Simulator::with_secret(&self.provider.auth, secret, self.surroundings(), &mut problems),
            None => Simulator::new(&self.provider.auth, self.surroundings(), "ours", &mut problems),
        };
        simulator.unwrap_or_else(|| panic!("{}: {:#?}", self.name, problems.sorted()))
    }

    fn other(&self) -> Simulator {
        let mut problems = Problems::new();
        let simulator = Simulator::new(&self.provider.auth, self.surroundings(), "another's", &mut problems);
        simulator.unwrap_or_else(|| panic!("{}: {:#?}", self.name, problems.sorted()))
    }

    fn now(&self) -> Timestamp {
        self.samples.now.unwrap_or(NOW)
    }

    fn handshakes(&self) -> Handshakes {
        let secret = self.samples.secret.clone().unwrap_or_else(|| "a secret of the route".to_owned());
        let secrets = [named("main", &secret)];
        let surroundings =
            handshake::Surroundings { secrets: &secrets, roles: &self.roles, public_url: Some(PUBLIC_URL) };
        let mut problems = Problems::new();
        let handshakes = Handshakes::compile(&self.provider.handshake, surroundings, &mut problems);
        assert!(problems.is_empty(), "{}: {:#?}", self.name, problems.sorted());
        handshakes
    }

    fn verdict(&self, verifier: &Verifier, request: Unsigned) -> Result<Vec<Event>, Rejection> {
        let verified = verifier.verify(request.received(self.now()), self.now())?;
        let mut problems = Problems::new();
        let map = self.provider.event.as_ref().unwrap_or_else(|| panic!("{} has no `event`", self.name));
        let normalizer = Normalizer::compile(&"route".into(), Some((self.name, map)), &[], &mut problems).unwrap();
        assert!(problems.is_empty(), "{}: {:#?}", self.name, problems.sorted());
        let normalized = normalizer.normalize(verified, RequestId(Uuid::nil()), &"f".into());
        let Normalized { events, .. } = normalized.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        Ok(events.into_iter().map(|occurrence| std::sync::Arc::into_inner(occurrence.event).unwrap()).collect())
    }
}

fn named(name: &str, secret: &str) -> At<NamedSecret> {
    At::nowhere(NamedSecret::new(name, Secret::new(secret.to_owned())))
}

fn request(sample: &Sample) -> Unsigned {
    let mut headers = HeaderMap::new();
    for (name, value) in &sample.headers {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let tail: String = sample.path_params.iter().map(|(_, value)| format!("/{value}")).collect();
    Unsigned {
        method: sample.method.parse::<Method>().unwrap(),
        path: format!("{PATH}{tail}").into(),
        query: sample.query.as_str().into(),
        path_params: sample.path_params.clone(),
        headers,
        body: sample.body.clone(),
    }
}

#[test]
fn every_file_is_the_yaml_of_a_provider_and_nothing_more() {
    for name in names() {
        let source = source(name).unwrap();
        assert!(source.starts_with("# "), "{name} begins with what is special about it");
        assert!(source.is_ascii(), "{name} is written in ASCII");
        let misspelt = source.replace("\nauth:", "\nauht:");
        assert_ne!(misspelt, source);
        let problems = load::parse_provider(&misspelt).unwrap_err();
        assert_eq!(problems[0].did_you_mean.as_deref(), Some("auth"), "{name}");
        let twice = format!("{source}\nauth: none\n");
        assert!(load::parse_provider(&twice).is_err(), "{name}: the later of two keys must not win");
    }
    assert!(builtin("acme").is_none() && samples("acme").is_none());
}

#[test]
fn every_file_says_what_it_is_and_where_that_is_documented() {
    every(|Played { name, provider, .. }| {
        let about = provider.about.as_ref().unwrap();
        assert!(about.docs.as_ref().is_some_and(|docs| docs.starts_with("https://")), "{name}");
        assert!(about.secret.is_some() && !about.notes.is_empty(), "{name}");
        for role in secret_roles(provider) {
            assert!(about.secrets.get(role).is_some(), "{name} does not say what the secret `{role}` is");
        }
    });
}

#[test]
fn none_is_without_auth() {
    every(|Played { name, provider, .. }| {
        assert!(!matches!(provider.auth.value, Auth::None), "{name}");
    });
}

#[test]
fn every_sample_is_believed_and_has_the_events_that_it_says() {
    every(|played| {
        assert!(!played.samples.samples.is_empty(), "{} has no sample", played.name);
        for sample in &played.samples.samples {
            let (name, case) = (played.name, &sample.name);
            let simulator = played.simulator();
            let mut signed = request(sample);
            simulator.sign(&mut signed, played.now()).unwrap_or_else(|error| panic!("{name}, {case}: {error}"));
            let events = played.verdict(simulator.verifier(), signed);
            let events = events.unwrap_or_else(|rejection| panic!("{name}, {case}: {rejection}"));
            let got: Vec<_> = events.iter().map(|event| event.kind()).collect();
            let wanted: Vec<_> = sample.events.iter().map(|event| event.kind.as_str()).collect();
            assert_eq!(got, wanted, "{name}, {case}");
            for (got, wanted) in events.iter().zip(&sample.events) {
                let attributes = got.attributes();
                if let Some(id) = &wanted.id {
                    assert_eq!(got.id(), id, "{name}, {case}: the id");
                }
                assert_eq!(attributes.subject.as_deref(), wanted.subject.as_deref(), "{name}, {case}: the subject");
                if let Some(time) = &wanted.time {
                    assert_eq!(attributes.time.as_deref(), Some(time.as_str()), "{name}, {case}: the time");
                }
                assert!(!got.document()["data"].is_null(), "{name}, {case}: the data");
            }
        }
    });
}

#[test]
fn no_sample_is_believed_that_somebody_tampered_with() {
    // What a scheme does not protect is said in the provider's notes: it must not grow unseen.
    let unprotected: RefCell<BTreeSet<&str>> = RefCell::default();
    every(|played| {
        for sample in &played.samples.samples {
            let (simulator, other) = (played.simulator(), played.other());
            for tampering in [Tampering::Body, Tampering::Signature, Tampering::Timestamp, Tampering::Secret] {
                let (name, case) = (played.name, format!("{}, {tampering:?}", sample.name));
                let mut forged = request(sample);
                let done = simulator.sign_badly(&mut forged, played.now(), tampering, &other);
                if !done.unwrap_or_else(|error| panic!("{name}, {case}: {error}")) {
                    if tampering == Tampering::Body {
                        unprotected.borrow_mut().insert(name);
                    }
                    continue;
                }
                let refused = played.verdict(simulator.verifier(), forged).map(|_| ());
                let wanted: &[Rejection] = match tampering {
                    Tampering::Timestamp => &[Rejection::Stale, Rejection::Expired],
                    // Another's key is fetched, or is known by another name.
                    _ => &[Rejection::Mismatch],
                };
                assert!(refused.is_err_and(|why| wanted.contains(&why)), "{name}, {case}: {refused:?}");
            }
            let unsigned = played.verdict(simulator.verifier(), request(sample)).map(|_| ());
            assert!(unsigned.is_err(), "{}, {}: a request that is not signed", played.name, sample.name);
        }
    });
    assert_eq!(
        unprotected.into_inner().into_iter().collect::<Vec<_>>(),
        [
            "adyen",
            "auth0",
            "aws-sns",
            "bspk",
            "bubblehouse",
            "datadog",
            "gitlab",
            "mailgun",
            "microsoft-graph",
            "okta",
            "paypal",
            "postmark"
        ],
        "these sign something else than the body"
    );
}

#[test]
fn the_same_request_has_the_same_events_whenever_it_comes() {
    every(|played| {
        for sample in &played.samples.samples {
            let simulator = played.simulator();
            let ids = |now: Timestamp| -> Vec<String> {
                let mut signed = request(sample);
                simulator.sign(&mut signed, now).unwrap();
                let verified = simulator.verifier().verify(signed.received(now), now).unwrap();
                let map = played.provider.event.as_ref().unwrap();
                let normalizer =
                    Normalizer::compile(&"route".into(), Some((played.name, map)), &[], &mut Problems::new()).unwrap();
                let normalized = normalizer.normalize(verified, RequestId(Uuid::nil()), &"f".into()).unwrap();
                normalized.events.iter().map(|occurrence| occurrence.event.id().to_owned()).collect()
            };
            let first = ids(played.now());
            let unique: BTreeSet<_> = first.iter().collect();
            assert_eq!(unique.len(), first.len(), "{}, {}: two events have one id", played.name, sample.name);
            // Those whose bodies have the time in them are another request each time.
            if !matches!(played.name, "linear" | "mailgun" | "klaviyo" | "plaid" | "plaid-sandbox" | "aws-sns") {
                let later = ids(played.now().after(Duration::from_secs(1)));
                assert_eq!(first, later, "{}, {}", played.name, sample.name);
            }
        }
    });
}

#[test]
fn every_handshake_is_answered_as_its_provider_says() {
    every(|played| {
        let handshakes = played.handshakes();
        for HandshakeSample { request: sample, signed, reply } in &played.samples.handshakes {
            let (name, case) = (played.name, &sample.name);
            let mut request = request(sample);
            assert!(handshakes.take(&request.method), "{name}, {case}: the method");
            let moment = if *signed {
                let simulator = played.simulator();
                simulator.sign(&mut request, played.now()).unwrap_or_else(|error| panic!("{name}, {case}: {error}"));
                let received = request.clone().received(played.now());
                assert!(
                    handshakes.answer(&received, Moment::BeforeAuth).is_none(),
                    "{name}, {case}: before it is verified"
                );
                simulator
                    .verifier()
                    .verify(received, played.now())
                    .unwrap_or_else(|why| panic!("{name}, {case}: {why}"));
                Moment::AfterAuth
            } else {
                Moment::BeforeAuth
            };
            let handshaken = handshakes.answer(&request.received(played.now()), moment);
            let Handshaken { answer, confirm, .. } =
                handshaken.unwrap_or_else(|| panic!("{name}, {case}: it is no handshake"));
            assert_eq!(answer.status, reply.status, "{name}, {case}");
            let body = answer.body.unwrap_or_default();
            if let Some(json) = &reply.json {
                assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), *json, "{name}, {case}");
            }
            if let Some(text) = &reply.text {
                assert_eq!(body, text.as_bytes(), "{name}, {case}");
                let kind = answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
                assert!(text.is_empty() || kind.starts_with("text/plain"), "{name}, {case}: {kind}");
            }
            for (field, value) in &reply.headers {
                assert_eq!(
                    answer.headers.get(field).and_then(|v| v.to_str().ok()),
                    Some(value.as_str()),
                    "{name}, {case}"
                );
            }
            assert_eq!(confirm.map(|address| address.to_string()), reply.visited, "{name}, {case}: what is visited");
        }
    });
}

#[test]
fn every_handshake_has_a_sample() {
    every(|played| {
        if !played.provider.handshake.is_empty() && played.samples.handshakes.is_empty() {
            // Bubblehouse's are told apart by the path alone: tests/answers.rs.
            assert_eq!(played.name, "bubblehouse", "no sample of a handshake");
        }
    });
}

#[test]
fn what_a_provider_hears_compiles() {
    every(|Played { name, provider, .. }| {
        let mut problems = Problems::new();
        Respond::compile(&provider.respond, &mut problems);
        assert!(problems.is_empty(), "{name}: {:#?}", problems.sorted());
    });
}

#[test]
fn what_a_provider_masks_is_there_to_be_hidden() {
    every(|Played { name, provider, .. }| {
        let mut mask = Mask::default();
        for path in &provider.mask {
            mask.add(path).unwrap_or_else(|error| panic!("{name}: {}: {error}", path.value));
        }
    });
}

#[test]
fn no_person_is_seen_in_what_bspk_sends() {
    let played = Played::new("bspk");
    let mut mask = Mask::default();
    played.provider.mask.iter().for_each(|path| mask.add(path).unwrap());
    for sample in &played.samples.samples {
        let simulator = played.simulator();
        let mut signed = request(sample);
        simulator.sign(&mut signed, played.now()).unwrap();
        for event in played.verdict(simulator.verifier(), signed).unwrap() {
            let shown = mask.document(&event).to_string();
            for personal in
                ["Mark", "Desmound", "\u{6807}", "@email", "+1 555", "1980", "French", "WT00", "Park Ave", "74801"]
            {
                assert!(!shown.contains(personal), "{}: {personal} is in {shown}", sample.name);
            }
            assert!(shown.contains("\"id\":123"), "{shown}");
        }
    }
}
