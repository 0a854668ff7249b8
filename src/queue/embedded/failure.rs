//! What SQLite's errors mean here.

use rusqlite::ErrorCode;

use crate::queue::QueueError;

/// The queue's error for a store's.
pub(super) fn queue_error(error: &rusqlite::Error) -> QueueError {
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => QueueError::Full { detail },
        _ if is_damage(error) => QueueError::Damaged { detail },
        _ => QueueError::Store { detail },
    }
}

/// Whether the file itself is damaged, so that trying again reads the same.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) || is_misfit(error)
}

/// Whether what was read does not have the form that was asked for: a missing table, a value of another type.
fn is_misfit(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            | Error::InvalidColumnType(..)
            | Error::InvalidColumnName(_)
            | Error::SqlInputError { .. }
    ) || matches!(
        error.sqlite_error_code(),
        // A row that another table does not take: written rows all fit.
        Some(ErrorCode::Unknown | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
    )
}
