//! How a destination is connected to: whom we trust, what we show, and which addresses are refused.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use super::guard::{Guard, Lookup, SystemLookup};
use super::tls::Tls;
use super::{Client, failure};
use crate::config::{At, Problem, Problems, file};

/// How a destination is connected to.
///
/// Where it says nothing about TLS, its connections are those of the [`Client`]; otherwise it has a pool of its own.
pub(super) struct Link {
    terms: Terms,
    own: Option<reqwest::Client>,
    /// The pool of the same destination before a reload, where it has the same terms.
    kept: OnceLock<reqwest::Client>,
}

/// What sets connections apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    tls: Option<Tls>,
    pub(super) public_only: bool,
}

/// A destination that does not take a connection for this long is down, whatever its `timeout` allows.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below the idle timeouts that servers and balancers commonly have (60 s and more), so that it is rarely the other
/// side that closes a connection just when it is used again.
const POOL_IDLE: Duration = Duration::from_secs(30);
const POOL_IDLE_PER_HOST: usize = 64;
/// An HTTP/2 connection that has died in silence would take every attempt to its host with it.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

// === impl Link ===

impl Link {
    /// Compiles `tls:`. All of it that can fail is done here. `None` and a problem where it cannot be used.
    pub(super) fn compile(file: Option<&At<file::Tls>>, public_only: bool, problems: &mut Problems) -> Option<Self> {
        let Some(at) = file else {
            return Some(Self { terms: Terms { tls: None, public_only }, own: None, kept: OnceLock::new() });
        };
        let tls = Tls::compile(at, problems)?;
        match tls.add_to(builder(public_only)).build() {
            Ok(own) => {
                let terms = Terms { tls: Some(tls), public_only };
                Some(Self { terms, own: Some(own), kept: OnceLock::new() })
            }
            Err(error) => {
                let cause = failure::root_cause(&error).unwrap_or_default();
                problems.push(
                    Problem::error(at.place, format!("TLS cannot be set up like this: {cause}"))
                        .expected("certificates that can be used; without `ca`, the system's certificate authorities"),
                );
                None
            }
        }
    }

    /// The client that connects like this.
    pub(super) fn http<'c>(&'c self, shared: &'c Client) -> &'c reqwest::Client {
        self.kept.get().or(self.own.as_ref()).unwrap_or_else(|| shared.plain(self.terms.public_only))
    }

    /// Takes over the connections of `old`, where it connects on the same terms.
    pub(super) fn keep(&self, old: &Self) {
        if self.terms == old.terms
            && let Some(own) = old.kept.get().or(old.own.as_ref())
        {
            // It fails only where it was done before.
            let _ = self.kept.set(own.clone());
        }
    }

    /// What sets its connections apart.
    pub(super) const fn terms(&self) -> &Terms {
        &self.terms
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// What all clients have in common.
pub(super) fn builder(public_only: bool) -> reqwest::ClientBuilder {
    if public_only { builder_with(SystemLookup) } else { bare_builder() }
}

/// A client that connects to public addresses alone, of those that `lookup` gives.
pub(super) fn builder_with(lookup: impl Lookup) -> reqwest::ClientBuilder {
    bare_builder().dns_resolver(Guard::new(lookup))
}

fn bare_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .http2_keep_alive_interval(HTTP2_PING_EVERY)
        .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
}
