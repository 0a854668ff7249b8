//! The process's limit of open files: a connection is one, and so is an attempt.

/// What the queue, the logs and the attempts under way need beside the connections.
const BESIDE: u64 = 512;

/// Raises the limit to what the system allows, and warns where that does not hold all the connections that the
/// configuration allows: the rest would fail as if the network had.
pub(super) fn raise(connections: u32) {
    let wanted = u64::from(connections) + BESIDE;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < wanted => tracing::warn!(
            limit,
            wanted,
            "the limit of open files is lower than `limits.max_connections` needs: raise it (ulimit -n, LimitNOFILE), or lower that"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}
