//! What the system tells of files, and what of it matters. Pure but for one question: whether a new file is
//! empty.
//!
//! A file that is written to is half saved until its writer closes it, or another takes its place: it is told
//! of only then. Where the system does not tell of closing, every write counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use tokio::sync::Notify;

use crate::local::manifests::is_named_as_manifest;

/// Which paths matter, without links in them, as the system tells of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Interest {
    /// Folders of which everything matters.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Files that were given by name, and those that links lead to.
    pub(super) files: BTreeSet<PathBuf>,
    /// Folders that were given: that they come and go.
    pub(super) roots: BTreeSet<PathBuf>,
}

impl Interest {
    /// The folders to watch, and whether nothing else would tell of what matters in them. A folder that was
    /// given tells itself that it goes, and is looked for while it is away.
    pub(super) fn watched(&self) -> BTreeMap<&Path, bool> {
        let mut watched: BTreeMap<&Path, bool> = parents(&self.roots).map(|it| (it, false)).collect();
        watched.extend(parents(&self.files).map(|it| (it, true)));
        watched.extend(self.folders.iter().map(|it| (it.as_path(), true)));
        watched
    }

    fn is_within(&self, path: &Path) -> bool {
        path.parent().is_some_and(|folder| self.folders.contains(folder))
    }

    fn covers(&self, path: &Path) -> bool {
        [&self.files, &self.roots, &self.folders].iter().any(|paths| paths.contains(path))
            || self.is_within(path)
    }

    /// Whether what is in it matters.
    fn reads(&self, path: &Path) -> bool {
        self.files.contains(path) || (self.is_within(path) && is_named_as_manifest(path))
    }
}

/// What was told since the last look.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) interest: Interest,
    /// What changed.
    pub(super) paths: BTreeSet<PathBuf>,
    /// What is not there any more, or is another by now: no watch of it, or of what was below, is left.
    pub(super) lost: BTreeSet<PathBuf>,
    /// Files that are half saved, with when that began. They stay over looks.
    pub(super) writing: BTreeMap<PathBuf, Instant>,
    /// When the first change was told of.
    pub(super) since: Option<Instant>,
}

impl Told {
    /// Takes in an event; whether it matters. `closes`: the system tells when a writer closes a file.
    fn hear(&mut self, event: &notify::Result<notify::Event>, now: Instant, closes: bool) -> bool {
        let Some(event) = event.as_ref().ok().filter(|event| !event.need_rescan()) else {
            // Events were lost: a look costs less than a change missed.
            self.writing.clear();
            self.lost.insert("/".into());
            self.since.get_or_insert(now);
            return true;
        };
        let paths: Vec<&PathBuf> = event.paths.iter().filter(|path| self.interest.covers(path)).collect();
        let read = paths.iter().copied().filter(|path| self.interest.reads(path)).cloned().collect();
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => self.written(read, now),
            // Reading is no change, and our own reading least of all.
            EventKind::Access(_) => false,
            EventKind::Modify(ModifyKind::Data(_)) if closes => self.begun(read, now),
            EventKind::Modify(ModifyKind::Data(_)) => self.written(read, now),
            EventKind::Create(_) if closes && read.iter().any(|path| is_empty(path)) => self.begun(read, now),
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                let paths = paths.into_iter().cloned().collect();
                self.moved(paths, now)
            }
            EventKind::Create(_) | EventKind::Modify(_) | EventKind::Any | EventKind::Other => {
                let paths = paths.into_iter().cloned().collect();
                self.changed(paths, now)
            }
        }
    }

    fn changed(&mut self, paths: Vec<PathBuf>, now: Instant) -> bool {
        let matters = !paths.is_empty();
        if matters {
            self.since.get_or_insert(now);
        }
        self.paths.extend(paths);
        matters
    }

    /// The files are half saved from now on.
    fn begun(&mut self, files: Vec<PathBuf>, now: Instant) -> bool {
        let before = self.writing.len();
        for file in files {
            self.writing.entry(file).or_insert(now);
        }
        self.writing.len() > before
    }

    fn written(&mut self, files: Vec<PathBuf>, now: Instant) -> bool {
        for file in &files {
            self.writing.remove(file);
        }
        self.changed(files, now)
    }

    /// What was there has gone, or something else is there.
    fn moved(&mut self, paths: Vec<PathBuf>, now: Instant) -> bool {
        self.writing.retain(|file, _| !paths.iter().any(|path| file.starts_with(path)));
        self.lost.extend(paths.iter().cloned());
        self.changed(paths, now)
    }
}

fn parents(paths: &BTreeSet<PathBuf>) -> impl Iterator<Item = &Path> {
    paths.iter().filter_map(|path| path.parent())
}

fn is_empty(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// Between the system's thread and who looks.
#[derive(Debug, Default)]
pub(super) struct Signal {
    pub(super) changed: Notify,
    told: Mutex<Told>,
}

impl Signal {
    pub(super) fn hear(&self, event: &notify::Result<notify::Event>, closes: bool) {
        if self.told().hear(event, Instant::now(), closes) {
            self.changed.notify_one();
        }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was told since the last time.
    pub(super) fn take(&self) -> Told {
        let mut told = self.told();
        Told {
            interest: Interest::default(),
            paths: std::mem::take(&mut told.paths),
            lost: std::mem::take(&mut told.lost),
            writing: BTreeMap::new(),
            since: told.since.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use notify::Event;
    use notify::event::{CreateKind, DataChange, Flag, RemoveKind, RenameMode};

    use super::*;

    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const FROM: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::From));
    const TO: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));
    const READ: EventKind = EventKind::Access(AccessKind::Open(AccessMode::Any));
    const CREATE: EventKind = EventKind::Create(CreateKind::File);
    const REMOVE: EventKind = EventKind::Remove(RemoveKind::Folder);

    fn told() -> Told {
        let interest = Interest {
            folders: BTreeSet::from(["/m".into(), "/m/deep".into()]),
            files: BTreeSet::from(["/else/where.txt".into()]),
            roots: BTreeSet::from(["/m".into()]),
        };
        Told { interest, ..Told::default() }
    }

    /// Hears these; gives what changed and what is half saved.
    fn after(events: &[(EventKind, &str)], closes: bool) -> (Vec<String>, Vec<String>) {
        let mut told = told();
        for (kind, path) in events {
            told.hear(&Ok(Event::new(*kind).add_path(path.into())), Instant::now(), closes);
        }
        assert_eq!(told.since.is_some(), !told.paths.is_empty());
        let text = |path: &PathBuf| path.display().to_string();
        (told.paths.iter().map(text).collect(), told.writing.keys().map(text).collect())
    }

    #[test]
    fn a_file_changes_when_its_writer_closes_it() {
        let a = "/m/a.yaml";
        let none = || (vec![], vec![]);
        let changed = |path: &str| (vec![path.to_owned()], vec![]);
        let writing = || (vec![], vec![a.to_owned()]);
        assert_eq!(after(&[(WRITE, a), (READ, a), (WRITE, a)], true), writing());
        assert_eq!(after(&[(WRITE, a), (CLOSE, a)], true), changed(a));
        assert_eq!(after(&[(WRITE, a)], false), changed(a), "where closing is not told of");
        assert_eq!(after(&[(WRITE, a), (TO, a)], true), changed(a), "another takes its place");
        assert_eq!(after(&[(WRITE, a), (FROM, "/m")], true), changed("/m"), "it goes with its folder");
        assert_eq!(after(&[(CREATE, a)], true), changed(a), "a link to what is whole is closed by nobody");
        assert_eq!(after(&[(READ, a)], true), none());
    }

    #[test]
    fn what_does_not_matter_wakes_nobody() {
        for (kind, path) in [
            (WRITE, "/m/log.txt"),
            (CLOSE, "/m/.a.yaml"),
            (CREATE, "/neighbour"),
            (CLOSE, "/else/other.yaml"),
            (WRITE, "/m/node_modules/a.yaml"),
        ] {
            assert_eq!(after(&[(kind, path)], true), (vec![], vec![]), "{path}");
        }
        for (kind, path) in
            [(CLOSE, "/else/where.txt"), (CREATE, "/m/folder"), (TO, "/m"), (REMOVE, "/m/deep")]
        {
            assert_eq!(after(&[(kind, path)], true).0, [path], "{path}");
        }
    }

    #[test]
    fn where_events_were_lost_everything_is_looked_at() {
        let rescan = Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan));
        for event in [rescan, Err(notify::Error::generic("too many"))] {
            let mut told = told();
            told.writing.insert("/m/a.yaml".into(), Instant::now());
            assert!(told.hear(&event, Instant::now(), true));
            assert!(told.since.is_some() && told.writing.is_empty() && told.lost.contains(Path::new("/")));
        }
    }
}
