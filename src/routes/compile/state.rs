//! One Router as the last compilation left it, and how it is renewed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::affected::Scope;
use super::backends::Backends;
use super::versions::{self, Meaning, Resolver};
use super::{active, hosts, spec};
use crate::api::{Host, VersionId};
use crate::inventory::object::RouterFacts;
use crate::inventory::report::RouteReport;
use crate::inventory::{Finding, Inventory, Key, Settings};
use crate::routes::route::{Absence, RouteLimits};
use crate::routes::router::{Plan, RouterTable, Slot};
use crate::routes::shards::{Change, Shards};

/// One Router, and what was found about it, part by part.
#[derive(Debug)]
pub(super) struct RouterState {
    pub facts: Arc<RouterFacts>,
    pub table: Arc<RouterTable>,
    /// The hosts it holds.
    pub held: BTreeSet<Host>,
    /// The base's Service, or why it cannot be told.
    pub service: Result<Key, Finding>,
    active: VersionId,
    limits: RouteLimits,
    spec_findings: Vec<Finding>,
    host_findings: Vec<Finding>,
    name_findings: Vec<Finding>,
    active_finding: Option<Finding>,
    version_findings: BTreeMap<Arc<str>, Vec<Finding>>,
}

/// What a Router is renewed with.
pub(super) struct Around<'c> {
    pub inventory: &'c Inventory,
    pub settings: &'c Settings,
    /// Whether every version's endpoints are looked at.
    pub all_endpoints: bool,
    pub backends: &'c mut Backends,
}

impl RouterState {
    /// Renews what the scope says; all of it where there is no old state.
    pub(super) fn renew(
        around: Around<'_>,
        facts: Arc<RouterFacts>,
        old: Option<Self>,
        scope: Scope,
    ) -> Self {
        let active = around.inventory.effective_active(&facts);
        match old {
            // Another active version can change what the ids mean; nothing else of this scope can.
            Some(mut old) if !scope.whole && old.active == active => {
                if scope.hosts {
                    (old.held, old.host_findings) = hosts::judge(around.inventory, &facts);
                }
                old.facts = facts;
                old.active_finding = active::judge(around.inventory, &old.facts, &old.active);
                old.renew_versions(around, &scope);
                old
            }
            old => Self::renew_whole(around, facts, active, old, &scope),
        }
    }

    fn renew_whole(
        around: Around<'_>,
        facts: Arc<RouterFacts>,
        active: VersionId,
        old: Option<Self>,
        scope: &Scope,
    ) -> Self {
        let inventory = around.inventory;
        let service = inventory.service_of_router(&facts);
        let (plan, limits, spec_findings) = match &old {
            Some(old) if old.facts.spec == facts.spec => {
                (old.table.plan.clone(), old.limits, old.spec_findings.clone())
            }
            _ => {
                let judged = spec::judge(&facts);
                let same = old.as_ref().map(|old| &old.table.plan).filter(|plan| ***plan == judged.plan);
                let plan: Arc<Plan> = same.cloned().unwrap_or_else(|| judged.plan.into());
                (plan, judged.limits, judged.findings)
            }
        };
        let (held, host_findings) = match &old {
            Some(old) if !scope.hosts => (old.held.clone(), old.host_findings.clone()),
            _ => hosts::judge(inventory, &facts),
        };
        let meanings = versions::meanings(inventory, &facts, &active);
        let everything = around.all_endpoints
            || old.as_ref().is_none_or(|old| {
                old.limits != limits
                    || old.facts.spec.port != facts.spec.port
                    || old.service.as_ref().ok() != service.as_ref().ok()
            });
        let (old_table, mut version_findings) = match old {
            Some(mut old) => {
                let kept = |id: &str| meanings.contains_key(id);
                let moved = old.service.as_ref().ok() != service.as_ref().ok();
                old.leave_versions(inventory, around.backends, |id| moved || !kept(id));
                (Some(old.table), std::mem::take(&mut old.version_findings))
            }
            None => (None, BTreeMap::new()),
        };
        version_findings.retain(|id, _| meanings.contains_key(&**id));
        let mut resolver = Resolver {
            inventory,
            settings: around.settings,
            router: &facts,
            limits,
            service: service.as_ref().ok(),
            backends: around.backends,
            findings: &mut version_findings,
        };
        let table =
            whole_table(&mut resolver, plan, &meanings, &active, old_table, everything, &scope.versions);
        let name_findings = versions::judge_names(&facts, &meanings);
        let active_finding = active::judge(inventory, &facts, &active);
        Self {
            facts,
            table,
            held,
            service,
            active,
            limits,
            spec_findings,
            host_findings,
            name_findings,
            active_finding,
            version_findings,
        }
    }

    /// Looks at the endpoints of single versions whose meaning stays.
    fn renew_versions(&mut self, around: Around<'_>, scope: &Scope) {
        let mut resolver = Resolver {
            inventory: around.inventory,
            settings: around.settings,
            router: &self.facts,
            limits: self.limits,
            service: self.service.as_ref().ok(),
            backends: around.backends,
            findings: &mut self.version_findings,
        };
        let mut changes = Vec::new();
        for version in &scope.versions {
            let Some(old) = self.table.versions.get(version) else { continue };
            let Ok(id) = VersionId::parse(version) else { continue };
            let new = resolver.slot(&id, meaning_of(old), Some(old));
            if differs(Some(old), &new) {
                changes.push((version.clone(), Some(new)));
            }
        }
        self.table = changed_table(self.table.clone(), self.table.plan.clone(), changes, &self.active);
    }

    /// The verdict.
    pub(super) fn report(&self) -> RouteReport {
        let mut findings: Vec<Finding> = self.service.as_ref().err().cloned().into_iter().collect();
        for part in [&self.spec_findings, &self.host_findings, &self.name_findings] {
            findings.extend(part.iter().cloned());
        }
        findings.extend(self.active_finding.clone());
        // What is wrong with the base's own Service is not said again for each of its clones.
        let of_base = self.version_findings.get(VersionId::BASE);
        let said = |finding: &Finding| {
            of_base.into_iter().flatten().any(|base| base.is_rejection() && base.reason == finding.reason)
        };
        for (version, found) in &self.version_findings {
            let own = found.iter().filter(|finding| &**version == VersionId::BASE || !said(finding));
            findings.extend(own.cloned());
        }
        findings.sort();
        findings.dedup();
        RouteReport { served: !self.held.is_empty(), findings }
    }

    /// Lets go of every backend.
    pub(super) fn leave(&self, inventory: &Inventory, backends: &mut Backends) {
        self.leave_versions(inventory, backends, |_| true);
    }

    fn leave_versions(&self, inventory: &Inventory, backends: &mut Backends, leaves: impl Fn(&str) -> bool) {
        let Ok(base_service) = &self.service else { return };
        for (version, _) in self.table.versions.iter().filter(|(version, _)| leaves(version)) {
            if let Ok(id) = VersionId::parse(version) {
                let service = inventory.service_of_version(base_service, &id);
                backends.detach(&service, &self.facts.meta.key, version);
            }
        }
    }
}

/// The table of a Router all of whose ids are looked at, though only the endpoints of those that need it.
fn whole_table(
    resolver: &mut Resolver<'_>,
    plan: Arc<Plan>,
    meanings: &BTreeMap<VersionId, Meaning>,
    active: &VersionId,
    old: Option<Arc<RouterTable>>,
    everything: bool,
    touched: &BTreeSet<Arc<str>>,
) -> Arc<RouterTable> {
    let old_slots = old.as_ref().map(|old| &old.versions);
    let mut changes: Vec<Change<Slot>> = Vec::new();
    for (id, meaning) in meanings {
        let before = old_slots.and_then(|slots| slots.get(id.as_str()));
        if !everything
            && !touched.contains(id.as_str())
            && before.is_some_and(|before| {
                meaning_of(before) == *meaning && resolver.tells_right(id, &before.route)
            })
        {
            continue;
        }
        let slot = resolver.slot(id, *meaning, before);
        if differs(before, &slot) {
            changes.push((slot.route.version.clone(), Some(slot)));
        }
    }
    if let Some(slots) = old_slots {
        let gone = slots.iter().filter(|(id, _)| !meanings.contains_key(&***id));
        changes.extend(gone.map(|(id, _)| (id.clone(), None)));
    }
    let old = old.unwrap_or_else(|| {
        let active = Arc::new(crate::routes::route::Route::trial("", "", VersionId::BASE, Vec::new()));
        Arc::new(RouterTable::new(Arc::default(), Shards::default(), active))
    });
    changed_table(old, plan, changes, active)
}

/// The table with these changes; the same one where nothing differs.
fn changed_table(
    old: Arc<RouterTable>,
    plan: Arc<Plan>,
    changes: Vec<Change<Slot>>,
    active: &VersionId,
) -> Arc<RouterTable> {
    let versions = if changes.is_empty() { None } else { Some(old.versions.with(changes)) };
    let slots = versions.as_ref().unwrap_or(&old.versions);
    let active = slots.get(active.as_str()).map_or(&old.active, |slot| &slot.route).clone();
    if versions.is_none() && Arc::ptr_eq(&active, &old.active) && Arc::ptr_eq(&plan, &old.plan) {
        return old;
    }
    let versions = versions.unwrap_or_else(|| old.versions.clone());
    Arc::new(RouterTable::new(plan, versions, active))
}

fn meaning_of(slot: &Slot) -> Meaning {
    Meaning { offer: slot.offer, exists: slot.route.absence != Some(Absence::NoVersion) }
}

fn differs(old: Option<&Slot>, new: &Slot) -> bool {
    old.is_none_or(|old| old.offer != new.offer || !Arc::ptr_eq(&old.route, &new.route))
}
