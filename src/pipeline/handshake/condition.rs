//! What a request must have to be a handshake.

use std::collections::BTreeSet;

use http::Method;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::file::{self, Expectation, OneOrMany};
use crate::config::{At, Problem, Problems};
use crate::expr::{Needs, Predicate, RequestScope, Selected, Selector};
use crate::model::NamedSecret;

/// What a request must have to be a handshake: all of it.
#[derive(Debug)]
pub(super) struct Conditions {
    selected: Vec<(Selector, Wanted)>,
    /// The only methods that it is sent with; any where it does not say.
    methods: Option<Vec<String>>,
    body: Option<Predicate>,
}

/// What a selected value must be.
#[derive(Debug)]
enum Wanted {
    Is(OneOrMany<String>),
    Not(OneOrMany<String>),
    Exists(bool),
    /// The digest of a secret: what is compared says nothing of its length either.
    Secret(Digested),
}

struct Digested([u8; 32]);

/// The names of the secrets that a provider's handshakes ask for.
pub fn secret_roles(provider: &file::Provider) -> BTreeSet<&str> {
    let expectations = provider.handshake.iter().flat_map(|handshake| handshake.matches.iter());
    let roles = expectations.filter_map(|(_, expectation)| match &expectation.value {
        Expectation::Secret(role) => Some(role.as_str()),
        Expectation::Is(_) | Expectation::Not(_) | Expectation::Exists(_) => None,
    });
    roles.collect()
}

// === impl Conditions ===

impl Conditions {
    pub(super) fn compile(file: &file::Handshake, roles: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        let mut selected = Vec::new();
        let mut methods = None;
        for (text, expectation) in file.matches.iter() {
            if let ("method", Expectation::Is(wanted)) = (text.value.as_str(), &expectation.value) {
                methods = Some(wanted.as_slice().to_vec());
            }
            let wanted = Wanted::compile(expectation, roles, problems);
            match Selector::parse(text) {
                Ok(selector) => selected.extend(wanted.map(|wanted| (selector, wanted))),
                Err(error) => {
                    problems.push(Problem::expression(text.place, "the selector", &error.message, error.expected));
                }
            }
        }
        let body = match file.condition.as_ref().map(|text| (text, Predicate::parse(text))) {
            None => None,
            Some((_, Ok(predicate))) => Some(predicate),
            Some((text, Err(error))) => {
                problems.push(Problem::expression(text.place, "the condition", &error.message, error.expected));
                return None;
            }
        };
        (selected.len() == file.matches.iter().count()).then_some(Self { selected, methods, body })
    }

    /// Whether requests of this method can be such.
    pub(super) fn take(&self, method: &Method) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.iter().any(|known| known == method.as_str()))
    }

    /// Adds what they look at in the parsed body.
    pub(super) fn add_needs(&self, needs: &mut Needs) {
        self.selected.iter().for_each(|(selector, _)| selector.add_needs(needs));
        self.body.iter().for_each(|predicate| predicate.add_needs(needs));
    }

    /// Whether every condition holds that can be told without parsing the body.
    pub(super) fn may_hold(&self, scope: &RequestScope<'_>) -> bool {
        self.selected.iter().filter(|(selector, _)| !selector.needs_json()).all(|condition| holds(condition, scope))
    }

    pub(super) fn hold(&self, scope: &RequestScope<'_>) -> bool {
        let body = match (&self.body, scope.json) {
            (None, _) => true,
            (Some(predicate), Some(json)) => predicate.holds(json).unwrap_or(false),
            (Some(_), None) => false,
        };
        body && self.selected.iter().all(|condition| holds(condition, scope))
    }
}

fn holds((selector, wanted): &(Selector, Wanted), scope: &RequestScope<'_>) -> bool {
    let value = match selector.select(scope) {
        Ok(Selected::One(value) | Selected::Several(value)) => Some(value),
        Ok(Selected::Nothing) | Err(_) => None,
    };
    let is_one_of =
        |wanted: &OneOrMany<String>| value.as_deref().map(|value| wanted.as_slice().iter().any(|w| w == value));
    match wanted {
        Wanted::Is(wanted) => is_one_of(wanted) == Some(true),
        Wanted::Not(unwanted) => is_one_of(unwanted) == Some(false),
        Wanted::Exists(there) => value.is_some() == *there,
        Wanted::Secret(secret) => value.is_some_and(|value| secret.is(value.as_bytes())),
    }
}

// === impl Wanted ===

impl Wanted {
    fn compile(file: &At<Expectation>, roles: &[At<NamedSecret>], problems: &mut Problems) -> Option<Self> {
        Some(match &file.value {
            Expectation::Is(wanted) => Self::Is(wanted.clone()),
            Expectation::Not(unwanted) => Self::Not(unwanted.clone()),
            Expectation::Exists(there) => Self::Exists(*there),
            Expectation::Secret(role) => {
                let secret = roles.iter().find(|secret| *secret.name == **role);
                let Some(secret) = secret.filter(|secret| !secret.value.value.is_empty()) else {
                    problems.push(
                        Problem::error(file.place, format!("the route has no secret called `{role}`"))
                            .expected(format!("`{role}` under `secrets` of the route, beside the one that signs")),
                    );
                    return None;
                };
                Self::Secret(Digested(Sha256::digest(secret.value.value.expose()).into()))
            }
        })
    }
}

// === impl Digested ===

impl Digested {
    fn is(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        self.0.ct_eq(&given).into()
    }
}

impl std::fmt::Debug for Digested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the digest: a short token can be found from it.
        f.write_str("Digested(***)")
    }
}
