//! The parameters of a route's path: those that it has, and those that are read.

use std::collections::BTreeSet;

use crate::config::{At, Problem, Problems, file};

/// Checks that the path of a route has the parameters that its provider and its auth read: one that it has not would
/// never have a value.
pub(super) fn check(route: &file::Route, provider: Option<&file::Provider>, problems: &mut Problems) {
    let mut reported = BTreeSet::new();
    if let Some(auth) = &route.auth {
        for text in of_auth(auth) {
            for parameter in lacking(route, &text.value).filter(|name| reported.insert(*name)) {
                problems.push(problem(route, text, "auth", parameter));
            }
        }
    }
    let Some((provider, name)) = provider.zip(route.provider.as_ref()) else { return };
    let auth = if route.auth.is_some() { Vec::new() } else { of_auth(&provider.auth) };
    let read = auth.into_iter().map(|text| text.value.as_str());
    let read = read.chain(of_handshakes(provider)).chain(provider.event.iter().flat_map(|event| of_event(event)));
    for parameter in read.flat_map(|text| lacking(route, text)) {
        if reported.insert(parameter) {
            problems.push(problem(route, &route.path, &format!("provider `{}`", name.value), parameter));
        }
    }
}

fn problem(route: &file::Route, at: &At<String>, who: &str, parameter: &str) -> Problem {
    let path = route.path.value.trim_end_matches('/');
    Problem::error(at.place, format!("the {who} reads the path parameter `{parameter}`, which the path does not have"))
        .expected(format!("a path such as {path}/{{{parameter}}}"))
}

/// The parameters that a selector, or text with selectors in braces, reads and the path does not have.
fn lacking<'f>(route: &file::Route, text: &'f str) -> impl Iterator<Item = &'f str> {
    let alone = text.strip_prefix("path:");
    let in_braces = text.split("{path:").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let read: Vec<&str> = alone.into_iter().chain(in_braces).collect();
    read.into_iter().filter(|name| {
        let has = |braced: String| route.path.contains(&braced);
        !name.is_empty() && !has(format!("{{{name}}}")) && !has(format!("{{*{name}}}"))
    })
}

fn of_auth(auth: &At<file::Auth>) -> Vec<&At<String>> {
    match &auth.value {
        file::Auth::None | file::Auth::Basic(_) | file::Auth::Sns(_) => Vec::new(),
        file::Auth::Token(token) => vec![&token.from],
        file::Auth::Jwt(jwt) => jwt.from.iter().collect(),
        file::Auth::Hmac(hmac) => of_signed(&hmac.signature, &hmac.timestamp, hmac.content.as_ref()),
        file::Auth::KeyedHash(hash) => of_signed(&hash.signature, &hash.timestamp, Some(&hash.content)),
        file::Auth::Ed25519(key) => of_signed(&key.signature, &key.timestamp, key.content.as_ref()),
        file::Auth::EcdsaP256(key) => of_signed(&key.signature, &key.timestamp, key.content.as_ref()),
        file::Auth::Rsa(key) => of_signed(&key.signature, &key.timestamp, key.content.as_ref()),
    }
}

fn of_signed<'f>(
    signature: &'f file::Signature,
    timestamp: &'f Option<At<file::TimestampRule>>,
    content: Option<&'f At<String>>,
) -> Vec<&'f At<String>> {
    let time = timestamp.as_ref().map(|timestamp| &timestamp.from);
    signature.from.as_slice().iter().chain(time).chain(content).collect()
}

fn of_handshakes(provider: &file::Provider) -> impl Iterator<Item = &str> {
    provider.handshake.iter().flat_map(|handshake| handshake.matches.names())
}

fn of_event(event: &file::EventMap) -> impl Iterator<Item = &str> {
    let choices = [Some(&event.kind), event.id.as_ref(), event.time.as_ref(), event.subject.as_ref()];
    choices.into_iter().flatten().flat_map(|choices| choices.as_slice()).filter_map(|choice| match &choice.value {
        file::Choice::Select(text) => Some(text.as_str()),
        file::Choice::When { .. } => None,
    })
}
