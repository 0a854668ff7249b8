//! Room that is kept, so that a full disk does not keep deliveries from ending.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::files::private_file;

/// A file that only takes up room: see *No room* in the [module](super)'s text.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    taken: bool,
}

/// How much is written at once.
const PIECE: usize = 64 << 10;

// === impl Reserve ===

impl Reserve {
    /// A reserve of `bytes` at `path`, which is yet to be taken.
    pub(super) const fn new(path: PathBuf, bytes: u64) -> Self {
        Self { path, bytes, taken: false }
    }

    /// How much room it is, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the room is kept. Where not, what must be stored has it now.
    pub(super) const fn is_taken(&self) -> bool {
        self.taken || self.bytes == 0
    }

    /// Takes the room: all of it or, where the disk has not that much, nothing.
    pub(super) fn take(&mut self) -> io::Result<()> {
        if !self.is_taken() {
            self.fill().inspect_err(|_| self.release())?;
            self.taken = true;
        }
        Ok(())
    }

    /// Gives the room to what must be stored.
    pub(super) fn release(&mut self) {
        self.taken = false;
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(file = %self.path.display(), %error, "the room that was kept cannot be used: remove the file");
        }
    }

    fn fill(&self) -> io::Result<()> {
        let mut file = private_file(&self.path)?;
        // Of an earlier process, perhaps in part.
        let mut length = file.seek(SeekFrom::End(0))?;
        let zeros = [0; PIECE];
        while length < self.bytes {
            let room = usize::try_from(self.bytes - length).unwrap_or(PIECE).min(PIECE);
            let written = file.write(zeros.get(..room).unwrap_or_default())?;
            length += written as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_taken_whole_and_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reserve");
        fs::write(&path, [0; 1000]).unwrap();
        let mut reserve = Reserve::new(path.clone(), 200_000);
        assert!(!reserve.is_taken());
        reserve.take().unwrap();
        assert!(reserve.is_taken());
        assert_eq!(fs::metadata(&path).unwrap().len(), 200_000);
        reserve.release();
        assert!(!reserve.is_taken() && !path.exists());
    }

    #[test]
    fn where_it_cannot_be_taken_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::new(directory.path().join("no such directory/reserve"), 1);
        assert!(reserve.take().is_err());
        assert!(!reserve.is_taken());
    }
}
