//! A store whose files were torn, flipped, zeroed or removed: the gateway starts with the rest, and what is lost is named
//! or counted.
//!
//! Each case prints its seed; `HOOKSWITCH_DAMAGE_SEED` runs that one alone. `HOOKSWITCH_LONG_TESTS=1` runs hundreds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the report"
)]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::json;
use support::load;
use support::{Answer, Arrived, Destination, Gateway};

const EVENTS: usize = 150;
const PAGE: u64 = 8192;

/// SplitMix64: the same damage for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// What happens to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Torn,
    Flipped,
    Zeroed,
    Removed,
}

/// Damages a file at a random place; says what was done.
fn damage(path: &Path, damage: Damage, dice: &mut Dice) -> String {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    match damage {
        Damage::Torn => {
            let at = dice.below(length);
            file.set_len(at).unwrap();
            format!("torn at {at} of {length}")
        }
        Damage::Flipped => {
            let count = 1 + dice.below(64);
            let at: Vec<u64> = (0..count).filter(|_| length > 0).map(|_| dice.below(length)).collect();
            for at in at {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ (1 << dice.below(8))], at).unwrap();
            }
            format!("{count} bits flipped of {length} bytes")
        }
        Damage::Zeroed => {
            let pages: Vec<u64> = (0..1 + dice.below(3)).map(|_| dice.below(length / PAGE)).collect();
            for page in &pages {
                let end = ((page + 1) * PAGE).min(length);
                let size = usize::try_from(end.saturating_sub(page * PAGE)).unwrap();
                file.write_all_at(&vec![0; size], page * PAGE).unwrap();
            }
            format!("pages {pages:?} zeroed of {}", length / PAGE)
        }
        Damage::Removed => {
            fs::remove_file(path).unwrap();
            "removed".to_owned()
        }
    }
}

/// A gateway with events that wait, and was told to stop (`in_order`) or killed. Gives their ids.
fn filled(destination: &Destination, in_order: bool) -> (Gateway, BTreeSet<String>) {
    destination.always("/one", Answer::Status(500));
    let mut gateway = Gateway::start(&format!(
        "
destinations: {{ one: {{ url: '{}', breaker: off, retry: {{ initial: 5ms, max: 50ms, max_attempts: 1000000 }} }} }}
routes:
  - {{ name: in, path: /in, auth: none, deliver: [{{ to: one }}] }}
",
        destination.url("/one")
    ));
    let mut acknowledged = BTreeSet::new();
    for number in 0..EVENTS {
        let id = format!("event-{number:03}");
        let body = json!({ "type": "t", "id": id, "padding": padding() });
        assert_eq!(gateway.post_json("/in", &body).status, 202);
        acknowledged.insert(id);
    }
    if in_order {
        gateway.signal("TERM");
        assert_eq!(gateway.wait_for_exit().code(), Some(0));
    } else {
        gateway.kill9();
    }
    (gateway, acknowledged)
}

/// What the log says of what was lost.
struct Told {
    /// Ids that are named.
    named: BTreeSet<String>,
    /// How many are counted; all where nobody can tell how many there were.
    counted: usize,
}

fn told(gateway: &Gateway, acknowledged: &BTreeSet<String>) -> Told {
    let log: Vec<String> =
        gateway.log().into_iter().filter(|line| line.contains("ERROR") || line.contains("WARN")).collect();
    let named = acknowledged.iter().filter(|id| log.iter().any(|line| line.contains(id.as_str()))).cloned().collect();
    let lost = |line: &String| {
        let after = line.split_once(" lost=")?.1;
        after.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    // A delivery of which not even the end can be stored keeps its claim, and is in the log.
    let claimed = log.iter().filter(|line| line.contains("its record is damaged")).count();
    let unknown = ["broken_off=true", "nothing of the damaged database could be read", "are missing", "is missing"];
    let counted = match log.iter().any(|line| unknown.iter().any(|word| line.contains(word))) {
        true => acknowledged.len(),
        false => claimed + log.iter().filter_map(lost).sum::<usize>(),
    };
    Told { named, counted }
}

/// Starts what was damaged, lets it deliver, and accounts for each acknowledged event. Says how.
fn assert_accounted_for(
    gateway: &mut Gateway,
    destination: &Destination,
    acknowledged: &BTreeSet<String>,
    what: &str,
) -> usize {
    destination.always("/one", Answer::Status(200));
    if let Err(said) = gateway.try_restart() {
        panic!("{what}: it does not start: {said}");
    }
    let after = gateway.post_json("/in", &json!({ "type": "t", "id": "after" }));
    assert_eq!(after.status, 202, "{what}: a new event is refused\n{}", gateway.log().join("\n"));
    destination.wait_until(&format!("{what}: a new event"), |arrived| {
        arrived.iter().any(|arrived| arrived.json()["id"] == "after")
    });
    support::eventually(&format!("{what}: all that can be made is made"), || {
        let claimed = gateway.log().iter().filter(|line| line.contains("its record is damaged")).count();
        (whole(gateway.metric("hookswitch_queue_pending", &[])) <= claimed).then_some(())
    });
    let intact: BTreeSet<String> = destination
        .arrived()
        .iter()
        .filter(|arrived| arrived.taken)
        .map(Arrived::json)
        .filter(|event| event["id"] == "after" || event["data"]["padding"] == padding())
        .map(|event| event["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    let lost: Vec<&String> = acknowledged.difference(&intact).collect();
    let (dead, told) = (whole(gateway.metric("hookswitch_dead_letters", &[])), told(gateway, acknowledged));
    let unnamed = lost.iter().filter(|id| !told.named.contains(**id)).count();
    assert!(
        unnamed <= dead + told.counted,
        "{what}: {} acknowledged events are gone or altered, {} of them named; {dead} are dead, {} are counted: {lost:?}\n{}",
        lost.len(),
        lost.len() - unnamed,
        told.counted,
        gateway.log().join("\n")
    );
    lost.len()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn whole(value: f64) -> usize {
    value as usize
}

fn padding() -> String {
    "x".repeat(1500)
}

/// Runs a case for each seed, and fails with all that failed.
fn for_each_seed(short: u64, case: impl Fn(u64)) {
    let seeds: Vec<u64> = match std::env::var("HOOKSWITCH_DAMAGE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..if load::long() { short * 20 } else { short }).collect(),
    };
    let run = |seed: &u64| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(*seed))).is_err();
    let failed: Vec<u64> = seeds.iter().copied().filter(run).collect();
    assert!(failed.is_empty(), "failed with these seeds of {}: {failed:?}", seeds.len());
}

/// Damages one file of a store, by turns after an orderly stop, which leaves the database alone, and after a kill, which
/// leaves its log beside it. Gives how many were lost.
fn try_damage(seed: u64, name: &str, kind: Damage, in_order: bool) -> usize {
    let mut dice = Dice(seed);
    let destination = Destination::start();
    let (mut gateway, acknowledged) = filled(&destination, in_order);
    let done = damage(&gateway.path("data").join(name), kind, &mut dice);
    let what = format!("seed {seed}: {name} after a {} {done}", if in_order { "stop" } else { "kill" });
    let lost = assert_accounted_for(&mut gateway, &destination, &acknowledged, &what);
    eprintln!("{what}: {lost} of {} lost, and told", acknowledged.len());
    lost
}

#[test]
fn what_holds_nothing_may_be_damaged_at_will() {
    for_each_seed(1, |seed| {
        for name in ["lock", "reserve"] {
            for kind in [Damage::Torn, Damage::Flipped, Damage::Zeroed, Damage::Removed] {
                assert_eq!(try_damage(seed, name, kind, seed % 2 == 0), 0);
            }
        }
    });
}

#[test]
fn a_torn_database_starts_with_what_is_left() {
    for_each_seed(8, |seed| _ = try_damage(seed, "queue.db", Damage::Torn, seed % 2 == 0));
}

#[test]
fn pages_of_zeros_are_told_and_the_rest_arrives() {
    for_each_seed(8, |seed| _ = try_damage(seed, "queue.db", Damage::Zeroed, seed % 2 == 0));
}

#[test]
fn what_flipped_bits_altered_is_told_and_never_delivered() {
    for_each_seed(8, |seed| _ = try_damage(seed, "queue.db", Damage::Flipped, seed % 2 == 0));
}

#[test]
fn a_database_that_is_gone_is_told() {
    for_each_seed(2, |seed| _ = try_damage(seed, "queue.db", Damage::Removed, seed % 2 == 0));
}

/// SQLite takes the first frame of its log that does not check for the log's end: what was committed behind it is
/// dropped without a word. Only somebody who knows how many commits there were can tell.
#[test]
fn what_a_damaged_log_lost_is_told() {
    for_each_seed(8, |seed| {
        let kind = [Damage::Torn, Damage::Flipped, Damage::Zeroed, Damage::Removed][(seed % 4) as usize];
        try_damage(seed, "queue.db-wal", kind, false);
    });
}

/// The same without the demand that it is told: it starts, and takes and delivers what comes.
#[test]
fn a_damaged_log_keeps_nothing_from_starting() {
    for_each_seed(4, |seed| {
        let kind = [Damage::Torn, Damage::Flipped, Damage::Zeroed, Damage::Removed][(seed % 4) as usize];
        let destination = Destination::start();
        let (mut gateway, acknowledged) = filled(&destination, false);
        let what = damage(&gateway.path("data/queue.db-wal"), kind, &mut Dice(seed));
        destination.always("/one", Answer::Status(200));
        gateway.restart();
        assert_eq!(gateway.post_json("/in", &json!({ "type": "t", "id": "after" })).status, 202, "seed {seed}: {what}");
        gateway.wait_until_drained();
        let lost = load::missing(&destination, "/one", &acknowledged).len();
        eprintln!("seed {seed}: queue.db-wal {what}: {lost} of {} lost", acknowledged.len());
        load::assert_arrived(&destination, "/one", &BTreeSet::from(["after".to_owned()]));
    });
}

/// What is no store of ours is left as it is, or set aside; what to do is said in words.
#[test]
fn what_is_a_whole_other_thing_is_said_in_words() {
    let destination = Destination::start();
    let (mut gateway, _) = filled(&destination, true);
    // A directory where a file should be.
    for name in ["queue.db", "lock"] {
        let path = gateway.path("data").join(name);
        let aside = gateway.path("aside");
        fs::rename(&path, &aside).unwrap();
        fs::create_dir(&path).unwrap();
        let said = gateway.try_restart().expect_err("it started on a directory");
        assert!(said.contains("cannot open the queue") && said.contains(name), "{name}: {said}");
        fs::remove_dir(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    // A file where the directory should be.
    fs::rename(gateway.path("data"), gateway.path("aside")).unwrap();
    fs::write(gateway.path("data"), "a file").unwrap();
    let said = gateway.try_restart().expect_err("it started on a file");
    assert!(said.contains("cannot open the queue") && said.contains("data"), "{said}");
}
