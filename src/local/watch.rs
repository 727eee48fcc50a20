//! The thin part that looks at files: which changed since the last look, and when to look again.
//!
//! A half-saved file is left alone until its writer closes it ([`told`]). A folder that is away keeps what was
//! in it, and a folder that cannot be listed likewise: both are named. A file that was given by name and is
//! away has gone.

mod eye;
#[cfg(test)]
mod tests;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eye::Eye;
use told::{Interest, Signal};

use super::manifests::{self, Listed, Reading, Remark, nothing_in};

/// An editor writes in several steps; this long after the first, most have done so.
pub const SETTLING: Duration = Duration::from_millis(4);
/// How often is looked where the system does not tell, and for what is away.
const POLLING: Duration = Duration::from_millis(250);
/// A file that its writer keeps open is read as it is after this; an empty one is not.
const OPEN_LIMIT: Duration = Duration::from_secs(5);

/// A file is empty, or missing from its folder, for so long before it counts: that it was made anew and is being
/// written may not be told yet, and its folder may be about to go too.
const DOUBT: Duration = Duration::from_millis(100);

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    others: (u64, i64, i64, i64, i64),
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let found = std::fs::metadata(file).ok()?;
        let others = (found.ino(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec());
        Some(Self { length: found.len(), others })
    }
}

/// A path that was given.
struct Root {
    path: PathBuf,
    /// What it was when it was there last.
    is_folder: bool,
}

/// Files and folders of manifests.
pub struct Watch {
    roots: Vec<Root>,
    seen: BTreeMap<PathBuf, Stamp>,
    /// Files that are empty or missing and were not when they were read last, with when they were found so.
    doubtful: BTreeMap<PathBuf, Instant>,
    /// What was said of a path besides what stands in it.
    said: BTreeMap<PathBuf, Vec<Remark>>,
    signal: Arc<Signal>,
    eye: Eye,
    /// When it was looked last.
    looked: Option<Instant>,
    /// Something that was given is not there.
    is_away: bool,
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Look {
    /// Files that are gone. What is read of the same name comes after that.
    pub gone: Vec<String>,
    /// Files that differ, with what they hold.
    pub read: Vec<(String, Reading)>,
    /// When the first change was told of; none where the clock made the look.
    pub since: Option<Instant>,
}

impl Watch {
    /// Watches files and folders.
    ///
    /// # Errors
    /// A sentence where one of them is not there.
    pub fn new(paths: Vec<PathBuf>) -> Result<Self, String> {
        let mut roots = Vec::new();
        for path in paths {
            let listed = manifests::list(&path).map_err(|remark| remark.to_string())?;
            roots.push(Root { path, is_folder: !listed.folders.is_empty() });
        }
        let signal = Arc::new(Signal::default());
        let mut watch = Self {
            roots,
            seen: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            said: BTreeMap::new(),
            eye: Eye::new(&signal),
            signal,
            looked: None,
            is_away: false,
        };
        // What changes from now on is told of.
        watch.survey();
        Ok(watch)
    }

    /// Waits until something may have changed since the last look; before the first, something has. May be dropped
    /// and called again.
    pub async fn changed(&self) {
        loop {
            tokio::select! {
                () = self.signal.changed.notified() => {}
                () = until(self.due()) => return,
            }
        }
    }

    /// When to look.
    fn due(&self) -> Option<Instant> {
        let Some(looked) = self.looked else { return Some(Instant::now()) };
        let told = self.signal.told();
        let open = told.writing.values().map(|begun| *begun + OPEN_LIMIT).filter(|at| *at > looked);
        let doubtful = self.doubtful.values().map(|since| *since + DOUBT);
        let looking_for = self.is_away || self.eye.is_blind;
        let polling = looking_for.then(|| looked + POLLING);
        [told.since.map(|since| since + SETTLING), open.min(), doubtful.min(), polling]
            .into_iter()
            .flatten()
            .min()
    }

    /// Reads what differs from the last look.
    pub fn look(&mut self) -> Look {
        let told = self.signal.take();
        let now = Instant::now();
        self.looked = Some(now);
        self.eye.forget(&told.lost);
        let mut found = self.survey();
        let mut look = Look { since: told.since, ..Look::default() };
        let mut there = BTreeMap::new();
        self.doubtful.retain(|file, _| self.seen.contains_key(file));
        for (file, names) in &found.files {
            let Some(stamp) = Stamp::of(file) else { continue };
            let is_told = names.iter().any(|name| told.paths.contains(name));
            let before = self.seen.get(file).copied();
            match self.turn(file, names, is_told, stamp, now) {
                Turn::Read => {
                    let reading = manifests::read(std::slice::from_ref(file));
                    look.read.push((file.display().to_string(), reading));
                    there.insert(file.clone(), stamp);
                    self.signal.told().writing.retain(|path, _| !names.contains(path));
                }
                Turn::Leave => drop(there.insert(file.clone(), stamp)),
                Turn::Wait => there.extend(before.map(|before| (file.clone(), before))),
                Turn::WaitAloud => {
                    found.said.entry(file.clone()).or_default().push(still_open(file));
                    there.extend(before.map(|before| (file.clone(), before)));
                }
            }
        }
        self.close(found, there, look, now)
    }

    fn turn(&mut self, file: &Path, names: &[PathBuf], is_told: bool, stamp: Stamp, now: Instant) -> Turn {
        let before = self.seen.get(file).copied();
        let is_told = is_told || self.said.contains_key(file);
        let begun = names.iter().find_map(|name| self.signal.told().writing.get(name).copied());
        let open = begun.map(|begun| now.saturating_duration_since(begun));
        let turn = Turn::of(before.filter(|_| !is_told), stamp, open);
        let is_emptied = stamp.length == 0 && before.is_some_and(|before| before.length > 0);
        if turn == Turn::Read && is_emptied {
            let since = *self.doubtful.entry(file.to_owned()).or_insert(now);
            if now < since + DOUBT {
                return Turn::Wait;
            }
        }
        self.doubtful.remove(file);
        turn
    }

    /// Tells what has gone and what is said anew, and remembers all that was found.
    fn close(
        &mut self,
        mut found: Found,
        mut there: BTreeMap<PathBuf, Stamp>,
        mut look: Look,
        now: Instant,
    ) -> Look {
        let missing: Vec<(PathBuf, Stamp)> = self
            .seen
            .iter()
            .filter(|(file, _)| !there.contains_key(*file))
            .map(|(file, stamp)| (file.clone(), *stamp))
            .collect();
        there.extend(missing.into_iter().filter(|(file, _)| self.stays(file, &found, now)));
        found.say_empty(&there);
        let unsaid = self.said.keys().filter(|path| !found.said.contains_key(*path));
        let gone: BTreeSet<&PathBuf> =
            self.seen.keys().chain(unsaid).filter(|path| !there.contains_key(*path)).collect();
        look.gone = gone.iter().map(|path| path.display().to_string()).collect();
        let fresh = found.said.iter().filter(|(path, remarks)| self.said.get(*path) != Some(*remarks));
        look.read.extend(fresh.map(|(path, remarks)| {
            (path.display().to_string(), Reading { errors: remarks.clone(), ..Reading::default() })
        }));
        (self.seen, self.said, self.is_away) = (there, found.said, found.is_away);
        look
    }

    /// Whether a file that is missing counts as there.
    fn stays(&mut self, file: &Path, found: &Found, now: Instant) -> bool {
        let is_kept = found.kept.iter().any(|folder| file.starts_with(folder));
        // One that was given by name and is away has been named.
        let is_given = found.said.contains_key(file);
        let stays =
            is_kept || (!is_given && now < *self.doubtful.entry(file.to_owned()).or_insert(now) + DOUBT);
        if is_kept || !stays {
            self.doubtful.remove(file);
        }
        stays
    }

    /// What there is, once all of it is watched: what was put into a new folder before that, nobody tells of.
    fn survey(&mut self) -> Found {
        let mut found = Found::at(&mut self.roots);
        // Each time a folder deeper; one that is replaced again and again is told of once it is watched.
        for _ in 0..16 {
            self.signal.told().interest.clone_from(&found.interest);
            if !self.eye.follow(&found.interest) {
                break;
            }
            found = Found::at(&mut self.roots);
        }
        found
    }
}

/// What to do with a file.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Read,
    /// It is as it was.
    Leave,
    /// It is half saved.
    Wait,
    /// It is emptied, and has been for so long that somebody may wonder.
    WaitAloud,
}

impl Turn {
    /// `before`: as it was read last, where nothing was told of it since. `open`: for how long its writer has had
    /// it open.
    fn of(before: Option<Stamp>, now: Stamp, open: Option<Duration>) -> Self {
        match open {
            Some(open) if open < OPEN_LIMIT => Self::Wait,
            Some(_) if now.length == 0 => Self::WaitAloud,
            Some(_) | None if before == Some(now) => Self::Leave,
            Some(_) | None => Self::Read,
        }
    }
}

fn still_open(file: &Path) -> Remark {
    let text =
        "this is empty, and still open for writing; until it is closed, what was in it stays".to_owned();
    Remark { source: file.display().to_string().into(), line: None, text }
}

/// What there is.
#[derive(Default)]
struct Found {
    /// The manifests, with the paths under which the system tells of them.
    files: BTreeMap<PathBuf, Vec<PathBuf>>,
    said: BTreeMap<PathBuf, Vec<Remark>>,
    /// Folders that were given and hold no manifest.
    empty: Vec<PathBuf>,
    /// Folders that cannot be looked into: what was in them is as it was.
    kept: Vec<PathBuf>,
    is_away: bool,
    interest: Interest,
}

impl Found {
    fn at(roots: &mut [Root]) -> Self {
        let mut found = Self::default();
        for root in roots {
            match manifests::list(&root.path) {
                Ok(listed) => {
                    root.is_folder = !listed.folders.is_empty();
                    found.add(&root.path, listed);
                }
                Err(remark) => {
                    found.is_away = true;
                    found.said.insert(root.path.clone(), vec![remark]);
                    found.kept.extend(root.is_folder.then(|| root.path.clone()));
                }
            }
            let names = if root.is_folder { &mut found.interest.roots } else { &mut found.interest.files };
            names.extend(in_its_folder(&root.path));
            names.extend(root.path.canonicalize());
        }
        found
    }

    fn add(&mut self, path: &Path, listed: Listed) {
        let real: BTreeMap<&Path, PathBuf> = listed
            .folders
            .iter()
            .filter_map(|folder| Some((folder.as_path(), folder.canonicalize().ok()?)))
            .collect();
        self.empty.extend(listed.files.is_empty().then(|| path.to_owned()));
        for file in listed.files {
            let folder = file.parent().and_then(|folder| real.get(folder));
            let mut names: Vec<PathBuf> = match (folder, file.file_name()) {
                (Some(folder), Some(name)) => vec![folder.join(name)],
                (None, _) | (_, None) => in_its_folder(&file).into_iter().collect(),
            };
            if listed.links.contains(&file) {
                let target = file.canonicalize().ok();
                self.interest.files.extend(target.clone());
                names.extend(target);
            }
            self.files.insert(file, names);
        }
        self.interest.folders.extend(real.into_values());
        for (folder, remark) in listed.faults {
            self.said.entry(folder.clone()).or_default().push(remark);
            self.kept.push(folder);
        }
    }

    /// Names the folders that hold no manifest, as far as can be told.
    fn say_empty(&mut self, there: &BTreeMap<PathBuf, Stamp>) {
        for folder in self.empty.drain(..) {
            if !there.keys().any(|file| file.starts_with(&folder)) {
                let remark = nothing_in(&folder);
                self.said.entry(folder).or_default().push(remark);
            }
        }
    }
}

/// A path without links in what leads to it.
fn in_its_folder(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// At that time, or never.
pub(super) async fn until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}
