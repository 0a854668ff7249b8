//! What runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

use super::mask::Masks;
use super::{Secrets, Settings};
use crate::expr::Mask;
use crate::model::{Lane, Timestamp};
use crate::pipeline::deliver::Target;
use crate::pipeline::filter::Wants;
use crate::pipeline::handshake::Handshakes;
use crate::pipeline::normalize::Normalizer;
use crate::pipeline::respond::Respond;
use crate::pipeline::transform::Shape;
use crate::pipeline::verify::{SignError, Signing, Unsigned, Verifier};
use crate::signing::PrivateKey;

/// The compiled configuration.
#[derive(Debug)]
pub struct RouteTable {
    /// The fingerprint of the text that it was compiled from; empty where that is not known.
    pub fingerprint: Arc<str>,
    /// What concerns the process rather than a route.
    pub settings: Settings,
    pub(super) paths: matchit::Router<Arc<Route>>,
    pub(super) routes: Vec<Arc<Route>>,
    /// The same by name: a page of a list asks for one an entry.
    pub(super) by_name: HashMap<Arc<str>, Arc<Route>, FixedState>,
    /// What the user's own providers, and the built-in ones of routes, keep from being shown.
    pub(super) masks: Masks,
    /// Asked for several times a delivery. The names are the operator's, so that nobody can make them collide.
    pub(super) deliveries: HashMap<Lane, Arc<Delivery>, FixedState>,
    pub(super) targets: BTreeMap<Arc<str>, Arc<Target>>,
}

/// A route, compiled: a field a stage.
#[derive(Debug)]
pub struct Route {
    /// Its name: a metric label.
    pub name: Arc<str>,
    /// The path of its requests as the file has it, with its parameters.
    pub path: Box<str>,
    /// The largest body, in bytes.
    pub max_body: u64,
    /// What is answered on the spot.
    pub handshakes: Handshakes,
    /// How requests are verified.
    pub verifier: Verifier,
    /// The key of the sender, where that is played.
    pub(super) player: Option<PrivateKey>,
    /// Its secrets, and what was seen of each; none under `auth: none`.
    pub secrets: Secrets,
    /// Where their events are.
    pub normalizer: Normalizer,
    /// Which lanes want an event.
    pub wants: Wants,
    /// How long an event is known as a duplicate; `None` where duplicates are not looked for.
    pub remember: Option<Duration>,
    /// What the provider hears.
    pub respond: Respond,
    /// What of its events is shown to nobody, that of its provider included.
    pub mask: Arc<Mask>,
}

/// An entry of a route's `deliver`, compiled.
#[derive(Debug)]
pub struct Delivery {
    /// Its lane.
    pub lane: Lane,
    /// What goes out.
    pub shape: Shape,
    /// Where to.
    pub target: Arc<Target>,
    /// Whether what comes after a dead letter with the same order key waits for a person.
    pub parks: bool,
    /// How long what was delivered is kept; `None` where it is not.
    pub retain: Option<Duration>,
    /// Whether nothing is masked of what its order keys are taken from.
    pub shows_keys: bool,
}

/// A path's route, and the values of its parameters.
#[derive(Debug)]
pub struct Matched<'t> {
    /// The route.
    pub route: &'t Arc<Route>,
    /// The path's parameters by name, percent-decoded.
    pub path_params: Vec<(Box<str>, Box<str>)>,
}

// === impl Route ===

impl Route {
    /// Signs a request as the provider would at `now`, with the first of the secrets or the key of a sender who is played.
    ///
    /// # Errors
    /// Where only the provider can sign, or the request lacks what is signed.
    pub fn sign(&self, request: &mut Unsigned, now: Timestamp) -> Result<(), SignError> {
        self.verifier.sign_as(request, &self.signing(now))
    }

    /// The same, where a bit of the signature or the credential is off.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_forged(&self, request: &mut Unsigned, now: Timestamp) -> Result<(), SignError> {
        self.verifier.sign_as(request, &Signing { forged: true, ..self.signing(now) })
    }

    const fn signing(&self, now: Timestamp) -> Signing<'_> {
        Signing { now, private: self.player.as_ref(), forged: false }
    }
}

// === impl RouteTable ===

impl RouteTable {
    /// The route of a request path, without the query.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Matched<'_>> {
        let matched = self.paths.at(path).ok()?;
        let decode = |value| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into();
        let path_params = matched.params.iter().map(|(name, value)| (name.into(), decode(value))).collect();
        Some(Matched { route: matched.value, path_params })
    }

    /// Every route, in the order of the file.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Every lane, in no particular order.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.deliveries.keys()
    }

    /// What a lane delivers, and where.
    #[must_use]
    pub fn delivery(&self, lane: &Lane) -> Option<&Arc<Delivery>> {
        self.deliveries.get(lane)
    }

    /// The route of that name.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.by_name.get(name)
    }

    /// Whether there is a route of that name.
    #[must_use]
    pub fn has_route(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Takes over what the destinations of `old` have of connections and tokens, as far as their configuration of those is
    /// the same: a reload is no reason to connect or to ask for a token again. And what was seen of secrets that stay.
    pub fn keep(&self, old: &Self) {
        let before: HashMap<&str, &Arc<Route>> = old.routes.iter().map(|route| (&*route.name, route)).collect();
        for route in &self.routes {
            if let Some(old) = before.get(&*route.name) {
                route.secrets.keep(&old.secrets);
            }
        }
        for (name, target) in &self.targets {
            if let Some(old) = old.targets.get(name) {
                target.keep(old);
            }
        }
    }

    /// Every destination.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.values()
    }
}
