//! What the writer is asked to do.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::desk::Desk;
use super::door::Ticket;
use super::settle::Settle;
use super::upkeep::Chore;
use crate::queue::{Append, Appended, QueueError, Settled, Tally};

/// What the outcome of a delivery is taken to weigh, in bytes.
const SETTLE_WEIGHT: usize = 1024;

/// Where a command's answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, QueueError>>;

/// What the writer is asked to do.
///
/// The channel has no bound of its own, so nobody ever blocks on it: appends are bounded by the [`Door`], the rest by the
/// leases that live.
pub(super) enum Command {
    /// Part of a group.
    Write(Write),
    /// In steps.
    Chore(Chore),
    /// A transaction of its own, which answers by itself: what people ask for.
    Work(Box<dyn FnOnce(&mut Desk) + Send>),
    /// Bring what is recent to the tables.
    Store(Reply<()>),
    /// A reader found the database damaged.
    FoundDamage,
    /// The last one.
    Close(Reply<()>),
}

/// What is committed in groups.
pub(super) enum Write {
    Append { batch: Append, ticket: Ticket, reply: Reply<Appended> },
    Count { route: Arc<str>, tally: Tally, reply: Reply<()> },
    Settle { settle: Settle, reply: Option<Reply<Settled>> },
}

// === impl Write ===

impl Write {
    /// About how many bytes of a group it takes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Append { ticket, .. } => ticket.bytes(),
            Self::Count { .. } => 0,
            Self::Settle { .. } => SETTLE_WEIGHT,
        }
    }

    /// Whether it is new to the store.
    pub(super) const fn is_append(&self) -> bool {
        matches!(self, Self::Append { .. })
    }
}
