//! Processes that a run starts, and what they cost: CPU time and memory, out of `/proc`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// `USER_HZ`, which is 100 on every Linux architecture that this runs on.
const TICKS: f64 = 100.0;
/// A thread of the kernel (`PF_KTHREAD`), such as the one that writes the journal: it works for whoever writes.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// How long a process has to end in order.
const GRACE: Duration = Duration::from_secs(20);

/// A process; it ends when this is dropped.
pub struct Process {
    child: Child,
    /// How long it took to listen.
    pub listened_after: Duration,
}

/// What all processes had used at one time.
pub struct Snapshot {
    at: Instant,
    entries: HashMap<u32, Entry>,
    stolen: f64,
}

struct Entry {
    parent: u32,
    seconds: f64,
    kernel: bool,
}

/// Memory of a tree of processes, in MiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Proportional set size now.
    pub pss: f64,
    /// Resident set size now.
    pub rss: f64,
    /// The highest resident set of each, added up.
    pub peak: f64,
}

// === impl Process ===

impl Process {
    /// Starts one, on a core where one is given. What it says goes to a file.
    pub fn start(command: &Command, core: Option<&str>, log: &Path) -> io::Result<Self> {
        let log = File::create(log)?;
        let mut command = on_core(command, core);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { child, listened_after: Duration::ZERO })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Has it end in order, and waits.
    pub fn stop(&mut self) {
        if self.has_ended() {
            return;
        }
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        let deadline = Instant::now() + GRACE;
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same command, pinned to a core.
pub fn on_core(command: &Command, core: Option<&str>) -> Command {
    let mut pinned = match core {
        Some(core) => {
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", core]).arg(command.get_program());
            taskset
        }
        None => Command::new(command.get_program()),
    };
    pinned.args(command.get_args());
    pinned.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = command.get_current_dir() {
        pinned.current_dir(directory);
    }
    pinned
}

// === impl Snapshot ===

impl Snapshot {
    pub fn take() -> Self {
        let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let entries = numbers.filter_map(|pid| Some((pid, Entry::read(pid)?))).collect();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let stolen = stat.split_whitespace().nth(8).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        Self { at: Instant::now(), entries, stolen: stolen / TICKS }
    }

    /// CPU seconds of these processes, of their children, and of those children that have ended.
    pub fn cpu(&self, roots: &[u32]) -> f64 {
        self.tree(roots).iter().filter_map(|pid| self.entries.get(pid)).map(|entry| entry.seconds).sum()
    }

    /// Cores that others used since `earlier`: processes that are not below `ours`, and other machines on this hardware.
    pub fn others_since(&self, earlier: &Self, ours: u32) -> f64 {
        let used = self.others(ours) - earlier.others(ours) + self.stolen - earlier.stolen;
        used.max(0.0) / (self.at - earlier.at).as_secs_f64()
    }

    fn others(&self, ours: u32) -> f64 {
        let ours = self.tree(&[ours]);
        let others = self.entries.iter().filter(|(pid, entry)| !entry.kernel && !ours.contains(pid));
        others.map(|(_, entry)| entry.seconds).sum()
    }

    fn tree(&self, roots: &[u32]) -> Vec<u32> {
        let mut tree = roots.to_vec();
        let mut seen = 0;
        while seen < tree.len() {
            let parent = tree[seen];
            tree.extend(self.entries.iter().filter(|(_, entry)| entry.parent == parent).map(|(pid, _)| *pid));
            seen += 1;
        }
        tree
    }

    /// What these processes and their children have of the memory.
    pub fn memory(&self, roots: &[u32]) -> Memory {
        let mut memory = Memory::default();
        for pid in self.tree(roots) {
            memory.pss += field(&format!("/proc/{pid}/smaps_rollup"), "Pss:");
            memory.rss += field(&format!("/proc/{pid}/status"), "VmRSS:");
            memory.peak += field(&format!("/proc/{pid}/status"), "VmHWM:");
        }
        memory
    }
}

// === impl Entry ===

impl Entry {
    /// Reads `/proc/PID/stat` (proc_pid_stat(5)).
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the name in brackets, which may have anything in it.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let number = |place: usize| fields.get(place - 3).and_then(|text| text.parse::<u64>().ok());
        let ticks: u64 = (14..=17).filter_map(number).sum();
        let kernel = number(9)? & KERNEL_THREAD != 0;
        Some(Self { parent: u32::try_from(number(4)?).ok()?, seconds: ticks as f64 / TICKS, kernel })
    }
}

fn field(path: &str, name: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
