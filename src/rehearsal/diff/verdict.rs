//! What is known of a kept request's verification.

use http::HeaderName;

use super::{Side, Sides, Specimen};
use crate::model::Evidence;
use crate::pipeline::normalize::is_never_kept;
use crate::pipeline::verify::Verifier;
use crate::routing::Route;

/// What both sides are taken to make of a request's credentials.
#[derive(Debug, Default)]
pub(super) struct Verification {
    /// By what the old side believes it; `None` where it is to be verified again.
    pub(super) old: Option<Evidence>,
    /// The same of the new side.
    pub(super) new: Option<Evidence>,
    /// Why it cannot be told.
    pub(super) undecided: Option<&'static str>,
}

const LOST: &str = "its scheme or secret changes, and what it looks at is not kept with a request";
const FETCHED: &str = "its scheme or secret changes, and the keys of the scheme are fetched, which nobody does here";

const MADE_UP: &str =
    "its scheme or secret changes, and a value in the configurations is made up: it may be the secret";

/// Whether a request can be verified again.
enum Again {
    /// It can, and what comes of it is so.
    Yes,
    /// It cannot.
    No(&'static str),
}

/// Of a request of these routes that was believed by `evidence`.
pub(super) fn of_kept(
    sides: &Sides,
    (old_route, new_route): (Option<&str>, Option<&str>),
    specimen: &Specimen,
    evidence: &Evidence,
) -> Verification {
    let Sides { old, new, made_up, .. } = sides;
    let believed = || Some(evidence.clone());
    if is_unchanged(old, new, (old_route, new_route), evidence) {
        return Verification { old: believed(), new: believed(), undecided: None };
    }
    let route = |side: &Side, name: Option<&str>| name.and_then(|name| side.table().route(name).cloned());
    let (old_route, new_route) = (route(old, old_route), route(new, new_route));
    let by_old = *evidence.configuration == *old.fingerprint();
    let dropped = Dropped { evidence, by_old, made_up: *made_up, old: old_route.as_deref() };
    // It was believed: that is what happened, unless the file is another one by now and can say for itself.
    let verified_anew = !by_old && matches!(again(old_route.as_deref(), specimen, &dropped), Again::Yes);
    match again(new_route.as_deref(), specimen, &dropped) {
        Again::Yes => Verification { old: if verified_anew { None } else { believed() }, new: None, undecided: None },
        Again::No(why) => Verification { old: believed(), new: believed(), undecided: Some(why) },
    }
}

/// Whether both sides have the scheme, and the secret that it was verified with.
fn is_unchanged(old: &Side, new: &Side, routes: (Option<&str>, Option<&str>), evidence: &Evidence) -> bool {
    let (Some(old_name), Some(new_name)) = routes else { return false };
    let (Some(before), Some(after)) = (old.parts(old_name), new.parts(new_name)) else { return false };
    if before.auth != after.auth {
        return false;
    }
    if before.secrets == after.secrets {
        return true;
    }
    // What the old side has need not be what verified it: that may have been a configuration before it.
    let is_its_scheme = old.table().route(old_name).is_some_and(|route| *evidence.scheme == *route.verifier.scheme());
    let matched = evidence.secret.as_deref().map(|name| (before.secrets.get(name), after.secrets.get(name)));
    is_its_scheme && matches!(matched, Some((Some(one), Some(two))) if one == two)
}

fn again(route: Option<&Route>, specimen: &Specimen, dropped: &Dropped<'_>) -> Again {
    // Without a route it is refused for that.
    let Some(verifier) = route.map(|route| &route.verifier) else { return Again::Yes };
    let received = specimen.request.clone().received(specimen.at);
    if verifier.fetching().is_some() {
        return Again::No(FETCHED);
    }
    if verifier.verify(received, specimen.at).is_ok() {
        Again::Yes
    } else if !dropped.nothing_of(specimen, verifier) {
        Again::No(LOST)
    } else if dropped.made_up {
        Again::No(MADE_UP)
    } else {
        Again::Yes
    }
}

/// What is not kept of a request.
struct Dropped<'r> {
    evidence: &'r Evidence,
    /// Whether the old side's text is the one that was in force.
    by_old: bool,
    /// Whether a secret may be made up.
    made_up: bool,
    old: Option<&'r Route>,
}

/// A credential in a query, as it is kept.
const MASKED: &str = "=***";
/// The schemes with a credential, which is kept with no request.
const WITH_CREDENTIAL: [&str; 3] = ["basic", "jwt", "token"];

// === impl Dropped ===

impl Dropped<'_> {
    /// Whether nothing that a scheme looks at can have been there and is not kept.
    fn nothing_of(&self, specimen: &Specimen, verifier: &Verifier) -> bool {
        if specimen.request.query.contains(MASKED) {
            return false;
        }
        let Some(looks_at) = verifier.looks_at() else { return false };
        let is_there = |name: &HeaderName| specimen.request.headers.contains_key(name);
        looks_at.iter().all(|name| is_there(name) || !self.may_be(name, verifier))
    }

    fn may_be(&self, name: &HeaderName, verifier: &Verifier) -> bool {
        let of_old = self.old.is_some_and(|route| route.verifier.credential_headers().contains(name));
        // Of a scheme with a credential that is not the old side's, nobody knows where that was.
        let of_another = !self.by_old && WITH_CREDENTIAL.contains(&&*self.evidence.scheme);
        is_never_kept(name) || of_old || of_another || verifier.credential_headers().contains(name)
    }
}
