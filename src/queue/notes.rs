//! What a gateway wants to know again after a restart, and that no event tells.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::QueueError;
use crate::model::Timestamp;

/// What a gateway wants to know again after a restart. It is written seldom, and apart from the line: nobody waits for it.
pub trait Notes: Send + Sync + std::fmt::Debug + 'static {
    /// What was noted of secrets, in no particular order. Also of those that no configuration has any more: one that comes
    /// back is known again.
    fn secret_uses(&self) -> BoxFuture<'_, Result<Vec<SecretUse>, QueueError>>;

    /// Notes what was seen of secrets, in place of what was noted of the same ones. Durable when it answers `Ok`, and as it
    /// was before where it does not.
    fn note_secret_uses(&self, uses: Vec<SecretUse>) -> BoxFuture<'_, Result<(), QueueError>>;
}

/// What was seen of a secret of a route. Nothing in it is the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// The route's name.
    pub route: Arc<str>,
    /// The secret's name.
    pub secret: Arc<str>,
    /// Tells whether the name has the same value still: two bytes of a hash.
    pub mark: u16,
    /// Since when it is looked for.
    pub known_since: Timestamp,
    /// When it last verified a request.
    pub last_used: Option<Timestamp>,
}
