//! Whether a version was made from, or with a view to, something that differs now.
//!
//! Too much is slow, too little is wrong: the property test holds what comes out against a fresh plan.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::clone::Relabelled;
use super::place::Turn;
use crate::api::VersionId;
use crate::api::names as api_names;
use crate::inventory::object::VersionFacts;
use crate::inventory::selector::{Labels, Selector};
use crate::inventory::{Inventory, Key, Kind, ObjectReference, names};

/// How many labels Synkronic adds to a version's pods.
const OWN_LABELS: usize = 3;

/// What a version was made from.
#[derive(Debug)]
pub(super) struct Made {
    pub dpv: Arc<VersionFacts>,
    /// Its base and id; `None` where it resolves to none, and nothing can concern it.
    pub version: Option<(Key, VersionId)>,
    /// The address that its pods are told.
    pub url: Option<String>,
    /// The labels that base and overlay ask for, without Synkronic's own.
    pub asked: Arc<Labels>,
    /// What became of them last, and what was given up on the way first. Nothing where the version is refused,
    /// for whatever reason: then anything that turns may let it be.
    pub changed: Box<[Relabelled]>,
    /// What catches the pods that run now.
    pub caught: Vec<ObjectReference>,
    /// Their labels, where they are not as planned.
    pub odd: Option<Labels>,
}

impl Made {
    /// A version that resolves to no base.
    pub fn of_nothing(dpv: Arc<VersionFacts>) -> Self {
        Self {
            dpv,
            version: None,
            url: None,
            asked: Arc::default(),
            changed: Box::default(),
            caught: Vec::new(),
            odd: None,
        }
    }

    /// Whether the same would be made of this DeploymentVersion, as far as it alone says.
    pub fn is_of(&self, dpv: &VersionFacts) -> bool {
        let old = &*self.dpv;
        (&old.spec, &old.deployment_overlay, &old.service_overlay)
            == (&dpv.spec, &dpv.deployment_overlay, &dpv.service_overlay)
            && (&old.meta.uid, old.meta.created, &old.meta.annotations)
                == (&dpv.meta.uid, dpv.meta.created, &dpv.meta.annotations)
    }

    /// Whether one of these concerns this version apart from its base, and from its naming a Service.
    pub fn is_concerned(&self, turns: &[Turn]) -> bool {
        let is_refused = self.version.is_some() && self.changed.is_empty();
        is_refused && !turns.is_empty()
            || turns.iter().any(|turn| {
                let warned =
                    |selector: &Selector| turn.who.kind == Kind::PodDisruptionBudget && selector.is_empty();
                turn.selectors.iter().any(|selector| {
                    warned(selector)
                        || selector.matches_by(|key| self.asked_label(key))
                        || self.changed.iter().any(|it| selector.matches_by(|key| self.label_of(it, key)))
                        || self.odd.as_ref().is_some_and(|labels| selector.matches(labels))
                })
            })
    }

    /// Notes which labels the pods bear that run now, if some do.
    pub fn note_running(&mut self, running: Option<&Labels>) {
        self.odd = running.filter(|labels| !self.is_planned(labels)).cloned();
    }

    fn is_planned(&self, labels: &Labels) -> bool {
        let Some(chosen) = self.changed.last() else { return false };
        let gone = chosen.iter().filter(|(_, value)| value.is_none()).count();
        labels.len() + gone == self.asked.len() + OWN_LABELS
            && labels.iter().all(|(key, value)| self.label_of(chosen, key).as_deref() == Some(value))
    }

    fn asked_label(&self, key: &str) -> Option<Cow<'_, str>> {
        let own = || self.version.as_ref();
        match key {
            api_names::LABEL_DPV => Some(names::dpv_label(&self.dpv.meta.key.name).into()),
            api_names::LABEL_BASE => own().map(|(base, _)| names::fitted(&base.name).into()),
            api_names::LABEL_VERSION => own().map(|(_, id)| id.as_str().into()),
            key => self.asked.get(key).map(Into::into),
        }
    }

    fn label_of<'m>(&'m self, changed: &'m Relabelled, key: &str) -> Option<Cow<'m, str>> {
        match changed.iter().find(|(changed, _)| changed == key) {
            Some((_, value)) => value.as_deref().map(Cow::from),
            None => self.asked_label(key),
        }
    }
}

/// Whether one of some turns concerns all versions of a base, by base.
pub(super) struct Bases<'t> {
    inventory: &'t Inventory,
    turns: &'t [Turn],
    known: BTreeMap<Key, bool>,
}

impl<'t> Bases<'t> {
    pub fn new(inventory: &'t Inventory, turns: &'t [Turn]) -> Self {
        Self { inventory, turns, known: BTreeMap::new() }
    }

    /// Whether one of the turns concerns this base.
    pub fn concern(&mut self, base: &Key) -> bool {
        if let Some(known) = self.known.get(base) {
            return *known;
        }
        let labels = self.inventory.deployments.get(base).map(|found| &found.pod_labels);
        let concerned = self.turns.iter().any(|turn| {
            let itself = turn.who.kind == Kind::Deployment && turn.who.key == *base;
            itself || labels.is_some_and(|labels| turn.selectors.iter().any(|it| it.matches(labels)))
        });
        self.known.insert(base.clone(), concerned);
        concerned
    }
}
