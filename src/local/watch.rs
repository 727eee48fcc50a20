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

use super::manifests::{self, Reading, Remark, nothing_in};

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
    /// Folders without a manifest, which were told of.
    empty: BTreeSet<PathBuf>,
    signal: Arc<Signal>,
    /// One for each path.
    eyes: Vec<Eye>,
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
        let mut eyes = Vec::new();
        for path in &paths {
            let listed = manifests::list(path).map_err(|remark| remark.to_string())?;
            let folders = match listed.folders.as_slice() {
                [] => vec![parent(path)],
                _ => listed.folders,
            };
            eyes.push(Eye::on(folders, &signal)?);
        }
        Ok(Self { paths, seen: BTreeMap::new(), empty: BTreeSet::new(), signal, eyes })
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
        let mut empty = BTreeSet::new();
        for (path, eye) in self.paths.iter().zip(&mut self.eyes) {
            match list(path, eye, &self.signal) {
                Ok(files) => {
                    if files.is_empty() {
                        empty.insert(path.clone());
                    }
                    there.extend(files.into_iter().filter_map(|file| Some((stamp(&file)?, file))).map(swap));
                }
                // The folder itself is away for a moment, or for good; its objects stay until it is back.
                Err(_) => unreadable = true,
            }
        }
        let errors = |path: &PathBuf| Reading { errors: vec![nothing_in(path)], ..Reading::default() };
        look.read
            .extend(empty.difference(&self.empty).map(|path| (path.display().to_string(), errors(path))));
        for (file, stamp) in &there {
            let same = self.seen.get(file) == Some(stamp);
            if !same || heard.paths.iter().any(|path| path.file_name() == file.file_name()) {
                let reading = manifests::read(std::slice::from_ref(file));
                look.read.push((file.display().to_string(), reading));
            }
        }
        if !unreadable {
            let gone = self.seen.keys().filter(|file| !there.contains_key(*file));
            let gone = gone.chain(self.empty.difference(&empty));
            look.gone = gone.map(|path| path.display().to_string()).collect();
            self.seen = there;
            self.empty = empty;
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

/// The folder that a file is in: a watched file is lost once another is put in its place.
fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The manifests at a path, once all folders that they may be in are watched.
fn list(path: &Path, eye: &mut Eye, signal: &Arc<Signal>) -> Result<Vec<PathBuf>, Remark> {
    let mut listed = manifests::list(path)?;
    // What was put into a new folder before it was watched nobody has told of.
    if !listed.folders.is_empty() && eye.follow(&listed.folders, signal) {
        listed = manifests::list(path)?;
    }
    Ok(listed.files)
}

/// Watches the folders of one path, each by itself: watching all that lies below would take in `node_modules`,
/// `.git` and the like, whose folders may be more than the system has watches for.
struct Eye {
    watcher: Box<dyn Watcher + Send>,
    polls: bool,
    /// With their inodes: a folder that was replaced is another one.
    folders: BTreeMap<PathBuf, u64>,
}

impl Eye {
    fn on(folders: Vec<PathBuf>, signal: &Arc<Signal>) -> Result<Self, String> {
        let told = RecommendedWatcher::new(hear(signal), Config::default());
        if let Ok(watcher) = told {
            let mut eye = Self { watcher: Box::new(watcher), polls: false, folders: BTreeMap::new() };
            if folders.iter().all(|folder| eye.add(folder).is_ok()) {
                return Ok(eye);
            }
        }
        Self::polling(&folders, signal)
    }

    /// No watches are left, or the file system has none: look from time to time.
    fn polling(folders: &[PathBuf], signal: &Arc<Signal>) -> Result<Self, String> {
        let config = Config::default().with_poll_interval(POLLING).with_compare_contents(true);
        let sentence = |error: notify::Error| match folders.first() {
            Some(folder) => format!("{} cannot be watched: {error}", folder.display()),
            None => format!("the manifests cannot be watched: {error}"),
        };
        let watcher = PollWatcher::new(hear(signal), config).map_err(sentence)?;
        let mut eye = Self { watcher: Box::new(watcher), polls: true, folders: BTreeMap::new() };
        folders.iter().try_for_each(|folder| eye.add(folder)).map_err(sentence)?;
        Ok(eye)
    }

    fn add(&mut self, folder: &Path) -> notify::Result<()> {
        self.watcher.watch(folder, RecursiveMode::NonRecursive)?;
        let inode = std::fs::metadata(folder).map_or(0, |found| found.ino());
        self.folders.insert(folder.to_owned(), inode);
        Ok(())
    }

    /// Watches these folders and no others; tells whether there were new ones among them.
    fn follow(&mut self, folders: &[PathBuf], signal: &Arc<Signal>) -> bool {
        let gone: Vec<_> = self.folders.keys().filter(|it| !folders.contains(it)).cloned().collect();
        for folder in gone {
            self.folders.remove(&folder);
            // The watch of a folder that was deleted has ended by itself.
            let _ = self.watcher.unwatch(&folder);
        }
        let same = |it: &&PathBuf| {
            let inode = std::fs::metadata(it).map_or(0, |found| found.ino());
            self.folders.get(*it) == Some(&inode)
        };
        let new: Vec<_> = folders.iter().filter(|it| !same(it)).collect();
        for folder in &new {
            let failed = self.add(folder).is_err();
            if failed && !self.polls && folder.exists() {
                if let Ok(polling) = Self::polling(folders, signal) {
                    *self = polling;
                }
                return true;
            }
        }
        !new.is_empty()
    }
}

fn hear(signal: &Arc<Signal>) -> impl Fn(notify::Result<notify::Event>) + Send + 'static {
    let signal = signal.clone();
    move |event| signal.hear(&event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(look: &Look) -> (Vec<&str>, Vec<&str>) {
        let short = |path: &String| -> &'static str {
            let known = [("a.yaml", "a"), ("b.yaml", "b"), ("deep", "deep")];
            known.iter().find(|(end, _)| path.ends_with(end)).map_or("the folder", |(_, short)| *short)
        };
        (look.read.iter().map(|(path, _)| short(path)).collect(), look.gone.iter().map(short).collect())
    }

    /// Looks until something is told of.
    async fn next(watch: &mut Watch) -> Look {
        loop {
            tokio::time::timeout(Duration::from_secs(20), watch.changed()).await.expect("a change is told");
            let look = watch.look();
            if !look.read.is_empty() || !look.gone.is_empty() {
                return look;
            }
        }
    }

    #[tokio::test]
    async fn folders_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(vec![folder.path().to_owned()]).unwrap();
        let first = watch.look();
        assert_eq!(told(&first), (vec!["the folder"], vec![]), "an empty folder is named");
        assert!(first.read[0].1.errors[0].to_string().contains("no .yaml"));
        let deep = folder.path().join("deep");
        for _ in 0..2 {
            std::fs::create_dir(&deep).unwrap();
            std::fs::write(deep.join("a.yaml"), "").unwrap();
            assert_eq!(told(&next(&mut watch).await), (vec!["a"], vec!["the folder"]));
            std::fs::write(deep.join("b.yaml"), "").unwrap();
            assert_eq!(told(&next(&mut watch).await), (vec!["b"], vec![]));
            std::fs::remove_file(deep.join("b.yaml")).unwrap();
            assert_eq!(told(&next(&mut watch).await), (vec![], vec!["b"]));
            std::fs::remove_dir_all(&deep).unwrap();
            assert_eq!(told(&next(&mut watch).await), (vec!["the folder"], vec!["a"]));
        }
    }
}
