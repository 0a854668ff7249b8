//! What a captured request is judged by, for a diagnosis: a built-in provider with secrets that are given, or a route.

use std::sync::Arc;

use super::auth;
use crate::config::load::Given;
use crate::config::{At, Problem, Problems, file};
use crate::model::{NamedSecret, Secret};
use crate::pipeline::verify::diagnose::Case;
use crate::pipeline::verify::event_id;
use crate::providers;

/// A route as a diagnosis looks at it.
#[derive(Debug)]
pub struct RouteCase {
    /// What its requests are judged by.
    pub case: Case,
    /// The values of its path's parameters.
    pub path_params: Vec<(Box<str>, Box<str>)>,
    /// Its path, with its parameters.
    pub path: String,
    /// Whether the request's path is the route's.
    pub is_its_path: bool,
}

/// A case of the built-in provider `name`. A secret `ROLE=VALUE` is for the role that the provider names so; `None` where
/// there is no such provider.
#[must_use]
pub fn case_of_provider(name: &str, given: &[Secret], public_url: Option<&str>) -> Option<Case> {
    let provider = providers::builtin(name)?;
    let asked = auth::roles(Some(provider), Some(&provider.auth.value));
    let (mut secrets, mut roles) = (Vec::new(), Vec::new());
    for secret in given {
        match secret.expose().split_once('=').filter(|(role, _)| asked.contains(role)) {
            Some((role, value)) => roles.push(At::nowhere(NamedSecret::new(role, Secret::new(value.to_owned())))),
            None => {
                let name = match secrets.len() {
                    0 => NamedSecret::DEFAULT_NAME.to_owned(),
                    before => format!("{}-{}", NamedSecret::DEFAULT_NAME, before + 1),
                };
                secrets.push(At::nowhere(NamedSecret::new(name, secret.clone())));
            }
        }
    }
    let case = Case {
        auth: provider.auth.clone(),
        secrets,
        roles,
        id: event_id(Some(provider)),
        public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
        key: None,
        provider: Some(name.to_owned()),
    };
    Some(with_stand_ins(case))
}

/// The case of a route, for a request of this path. `None` and a problem where there is none.
pub fn case_of_route(
    file: &file::ConfigFile,
    given: &Given,
    name: &str,
    path: &str,
    problems: &mut Problems,
) -> Option<RouteCase> {
    let Some(route) = file.routes.iter().find(|route| route.name.value == name) else {
        let known = file.routes.iter().map(|route| route.name.value.as_str());
        let problem = Problem::error(crate::config::Place::default(), format!("there is no route `{name}`"));
        problems.push(problem.expected("the `name` of a route of this file").suggest(name, known));
        return None;
    };
    if problems.any_error_in(route.place) {
        return None;
    }
    let provider = auth::provider(route, &file.providers, given, problems);
    let auth::GivenSecrets { keys, roles } = auth::secrets(route, provider, problems)?;
    let Some(auth) = route.auth.as_ref().or_else(|| provider.map(|provider| &provider.auth)) else {
        problems.push(
            Problem::error(route.name.place, format!("the route `{name}` says neither `provider` nor `auth`"))
                .expected("`provider: NAME`, or `auth:` with a scheme"),
        );
        return None;
    };
    let own = route.provider.as_ref().filter(|name| route.auth.is_none() && file.providers.get(name).is_none());
    let case = Case {
        auth: auth.clone(),
        secrets: keys,
        roles,
        id: event_id(provider),
        public_url: file.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
        key: None,
        provider: own.map(|name| name.value.clone()),
    };
    let path_params = parameters(&route.path, path);
    Some(RouteCase {
        case: with_stand_ins(case),
        is_its_path: path_params.is_some(),
        path_params: path_params.unwrap_or_default(),
        path: route.path.value.clone(),
    })
}

/// The account that keys are asked for with is not needed where nobody asks.
fn with_stand_ins(mut case: Case) -> Case {
    for name in auth::roles(None, Some(&case.auth.value)) {
        if !case.roles.iter().any(|role| &*role.value.name == name) {
            let stand_in = NamedSecret::new(Arc::from(name), Secret::new("not needed".to_owned()));
            case.roles.push(At::nowhere(stand_in));
        }
    }
    case
}

/// The values of the parameters of `pattern` in a path; `None` where it is another route's.
fn parameters(pattern: &str, path: &str) -> Option<Vec<(Box<str>, Box<str>)>> {
    let mut router = matchit::Router::new();
    router.insert(pattern, ()).ok()?;
    let matched = router.at(path).ok()?;
    let decode = |value| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into();
    Some(matched.params.iter().map(|(name, value)| (name.into(), decode(value))).collect())
}
