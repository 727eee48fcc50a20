//! What every room says about the objects of some manifests, put beside each object. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::api::Judge;
use crate::inventory::object::VersionFacts;
use crate::inventory::versions::Resolution;
use crate::inventory::{Changes, Edit, Finding, Inventory, Key, Object, ObjectReference, Settings, Severity};
use crate::local::manifests::{Manifest, Reading, Remark};
use crate::local::shape;
use crate::{plan, routes};

/// The reason of a warning that is about running pods, of which files have none.
const OF_RUNNING_PODS: &str = "ActiveNotReady";

/// The verdicts on all that was read.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// One for each object, in the order in which they stand.
    pub objects: Vec<Verdict>,
    /// What could not be read.
    pub errors: Vec<Remark>,
    /// What kubectl reads otherwise.
    pub warnings: Vec<Remark>,
}

/// The verdict on one object.
#[derive(Debug)]
pub(super) struct Verdict {
    /// The file.
    pub source: Arc<str>,
    /// The line on which the object begins.
    pub line: u32,
    /// Its kind.
    pub kind: String,
    /// `namespace/name`, as far as it has them.
    pub name: String,
    /// Whether its kind is one that this program knows.
    pub known: bool,
    /// What is said about it, by line.
    pub notes: BTreeSet<Note>,
}

/// One thing said about an object.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Note {
    /// The line of the field.
    pub line: u32,
    /// How bad it is.
    pub severity: Severity,
    /// The field; empty for the object as a whole.
    pub field: String,
    /// A CamelCase word for machines.
    pub reason: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl Verdict {
    /// Whether something refuses it.
    pub fn is_rejected(&self) -> bool {
        self.notes.iter().any(|note| note.severity == Severity::Rejected)
    }
}

impl Verdicts {
    /// Whether anything is refused or cannot be read.
    pub fn is_rejected(&self) -> bool {
        !self.errors.is_empty() || self.objects.iter().any(Verdict::is_rejected)
    }
}

/// Judges all that was read, as one set of objects.
pub(super) fn judge(reading: Reading, settings: &Settings) -> Verdicts {
    let mut bench = Bench::default();
    let judge = Judge::new();
    for manifest in reading.manifests {
        bench.take(manifest, &judge);
    }
    bench.ask_the_rooms(settings);
    Verdicts { objects: bench.verdicts, errors: reading.errors, warnings: reading.warnings }
}

/// The objects read so far, and what is said about each.
#[derive(Default)]
struct Bench {
    manifests: Vec<Manifest>,
    verdicts: Vec<Verdict>,
    /// Where in the two lists above an object that the rooms know stands.
    places: BTreeMap<ObjectReference, usize>,
    inventory: Inventory,
    /// What the inventory takes in at once: it resolves each namespace once then.
    edits: Vec<Edit>,
}

impl Bench {
    fn take(&mut self, manifest: Manifest, judge: &Judge) {
        let place = self.verdicts.len();
        let mut verdict = Verdict {
            source: manifest.source.clone(),
            line: manifest.lines.line(),
            kind: manifest.kind().to_owned(),
            name: name_of(&manifest),
            known: true,
            notes: BTreeSet::new(),
        };
        for flaw in shape::flaws(judge, &manifest.value) {
            let line = manifest.line_of(&flaw.field);
            verdict.notes.insert(Note {
                line,
                severity: Severity::Rejected,
                field: flaw.field,
                reason: flaw.reason.to_owned(),
                message: flaw.message,
            });
        }
        // What an API server refuses is not there for others; a base with a flaw is, or each of its versions
        // would be said to lack it.
        if !verdict.is_rejected() || matches!(manifest.kind(), "Deployment" | "Service") {
            self.place(&manifest, &mut verdict, place);
        }
        self.verdicts.push(verdict);
        self.manifests.push(manifest);
    }

    fn place(&mut self, manifest: &Manifest, verdict: &mut Verdict, place: usize) {
        match Object::read(as_created(manifest)) {
            Ok(Some(object)) => {
                verdict.name = object.key().to_string();
                let reference = ObjectReference { kind: object.kind(), key: object.key().clone() };
                let first = self.places.insert(reference, place);
                if let Some(first) = first.and_then(|first| self.verdicts.get(first)) {
                    verdict.notes.insert(written_twice(first, verdict.line));
                }
                self.edits.push(Edit::Apply(Box::new(object)));
            }
            Ok(None) => verdict.known = false,
            Err(error) if !verdict.is_rejected() => {
                verdict.notes.insert(misshapen(manifest, error.message));
            }
            // The flaws say it already.
            Err(_) => {}
        }
    }

    fn ask_the_rooms(&mut self, settings: &Settings) {
        self.inventory.update(std::mem::take(&mut self.edits));
        let plan = plan::plan(&self.inventory, settings);
        let mut findings: BTreeSet<Finding> =
            plan.reports.into_values().flat_map(|report| report.findings).collect();
        // What the plan makes is there for routes, as it would be in a cluster.
        let made =
            plan.objects.iter().filter_map(|desired| Object::read(desired.object.value()).ok().flatten());
        self.inventory.update(made.map(|object| Edit::Apply(Box::new(object))).collect::<Vec<_>>());
        let compiled = routes::compile(&self.inventory, settings, None, &Changes::default());
        let findings_of_routes = compiled.reports.into_values().flat_map(|report| report.findings);
        findings.extend(findings_of_routes.filter(|finding| finding.reason != OF_RUNNING_PODS));
        findings.extend(self.inventory.dpvs.iter().filter_map(|dpv| self.unrouted(dpv, settings)));
        for finding in findings {
            self.note(finding);
        }
    }

    /// Why a version that a Router offers can never be reached at an address; that none offers it, or gives any
    /// of its versions one, may be meant so.
    fn unrouted(&self, dpv: &VersionFacts, settings: &Settings) -> Option<Finding> {
        let Some(Resolution::Resolved(resolved)) = self.inventory.resolution(&dpv.meta.key) else {
            return None;
        };
        let urls = self.inventory.urls_of(&resolved.base, &resolved.version, settings);
        let why = urls.is_empty().then(|| self.inventory.unrouted(dpv, resolved))?;
        // Of one that clones nothing, the plan says it.
        let said = dpv.spec.services.as_ref().is_some_and(Vec::is_empty);
        (matches!(why.reason, "NoService" | "HostTooLong") && !said).then_some(why)
    }

    fn note(&mut self, finding: Finding) {
        let Some(place) = self.places.get(&finding.object) else { return };
        let (Some(manifest), Some(verdict)) = (self.manifests.get(*place), self.verdicts.get_mut(*place))
        else {
            return;
        };
        verdict.notes.insert(Note {
            line: manifest.line_of(&finding.field),
            severity: finding.severity,
            field: finding.field,
            reason: finding.reason.to_owned(),
            message: finding.message,
        });
    }
}

/// The object as an API server creates it: a status is no part of that.
fn as_created(manifest: &Manifest) -> Value {
    let mut value = manifest.value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    value
}

fn name_of(manifest: &Manifest) -> String {
    let namespace = manifest.namespace().unwrap_or("default");
    Key::new(namespace, manifest.name().unwrap_or("?")).to_string()
}

fn written_twice(first: &Verdict, line: u32) -> Note {
    Note {
        line,
        severity: Severity::Warning,
        field: String::new(),
        reason: "WrittenTwice".to_owned(),
        message: format!("it stands in {}:{} too; the later one is taken", first.source, first.line),
    }
}

/// A document that is not shaped as its kind. The message names the field first, in backticks.
fn misshapen(manifest: &Manifest, message: String) -> Note {
    let field = message.split('`').nth(1).filter(|field| !field.contains(' ')).unwrap_or_default().to_owned();
    Note {
        line: manifest.line_of(&field),
        severity: Severity::Rejected,
        field,
        reason: "WrongType".to_owned(),
        message,
    }
}
