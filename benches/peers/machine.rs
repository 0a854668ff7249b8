//! The machine: what it is, and whether it is quiet.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::processes::Snapshot;

/// Cores that others may use in a run that counts.
pub const QUIET: f64 = 0.1;

/// Waits until others leave the machine alone for a second, but not longer than `bound`. Whether they do.
pub fn wait_until_quiet(bound: Duration) -> bool {
    let deadline = Instant::now() + bound;
    loop {
        let before = Snapshot::take();
        std::thread::sleep(Duration::from_secs(1));
        let others = Snapshot::take().others_since(&before, std::process::id());
        if others < QUIET {
            return true;
        }
        if Instant::now() > deadline {
            eprintln!("  not quiet after {} s: others use {others:.2} cores", bound.as_secs());
            return false;
        }
    }
}

/// Date, kernel, cores, commit and command, in one line.
pub fn line() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(crate::candidates::root()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let dirty = if said("git", &["status", "--porcelain", "src"]).is_empty() { "" } else { "+" };
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let profile = if cfg!(debug_assertions) { ", DEBUG BUILD" } else { "" };
    format!(
        "{}, Linux {}, {} cores ({}), commit {}{dirty}{profile}, `cargo bench --bench peers -- {}`",
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        said("uname", &["-r"]),
        cpu.matches("processor\t").count(),
        model.map(|(_, name)| name.trim()).unwrap_or_default(),
        said("git", &["rev-parse", "--short", "HEAD"]),
        arguments.join(" "),
    )
}
