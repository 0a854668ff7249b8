//! What can go wrong with the queue.

use std::path::PathBuf;

/// What can go wrong with the queue. Nothing that was to be stored is stored.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no room: of the disk, or of the queue's own bounds.
    #[error("the queue is full ({detail}): make room; providers are told to come back")]
    Full {
        /// What is full.
        detail: String,
    },
    /// The store cannot be read or written.
    #[error("the queue's store failed ({detail}): check the disk")]
    Store {
        /// What the store says.
        detail: String,
    },
    /// Part of the store reads otherwise than it was written.
    #[error("the queue's store is damaged ({detail}): check the disk, and restart: a start salvages what can be read")]
    Damaged {
        /// What the store says.
        detail: String,
    },
    /// Another process has the directory.
    #[error("{} is in use by another process: a directory belongs to one gateway", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The store was written by a newer version.
    #[error("{} was written by a newer version (format {found}, this is {known}): run that one", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that is understood here.
        known: i64,
    },
    /// The store was written by a version before the first release.
    #[error("{} was written by an older version (format {found}, this is {known}): let that one drain it, or start with another directory", path.display())]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format that is understood here.
        known: i64,
    },
    /// What was asked for cannot be: the caller's mistake.
    #[error("{detail}")]
    Refused {
        /// Why.
        detail: String,
    },
    /// It was closed.
    #[error("the queue is closed: the gateway is stopping")]
    Closed,
}
