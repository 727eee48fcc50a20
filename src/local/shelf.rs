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
use crate::api::{Flaw, Judge, names};
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
    /// What is wrong with documents that are no objects for it.
    strays: Vec<Remark>,
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
            (file.good, file.strays) = (Vec::new(), Vec::new());
            for manifest in reading.manifests {
                match place(manifest, &self.judge) {
                    Ok(placed) => file.good.push(placed),
                    Err(remarks) => file.strays.extend(remarks),
                }
            }
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
            remarks.extend(file.faults.iter().chain(&file.warnings).chain(&file.strays).cloned());
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

/// A document as an object; where it is none that this program knows, what is wrong with it: nothing with one of a
/// kind that is somebody else's.
fn place(mut manifest: Manifest, judge: &Judge) -> Result<Placed, Vec<Remark>> {
    let flaws = shape::flaws(judge, &manifest.value);
    let id = identify(&mut manifest.value);
    let what = match &id {
        Some((kind, key)) => format!("{kind} {key}"),
        None => format!("{} {}", manifest.kind(), manifest.name().unwrap_or("?")),
    };
    let remark = |flaw: Flaw| Remark {
        source: manifest.source.clone(),
        line: Some(manifest.line_of(&flaw.field)),
        text: format!("{what}: {}: {}", flaw.field, flaw.message),
    };
    let remarks: Vec<Remark> = flaws.into_iter().map(remark).collect();
    let Some(id) = id.filter(|(_, key)| !key.name.is_empty()) else { return Err(remarks) };
    let refused = !remarks.is_empty() && id.0.group() == names::GROUP;
    Ok(Placed { id, manifest: Arc::new(manifest), flaws: remarks.into(), refused })
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
