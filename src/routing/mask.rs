//! `mask:` of a route and of its provider: what of its events is shown to nobody.

use std::collections::HashMap;
use std::sync::Arc;

use super::RouteTable;
use crate::config::{At, Named, Problem, Problems, file};
use crate::expr::{Mask, MaskError};
use crate::model::{Event, Lane};
use crate::pipeline::filter::OrderBy;
use crate::providers;

/// The masks of providers by their names: many routes share one.
pub(super) type Masks = HashMap<Box<str>, Arc<Mask>>;

const A_PATH: &str = "a path into the event, such as $.data.email";

/// The masks of the user's own providers.
pub(super) fn of_own(own: &Named<At<file::Provider>>, problems: &mut Problems) -> Masks {
    let mut mask = |provider: &file::Provider| Arc::new(compile(&provider.mask, problems));
    own.iter().map(|(name, provider)| (name.value.as_str().into(), mask(provider))).collect()
}

/// The mask of a route: its own paths, and those of its provider.
pub(super) fn of_route(
    route: &file::Route,
    provider: Option<&file::Provider>,
    known: &mut Masks,
    problems: &mut Problems,
) -> Arc<Mask> {
    let provided = match route.provider.as_ref().zip(provider) {
        Some((name, provider)) => Arc::clone(
            // One of the user's own is known; what is wrong with a built-in one is found by its tests.
            known
                .entry(name.value.as_str().into())
                .or_insert_with(|| Arc::new(compile(&provider.mask, &mut Problems::new()))),
        ),
        None => Arc::default(),
    };
    if route.mask.is_empty() {
        return provided;
    }
    let mut mask = compile(&route.mask, problems);
    mask.extend(&provided);
    Arc::new(mask)
}

/// A key that was taken from what is masked, or that nobody knows any more what it was taken from, is shown to nobody.
pub(super) fn shows_keys(mask: &Mask, order_by: Option<&OrderBy>) -> bool {
    mask.is_nothing() || order_by.is_some_and(|order_by| !mask.covers(order_by.path()))
}

fn compile(paths: &[At<String>], problems: &mut Problems) -> Mask {
    let mut mask = Mask::default();
    for path in paths {
        if let Err(error) = mask.add(path) {
            problems.push(problem(path, error));
        }
    }
    mask
}

fn problem(path: &At<String>, error: MaskError) -> Problem {
    let problem = Problem::error(path.place, error.to_string());
    match error {
        MaskError::NoQuery(error) => problem.expected(error.expected.unwrap_or_else(|| A_PATH.to_owned())),
        MaskError::NoMember(name) => {
            let meant = crate::config::nearest(&name, Event::MEMBERS).map(|name| format!("$.{name}"));
            Problem { did_you_mean: meant, ..problem.expected(format!("$.{}", Event::MEMBERS.join(", $."))) }
        }
        MaskError::UpperCase(name) => problem.expected(format!("`{}`", name.to_ascii_lowercase())),
        _ => problem.expected(A_PATH),
    }
}

// === impl RouteTable ===

impl RouteTable {
    /// What is shown to nobody of the events of a route, of which no more is known than its name: all of the payload, where
    /// there is no such route any more.
    #[must_use]
    pub fn mask_of_route(&self, route: &str) -> Arc<Mask> {
        self.route(route).map_or_else(|| Arc::new(Mask::everything()), |route| Arc::clone(&route.mask))
    }

    /// What is shown to nobody of an event: what its route says, and its provider, should that be another than its route has
    /// now. Of a route that is gone its provider says it alone; of one that had none, nothing of the payload is shown.
    #[must_use]
    pub fn mask_of(&self, event: &Event) -> Arc<Mask> {
        let provided = self.mask_of_provider(&event.attributes().provider);
        match (self.route(&event.attributes().route), provided) {
            (None, None) => Arc::new(Mask::everything()),
            (None, Some(provided)) => provided,
            (Some(route), Some(provided)) if !route.mask.includes(&provided) => {
                let mut mask = Mask::clone(&route.mask);
                mask.extend(&provided);
                Arc::new(mask)
            }
            (Some(route), _) => Arc::clone(&route.mask),
        }
    }

    /// Whether the order keys of a lane may be shown: nothing of what they are taken from is masked.
    #[must_use]
    pub fn shows_keys(&self, lane: &Lane) -> bool {
        match self.delivery(lane) {
            Some(delivery) => delivery.shows_keys,
            None => self.route(&lane.route).is_some_and(|route| route.mask.is_nothing()),
        }
    }

    fn mask_of_provider(&self, name: &str) -> Option<Arc<Mask>> {
        self.masks.get(name).cloned().or_else(|| {
            let builtin = providers::builtin(name)?;
            Some(Arc::new(compile(&builtin.mask, &mut Problems::new())))
        })
    }
}
