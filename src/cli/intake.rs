//! Manifests to an inventory: what is refused says so, with file and line, and is not in it.
//!
//! What `render` and `explain` begin with; `check` keeps what is said apart by object, and `local` what each file
//! held last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::Judge;
use crate::inventory::{Edit, Finding, Inventory, Key, Kind, Object, ObjectReference};
use crate::local::manifests::{Manifest, Reading};

/// Lines for people, by file and line.
pub(super) type Remarks = BTreeSet<(Arc<str>, u32, String)>;

/// What becomes of a status that stands in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statuses {
    /// It is what a cluster knows, as `kubectl get -o yaml` wrote it.
    Kept,
    /// It is dropped, as an API server drops it where an object is created.
    Dropped,
}

/// The objects read, and what is said about them.
#[derive(Default)]
pub(super) struct Intake {
    /// The objects that are sound.
    pub inventory: Inventory,
    /// What is said about them, and about what cannot be read.
    pub remarks: Remarks,
    /// Whether anything is refused or cannot be read.
    pub refused: bool,
    /// The bases that refused Routers name.
    pub bases_of_refused: BTreeSet<Key>,
    manifests: BTreeMap<ObjectReference, Manifest>,
}

impl Intake {
    /// Takes in what was read.
    pub fn of(reading: Reading, statuses: Statuses) -> Self {
        let mut intake = Self::default();
        for error in &reading.errors {
            intake.refuse((error.source.clone(), error.line.unwrap_or(0), error.to_string()));
        }
        for warning in &reading.warnings {
            let line = format!("warning: {warning}");
            intake.remarks.insert((warning.source.clone(), warning.line.unwrap_or(0), line));
        }
        let judge = Judge::new();
        let manifests = reading.manifests.into_iter();
        let objects: Vec<Object> =
            manifests.filter_map(|manifest| intake.take(manifest, &judge, statuses)).collect();
        // At once: each update resolves the versions of a namespace anew.
        intake.inventory.update(objects.into_iter().map(|object| Edit::Apply(Box::new(object))));
        intake
    }

    /// Says something about the manifests as a whole.
    pub fn remark(&mut self, sentence: &str) {
        self.remarks.insert(("".into(), 0, sentence.to_owned()));
    }

    fn refuse(&mut self, line: (Arc<str>, u32, String)) {
        self.remarks.insert(line);
        self.refused = true;
    }

    /// The object of a manifest, where it is one that the rooms know.
    fn take(&mut self, mut manifest: Manifest, judge: &Judge, statuses: Statuses) -> Option<Object> {
        let flaws = judge.judge(&manifest.value).unwrap_or_default();
        for flaw in &flaws {
            self.refuse(sentence(&manifest, "", &flaw.field, &flaw.message));
        }
        if !flaws.is_empty() {
            self.bases_of_refused.extend(base_of_router(&manifest));
            return None;
        }
        if statuses == Statuses::Dropped
            && let Some(fields) = manifest.value.as_object_mut()
        {
            fields.remove("status");
        }
        match Object::read(manifest.value.clone()) {
            Ok(Some(object)) => {
                let reference = ObjectReference { kind: object.kind(), key: object.key().clone() };
                self.manifests.insert(reference, manifest);
                Some(object)
            }
            Ok(None) => None,
            Err(error) => {
                self.refuse(sentence(&manifest, "", "", &error.message));
                None
            }
        }
    }

    /// Says what a room found.
    pub fn say(&mut self, finding: &Finding) {
        let severity = if finding.is_rejection() { "" } else { "warning: " };
        let line = match self.manifests.get(&finding.object) {
            Some(manifest) => sentence(manifest, severity, &finding.field, &finding.message),
            None => {
                let line = format!("{severity}{}: {}: {}", finding.object, finding.field, finding.message);
                ("".into(), 0, line)
            }
        };
        self.remarks.insert(line);
        self.refused |= finding.is_rejection();
    }
}

fn base_of_router(manifest: &Manifest) -> Option<Key> {
    let base = manifest.text(&["spec", "base"]).filter(|_| manifest.kind() == Kind::Router.as_str())?;
    Some(Key::new(manifest.namespace().unwrap_or("default"), base))
}

/// `file:line: Kind namespace/name: field: message`, with what it is sorted by.
fn sentence(manifest: &Manifest, severity: &str, field: &str, message: &str) -> (Arc<str>, u32, String) {
    let line = manifest.line_of(field);
    let sentence = format!(
        "{}:{line}: {severity}{} {}/{}: {field}{}{message}",
        manifest.source,
        manifest.kind(),
        manifest.namespace().unwrap_or("default"),
        manifest.name().unwrap_or("?"),
        if field.is_empty() { "" } else { ": " },
    );
    (manifest.source.clone(), line, sentence)
}
