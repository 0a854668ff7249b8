//! A small disk, filled to the brim by somebody else and by the queue itself, under load: what finds no room is 503, what
//! was acknowledged arrives, and when there is room again it goes on by itself.
//!
//! The disk is one of 32 MiB in memory, in a name space of its own, and a second process in there fills it. Where the
//! machine allows no such thing the tests say so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;
use support::load::{self, Outcome, assert_arrived, assert_come_back, event};
use support::{Answer, Destination, Gateway, Load};

/// A disk that outlives the gateway: its name space belongs to a process that only waits.
struct Disk {
    holder: std::process::Child,
    directory: tempfile::TempDir,
}

impl Disk {
    /// `None` where this machine does not allow it.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let script = "mount -t tmpfs -o size=32m none disk && touch mounted && exec sleep 3600";
        std::fs::create_dir(directory.path().join("disk")).unwrap();
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .current_dir(&directory)
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare, of util-linux");
        let mounted = support::eventually("the disk, or that there is none", || {
            if directory.path().join("mounted").exists() {
                return Some(true);
            }
            holder.try_wait().unwrap().map(|_| false)
        });
        if !mounted {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI needs a machine that allows a mount in a name space of its own"
            );
            eprintln!("left out: this machine allows no mount in a name space of its own");
        }
        mounted.then_some(Self { holder, directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    /// What runs a program in there. A path from the working directory would lead past the disk: that was entered outside.
    fn enter(&self) -> String {
        format!("nsenter --preserve-credentials --user --mount --target {} --wd=$PWD", self.holder.id())
    }

    fn run(&self, script: &str) {
        let script = script.replace("DISK", &self.path().display().to_string());
        let status = Command::new("sh")
            .args(["-c", &format!("exec {} sh -c '{script}'", self.enter())])
            .current_dir(&self.directory)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{script}: {status}");
    }

    /// Somebody else takes all the room that is left, to the last byte. Twice the disk's size at most: should it be the
    /// wrong disk, that must not be filled.
    fn fill(&self) {
        self.run("head -c 64M /dev/zero >> DISK/other || true");
    }

    /// And gives it back.
    fn empty(&self) {
        self.run("rm -f DISK/other");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn start(destination: &Destination, disk: &Disk) -> Gateway {
    Gateway::with(&format!(
        "
destinations: {{ one: {{ url: '{}', breaker: off, retry: {{ initial: 10ms, max: 100ms, max_attempts: 1000000 }} }} }}
routes: [{{ name: in, path: /in, auth: none, deliver: [{{ to: one }}] }}]
",
        destination.url("/one")
    ))
    .queue(&disk.path().join("data"))
    .shell(&format!("exec {} \"$@\"", disk.enter()))
    .start()
}

fn load(gateway: &Gateway, name: usize) -> Load {
    Load::start(gateway.address(), 4, move |sender, number| event("/in", &format!("{name}-{sender}-{number}"), 50_000))
}

fn ready(gateway: &Gateway) -> bool {
    gateway.admin("GET", "/readyz").status == 200
}

fn assert_only_503(outcome: &Outcome) {
    assert!(!outcome.refused.is_empty(), "nothing was refused: the disk was never full");
    assert!(outcome.refused.iter().all(|status| *status == 503), "{:?}", outcome.refused);
}

#[test]
fn a_disk_that_somebody_else_fills_under_load_costs_nothing_that_was_acknowledged() {
    let Some(disk) = Disk::mount() else { return };
    let destination = Destination::start();
    let mut gateway = start(&destination, &disk);
    for round in 0..if load::long() { 20 } else { 2 } {
        let load = load(&gateway, round);
        load.wait_for_more(20);
        disk.fill();
        support::eventually("it is full", || {
            disk.fill();
            (!ready(&gateway)).then_some(())
        });
        assert_come_back(&gateway.post_json("/in", &json!({ "type": "t", "id": format!("full-{round}") })));
        assert_eq!(gateway.admin("GET", "/healthz").status, 200);
        disk.empty();
        support::eventually("it is ready again", || ready(&gateway).then_some(()));
        load.wait_for_more(20);
        let outcome = load.stop();
        assert_only_503(&outcome);
        gateway.audit_is_clean();
        assert_arrived(&destination, "/one", &outcome.acknowledged);
        assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
        if round % 2 == 1 {
            gateway.kill9();
            gateway.restart();
        }
    }
}

#[test]
fn a_kill_and_a_start_while_the_disk_is_full_lose_nothing() {
    let Some(disk) = Disk::mount() else { return };
    let destination = Destination::start();
    let mut gateway = start(&destination, &disk);
    let mut acknowledged = std::collections::BTreeSet::new();
    for round in 0..if load::long() { 20 } else { 2 } {
        // Nothing ends, so that the queue itself has its part of the disk.
        destination.always("/one", Answer::Status(500));
        let load = load(&gateway, round);
        load.wait_for_more(40);
        support::eventually("it is full", || {
            disk.fill();
            (!ready(&gateway)).then_some(())
        });
        gateway.kill9();
        acknowledged.extend(load.stop().acknowledged);
        disk.fill();

        // Before the start: what is put off again has to be stored, and there is no room for that.
        destination.always("/one", Answer::Status(200));
        gateway.restart();
        assert_come_back(&gateway.post_json("/in", &json!({ "type": "t", "id": "full" })));
        assert!(!ready(&gateway));
        // Somebody else has the room that was kept, too: that a delivery was made can be remembered in memory alone. It
        // is made all the same, and again after a kill.
        support::eventually("everything that was acknowledged arrives", || {
            load::missing(&destination, "/one", &acknowledged).is_empty().then_some(())
        });
        gateway.kill9();
        gateway.restart();
        disk.empty();
        support::eventually("it is ready again", || ready(&gateway).then_some(()));
        assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": format!("after-{round}") })).status, 202);
        gateway.audit_is_clean();
    }
    assert_eq!(gateway.metric("hookswitch_dead_letters", &[]), 0.0);
}

#[test]
fn a_queue_that_fills_its_disk_itself_under_load_drains_and_takes_events_again() {
    let Some(disk) = Disk::mount() else { return };
    let destination = Destination::start();
    destination.always("/one", Answer::Status(500));
    let mut gateway = start(&destination, &disk);
    let first = load(&gateway, 1);
    support::eventually("it is full", || (!ready(&gateway)).then_some(()));
    gateway.kill9();
    let mut acknowledged = first.stop().acknowledged;
    gateway.restart();
    let second = load(&gateway, 2);
    destination.always("/one", Answer::Status(200));
    // The senders go on all the while: as soon as something has gone, there is room for more.
    second.wait_for_more(100);
    let second = second.stop();
    acknowledged.extend(second.acknowledged);
    gateway.audit_is_clean();
    support::eventually("it is ready again", || ready(&gateway).then_some(()));
    assert_arrived(&destination, "/one", &acknowledged);
}
