//! Reload when the configuration's content changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

/// Watches a configuration for changes of its content.
///
/// The directory is watched, not the file: editors replace files by renaming, and Kubernetes swaps a ConfigMap by
/// a symbolic link beside it, and a watch on the file itself would go on watching what is no longer there.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    seen: Option<[u8; 32]>,
    hints: mpsc::Receiver<()>,
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
        let notify = move |_: notify::Result<notify::Event>| {
            // A full channel says already that there is something to look at.
            let _ = hint.try_send(());
        };
        let failed = |source| WatchError { directory: directory.clone(), source };
        let mut watcher = notify::recommended_watcher(notify).map_err(failed)?;
        watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(failed)?;
        Ok(Self { path: path.to_owned(), seen: digest(path), hints, _watcher: watcher })
    }

    /// Waits until the file has another content. `None` where the watcher ended.
    pub async fn changed(&mut self) -> Option<()> {
        loop {
            self.hints.recv().await?;
            while let Ok(hint) = tokio::time::timeout(STILL, self.hints.recv()).await {
                hint?;
            }
            let now = digest(&self.path);
            if now.is_some() && now != self.seen {
                self.seen = now;
                return Some(());
            }
        }
    }
}

fn digest(path: &Path) -> Option<[u8; 32]> {
    std::fs::read(path).ok().map(|text| Sha256::digest(text).into())
}
