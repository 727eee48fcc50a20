//! The watches themselves: each folder by itself, since watching all that lies below would take in
//! `node_modules`, `.git` and the like, whose folders may be more than the system has watches for.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher, WatcherKind};

use super::told::{Interest, Signal};

/// Watches folders.
pub(super) struct Eye {
    /// None where the system has none left.
    watcher: Option<RecommendedWatcher>,
    /// With their inodes: a folder that was replaced is another one.
    folders: BTreeMap<PathBuf, u64>,
    /// Whether something that matters cannot be watched, so that it has to be looked at from time to time.
    pub(super) is_blind: bool,
}

impl Eye {
    pub(super) fn new(signal: &Arc<Signal>) -> Self {
        let closes = RecommendedWatcher::kind() == WatcherKind::Inotify;
        let signal = signal.clone();
        let watcher =
            RecommendedWatcher::new(move |event| signal.hear(&event, closes), Config::default()).ok();
        Self { is_blind: watcher.is_none(), watcher, folders: BTreeMap::new() }
    }

    /// These are others by now, or gone. Their inodes do not tell: the next folder may get the same.
    pub(super) fn forget(&mut self, lost: &BTreeSet<PathBuf>) {
        let gone = |folder: &PathBuf| lost.iter().any(|path| folder.starts_with(path));
        let gone: Vec<PathBuf> = self.folders.keys().filter(|it| gone(it)).cloned().collect();
        gone.iter().for_each(|folder| self.drop_watch(folder));
    }

    /// Watches what matters and nothing else; tells whether there was something new.
    pub(super) fn follow(&mut self, interest: &Interest) -> bool {
        let wanted = interest.watched();
        let stale: Vec<PathBuf> =
            self.folders.keys().filter(|it| !wanted.contains_key(it.as_path())).cloned().collect();
        stale.iter().for_each(|folder| self.drop_watch(folder));
        self.is_blind = self.watcher.is_none();
        let mut is_new = false;
        for (folder, is_needed) in wanted {
            let inode = std::fs::metadata(folder).map(|found| found.ino()).ok();
            if inode.is_some() && self.folders.get(folder) == inode.as_ref() {
                continue;
            }
            self.drop_watch(folder);
            let watched = self.watcher.as_mut().map(|it| it.watch(folder, RecursiveMode::NonRecursive));
            match (watched, inode) {
                (Some(Ok(())), Some(inode)) => {
                    self.folders.insert(folder.to_owned(), inode);
                    is_new = true;
                }
                // What is not there cannot be watched, and who looks for it knows.
                (None | Some(_), inode) => self.is_blind |= is_needed && inode.is_some(),
            }
        }
        is_new
    }

    fn drop_watch(&mut self, folder: &Path) {
        if let (Some(_), Some(watcher)) = (self.folders.remove(folder), &mut self.watcher) {
            // The watch of a folder that was deleted has ended by itself.
            let _ = watcher.unwatch(folder);
        }
    }
}
