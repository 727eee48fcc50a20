//! The thin part that looks at files: which changed since the last look, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Config, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::manifests::{self, Reading};

/// An editor writes in several steps; this long after the first, most have done so.
pub const SETTLING: Duration = Duration::from_millis(4);
/// How often is looked where the system does not tell.
const POLLING: Duration = Duration::from_millis(250);

/// What tells one state of a file from another.
type Stamp = (u64, u64, i64, i64, i64, i64);

/// Files and folders of manifests.
pub struct Watch {
    paths: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, Stamp>,
    signal: Arc<Signal>,
    /// Held for as long as it is to tell.
    _watchers: Vec<Box<dyn Watcher + Send>>,
}

/// From the watcher's thread.
#[derive(Default)]
struct Signal {
    changed: Notify,
    /// Something changed since the last look.
    pending: AtomicBool,
    heard: Mutex<Heard>,
}

/// What was told since the last look.
#[derive(Default)]
struct Heard {
    paths: BTreeSet<PathBuf>,
    since: Option<Instant>,
}

impl Signal {
    fn hear(&self, event: &notify::Result<notify::Event>) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(event) = event {
            // Reading is no change, and our own reading least of all.
            let is_reading = matches!(event.kind, EventKind::Access(kind)
                if kind != AccessKind::Close(AccessMode::Write));
            if is_reading {
                return;
            }
            heard.paths.extend(event.paths.iter().cloned());
        }
        heard.since.get_or_insert_with(Instant::now);
        drop(heard);
        // An error may mean that events were lost: then a look costs less than a change missed.
        self.pending.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Look {
    /// Files that differ, with what they hold.
    pub read: Vec<(String, Reading)>,
    /// Files that are gone.
    pub gone: Vec<String>,
    /// When the first change was told of; none at the first look.
    pub since: Option<Instant>,
}

impl Watch {
    /// Watches files and folders.
    ///
    /// # Errors
    /// A sentence where one of them is not there, or cannot be watched.
    pub fn new(paths: Vec<PathBuf>) -> Result<Self, String> {
        let signal = Arc::new(Signal::default());
        let mut watchers = Vec::new();
        for path in &paths {
            manifests::list(path).map_err(|remark| remark.to_string())?;
            watchers.push(watcher(path, &signal)?);
        }
        Ok(Self { paths, seen: BTreeMap::new(), signal, _watchers: watchers })
    }

    /// Waits until something may have changed since the last look. May be dropped and called again.
    pub async fn changed(&self) {
        while !self.signal.pending.load(Ordering::Acquire) {
            self.signal.changed.notified().await;
        }
        tokio::time::sleep(SETTLING).await;
    }

    /// Reads what differs from the last look.
    pub fn look(&mut self) -> Look {
        self.signal.pending.store(false, Ordering::Release);
        let heard = std::mem::take(&mut *self.signal.heard.lock().unwrap_or_else(PoisonError::into_inner));
        let mut look = Look { since: heard.since, ..Look::default() };
        let mut there = BTreeMap::new();
        let mut unreadable = false;
        for path in &self.paths {
            match manifests::list(path) {
                Ok(files) => {
                    there.extend(files.into_iter().filter_map(|file| Some((stamp(&file)?, file))).map(swap));
                }
                // The folder itself is away for a moment, or for good; its objects stay until it is back.
                Err(_) => unreadable = true,
            }
        }
        for (file, stamp) in &there {
            let same = self.seen.get(file) == Some(stamp);
            if !same || heard.paths.iter().any(|path| path.file_name() == file.file_name()) {
                let reading = manifests::read(std::slice::from_ref(file));
                look.read.push((file.display().to_string(), reading));
            }
        }
        if !unreadable {
            let gone = self.seen.keys().filter(|file| !there.contains_key(*file));
            look.gone = gone.map(|file| file.display().to_string()).collect();
            self.seen = there;
        }
        look
    }
}

fn swap((stamp, file): (Stamp, PathBuf)) -> (PathBuf, Stamp) {
    (file, stamp)
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()))
}

/// A watcher of the folder: a watched file is lost once another is put in its place.
fn watcher(path: &Path, signal: &Arc<Signal>) -> Result<Box<dyn Watcher + Send>, String> {
    let (folder, mode) = if path.is_dir() {
        (path, RecursiveMode::Recursive)
    } else {
        (
            path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            RecursiveMode::NonRecursive,
        )
    };
    let hear = |signal: &Arc<Signal>| {
        let signal = signal.clone();
        move |event: notify::Result<notify::Event>| signal.hear(&event)
    };
    let told = RecommendedWatcher::new(hear(signal), Config::default())
        .and_then(|mut watcher| watcher.watch(folder, mode).map(|()| watcher));
    if let Ok(watcher) = told {
        return Ok(Box::new(watcher));
    }
    // No watches are left, or the file system has none: look from time to time.
    let config = Config::default().with_poll_interval(POLLING).with_compare_contents(true);
    PollWatcher::new(hear(signal), config)
        .and_then(|mut watcher| watcher.watch(folder, mode).map(|()| watcher))
        .map(|watcher| Box::new(watcher) as Box<dyn Watcher + Send>)
        .map_err(|error| format!("{} cannot be watched: {error}", folder.display()))
}
