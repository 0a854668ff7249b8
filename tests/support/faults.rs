//! Faults of the operating system under a gateway: a sync or a write that fails, a clock that jumps.
//!
//! `faults.c` is compiled with the machine's C compiler and preloaded into the gateway. What it is to do stands in a
//! file that both sides have open, and so does how often it did it: a test asserts that, lest it pass without its fault.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::fixtures;
use super::gateway::{Gateway, Settings};

/// The faults of one gateway.
pub struct Faults {
    control: File,
    directory: TempDir,
}

/// A kind of fault: how many are to come, and how many came.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// `fsync` and `fdatasync` fail with EIO.
    Sync,
    /// Whatever writes fails with the error that was set.
    Write,
    /// A write takes half of its bytes.
    ShortWrite,
}

/// No room on the device.
pub const ENOSPC: i64 = 28;
/// The device failed.
pub const EIO: i64 = 5;
/// Until [`Faults::clear`].
pub const ALWAYS: i64 = -1;

// The places of the numbers in the file: as in faults.c.
const SYNC: (u64, u64) = (0, 1);
const SYNC_DELAY: (u64, u64) = (2, 3);
const WRITE: (u64, u64) = (4, 6);
const WRITE_ERROR: u64 = 5;
const SHORT: (u64, u64) = (7, 8);
const CLOCK: (u64, u64) = (9, 10);
const BELOW: u64 = 512;
const SIZE: u64 = 4096;

// === impl Fault ===

impl Fault {
    const fn place(self) -> (u64, u64) {
        match self {
            Self::Sync => SYNC,
            Self::Write => WRITE,
            Self::ShortWrite => SHORT,
        }
    }
}

// === impl Faults ===

impl Faults {
    /// Compiles the library. Nothing fails yet.
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let compiled = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(directory.path().join("faults.so"))
            .arg(fixtures::root().join("tests/support/faults.c"))
            .status()
            .expect("a C compiler, as the README asks for");
        assert!(compiled.success());
        let control = File::options().read(true).write(true).create_new(true).open(control(directory.path())).unwrap();
        control.set_len(SIZE).unwrap();
        Self { control, directory }
    }

    /// Puts them under a gateway that is to be started.
    pub fn under(&self, settings: Settings) -> Settings {
        settings
            .env("LD_PRELOAD", &self.directory.path().join("faults.so").display().to_string())
            .env("HOOKSWITCH_FAULTS", &control(self.directory.path()).display().to_string())
    }

    /// Has them strike files whose path starts like this, from here on.
    pub fn below(&self, path: &Path) {
        let text = path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string() + "\0";
        self.control.write_all_at(text.as_bytes(), BELOW).unwrap();
    }

    /// Has them strike the queue of this gateway.
    pub fn below_queue_of(&self, gateway: &Gateway) {
        self.below(&gateway.path("data"));
    }

    /// The next `count` calls fail.
    pub fn arm(&self, fault: Fault, count: i64) {
        self.put(fault.place().0, count);
    }

    /// The same with `errno` for what writes.
    pub fn arm_write(&self, error: i64, count: i64) {
        self.put(WRITE_ERROR, error);
        self.arm(Fault::Write, count);
    }

    /// No further call fails.
    pub fn clear(&self) {
        for place in [SYNC, SYNC_DELAY, WRITE, SHORT] {
            self.put(place.0, 0);
        }
    }

    /// How many calls failed.
    pub fn struck(&self, fault: Fault) -> i64 {
        self.get(fault.place().1)
    }

    /// Each sync takes longer by this.
    pub fn delay_sync(&self, millis: i64) {
        self.put(SYNC_DELAY.0, millis);
    }

    /// How many syncs were delayed.
    pub fn delayed(&self) -> i64 {
        self.get(SYNC_DELAY.1)
    }

    /// Sets the gateway's clock so many seconds before or behind ours.
    pub fn shift_clock(&self, seconds: i64) {
        self.put(CLOCK.0, seconds * 1000);
    }

    /// How often it was told a wrong time.
    pub fn clock_reads(&self) -> i64 {
        self.get(CLOCK.1)
    }

    fn put(&self, place: u64, value: i64) {
        self.control.write_all_at(&value.to_ne_bytes(), place * 8).unwrap();
    }

    fn get(&self, place: u64) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, place * 8).unwrap();
        i64::from_ne_bytes(bytes)
    }
}

fn control(directory: &Path) -> PathBuf {
    directory.join("control")
}
