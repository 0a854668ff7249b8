//! A request that has its route.

use std::sync::Arc;

use crate::config::nearest;
use crate::model::Timestamp;
use crate::pipeline::verify::{SignError, Unsigned};
use crate::routing::{Route, RouteTable};

/// A request that has its route. It may hold a credential: it has no `Debug`.
pub struct Staged<'t> {
    pub(super) table: &'t RouteTable,
    pub(super) route: &'t Arc<Route>,
    pub(super) request: Unsigned,
}

/// A request that has no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotStaged {
    /// No route has its path: the gateway would answer 404.
    #[error("no route has the path {path}")]
    NoRoute {
        /// The path.
        path: String,
    },
    /// There is no route of that name.
    #[error("there is no route `{name}`{}", .meant.as_ref().map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// The name that was probably meant.
        meant: Option<String>,
    },
    /// The route's path has parameters, and the request's path does not say what they are.
    #[error("the path of the route `{name}` has parameters ({path}): say which path the request has")]
    Parameters {
        /// The route's name.
        name: String,
        /// Its path.
        path: String,
    },
}

/// Finds the route of a request: the one of this name, or else that of its path. Where the route is named and the path is not
/// one of its own, the request is taken for one to the route's path.
///
/// # Errors
/// Where there is none, or its path cannot be known.
pub fn stage<'t>(table: &'t RouteTable, mut request: Unsigned, route: Option<&str>) -> Result<Staged<'t>, NotStaged> {
    let matched = table.find(&request.path);
    let Some(name) = route else {
        let matched = matched.ok_or_else(|| NotStaged::NoRoute { path: request.path.clone().into() })?;
        request.path_params = matched.path_params;
        return Ok(Staged { table, route: matched.route, request });
    };
    let named = table.route(name).ok_or_else(|| NotStaged::unknown(table, name))?;
    if let Some(matched) = matched.filter(|matched| matched.route.name == named.name) {
        request.path_params = matched.path_params;
    } else if named.path.contains('{') {
        return Err(NotStaged::Parameters { name: name.to_owned(), path: named.path.clone().into() });
    } else {
        request.path.clone_from(&named.path);
    }
    Ok(Staged { table, route: named, request })
}

// === impl Staged ===

impl Staged<'_> {
    /// The route.
    #[must_use]
    pub const fn route(&self) -> &Arc<Route> {
        self.route
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Unsigned {
        &self.request
    }

    /// The request, to be changed on its way.
    pub const fn request_mut(&mut self) -> &mut Unsigned {
        &mut self.request
    }

    /// Signs it as the provider would at `now`, with the first of the route's secrets.
    ///
    /// # Errors
    /// Where only the provider can sign, or the request lacks what is signed.
    pub fn sign(&mut self, now: Timestamp) -> Result<(), SignError> {
        self.route.sign(&mut self.request, now)
    }

    /// The same where a bit of the signature, or of the credential, is off.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_forged(&mut self, now: Timestamp) -> Result<(), SignError> {
        self.route.sign_forged(&mut self.request, now)
    }
}

// === impl NotStaged ===

impl NotStaged {
    pub(super) fn unknown(table: &RouteTable, name: &str) -> Self {
        let names = table.routes().iter().map(|route| &*route.name);
        Self::Unknown { name: name.to_owned(), meant: nearest(name, names).map(str::to_owned) }
    }
}
