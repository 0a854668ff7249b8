//! `auth.oauth2:`, access tokens by the client credentials grant (RFC 6749, section 4.4).
//!
//! A destination has one token, which its attempts share until shortly before it expires. Where there is none, one
//! request for it is under way, however many attempts wait: its result is that of all of them, so that a token endpoint
//! that is down is not asked once for each delivery that waits.

mod grant;
mod response;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::HeaderValue;

use self::grant::Grant;
use super::Client;
use super::link::Link;
use crate::config::{Problems, file};
use crate::model::{Reason, Secret, Timestamp};

/// Where a destination's access tokens come from.
pub(super) struct TokenSource {
    grant: Arc<Grant>,
    link: Link,
    own: Arc<Cache>,
    /// What the same destination knew before a reload, where its token is asked for in the same way.
    kept: OnceLock<Arc<Cache>>,
}

/// An access token.
pub(super) struct Token {
    /// The value of `Authorization`.
    pub(super) header: HeaderValue,
    /// The token itself, to be masked where it comes back.
    pub(super) secret: Secret,
    /// When it is used no more, which is shortly before it expires.
    until: Timestamp,
}

/// Why there is no token. Nothing secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoToken {
    pub(super) reason: Reason,
    /// What happened, for a person.
    pub(super) detail: String,
    /// How long the token endpoint asks us to wait.
    pub(super) retry_after: Option<Duration>,
}

type Fetch = Shared<BoxFuture<'static, Result<Arc<Token>, NoToken>>>;

#[derive(Default)]
struct Cache(Mutex<State>);

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    fetch: Option<Fetch>,
    /// When a token was dropped because the destination refused it.
    dropped_at: Option<Timestamp>,
}

/// How often a token that the destination refuses is replaced by another at most: one that refuses them all must not
/// have the token endpoint asked at each attempt.
const DROP_EVERY: Duration = Duration::from_secs(60);

// === impl TokenSource ===

impl TokenSource {
    /// Compiles `auth.oauth2:`. `None` and a problem where it cannot be used.
    pub(super) fn compile(file: &file::OAuth2, public_only: bool, problems: &mut Problems) -> Option<Self> {
        // Every part is compiled before any is missed, so that every problem is found.
        let grant = Grant::compile(file, public_only, problems);
        let link = Link::compile(file.tls.as_ref(), public_only, problems);
        Some(Self { grant: Arc::new(grant?), link: link?, own: Arc::default(), kept: OnceLock::new() })
    }

    /// The token to use as of `now`: the one that is at hand, or another.
    pub(super) async fn token(&self, client: &Client, now: Timestamp) -> Result<Arc<Token>, NoToken> {
        let cache = self.cache();
        let fetch = {
            let mut state = cache.lock();
            if let Some(token) = state.token.as_ref().filter(|token| now < token.until) {
                return Ok(Arc::clone(token));
            }
            let begin = || {
                let (grant, http) = (Arc::clone(&self.grant), self.link.http(client).clone());
                async move { grant.fetch(&http, now).await.map(Arc::new) }.boxed().shared()
            };
            state.fetch.get_or_insert_with(begin).clone()
        };
        let result = fetch.clone().await;
        let mut state = cache.lock();
        // The first of those who waited puts it away.
        if state.fetch.as_ref().is_some_and(|current| current.ptr_eq(&fetch)) {
            state.fetch = None;
            state.token = result.as_ref().ok().map(Arc::clone);
        }
        result
    }

    /// The destination answered 401 to a token: it is dropped, unless another has taken its place already. Whether the
    /// next attempt has another.
    pub(super) fn refused(&self, token: &Arc<Token>, now: Timestamp) -> bool {
        let mut state = self.cache().lock();
        let current = state.token.as_ref().is_some_and(|current| Arc::ptr_eq(current, token));
        let too_soon = state.dropped_at.is_some_and(|at| at <= now && now.since(at) < DROP_EVERY);
        if current && !too_soon {
            state.token = None;
            state.dropped_at = Some(now);
        }
        !(current && too_soon)
    }

    /// Takes over what `old` knows, where it asks in the same way.
    pub(super) fn keep(&self, old: &Self) {
        self.link.keep(&old.link);
        if self.grant == old.grant && self.link.terms() == old.link.terms() {
            // It fails only where it was done before.
            let _ = self.kept.set(Arc::clone(old.cache()));
        }
    }

    fn cache(&self) -> &Arc<Cache> {
        self.kept.get().unwrap_or(&self.own)
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("grant", &self.grant).finish_non_exhaustive()
    }
}

// === impl Token ===

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("until", &self.until).finish_non_exhaustive()
    }
}

// === impl Cache ===

impl Cache {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
