//! Reload when the content changes of what the configuration is made of: its own file, and those that it takes secrets from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::inputs::{Digest, Inputs};

/// Watches files for changes of their content.
///
/// Their directories are watched, not the files: editors replace files by renaming, and Kubernetes swaps a ConfigMap or a
/// Secret by a symbolic link beside it, and a watch on the file itself would go on watching what is no longer there. And
/// the files are read every few seconds all the same: a directory may be replaced itself, or be on a file system that says
/// nothing of changes.
#[derive(Debug)]
pub struct Watch {
    /// The content that was last told of each file; `None` where there was none.
    seen: BTreeMap<PathBuf, Option<Digest>>,
    /// The configuration itself, where it is watched too.
    configuration: Option<PathBuf>,
    /// What the last reading of the configuration took something from.
    inputs: Inputs,
    readings: Option<watch::Receiver<Inputs>>,
    hints: mpsc::Receiver<()>,
    /// Kept, so that there may be hints though nothing gives any now.
    _hint: mpsc::Sender<()>,
    /// `None` where the operating system has none to give.
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    /// Whether there was a hint since the files were read: kept here, so that [`Watch::changed`] can be cancelled.
    stirred: bool,
    /// What was found changed at the last look, and is told once the next one finds the same.
    found: BTreeMap<PathBuf, Digest>,
    /// How many looks in a row found a change.
    looks: u32,
}

/// A configuration cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {}: {source}; run without --watch, and reload by SIGHUP", directory.display())]
pub struct WatchError {
    directory: PathBuf,
    source: notify::Error,
}

/// How long the directories have to be still before the files are read, and between two looks that have to find the same: a
/// writer may write in several steps.
const STILL: Duration = Duration::from_millis(200);
/// How long that is waited for: something else may be written there all the time.
const RESTLESS: Duration = Duration::from_secs(2);
/// After so many looks a change is told though each found another content.
const MOST_LOOKS: u32 = 10;
/// How often the files are read without any hint.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// The most that is read of a file: no configuration is as large.
const MOST: u64 = 16 << 20;

// === impl Watch ===

impl Watch {
    /// Watches nothing but what [`Watch::follow`] says, and the configuration at this path where there is one.
    ///
    /// # Errors
    /// Where the configuration's directory cannot be watched. Of other files it is read now and then whether they changed.
    pub fn new(configuration: Option<&Path>) -> Result<Self, WatchError> {
        let (hint, hints) = mpsc::channel(1);
        let sender = hint.clone();
        let notify = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| may_change(event.kind)) {
                // A full channel says already that there is something to look at.
                let _ = sender.try_send(());
            }
        };
        let mut watch = Self {
            seen: BTreeMap::new(),
            configuration: configuration.map(Path::to_owned),
            inputs: Inputs::default(),
            readings: None,
            hints,
            _hint: hint,
            watcher: None,
            directories: BTreeSet::new(),
            stirred: false,
            found: BTreeMap::new(),
            looks: 0,
        };
        match (notify::recommended_watcher(notify), configuration) {
            (Ok(watcher), _) => watch.watcher = Some(watcher),
            (Err(source), Some(path)) => return Err(WatchError { directory: directory(path), source }),
            (Err(error), None) => tracing::debug!(%error, "files are looked at every few seconds"),
        }
        if let Some(path) = configuration {
            watch.watch(&directory(path)).map_err(|source| WatchError { directory: directory(path), source })?;
            watch.seen.insert(path.to_owned(), digest(path));
        }
        Ok(watch)
    }

    /// Watches the files that a reading took something from, as of what it read, and none that it did not.
    pub fn follow(&mut self, inputs: Inputs) {
        let before: BTreeMap<&Path, _> = self.inputs.files().collect();
        let mut seen = BTreeMap::new();
        for (path, read) in inputs.files() {
            // What was not read anew was told as it is, whether or not a reading came to it.
            let told = self.seen.get(path).filter(|_| before.get(path) == Some(&read));
            seen.insert(path.to_owned(), told.copied().unwrap_or(read));
        }
        if let Some((path, digest)) = self.configuration.as_ref().and_then(|path| self.seen.remove_entry(path)) {
            seen.insert(path, digest);
        }
        (self.seen, self.inputs) = (seen, inputs);
        self.watch_directories();
        // There may have been a change between the reading and now.
        self.stirred = !self.seen.is_empty();
    }

    /// Follows what readings from now on take something from.
    pub fn follow_all(&mut self, readings: watch::Receiver<Inputs>) {
        self.readings = Some(readings);
    }

    /// Waits until files have another content than when they were last asked for, or read. Answers which. Cancel-safe.
    pub async fn changed(&mut self) -> Vec<PathBuf> {
        loop {
            if !self.stirred {
                self.wait().await;
                continue;
            }
            let patience = Instant::now() + RESTLESS;
            while timeout_at(patience.min(Instant::now() + STILL), self.hints.recv()).await.is_ok() {}
            self.follow_last();
            let changed = self.look();
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    /// Waits for a reason to look.
    async fn wait(&mut self) {
        let reading = async {
            match &mut self.readings {
                Some(readings) => readings.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.hints.recv() => self.stirred = true,
            () = sleep(LOOK_EVERY), if !self.seen.is_empty() => self.stirred = true,
            read = reading => match read {
                Ok(()) => self.follow_last(),
                // Nobody reads any more.
                Err(_) => self.readings = None,
            },
        }
    }

    /// Follows the last reading, where there was one since this was last asked.
    fn follow_last(&mut self) {
        let Some(readings) = &mut self.readings else { return };
        if readings.has_changed().unwrap_or(false) {
            let inputs = readings.borrow_and_update().clone();
            self.follow(inputs);
        }
    }

    /// The files that have another content than was last told, where two looks found the same: between them a writer had
    /// time to finish. A file that is gone will be back.
    fn look(&mut self) -> Vec<PathBuf> {
        let differing = self.seen.iter().filter_map(|(path, seen)| {
            let now = digest(path)?;
            (Some(now) != *seen).then(|| (path.clone(), now))
        });
        let found: BTreeMap<PathBuf, Digest> = differing.collect();
        self.looks += 1;
        let settled = found.is_empty() || found == self.found || self.looks >= MOST_LOOKS;
        self.stirred = !settled;
        if !settled {
            self.found = found;
            return Vec::new();
        }
        (self.looks, self.found) = (0, BTreeMap::new());
        let changed = found.keys().cloned().collect();
        self.seen.extend(found.into_iter().map(|(path, digest)| (path, Some(digest))));
        changed
    }

    /// Watches the directories of the files, and no others.
    fn watch_directories(&mut self) {
        let wanted: BTreeSet<PathBuf> = self.seen.keys().map(|path| directory(path)).collect();
        for gone in self.directories.difference(&wanted) {
            self.watcher.as_mut().map(|watcher| watcher.unwatch(gone));
        }
        self.directories.retain(|directory| wanted.contains(directory));
        for directory in wanted {
            if let Err(error) = self.watch(&directory) {
                let directory = directory.display();
                tracing::debug!(%directory, %error, "its files are looked at every few seconds");
            }
        }
    }

    fn watch(&mut self, directory: &Path) -> notify::Result<()> {
        let Some(watcher) = self.watcher.as_mut().filter(|_| !self.directories.contains(directory)) else {
            return Ok(());
        };
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        self.directories.insert(directory.to_owned());
        Ok(())
    }
}

/// Whether something may have another content after it. Reading is no change: we read the files ourselves.
const fn may_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if !matches!(access, AccessKind::Close(AccessMode::Write)))
}

/// Where a file is.
fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What is in a file. What is none, such as a pipe, could be read but once: it never changes.
fn digest(path: &Path) -> Option<Digest> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    File::open(path).ok()?.take(MOST).read_to_end(&mut content).ok()?;
    Some(Digest::of(&content))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::inputs::Recording;
    use super::*;
    use crate::config::load::{ProcessSurroundings, Surroundings as _};

    /// Far longer than any of this takes.
    const DEADLINE: Duration = Duration::from_secs(20);

    async fn changed(watch: &mut Watch) -> Vec<PathBuf> {
        tokio::time::timeout(DEADLINE, watch.changed()).await.unwrap_or_default()
    }

    /// What a reading finds in these files.
    fn read(paths: &[&Path]) -> Inputs {
        let recording = Recording::new(&ProcessSurroundings);
        paths.iter().for_each(|path| drop(recording.read(path)));
        recording.into_inputs()
    }

    /// Follows what is in these files, without any hint.
    fn following(paths: &[&Path]) -> Watch {
        let mut watch = Watch { watcher: None, ..Watch::new(None).unwrap() };
        watch.follow(read(paths));
        watch
    }

    /// What two looks find.
    fn looked(watch: &mut Watch) -> usize {
        watch.look().len() + watch.look().len()
    }

    #[tokio::test]
    async fn a_file_that_is_written_or_replaced_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(Some(&path)).unwrap();
        fs::write(&path, "two").unwrap();
        assert_eq!(changed(&mut watch).await, [&*path], "written in place");
        let draft = directory.path().join(".routes.yaml.swp");
        fs::write(&draft, "three").unwrap();
        fs::rename(&draft, &path).unwrap();
        assert_eq!(changed(&mut watch).await, [&*path], "replaced, as editors do");
        assert_eq!(watch.seen[&path], digest(&path));
    }

    #[tokio::test]
    async fn a_volume_that_is_swapped_has_changed() {
        // As the kubelet does it: routes.yaml -> ..data/routes.yaml, and ..data -> the version in force.
        let directory = tempfile::tempdir().unwrap();
        let version = |name: &str, text: &str| {
            fs::create_dir(directory.path().join(name)).unwrap();
            for file in ["routes.yaml", "secret"] {
                fs::write(directory.path().join(name).join(file), text).unwrap();
            }
        };
        let data = directory.path().join("..data");
        version("..2026_01", "one");
        symlink("..2026_01", &data).unwrap();
        let paths = ["routes.yaml", "secret"].map(|file| {
            symlink(format!("..data/{file}"), directory.path().join(file)).unwrap();
            directory.path().join(file)
        });
        let mut watch = Watch::new(Some(&paths[0])).unwrap();
        watch.follow(read(&[&paths[1]]));
        for (name, text) in [("..2026_02", "two"), ("..2026_03", "three")] {
            version(name, text);
            let swap = directory.path().join("..data_tmp");
            symlink(name, &swap).unwrap();
            fs::rename(&swap, &data).unwrap();
            assert_eq!(changed(&mut watch).await, paths, "{name}");
            assert_eq!(watch.seen[&paths[1]], digest(&paths[1]), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_gone_or_says_the_same_has_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(Some(&path)).unwrap();
        assert_eq!(looked(&mut watch), 0);
        fs::remove_file(&path).unwrap();
        assert_eq!(looked(&mut watch), 0, "it is being replaced");
        fs::write(&path, "one").unwrap();
        assert_eq!(looked(&mut watch), 0, "the content counts, not the time");
        fs::write(&path, "two").unwrap();
        assert_eq!(looked(&mut watch), 1);
        assert_eq!(looked(&mut watch), 0, "each content is told once");
    }

    #[test]
    fn what_is_half_written_is_not_told_before_it_stands_still() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, "old").unwrap();
        let mut watch = following(&[&path]);
        for part in ["", "n", "ne", "new"] {
            fs::write(&path, part).unwrap();
            assert!(watch.look().is_empty() && watch.stirred, "{part:?}");
        }
        assert_eq!(watch.look(), [&*path]);
        assert!(!watch.stirred);
        for number in 1..MOST_LOOKS {
            fs::write(&path, number.to_string()).unwrap();
            assert!(watch.look().is_empty());
        }
        fs::write(&path, "and on").unwrap();
        assert_eq!(watch.look(), [&*path], "one that never stands still is told now and then");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nothing_hints_at_is_looked_at_now_and_then() {
        let directory = tempfile::tempdir().unwrap();
        // Behind a link, in a directory that is replaced itself.
        let (real, path) = (directory.path().join("real"), directory.path().join("link/secret"));
        fs::create_dir(&real).unwrap();
        fs::write(real.join("secret"), "old").unwrap();
        symlink(&real, directory.path().join("link")).unwrap();
        let mut watch = following(&[&path]);
        let quiet = tokio::time::timeout(LOOK_EVERY * 5, watch.changed()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        fs::rename(&real, directory.path().join("before")).unwrap();
        fs::create_dir(&real).unwrap();
        fs::write(real.join("secret"), "new").unwrap();
        assert_eq!(changed(&mut watch).await, [&*path]);
    }

    #[test]
    fn what_a_reading_took_in_is_not_told_and_what_it_did_not_get_to_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| directory.path().join(name));
        fs::write(&a, "one").unwrap();
        let mut watch = following(&[&a, &b]);
        let mut readings = read(&[&a, &b]);
        fs::write(&a, "two").unwrap();
        fs::write(&b, "new").unwrap();
        readings.add(read(&[&b]));
        watch.follow(readings.clone());
        assert_eq!(looked(&mut watch), 1, "a was not read");
        // As often as readings break off before they come to it.
        watch.follow(readings.clone());
        assert_eq!(looked(&mut watch), 0);
        fs::write(&a, "three").unwrap();
        watch.follow(read(&[&a]));
        assert_eq!(looked(&mut watch), 0);
        fs::write(&b, "newer").unwrap();
        assert_eq!(looked(&mut watch), 0, "nothing is taken from b any more");
    }

    #[test]
    fn what_can_be_read_but_once_is_left_alone() {
        let mut watch = following(&[Path::new("/dev/null"), Path::new("/nowhere/at/all")]);
        assert_eq!(looked(&mut watch), 0);
    }

    #[tokio::test]
    async fn a_wait_that_was_cancelled_misses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(Some(&path)).unwrap();
        fs::write(&path, "two").unwrap();
        // Cancelled after the hint and before the file was read, as a signal does it.
        let until_stirred = tokio::time::timeout(DEADLINE, async {
            while !watch.stirred {
                let _ = tokio::time::timeout(Duration::from_millis(1), watch.changed()).await;
            }
        });
        until_stirred.await.unwrap();
        assert_eq!(changed(&mut watch).await, [&*path]);
    }

    #[test]
    fn reading_the_file_is_no_reason_to_read_it_again() {
        assert!(!may_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(!may_change(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(may_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(may_change(EventKind::Any));
    }

    #[test]
    fn a_directory_that_is_not_there_cannot_be_watched() {
        let error = Watch::new(Some(Path::new("/nowhere/at/all/routes.yaml"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
