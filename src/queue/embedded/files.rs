//! The directory and its files: who has it, who may read it, and that its entries are on disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::reserve::Reserve;
use crate::queue::QueueError;

/// The directory of an embedded home, claimed for this process until dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held, not read: the operating system frees it however the process ends.
    _lock: File,
}

// === impl Directory ===

impl Directory {
    /// Makes the directory where there is none, and claims it.
    pub(super) fn claim(path: &Path) -> Result<Self, QueueError> {
        if !path.is_dir() {
            make(path).map_err(|error| failed(path, "cannot be made", &error))?;
        }
        let lock_path = path.join("lock");
        let lock = private_file(&lock_path).map_err(|error| failed(&lock_path, "cannot be opened", &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(QueueError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(&lock_path, "cannot be locked", &error)),
        }
    }

    /// Claims a directory that is there.
    pub(super) fn claim_existing(path: &Path) -> Result<Self, QueueError> {
        if !path.join("queue.db").is_file() {
            return Err(QueueError::Store { detail: format!("there is no queue in {}", path.display()) });
        }
        Self::claim(path)
    }

    /// Where the database is.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join("queue.db")
    }

    /// Where what was accepted is noted.
    pub(super) fn head(&self) -> PathBuf {
        self.path.join("head")
    }

    /// Where the journal is: two files, of which one is written while what is in the other is brought to the database.
    pub(super) fn journal(&self) -> [PathBuf; 2] {
        ["journal", "journal-2"].map(|name| self.path.join(name))
    }

    /// Where a salvaged database is put together.
    pub(super) fn salvage(&self) -> PathBuf {
        self.path.join("queue.db.salvage")
    }

    /// Where a damaged database is set aside.
    pub(super) fn aside(&self, millis: i64) -> PathBuf {
        self.path.join(format!("queue.db.corrupt-{millis}"))
    }

    /// The room to be kept.
    pub(super) fn reserve(&self, bytes: u64) -> Reserve {
        Reserve::new(self.path.join("reserve"), bytes)
    }

    /// Asks the next start for a salvage: what is damaged was only found at work.
    pub(super) fn want_salvage(&self) -> io::Result<()> {
        private_file(&self.wanted())?;
        sync_directory(&self.path)
    }

    /// Whether the last process asked for a salvage.
    pub(super) fn salvage_wanted(&self) -> bool {
        self.wanted().exists()
    }

    /// The salvage that was asked for is done, or there is nothing to be salvaged.
    pub(super) fn salvage_done(&self) -> Result<(), QueueError> {
        match fs::remove_file(self.wanted()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed(&self.wanted(), "cannot be removed", &error))
            }
            _ => self.sync(),
        }
    }

    /// Makes `path` with a mode that lets nobody else read it, before SQLite opens it: its log takes the same mode.
    pub(super) fn prepare(&self, path: &Path) -> Result<(), QueueError> {
        if !path.exists() {
            private_file(path).map_err(|error| failed(path, "cannot be made", &error))?;
        }
        Ok(())
    }

    /// Syncs the directory: what was made or renamed in it is so after a crash.
    pub(super) fn sync(&self) -> Result<(), QueueError> {
        sync_directory(&self.path).map_err(|error| failed(&self.path, "cannot be synced", &error))
    }

    /// Renames a database with what belongs to it. The database goes first: see the start after a crash.
    pub(super) fn rename_database(&self, from: &Path, to: &Path) -> Result<(), QueueError> {
        for suffix in ["", "-wal", "-shm"] {
            let from = with_suffix(from, suffix);
            match fs::rename(&from, with_suffix(to, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(&from, "cannot be renamed", &error));
                }
                _ => self.sync()?,
            }
        }
        Ok(())
    }

    /// Removes a database with what belongs to it.
    pub(super) fn remove_database(&self, path: &Path) -> Result<(), QueueError> {
        for suffix in ["-wal", "-shm", ""] {
            let path = with_suffix(path, suffix);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(&path, "cannot be removed", &error));
                }
                _ => {}
            }
        }
        self.sync()
    }

    fn wanted(&self) -> PathBuf {
        self.path.join("queue.db.damaged")
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(path: &Path, what: &str, error: &io::Error) -> QueueError {
    QueueError::Store { detail: format!("{} {what}: {error}", path.display()) }
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

/// Opens a file that nobody else may read, and makes it where there is none.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
