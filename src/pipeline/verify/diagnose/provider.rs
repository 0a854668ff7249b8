//! A request that is another provider's.

use super::mutation::{Change, Mutation};
use super::trial::{Case, Trial};
use crate::config::file::Auth;
use crate::model::Timestamp;
use crate::pipeline::verify::event_id;
use crate::providers;

/// How many names are told.
const NAMES: usize = 4;

/// Under the schemes of which built-in providers a request would be verified with these secrets.
pub(super) fn others(trial: &Trial, now: Timestamp) -> (Option<Mutation>, usize) {
    let mut tried = 0;
    let mut found: Vec<(&'static str, Case)> = Vec::new();
    for name in providers::names().filter(|name| Some(*name) != trial.case.provider.as_deref()) {
        let Some(provider) = providers::builtin(name).filter(|provider| !matches!(provider.auth.value, Auth::None))
        else {
            continue;
        };
        let case = Case {
            auth: provider.auth.clone(),
            id: event_id(Some(provider)),
            provider: Some(name.to_owned()),
            ..trial.case.clone()
        };
        tried += 1;
        let other = Trial { case, request: trial.request.clone() };
        if other.holds_at_some_time(now) {
            found.push((name, other.case));
        }
    }
    (told(trial, found), tried)
}

fn told(trial: &Trial, found: Vec<(&'static str, Case)>) -> Option<Mutation> {
    let names: Vec<String> = found.iter().take(NAMES).map(|(name, _)| format!("`{name}`")).collect();
    let case = found.into_iter().next()?.1;
    let ours = trial.case.provider.as_ref().map(|name| format!(", not as `{name}`'s")).unwrap_or_default();
    let also = if names.len() > 1 { " (their schemes are alike)" } else { "" };
    let words = format!(
        "with this secret it verifies as a request of {}{also}{ours}: name that provider in the route",
        names.join(", ")
    );
    Some(Mutation::several(vec![Change::new("provider", words)], move |trial| {
        trial.case = case.clone();
        true
    }))
}
