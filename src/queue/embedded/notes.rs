//! What a gateway wants to know again after a restart: the file `uses`.
//!
//! It is a file and not a table, so that noting a use costs the line nothing: no turn of the writer, no transaction, no part
//! of the log. It is JSON with a format number, and small: a line a secret that any configuration had. It is written whole
//! beside itself, synced and renamed, so that there is one or the other whenever the process dies. Nothing but what a person
//! is told depends on it: one that cannot be read is taken for none, with a line in the log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::Embedded;
use super::files::private_file;
use crate::model::Timestamp;
use crate::queue::{Notes, QueueError, SecretUse};

const FILE: &str = "uses";
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: u32,
    secrets: Vec<StoredUse>,
}

/// Times are milliseconds since the Unix epoch, as everywhere in the directory.
#[derive(Debug, Serialize, Deserialize)]
struct StoredUse {
    route: Arc<str>,
    secret: Arc<str>,
    mark: u16,
    known_since: i64,
    last_used: Option<i64>,
}

impl Notes for Embedded {
    fn secret_uses(&self) -> BoxFuture<'_, Result<Vec<SecretUse>, QueueError>> {
        let path = self.directory.join(FILE);
        Box::pin(self.with_notes(move || read(&path)))
    }

    fn note_secret_uses(&self, uses: Vec<SecretUse>) -> BoxFuture<'_, Result<(), QueueError>> {
        let path = self.directory.join(FILE);
        Box::pin(self.with_notes(move || {
            let stays = read(&path)?.into_iter();
            let all: BTreeMap<_, _> =
                stays.chain(uses).map(|one| ((Arc::clone(&one.route), Arc::clone(&one.secret)), one)).collect();
            write(&path, all.into_values().map(StoredUse::from).collect())
        }))
    }
}

impl Embedded {
    /// Reads or writes the file, one after the other, on a thread that may block.
    async fn with_notes<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let turn = Arc::clone(&self.noting).lock_owned().await;
        // In its turn: once this is closed another process may have the directory.
        self.door.check_open()?;
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        let failed = |detail| QueueError::Store { detail: format!("{FILE}: {detail}") };
        match task.await {
            Ok(result) => result.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed("it was broken off".to_owned())),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<SecretUse>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    match serde_json::from_slice::<Stored>(&text) {
        Ok(stored) if stored.format == FORMAT => Ok(stored.secrets.into_iter().map(SecretUse::from).collect()),
        _ => {
            tracing::warn!(file = %path.display(), "when secrets were last used cannot be read: it counts from now on");
            Ok(Vec::new())
        }
    }
}

fn write(path: &Path, secrets: Vec<StoredUse>) -> io::Result<()> {
    let draft = draft(path);
    let written = write_draft(&draft, &Stored { format: FORMAT, secrets }).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // On a full disk it would take room from the line.
        let _ = fs::remove_file(&draft);
    }
    written?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn write_draft(draft: &Path, stored: &Stored) -> io::Result<()> {
    let mut file = private_file(draft)?;
    file.set_len(0)?;
    file.write_all(&serde_json::to_vec(stored)?)?;
    file.sync_all()
}

fn draft(path: &Path) -> PathBuf {
    path.with_extension("draft")
}

// === impl StoredUse ===

impl From<SecretUse> for StoredUse {
    fn from(SecretUse { route, secret, mark, known_since, last_used }: SecretUse) -> Self {
        let (known_since, last_used) = (known_since.as_millis(), last_used.map(Timestamp::as_millis));
        Self { route, secret, mark, known_since, last_used }
    }
}

impl From<StoredUse> for SecretUse {
    fn from(StoredUse { route, secret, mark, known_since, last_used }: StoredUse) -> Self {
        let (known_since, last_used) = (Timestamp::from_millis(known_since), last_used.map(Timestamp::from_millis));
        Self { route, secret, mark, known_since, last_used }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(last_used: i64) -> StoredUse {
        StoredUse { route: "in".into(), secret: "old".into(), mark: 7, known_since: 1, last_used: Some(last_used) }
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_taken_for_none_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        for broken in ["", "{", r#"{"format":2,"secrets":[]}"#] {
            fs::write(&path, broken).unwrap();
            assert_eq!(read(&path).unwrap(), []);
            write(&path, vec![one(5)]).unwrap();
            assert_eq!(read(&path).unwrap(), [SecretUse::from(one(5))]);
        }
    }

    #[test]
    fn what_a_crash_left_half_written_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        write(&path, vec![one(5)]).unwrap();
        fs::write(draft(&path), "{\"format\":1,\"secr and much more that was never finished").unwrap();
        assert_eq!(read(&path).unwrap(), [SecretUse::from(one(5))]);
        write(&path, vec![one(6)]).unwrap();
        assert_eq!(read(&path).unwrap(), [SecretUse::from(one(6))]);
    }
}
