//! The journal's file: records one behind the other, each written and synced at once.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::files::private_file;

/// The file. It is written from its beginning in each *epoch*, and never cut: so its blocks are there already, and a sync
/// writes nothing but the record. What an earlier epoch left behind the last record does not count: epochs are random
/// numbers. So nobody can write a body that passes for a record, either.
///
/// | bytes | a record's |
/// | --- | --- |
/// | 0..4 | CRC-32 of all that follows |
/// | 4..8 | length of what follows the head |
/// | 8..16 | epoch |
/// | 16.. | entries |
///
/// Numbers are little-endian.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: Option<File>,
    epoch: u64,
    end: u64,
}

/// What an epoch's records hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Each record without its head.
    pub(super) records: Vec<Vec<u8>>,
    /// Where the last one ends.
    pub(super) end: u64,
    /// How many times bytes were passed over that are no record, with a record behind them.
    pub(super) gaps: u64,
}

/// How long a record's head is.
pub(super) const HEAD: usize = 16;

// === impl JournalFile ===

impl JournalFile {
    /// The file at `path`, which is made with the first record.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, file: None, epoch: 0, end: 0 }
    }

    /// Goes on with an epoch behind `end`.
    pub(super) const fn resume(&mut self, epoch: u64, end: u64) {
        self.epoch = epoch;
        self.end = end;
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The epoch of what is written.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many bytes this epoch has.
    pub(super) const fn bytes(&self) -> u64 {
        self.end
    }

    /// Begins another epoch: what was written so far is elsewhere now.
    pub(super) const fn rewind(&mut self, epoch: u64) {
        self.resume(epoch, 0);
    }

    /// Reads the records of an epoch.
    pub(super) fn read(&self, epoch: u64) -> io::Result<Found> {
        Ok(scan(&bytes(&self.path)?, epoch))
    }

    /// The epoch of the record at the beginning of the file, for a database that does not know it any more.
    pub(super) fn first_epoch(&self) -> io::Result<Option<u64>> {
        let bytes = bytes(&self.path)?;
        let epoch = bytes.get(8..HEAD).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        Ok(epoch.filter(|epoch| record(&bytes, *epoch).is_some()))
    }

    /// Writes a record, of which the first [`HEAD`] bytes are left free. It is on stable storage when this answers `Ok`: by
    /// the `fdatasync` in here. Where it fails the next record is written in its place.
    pub(super) fn append(&mut self, record: &mut [u8]) -> io::Result<()> {
        seal(record, self.epoch)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        file.write_all_at(record, self.end)?;
        file.sync_data()?;
        self.end += record.len() as u64;
        Ok(())
    }
}

/// Opens the file; where it is made, its name is synced, too.
fn open(path: &Path) -> io::Result<File> {
    let there = path.exists();
    let file = private_file(path)?;
    if !there && let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(file)
}

fn seal(record: &mut [u8], epoch: u64) -> io::Result<()> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a record is too long");
    let length = record.len().checked_sub(HEAD).and_then(|length| u32::try_from(length).ok()).ok_or_else(too_long)?;
    let (head, _) = record.split_at_mut_checked(HEAD).ok_or_else(too_long)?;
    for (to, from) in head.iter_mut().skip(4).zip(length.to_le_bytes().into_iter().chain(epoch.to_le_bytes())) {
        *to = from;
    }
    let sum = crc32fast::hash(record.get(4..).unwrap_or_default());
    for (to, from) in record.iter_mut().zip(sum.to_le_bytes()) {
        *to = from;
    }
    Ok(())
}

/// All that is in the file; nothing where there is none.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}

/// Goes from record to record. Only one was under way when a process died, and it is the last: what does not check with a
/// record of this epoch behind it was damaged later, and those behind it are kept.
fn scan(bytes: &[u8], epoch: u64) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(entries) = record(rest, epoch) {
            found.records.push(entries.to_vec());
            at += HEAD + entries.len();
            found.end = at as u64;
        } else if let Some(skip) = next(rest, epoch) {
            at += skip;
            found.gaps += 1;
        } else {
            break;
        }
    }
    found
}

/// The entries of the record that `bytes` begin with.
fn record(bytes: &[u8], epoch: u64) -> Option<&[u8]> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let length = u32::from_le_bytes(head.get(4..8)?.try_into().ok()?);
    let entries = rest.get(..usize::try_from(length).ok()?)?;
    let sum = u32::from_le_bytes(head.get(..4)?.try_into().ok()?);
    let whole = bytes.get(4..HEAD + entries.len())?;
    (head.get(8..HEAD)? == epoch.to_le_bytes() && crc32fast::hash(whole) == sum).then_some(entries)
}

/// Where the next record is.
fn next(bytes: &[u8], epoch: u64) -> Option<usize> {
    let epoch_bytes = epoch.to_le_bytes();
    let places = bytes.windows(epoch_bytes.len()).enumerate().skip(8 + 1);
    let mut places = places.filter(|(_, window)| *window == epoch_bytes).map(|(at, _)| at - 8);
    places.find(|at| bytes.get(*at..).is_some_and(|rest| record(rest, epoch).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(entries: &[u8]) -> Vec<u8> {
        [&[0; HEAD][..], entries].concat()
    }

    fn begun(path: &Path, end: u64) -> JournalFile {
        let mut file = JournalFile::new(path.to_owned());
        file.resume(1, end);
        file
    }

    fn read(path: &Path, epoch: u64) -> io::Result<Found> {
        JournalFile::new(path.to_owned()).read(epoch)
    }

    fn written(directory: &Path, epochs: &[&[&[u8]]]) -> (PathBuf, JournalFile) {
        let path = directory.join("journal");
        let mut file = begun(&path, 0);
        for (index, records) in epochs.iter().enumerate() {
            if index > 0 {
                file.rewind(index as u64 + 1);
            }
            for entries in *records {
                file.append(&mut sealed(entries)).unwrap();
            }
        }
        (path, file)
    }

    #[test]
    fn an_epoch_has_its_own_records_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (path, file) = written(directory.path(), &[&[b"one", b"two", b"three"], &[b"ONE"]]);
        assert_eq!((file.epoch(), file.bytes()), (2, 19));
        assert_eq!(read(&path, 2).unwrap(), Found { records: vec![b"ONE".to_vec()], end: 19, gaps: 0 });
        assert_eq!(read(&path, 3).unwrap(), Found::default());
        assert_eq!(file.first_epoch().unwrap(), Some(2));
        assert_eq!(read(&directory.path().join("none"), 1).unwrap(), Found::default());
    }

    #[test]
    fn a_record_that_was_cut_off_is_none_and_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let (path, _) = written(directory.path(), &[&[b"one", b"twotwo"]]);
        let whole = fs::read(&path).unwrap();
        for length in 19..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let found = read(&path, 1).unwrap();
            assert_eq!(found, Found { records: vec![b"one".to_vec()], end: 19, gaps: 0 }, "{length}");
            let mut file = begun(&path, found.end);
            file.append(&mut sealed(b"2")).unwrap();
            assert_eq!(read(&path, 1).unwrap().records, [b"one".to_vec(), b"2".to_vec()], "{length}");
        }
    }

    #[test]
    fn what_stands_behind_damage_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let (path, _) = written(directory.path(), &[&[b"one", b"two", b"three"]]);
        let whole = fs::read(&path).unwrap();
        for at in 19..38 {
            let mut altered = whole.clone();
            altered[at] ^= 4;
            fs::write(&path, altered).unwrap();
            let found = read(&path, 1).unwrap();
            assert_eq!(found.records, [b"one".to_vec(), b"three".to_vec()], "byte {at}");
            assert_eq!((found.gaps, found.end), (1, whole.len() as u64), "byte {at}");
        }
    }
}
