//! The process's limit of open files: a connection is one, and so is an attempt.

/// Raises the limit (`RLIMIT_NOFILE`) to what the system allows, and answers with it. Shells and service managers
/// start a process with a low one for the sake of programs that use `select`, which is not used here.
pub(super) fn raise() -> Option<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
        .inspect_err(|error| tracing::warn!(%error, "the limit of open files cannot be raised"))
        .ok()
}
