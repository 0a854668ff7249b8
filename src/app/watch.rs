//! Reload when the configuration's content changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Watches a configuration for changes of its content.
///
/// The directory is watched, not the file: editors replace files by renaming, and Kubernetes swaps a ConfigMap by
/// a symbolic link beside it, and a watch on the file itself would go on watching what is no longer there.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    seen: Option<[u8; 32]>,
    hints: mpsc::Receiver<()>,
    /// Whether there was a hint since the file was read: kept here, so that [`Watch::changed`] can be cancelled.
    stirred: bool,
    _watcher: RecommendedWatcher,
}

/// A configuration cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {}: {source}; run without --watch, and reload by SIGHUP", directory.display())]
pub struct WatchError {
    directory: PathBuf,
    source: notify::Error,
}

/// How long the directory has to be still before the file is read: a writer may write in several steps.
const STILL: Duration = Duration::from_millis(200);
/// How long that is waited for: something else may be written there all the time.
const RESTLESS: Duration = Duration::from_secs(2);

// === impl Watch ===

impl Watch {
    /// Watches the file at `path`.
    ///
    /// # Errors
    /// Where its directory cannot be watched.
    pub fn new(path: &Path) -> Result<Self, WatchError> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let (hint, hints) = mpsc::channel(1);
        let notify = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| may_change(event.kind)) {
                // A full channel says already that there is something to look at.
                let _ = hint.try_send(());
            }
        };
        let failed = |source| WatchError { directory: directory.clone(), source };
        let mut watcher = notify::recommended_watcher(notify).map_err(failed)?;
        watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(failed)?;
        Ok(Self { path: path.to_owned(), seen: digest(path), hints, stirred: false, _watcher: watcher })
    }

    /// Waits until the file has another content than when it was last asked, or when the watch began. `None` where the
    /// watcher ended. Cancel-safe.
    pub async fn changed(&mut self) -> Option<()> {
        loop {
            if !self.stirred {
                self.hints.recv().await?;
                self.stirred = true;
            }
            let patience = Instant::now() + RESTLESS;
            while let Ok(hint) = timeout_at(patience.min(Instant::now() + STILL), self.hints.recv()).await {
                hint?;
            }
            self.stirred = false;
            if self.look() {
                return Some(());
            }
        }
    }

    /// Whether there is another content than when it was last looked. A file that is gone will be back.
    fn look(&mut self) -> bool {
        let now = digest(&self.path);
        let changed = now.is_some() && now != self.seen;
        if changed {
            self.seen = now;
        }
        changed
    }
}

/// Whether something may have another content after it. Reading is no change: we read the file ourselves.
const fn may_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if !matches!(access, AccessKind::Close(AccessMode::Write)))
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    std::fs::read(path).ok().map(|text| Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Far longer than any of this takes.
    const DEADLINE: Duration = Duration::from_secs(20);

    async fn changed(watch: &mut Watch) -> bool {
        tokio::time::timeout(DEADLINE, watch.changed()).await.is_ok_and(|changed| changed.is_some())
    }

    #[tokio::test]
    async fn a_file_that_is_written_or_replaced_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path).unwrap();
        fs::write(&path, "two").unwrap();
        assert!(changed(&mut watch).await, "written in place");
        let draft = directory.path().join(".routes.yaml.swp");
        fs::write(&draft, "three").unwrap();
        fs::rename(&draft, &path).unwrap();
        assert!(changed(&mut watch).await, "replaced, as editors do");
        assert_eq!(watch.seen, digest(&path));
    }

    #[tokio::test]
    async fn a_config_map_that_is_swapped_has_changed() {
        // As the kubelet does it: routes.yaml -> ..data/routes.yaml, and ..data -> the version in force.
        let directory = tempfile::tempdir().unwrap();
        let version = |name: &str, text: &str| {
            fs::create_dir(directory.path().join(name)).unwrap();
            fs::write(directory.path().join(name).join("routes.yaml"), text).unwrap();
        };
        let data = directory.path().join("..data");
        let path = directory.path().join("routes.yaml");
        version("..2026_01", "one");
        symlink("..2026_01", &data).unwrap();
        symlink("..data/routes.yaml", &path).unwrap();
        let mut watch = Watch::new(&path).unwrap();
        for (name, text) in [("..2026_02", "two"), ("..2026_03", "three")] {
            version(name, text);
            let swap = directory.path().join("..data_tmp");
            symlink(name, &swap).unwrap();
            fs::rename(&swap, &data).unwrap();
            assert!(changed(&mut watch).await, "{name}");
            assert_eq!(watch.seen, digest(&path), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_gone_or_says_the_same_has_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path).unwrap();
        assert!(!watch.look());
        fs::remove_file(&path).unwrap();
        assert!(!watch.look(), "it is being replaced");
        fs::write(&path, "one").unwrap();
        assert!(!watch.look(), "the content counts, not the time");
        fs::write(&path, "two").unwrap();
        assert!(watch.look());
        assert!(!watch.look(), "each content is told once");
    }

    #[tokio::test]
    async fn a_wait_that_was_cancelled_misses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.yaml");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path).unwrap();
        fs::write(&path, "two").unwrap();
        // Cancelled after the hint and before the file was read, as a signal does it.
        let until_stirred = tokio::time::timeout(DEADLINE, async {
            while !watch.stirred {
                let _ = tokio::time::timeout(Duration::from_millis(1), watch.changed()).await;
            }
        });
        until_stirred.await.unwrap();
        assert!(changed(&mut watch).await);
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
        let error = Watch::new(Path::new("/nowhere/at/all/routes.yaml")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
