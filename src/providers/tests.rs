//! The built-in providers' files: each loads, compiles and says what the provider's documents say.

use crate::config::file::{Auth, Choice, Expectation, HandshakeMoment, OneOrMany, Reply};
use crate::config::{At, Problems};
use crate::expr::{Choices, Predicate, Query, Selector, Template};
use crate::model::{NamedSecret, Secret, Timestamp};
use crate::pipeline::verify::{Rejection, Unsigned, Verifier};

use super::*;

fn provider(name: &str) -> Provider {
    load::parse_provider(source(name).unwrap()).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"))
}

#[test]
fn every_file_loads_and_says_what_it_is() {
    let names: Vec<_> = names().collect();
    assert_eq!(names, ["bspk", "bubblehouse", "orderspace", "sparkbox"]);
    for name in names {
        let about = provider(name).about.unwrap();
        assert!(about.docs.is_some_and(|docs| docs.starts_with("https://")), "{name}");
        assert!(about.secret.is_some() && !about.notes.is_empty(), "{name}");
        assert!(builtin(name).is_some());
    }
    assert!(builtin("acme").is_none());
}

#[test]
fn every_file_is_the_yaml_of_a_provider_and_nothing_more() {
    for name in names() {
        let source = source(name).unwrap();
        assert!(source.starts_with("# "), "{name} begins with what is special about it");
        let misspelt = source.replace("\nauth:", "\nauht:");
        assert_ne!(misspelt, source);
        let problems = load::parse_provider(&misspelt).unwrap_err();
        assert_eq!(problems[0].did_you_mean.as_deref(), Some("auth"), "{name}");
        let twice = format!("{source}\nauth: none\n");
        assert!(load::parse_provider(&twice).is_err(), "{name}: the later of two keys must not win");
    }
}

#[test]
fn every_scheme_compiles_and_none_is_off() {
    for name in names() {
        let auth = provider(name).auth;
        assert!(!matches!(auth.value, Auth::None), "{name}");
        let secret = [At::nowhere(NamedSecret::new("main", Secret::new("7R2gNdE4GU8K06WX".to_owned())))];
        let mut problems = Problems::new();
        let verifier = Verifier::compile(&auth, &secret, &Choices::none(), None, &mut problems);
        assert!(verifier.is_some() && problems.is_empty(), "{name}: {problems:?}");
    }
}

#[test]
fn every_provider_believes_what_is_signed_by_its_own_description() {
    let now = Timestamp::from_seconds(1_700_000_000);
    for name in names() {
        let mut problems = Problems::new();
        let compile = |secret: &str, problems: &mut Problems| {
            let secrets = [At::nowhere(NamedSecret::new("main", Secret::new(secret.to_owned())))];
            Verifier::compile(&provider(name).auth, &secrets, &Choices::none(), None, problems).unwrap()
        };
        let verifier = compile("7R2gNdE4GU8K06WX", &mut problems);
        let unsigned = Unsigned {
            method: http::Method::POST,
            path: "/hooks".into(),
            query: "".into(),
            path_params: Vec::new(),
            headers: http::HeaderMap::new(),
            body: "{}".into(),
        };
        let mut signed = unsigned.clone();
        verifier.sign(&mut signed, now).unwrap();
        assert!(verifier.verify(signed.clone().received(now), now).is_ok(), "{name}");
        let other = compile("another secret", &mut problems);
        let refused = other.verify(signed.received(now), now).map_err(Rejection::as_str);
        assert_eq!(refused.err(), Some("mismatch"), "{name}");
        let refused = verifier.verify(unsigned.received(now), now).map_err(Rejection::as_str);
        assert_eq!(refused.err(), Some("missing"), "{name}: a request without a signature");
    }
}

#[test]
fn every_expression_compiles() {
    for name in names() {
        let provider = provider(name);
        let event = provider.event.unwrap().value;
        let queries = event.batch.iter().chain(&event.require).chain(many(event.split.as_ref()));
        for query in queries.chain(many(event.data.as_ref())) {
            assert!(Query::parse(query).is_ok(), "{name}: {}", query.value);
        }
        let maps = [Some(&event.kind), event.id.as_ref(), event.time.as_ref(), event.subject.as_ref()];
        for choice in maps.into_iter().flatten().flat_map(|choices| many(Some(&choices.value))) {
            match &choice.value {
                Choice::Select(text) => assert!(Choices::none().or_select(text).is_ok(), "{name}: {text}"),
                Choice::When { when, .. } => assert!(Predicate::parse(when).is_ok(), "{name}: {}", when.value),
            }
        }
        for handshake in &provider.handshake {
            assert!(handshake.matches.names().all(|selector| Selector::parse(selector).is_ok()), "{name}");
        }
        let respond = [&provider.respond.accepted, &provider.respond.filtered, &provider.respond.duplicate];
        let failures = [&provider.respond.invalid, &provider.respond.unauthorized, &provider.respond.unavailable];
        let replies = respond.into_iter().chain(failures).flatten().chain(provider.handshake.iter().map(|h| &h.reply));
        for body in replies.filter_map(|reply| reply.body.as_ref()) {
            assert!(Template::compile(&body.value).is_ok(), "{name}: {}", body.value);
        }
    }
}

#[test]
fn bubblehouse_is_greeted_and_hears_outcomes() {
    let provider = provider("bubblehouse");
    let [hello, unknown] = &provider.handshake[..] else { panic!("two handshakes") };
    assert!(
        matches!(hello.matches.get("path:hook").map(|at| &at.value), Some(Expectation::Is(OneOrMany::One(hook))) if hook == "Hello1")
    );
    assert_eq!(hello.when, HandshakeMoment::AfterAuth);
    // The provider's page on Hello1: the same magic, and the hooks that are wanted.
    let greeting = Template::compile(&hello.reply.body.as_ref().unwrap().value).unwrap();
    let greeting = greeting.render(&serde_json::json!({ "magic": "abc123" })).unwrap().unwrap();
    assert_eq!(greeting, serde_json::json!({ "magic": "abc123", "hooks": ["SendEvent1"] }));
    assert_eq!(status(&hello.reply), Some(200));
    assert_eq!(unknown.when, HandshakeMoment::BeforeAuth);
    assert_eq!(status(&unknown.reply), Some(404));
    let told = |reply: &Option<At<Reply>>| {
        let reply = reply.as_ref().unwrap();
        (status(reply), reply.body.as_ref().unwrap().value["outcome"].as_str().map(str::to_owned))
    };
    let respond = &provider.respond;
    assert_eq!(told(&respond.accepted), (Some(200), Some("sent".into())));
    assert_eq!(told(&respond.filtered), (Some(200), Some("skipped".into())));
    assert_eq!(told(&respond.duplicate), (Some(200), Some("sent".into())));
    assert_eq!(told(&respond.invalid), (Some(200), Some("invalid_data".into())));
    assert_eq!(told(&respond.unavailable), (Some(503), Some("failure".into())));
    assert!(respond.unauthorized.is_none());
}

#[test]
fn orderspace_hears_200() {
    let respond = provider("orderspace").respond;
    for reply in [&respond.accepted, &respond.filtered, &respond.duplicate] {
        assert_eq!(reply.as_ref().and_then(|reply| status(reply)), Some(200));
    }
}

#[test]
fn both_envelopes_of_orderspace_split_into_their_entities() {
    let event = provider("orderspace").event.unwrap().value;
    let queries: Vec<_> = many(event.split.as_ref()).map(|query| Query::parse(query).unwrap()).collect();
    let split = |envelope: serde_json::Value| -> Vec<serde_json::Value> {
        let found =
            queries.iter().map(|query| query.all(&envelope, &envelope).unwrap()).find(|found| !found.is_empty());
        found.unwrap_or_default().into_iter().cloned().collect()
    };
    let (one, two) = (serde_json::json!({ "id": 1, "lines": [{ "id": 9 }] }), serde_json::json!({ "id": 2 }));
    let listed = serde_json::json!({ "event": "order.created", "data": { "orders": [one.clone(), two.clone()] } });
    assert_eq!(split(listed), [one.clone(), two]);
    let single = serde_json::json!({ "event": "order.created", "data": { "order": one.clone() } });
    assert_eq!(split(single), [one]);
    assert_eq!(split(serde_json::json!({ "event": "order.created", "data": { "orders": [] } })), [""; 0]);
}

fn status(reply: &Reply) -> Option<u16> {
    reply.status.as_ref().map(|status| status.value)
}

fn many<T>(list: Option<&OneOrMany<T>>) -> impl Iterator<Item = &T> {
    match list {
        None => &[],
        Some(OneOrMany::One(one)) => std::slice::from_ref(one),
        Some(OneOrMany::Many(many)) => many,
    }
    .iter()
}
