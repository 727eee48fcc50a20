//! What the manifests say, over time: the last good objects of every file, and which objects have gone.
//! Pure: time is an argument.
//!
//! Editors save in steps (a file is emptied and written, or renamed away and another put in its place), so
//! two things are kept: a file with a fault keeps its last good objects, and an object that no file has any
//! more is gone only after [`PATIENCE`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::manifests::{Manifest, Reading, Remark};
use super::shape;
use super::world::identify;
use crate::api::{Judge, names};
use crate::inventory::{Key, Kind};

/// How long an object may be missing from the files before it counts as deleted.
pub const PATIENCE: Duration = Duration::from_millis(150);

/// An object as a file has it.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Which one.
    pub id: (Kind, Key),
    /// The manifest.
    pub manifest: Arc<Manifest>,
    /// What is wrong with it by itself.
    pub flaws: Arc<[Remark]>,
    /// Whether an API server would refuse it for that. A base with a flaw is taken as it is: what the flaw
    /// is about may be newer than this program.
    pub refused: bool,
}

/// What the files want.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The objects that are to be there.
    pub objects: Vec<Placed>,
    /// What is wrong with the files, sorted.
    pub remarks: Vec<Remark>,
    /// When to ask again, because something will count as deleted.
    pub again: Option<Instant>,
}

#[derive(Debug, Default)]
struct File {
    good: Vec<Placed>,
    faults: Vec<Remark>,
    warnings: Vec<Remark>,
}

/// The last good objects of every file.
#[derive(Debug, Default)]
pub struct Shelf {
    judge: Judge,
    files: BTreeMap<Arc<str>, File>,
    /// What was wanted last.
    known: BTreeMap<(Kind, Key), Placed>,
    /// Since when an object that was wanted is in no file.
    missing: BTreeMap<(Kind, Key), Instant>,
    /// Whether the files were looked at yet.
    begun: bool,
}

impl Shelf {
    /// Takes in what a file reads now.
    pub fn put(&mut self, source: &str, reading: Reading) {
        let file = self.files.entry(source.into()).or_default();
        // At the first look there is nothing better than the documents that can be read.
        if reading.errors.is_empty() || !self.begun {
            let judge = &self.judge;
            file.good = reading.manifests.into_iter().filter_map(|it| place(it, judge)).collect();
        }
        file.faults = reading.errors;
        file.warnings = reading.warnings;
    }

    /// The file is not there.
    pub fn forget(&mut self, source: &str) {
        self.files.remove(source);
    }

    /// The files that are known, in order.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<str>> {
        self.files.keys()
    }

    /// What the files want now.
    pub fn wanted(&mut self, now: Instant) -> Wanted {
        self.begun = true;
        let mut remarks: Vec<Remark> = Vec::new();
        let mut found: BTreeMap<(Kind, Key), Placed> = BTreeMap::new();
        for file in self.files.values() {
            remarks.extend(file.faults.iter().chain(&file.warnings).cloned());
            for placed in &file.good {
                remarks.extend(placed.flaws.iter().cloned());
                if let Some(earlier) = found.insert(placed.id.clone(), placed.clone()) {
                    remarks.push(twice(&earlier, placed));
                }
            }
        }
        self.missing.retain(|id, _| !found.contains_key(id));
        let mut again = None;
        for (id, placed) in std::mem::take(&mut self.known) {
            if found.contains_key(&id) {
                continue;
            }
            let gone_at = *self.missing.entry(id.clone()).or_insert(now) + PATIENCE;
            if gone_at > now {
                again = Some(again.map_or(gone_at, |again: Instant| again.min(gone_at)));
                found.insert(id, placed);
            } else {
                self.missing.remove(&id);
            }
        }
        self.known = found;
        remarks.sort();
        remarks.dedup();
        Wanted { objects: self.known.values().cloned().collect(), remarks, again }
    }
}

fn place(mut manifest: Manifest, judge: &Judge) -> Option<Placed> {
    let id = identify(&mut manifest.value)?;
    let flaws: Arc<[Remark]> = shape::flaws(judge, &manifest.value)
        .into_iter()
        .map(|flaw| Remark {
            source: manifest.source.clone(),
            line: Some(manifest.line_of(&flaw.field)),
            text: format!("{} {}: {}: {}", id.0, id.1, flaw.field, flaw.message),
        })
        .collect();
    let refused = !flaws.is_empty() && id.0.group() == names::GROUP;
    Some(Placed { id, manifest: Arc::new(manifest), flaws, refused })
}

fn twice(earlier: &Placed, later: &Placed) -> Remark {
    let (kind, key) = &later.id;
    let other = &earlier.manifest;
    Remark {
        source: later.manifest.source.clone(),
        line: Some(later.manifest.line_of("metadata.name")),
        text: format!(
            "{kind} {key} is also in {}:{}; this one is taken, remove one of them",
            other.source,
            other.line_of("metadata.name")
        ),
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
