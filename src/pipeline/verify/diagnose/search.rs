//! The order in which near misses are looked for: what happens most comes first, and pairs come last.

use super::mutation::{Change, Mutation};
use super::trial::Trial;
use super::{MOST_ATTEMPTS, MOST_BYTES, address, body, content, hint, moment, provider, secret, signature, token};
use crate::model::Timestamp;

/// A search for what nearly matched.
pub(super) struct Search<'t> {
    trial: &'t Trial,
    now: Timestamp,
    pub(super) checked: Vec<&'static str>,
    pub(super) attempts: usize,
    pub(super) cut_short: bool,
    /// What an attempt costs.
    cost: usize,
    spent: usize,
}

/// A trial that would be verified, and what is different in it.
struct Found {
    changes: Vec<Change>,
    trial: Trial,
}

// === impl Search ===

impl<'t> Search<'t> {
    pub(super) fn new(trial: &'t Trial, now: Timestamp) -> Self {
        Self { trial, now, checked: Vec::new(), attempts: 0, cut_short: false, cost: 0, spent: 0 }
    }

    /// Everything that is different in the first that would be verified.
    pub(super) fn near_miss(&mut self) -> Vec<Change> {
        self.checked.push("time");
        let found = if self.trial.holds_at_some_time(self.now) {
            Some(Found { changes: Vec::new(), trial: self.trial.clone() })
        } else {
            self.cost = self.trial.cost();
            self.single().or_else(|| self.double())
        };
        let Some(Found { mut changes, trial }) = found else { return Vec::new() };
        changes.extend(moment::explain(&trial, self.now));
        changes
    }

    /// One thing is different.
    fn single(&mut self) -> Option<Found> {
        let trial = self.trial;
        None.or_else(|| self.first("body", body::mutations(trial)))
            .or_else(|| self.first("secret", secret::mutations(trial)))
            .or_else(|| self.first("signature", signature::mutations(trial)))
            .or_else(|| self.first("timestamp", moment::mutations(trial)))
            .or_else(|| self.first("url", address::mutations(trial)))
            .or_else(|| self.first("token", token::mutations(trial)))
            .or_else(|| self.first("content", content::mutations(trial)))
            .or_else(|| self.first("header", self.near_places()))
            .or_else(|| self.provider())
            .or_else(|| self.first("header", signature::elsewhere(trial)))
    }

    /// Two things are different.
    fn double(&mut self) -> Option<Found> {
        let trial = self.trial;
        let (bodies, ends, secrets) = (body::mutations(trial), body::ends(trial), secret::mutations(trial));
        let (signatures, elsewhere) = (signature::mutations(trial), signature::elsewhere(trial));
        let (tokens, times) = (token::mutations(trial), moment::mutations(trial));
        let (urls, contents) = (address::mutations(trial), content::mutations(trial));
        let prefixes = token::prefixes(trial);
        let pairs: [(&'static str, &[Mutation], &[Mutation]); 15] = [
            ("secret and body", &secrets, &ends),
            ("secret and signature", &secrets, &signatures),
            ("header and secret", &elsewhere, &secrets),
            ("header and prefix", &elsewhere, &prefixes),
            ("signature and body", &signatures, &ends),
            ("url and secret", &urls, &secrets),
            ("url and body", &urls, &ends),
            ("token and secret", &tokens, &secrets),
            ("token and body", &tokens, &ends),
            ("content and secret", &contents, &secrets),
            ("content and signature", &contents, &signatures),
            ("timestamp and secret", &times, &secrets),
            ("timestamp and body", &times, &ends),
            ("secret and body", &secrets, &bodies),
            ("url and signature", &urls, &signatures),
        ];
        pairs.into_iter().find_map(|(what, firsts, seconds)| self.pairs(what, firsts, seconds))
    }

    fn provider(&mut self) -> Option<Found> {
        self.checked.push("provider");
        let (mutation, tried) = provider::others(self.trial, self.now);
        self.attempts += tried;
        self.attempt(&[&mutation?])
    }

    /// Other places whose names are nearly that of the right one.
    fn near_places(&self) -> Vec<Mutation> {
        let names = hint::names_of(&self.trial.request.headers);
        let wanted = self.trial.places();
        let wanted = wanted.iter().filter_map(|place| place.strip_prefix("header:"));
        let near: Vec<String> = wanted
            .filter_map(|name| hint::near(&name.to_lowercase(), &names))
            .map(|name| format!("header:{name}"))
            .collect();
        signature::elsewhere_in(self.trial, &near)
    }

    fn first(&mut self, what: &'static str, mutations: Vec<Mutation>) -> Option<Found> {
        if !mutations.is_empty() && !self.checked.contains(&what) {
            self.checked.push(what);
        }
        mutations.iter().find_map(|mutation| self.attempt(&[mutation]))
    }

    fn pairs(&mut self, what: &'static str, firsts: &[Mutation], seconds: &[Mutation]) -> Option<Found> {
        if firsts.is_empty() || seconds.is_empty() {
            return None;
        }
        if !self.checked.contains(&what) {
            self.checked.push(what);
        }
        for first in firsts {
            for second in seconds {
                self.spent = self.spent.saturating_add(self.cost);
                if self.spent > MOST_BYTES || self.attempts > MOST_ATTEMPTS {
                    self.cut_short = true;
                    return None;
                }
                if let Some(found) = self.attempt(&[first, second]) {
                    return Some(found);
                }
            }
        }
        None
    }

    fn attempt(&mut self, mutations: &[&Mutation]) -> Option<Found> {
        let mut trial = self.trial.clone();
        if !mutations.iter().all(|mutation| mutation.apply(&mut trial)) {
            return None;
        }
        self.attempts += 1;
        let changes = || mutations.iter().flat_map(|mutation| mutation.changes.iter().cloned()).collect();
        trial.holds_at_some_time(self.now).then(|| Found { changes: changes(), trial })
    }
}
