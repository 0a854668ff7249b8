//! Who a route listens to: its provider, its scheme and its secrets.

use std::collections::{BTreeSet, HashSet};

use super::Secrets;
use crate::config::load::{Given, Section};
use crate::config::{At, Named, Problem, Problems, Severity, file};
use crate::model::NamedSecret;
use crate::pipeline::handshake::secret_roles;
use crate::pipeline::verify::{Simulator, Surroundings, Verifier, event_id};
use crate::providers;
use crate::signing::PrivateKey;

/// The provider that a route names: the user's own of that name before a built-in one.
pub(super) fn provider<'f>(
    route: &file::Route,
    own: &'f Named<At<file::Provider>>,
    given: &Given,
    problems: &mut Problems,
) -> Option<&'f file::Provider> {
    let name = route.provider.as_ref()?;
    if let Some(own) = own.get(name) {
        return Some(own);
    }
    let builtin = providers::builtin(name);
    if builtin.is_none() && !given.contains(Section::Providers, name) {
        let known = own.names().chain(providers::names().map(|name| -> &str { name }));
        problems.push(
            Problem::error(name.place, format!("there is no provider `{}`", name.value))
                .expected("a built-in provider (`hookswitch providers` lists them), or one of `providers:`")
                .suggest(name, known),
        );
    }
    builtin
}

/// A route's secrets, by what they are for.
#[derive(Debug, Default)]
pub(super) struct GivenSecrets {
    /// Those that verify requests.
    pub(super) keys: Vec<At<NamedSecret>>,
    /// Those that the provider asks for by their names, for something else.
    pub(super) roles: Vec<At<NamedSecret>>,
}

/// Who signs the requests of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Senders {
    /// The providers.
    Real,
    /// Whoever plays them: where only they have a key, it is made up.
    Played,
}

/// How a route knows who sends.
pub(super) struct Listening {
    pub(super) verifier: Verifier,
    /// Those that it compares with.
    pub(super) secrets: Secrets,
    /// The key of a sender who is played.
    pub(super) player: Option<PrivateKey>,
}

/// How a route knows who sends: by its own scheme before its provider's. Never off by omission. `own` are the providers of the
/// file.
pub(super) fn listen(
    route: &At<file::Route>,
    secrets: &GivenSecrets,
    (provider, own): (Option<&file::Provider>, &Named<At<file::Provider>>),
    public_url: Option<&str>,
    senders: Senders,
    problems: &mut Problems,
) -> Option<Listening> {
    let auth = route.auth.as_ref().or_else(|| provider.map(|provider| &provider.auth));
    let Some(auth) = auth else {
        // Where it is there but cannot be read, that is said already.
        if route.provider.is_none() && !problems.any_error_in(route.place) {
            problems.push(
                Problem::error(
                    route.name.place,
                    format!("the route `{}` says neither `provider` nor `auth`", route.name.value),
                )
                .expected("`provider: NAME`, or `auth:` with a scheme, or `auth: none` in so many words"),
            );
        }
        return None;
    };
    let GivenSecrets { keys: secrets, roles } = secrets;
    if secrets.is_empty() && problems.any_error_in(route.place) {
        // The secret may be what could not be read: that it is missing would be a second problem.
        return None;
    }
    let id = event_id(provider);
    let mut found = Problems::new();
    let surroundings = Surroundings { id: &id, public_url, roles };
    let played = match senders {
        Senders::Real => None,
        Senders::Played => Simulator::in_place_of(auth, secrets, surroundings, &mut found),
    };
    let (verifier, player) = match played {
        Some(simulator) => {
            let (verifier, player) = simulator.into_parts();
            (Some(verifier), player)
        }
        None => (Verifier::compile(auth, secrets, surroundings, &mut found), None),
    };
    let elsewhere = route.provider.as_ref().is_some_and(|name| own.get(name).is_none());
    let place = if route.auth.is_some() { None } else { route.provider.as_ref().map(|name| name.place) };
    // What is odd about a built-in provider is in its notes, and nobody can mend it in their file.
    let ours = |problem: &&Problem| {
        !elsewhere || problem.severity == Severity::Error || secrets.iter().any(|secret| secret.place == problem.place)
    };
    problems.extend(found.iter().filter(ours).cloned().map(|problem| match place {
        // A built-in provider is another file, and what all of a scheme lacks, the route does not give it: that is
        // shown where the route names its provider.
        Some(place)
            if secrets.iter().all(|secret| secret.place != problem.place)
                && (elsewhere || problem.place == auth.place) =>
        {
            Problem { place, ..problem }
        }
        _ => problem,
    }));
    let verifier = verifier?;
    let compared: HashSet<&str> = verifier.secret_names().collect();
    let secrets = Secrets::new(secrets.iter().map(|at| at.value.clone()).filter(|one| compared.contains(&*one.name)));
    Some(Listening { verifier, secrets, player })
}

/// The secrets of a route; `None` where it gives them in a way that leaves nothing to check them by.
pub(super) fn secrets(
    route: &file::Route,
    provider: Option<&file::Provider>,
    problems: &mut Problems,
) -> Option<GivenSecrets> {
    if let (Some(_), Some(several)) = (&route.secret, &route.secrets) {
        problems
            .push(Problem::error(several.place, "the route has both `secret` and `secrets`").expected("one of them"));
    }
    if let Some(several) = route.secrets.as_ref().filter(|several| several.is_empty()) {
        problems.push(Problem::error(several.place, "there is no secret in `secrets`").expected("a name and a value"));
        return None;
    }
    let mut all = Vec::new();
    if let Some(secret) = &route.secret {
        all.push(At::new(NamedSecret::new(NamedSecret::DEFAULT_NAME, secret.value.clone()), secret.place));
    }
    for (name, secret) in route.secrets.iter().flat_map(|secrets| secrets.value.iter()) {
        all.push(At::new(NamedSecret::new(name.value.as_str(), secret.value.clone()), secret.place));
    }
    let auth = route.auth.as_ref().or_else(|| provider.map(|provider| &provider.auth)).map(|auth| &auth.value);
    let roles = roles(provider, auth);
    let (roles, keys) = all.into_iter().partition(|secret| roles.contains(&*secret.value.name));
    Some(GivenSecrets { keys, roles })
}

/// The names of secrets that have a role of their own.
pub(super) fn roles<'f>(provider: Option<&'f file::Provider>, auth: Option<&file::Auth>) -> BTreeSet<&'f str> {
    let mut roles = provider.map(secret_roles).unwrap_or_default();
    if let Some(file::Auth::Jwt(file::Jwt { keys: Some(At { value: file::JwtKeys::Plaid(_), .. }), .. })) = auth {
        roles.extend(["client_id", "secret"]);
    }
    roles
}

/// The header fields that are never kept of a route's requests.
pub(super) fn credentials(verifier: Option<&Verifier>) -> Vec<http::HeaderName> {
    verifier.map(|verifier| verifier.credential_headers().to_vec()).unwrap_or_default()
}
