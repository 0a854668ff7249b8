//! Where the embedded home lies, and its bounds.

use std::path::PathBuf;
use std::time::Duration;

/// Where the embedded home lies, and its bounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The directory; made where there is none.
    pub directory: PathBuf,
    /// How many bytes of appends may wait for the disk; what comes on top is refused. 64 MiB by default.
    pub max_backlog: usize,
    /// How many bytes the database may grow to; what comes on top is refused. By default, what the disk holds.
    pub max_size: Option<u64>,
    /// About how many bytes the pending and the dead deliveries may take; what comes on top is refused.
    pub max_bytes: Option<u64>,
    /// How old the oldest pending delivery may be; what comes then is refused.
    pub max_age: Option<Duration>,
    /// About how many bytes what was delivered may take: beyond that it is kept for a shorter time. 1 GiB by default.
    pub max_kept: u64,
    /// About how many rows what was accepted has before it is brought from the journal to the tables; 1024 by default. More
    /// make that cheaper for each, and take more memory.
    pub max_recent: usize,
    /// About how many keys of events are kept in memory before they go where all are; 65,536 by default, some 3 MB. The more,
    /// the cheaper that is for each.
    pub max_young: usize,
    /// How many bytes of the disk are kept for what ends deliveries. 16 MiB by default: more than the log and what it
    /// brings into the database.
    pub reserve: u64,
}

// === impl Options ===

impl Options {
    /// A home in `directory` with the usual bounds.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_backlog: 64 << 20,
            max_size: None,
            max_bytes: None,
            max_age: None,
            max_kept: 1 << 30,
            max_recent: 1024,
            max_young: 1 << 16,
            reserve: 16 << 20,
        }
    }
}
