//! What was accepted, noted outside of the database: a log that was cut off, or a database that is gone, is missed.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::desk::Desk;
use super::files::private_file;
use super::sum::Sum;
use crate::model::Timestamp;

/// The note. It is written after each commit that accepted something, and not synced: it survives a process that is killed,
/// and a power cut takes from it what the last half minute added. It never says more than what was committed.
#[derive(Debug)]
pub(super) struct Head {
    path: PathBuf,
    file: Option<File>,
}

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    /// How many deliveries were ever accepted.
    pub(super) accepted: u64,
    /// When the last commit was.
    pub(super) at: Timestamp,
}

const MAGIC: [u8; 8] = *b"hkswhead";
const LENGTH: usize = 32;

// === impl Head ===

impl Head {
    /// The note at `path`, and what it says; nothing where there is none, or where it cannot be read.
    pub(super) fn open(path: &Path) -> (Self, Option<Noted>) {
        let opened = private_file(path).and_then(|mut file| {
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(LENGTH as u64 + 1).read_to_end(&mut bytes)?;
            Ok((file, bytes))
        });
        match opened {
            Ok((file, bytes)) => {
                let noted = decode(&bytes);
                if noted.is_none() && !bytes.is_empty() {
                    tracing::error!(
                        file = %path.display(),
                        "what was accepted before cannot be read: whether the queue has all of it cannot be told"
                    );
                }
                (Self { path: path.to_owned(), file: Some(file) }, noted)
            }
            Err(error) => {
                complain(path, &error);
                (Self { path: path.to_owned(), file: None }, None)
            }
        }
    }

    /// Notes what is committed. Where that fails it is said once: events are safe, and only a later loss would be missed.
    pub(super) fn write(&mut self, noted: Noted) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all_at(&encode(noted), 0) {
            complain(&self.path, &error);
            self.file = None;
        }
    }
}

/// Deliveries that were accepted, as is noted outside of the database, and that the database does not know of: a log that
/// was damaged has lost them, or the database is gone.
pub(super) fn count_missing(desk: &Desk, noted: Option<Noted>) {
    let known = desk.counts.accepted();
    let lost = noted.map_or(0, |noted| noted.accepted.saturating_sub(known));
    if lost > 0 {
        tracing::error!(
            lost,
            known,
            "deliveries that were accepted are missing: the database or its log was damaged or removed, and nothing of them is \
             left; the audit counts them, and providers may send their events again"
        );
        let sql = "UPDATE numbers SET lost = lost + ?1 WHERE row = 1";
        desk.counts.lose(lost);
        if let Err(error) = desk.connection.execute(sql, [i64::try_from(lost).unwrap_or(i64::MAX)]) {
            tracing::warn!(%error, "what is missing cannot be entered in the ledger: it is said again at the next start");
        }
    }
}

fn complain(path: &Path, error: &io::Error) {
    tracing::warn!(file = %path.display(), %error, "what is accepted cannot be noted outside of the database");
}

fn encode(Noted { accepted, at }: Noted) -> [u8; LENGTH] {
    let sum = sum(accepted, at.as_millis());
    let mut bytes = [0; LENGTH];
    let fields = [MAGIC, accepted.to_le_bytes(), at.as_millis().to_le_bytes(), sum.to_le_bytes()];
    for (to, from) in bytes.iter_mut().zip(fields.as_flattened()) {
        *to = *from;
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Noted> {
    let (fields, rest) = bytes.as_chunks::<8>();
    let [magic, accepted, at, sum_of] = fields else { return None };
    let (accepted, at) = (u64::from_le_bytes(*accepted), i64::from_le_bytes(*at));
    let whole = *magic == MAGIC && rest.is_empty() && i64::from_le_bytes(*sum_of) == sum(accepted, at);
    whole.then_some(Noted { accepted, at: Timestamp::from_millis(at) })
}

fn sum(accepted: u64, at: i64) -> i64 {
    Sum::default().int(accepted.cast_signed()).int(at).stored()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_again_and_altered_bytes_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("head");
        let (mut head, nothing) = Head::open(&path);
        assert_eq!(nothing, None);
        let noted = |accepted| Noted { accepted, at: Timestamp::from_seconds(1_700_000_000) };
        for accepted in [1, u64::MAX, 7] {
            head.write(noted(accepted));
            assert_eq!(Head::open(&path).1, Some(noted(accepted)));
        }
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 4;
            std::fs::write(&path, altered).unwrap();
            assert_eq!(Head::open(&path).1, None, "byte {at}");
        }
        std::fs::write(&path, &bytes[..31]).unwrap();
        assert_eq!(Head::open(&path).1, None);
    }
}
