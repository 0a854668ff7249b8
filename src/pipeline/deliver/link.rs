//! How a destination is connected to: whom we trust, what we show, and which addresses are refused.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::address::Address;
use super::direct::{Dialer, Pool};
use super::guard::Resolver;
use super::tls::Tls;
use super::{Client, failure};
use crate::config::{At, Problem, Problems, file};

/// How a destination is connected to.
pub(super) struct Link {
    terms: Terms,
    home: Home,
}

/// What sets connections apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    tls: Option<Tls>,
    pub(super) public_only: bool,
    /// Where plain HTTP leads.
    plain: Option<String>,
}

/// Whose the connections are.
enum Home {
    /// Those of the [`Client`], as it says nothing about TLS.
    Shared,
    /// A client's with a TLS of its own.
    Own(Kept<reqwest::Client>),
    /// Its own, as it speaks no TLS.
    Direct(Kept<Arc<Pool>>),
}

/// Connections, and those of the same destination before a reload, where it has the same terms.
struct Kept<T> {
    own: T,
    old: OnceLock<T>,
}

/// By which client a request goes.
pub(super) enum Way<'c> {
    /// Over a connection of the pool, or one that is made for it.
    Direct(&'c Arc<Pool>, &'c Dialer),
    /// reqwest's.
    Reqwest(&'c reqwest::Client),
}

/// A destination that does not take a connection for this long is down, whatever its `timeout` allows.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below the idle timeouts that servers and balancers commonly have (60 s and more), so that it is rarely the other
/// side that closes a connection just when it is used again.
pub(super) const POOL_IDLE: Duration = Duration::from_secs(30);
pub(super) const POOL_IDLE_PER_HOST: usize = 64;
/// An HTTP/2 connection that has died in silence would take every attempt to its host with it.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

// === impl Link ===

impl Link {
    /// Compiles `tls:`. All of it that can fail is done here. `None` and a problem where it cannot be used.
    pub(super) fn compile(file: Option<&At<file::Tls>>, public_only: bool, problems: &mut Problems) -> Option<Self> {
        let Some(at) = file else {
            let terms = Terms { tls: None, public_only, plain: None };
            return Some(Self { terms, home: Home::Shared });
        };
        let tls = Tls::compile(at, problems)?;
        match tls.add_to(builder(Resolver::system(public_only))).build() {
            Ok(own) => {
                let terms = Terms { tls: Some(tls), public_only, plain: None };
                Some(Self { terms, home: Home::Own(Kept::new(own)) })
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

    /// To `address` directly, where that is plain HTTP.
    #[must_use]
    pub(super) fn directly_to(self, address: &Address) -> Self {
        let is_plain = address.base().scheme() == "http" && self.terms.tls.is_none();
        let Some(pool) = is_plain.then(|| Pool::to(address)).flatten() else { return self };
        let terms = Terms { plain: Some(address.origin()), ..self.terms };
        Self { terms, home: Home::Direct(Kept::new(Arc::new(pool))) }
    }

    /// By which client its requests go.
    pub(super) fn way<'c>(&'c self, client: &'c Client) -> Way<'c> {
        match &self.home {
            Home::Direct(pool) => Way::Direct(pool.get(), &client.network(self.terms.public_only).dialer),
            Home::Shared | Home::Own(_) => Way::Reqwest(self.http(client)),
        }
    }

    /// The client that connects like this, of those that can all.
    pub(super) fn http<'c>(&'c self, client: &'c Client) -> &'c reqwest::Client {
        match &self.home {
            Home::Own(own) => own.get(),
            Home::Shared | Home::Direct(_) => &client.network(self.terms.public_only).http,
        }
    }

    /// Takes over the connections of `old`, where it connects on the same terms.
    pub(super) fn keep(&self, old: &Self) {
        if self.terms != old.terms {
            return;
        }
        match (&self.home, &old.home) {
            (Home::Own(own), Home::Own(old)) => own.keep(old),
            (Home::Direct(pool), Home::Direct(old)) => pool.keep(old),
            _ => {}
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

// === impl Kept ===

impl<T: Clone> Kept<T> {
    const fn new(own: T) -> Self {
        Self { own, old: OnceLock::new() }
    }

    fn get(&self) -> &T {
        self.old.get().unwrap_or(&self.own)
    }

    fn keep(&self, old: &Self) {
        // It fails only where it was done before.
        let _ = self.old.set(old.get().clone());
    }
}

/// What all of reqwest's clients have in common.
pub(super) fn builder(resolver: Resolver) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(resolver)
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .http2_keep_alive_interval(HTTP2_PING_EVERY)
        .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
}
