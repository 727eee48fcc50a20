//! Where each version of one Router leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::HeaderValue;

use super::backends::Backends;
use super::endpoints::{self, Chosen};
use super::findings::Findings;
use crate::api::VersionId;
use crate::inventory::object::RouterFacts;
use crate::inventory::{Finding, Inventory, Key, Settings};
use crate::routes::route::{Absence, Protocol, Route, RouteLimits};
use crate::routes::router::Slot;

/// What an id means to a Router, before it is known where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// On offer, and whether a path may name it.
    Offered { by_path: bool },
    /// The Router itself sends to it; a rule may do so although there is no such version.
    Unlisted { exists: bool },
    /// Was on offer.
    Gone,
}

/// Every id that means something to a Router.
pub(super) fn meanings(
    inventory: &Inventory,
    router: &RouterFacts,
    active: &VersionId,
) -> BTreeMap<VersionId, Meaning> {
    let versions = inventory.versions_of(&router.base());
    let exists = |id: &VersionId| id.is_base() || versions.is_some_and(|versions| versions.contains_key(id));
    let mut meanings = BTreeMap::new();
    for offered in &router.status.offered {
        if let Ok(id) = VersionId::parse(&offered.id)
            && !id.is_base()
        {
            meanings.insert(id, Meaning::Gone);
        }
    }
    let sent = router.spec.rules.iter().map(|rule| &rule.send);
    for id in sent.filter_map(|text| VersionId::parse(text).ok()) {
        let exists = exists(&id);
        // A path that was a version's stays 404, also where a rule still names the version.
        if exists || !meanings.contains_key(&id) {
            meanings.insert(id, Meaning::Unlisted { exists });
        }
    }
    let wanted = router.spec.active.as_deref().and_then(|text| VersionId::parse(text).ok());
    for id in wanted.into_iter().filter(|id| exists(id)).chain([active.clone()]) {
        meanings.insert(id, Meaning::Unlisted { exists: true });
    }
    for version in inventory.offered(router) {
        meanings.insert(version.id.clone(), Meaning::Offered { by_path: !version.id.is_base() });
    }
    meanings.insert(VersionId::base(), Meaning::Offered { by_path: false });
    meanings
}

/// One Router, while its versions are resolved.
pub(super) struct Resolver<'c> {
    pub inventory: &'c Inventory,
    pub settings: &'c Settings,
    pub router: &'c RouterFacts,
    pub limits: RouteLimits,
    /// The base's Service, where it can be told.
    pub service: Option<&'c Key>,
    pub backends: &'c mut Backends,
    /// What was found about single versions.
    pub findings: &'c mut BTreeMap<Arc<str>, Vec<Finding>>,
}

impl Resolver<'_> {
    /// The slot of an id; the old one's route where nothing differs.
    pub(super) fn slot(&mut self, id: &VersionId, meaning: Meaning, old: Option<&Slot>) -> Slot {
        let exists = match meaning {
            Meaning::Offered { .. } => true,
            Meaning::Unlisted { exists } => exists,
            Meaning::Gone => return Slot::Gone,
        };
        let route = self.route(id, exists, old.and_then(Slot::route));
        match meaning {
            Meaning::Offered { by_path } => Slot::Offered { route, by_path },
            Meaning::Unlisted { .. } | Meaning::Gone => Slot::Unlisted(route),
        }
    }

    fn route(&mut self, id: &VersionId, exists: bool, old: Option<&Arc<Route>>) -> Arc<Route> {
        let version = old.map_or_else(|| Arc::from(id.as_str()), |old| old.version.clone());
        let (absence, endpoints) = self.endpoints(id, exists, &version);
        let protocol = Protocol::Http1;
        if let Some(old) = old
            && old.absence == absence
            && old.limits == self.limits
            && old.protocol == protocol
            && same(&old.endpoints, &endpoints)
        {
            return old.clone();
        }
        let key = &self.router.meta.key;
        Arc::new(Route {
            namespace: key.namespace.clone(),
            router: key.name.clone(),
            version_value: HeaderValue::from_str(&version).unwrap_or(HeaderValue::from_static("?")),
            version,
            protocol,
            endpoints,
            limits: self.limits,
            absence,
            in_flight: old.map(|old| old.in_flight.clone()).unwrap_or_default(),
        })
    }

    fn endpoints(
        &mut self,
        id: &VersionId,
        exists: bool,
        version: &Arc<str>,
    ) -> (Option<Absence>, Endpoints) {
        let none: Endpoints = Arc::new([]);
        self.findings.remove(version);
        let Some(base_service) = self.service else {
            return (Some(if exists { Absence::NoService } else { Absence::NoVersion }), none);
        };
        let router = &self.router.meta.key;
        let service = self.inventory.service_of_version(base_service, id);
        if !exists {
            self.backends.watch(&service, router, version);
            return (Some(Absence::NoVersion), none);
        }
        let mut findings = Findings::on(self.router.reference());
        let chosen =
            endpoints::choose(self.inventory, self.settings, self.router, &service, id, &mut findings);
        if !findings.is_empty() {
            self.findings.insert(version.clone(), findings.into_vec());
        }
        let (absence, endpoints) = match chosen {
            Chosen::Through { port, protocol, wanted, absence } => {
                let endpoints = self.backends.attach(&service, router, version, port, protocol, &wanted);
                (absence, endpoints)
            }
            Chosen::Nothing(absence) => {
                self.backends.watch(&service, router, version);
                (Some(absence), none)
            }
        };
        let suspended = absence.is_some() && self.is_suspended(id);
        (if suspended { Some(Absence::Suspended) } else { absence }, endpoints)
    }

    fn is_suspended(&self, id: &VersionId) -> bool {
        let version = self.inventory.versions_of(&self.router.base()).and_then(|versions| versions.get(id));
        let dpv = version.and_then(|version| self.inventory.dpvs.get(version.dpv.as_ref()?));
        dpv.is_some_and(|dpv| dpv.spec.suspend)
    }
}

type Endpoints = Arc<[Arc<crate::routes::route::Endpoint>]>;

fn same(old: &Endpoints, new: &Endpoints) -> bool {
    old.len() == new.len() && old.iter().zip(new.iter()).all(|(old, new)| Arc::ptr_eq(old, new))
}

/// Warnings on the ids that a spec names and that are not, or not quite, what they seem.
pub(super) fn judge_names(
    router: &RouterFacts,
    active: &VersionId,
    meanings: &BTreeMap<VersionId, Meaning>,
) -> Vec<Finding> {
    let mut findings = Findings::on(router.reference());
    let mut names = BTreeSet::new();
    for (place, rule) in router.spec.rules.iter().enumerate() {
        let duplicate = !names.insert(&rule.name);
        let Ok(id) = VersionId::parse(&rule.send) else { continue };
        let field = format!("spec.rules[{}].send", super::rule::label(rule, place, duplicate));
        match meanings.get(&id) {
            Some(Meaning::Offered { .. }) => {}
            Some(Meaning::Unlisted { exists: true }) => findings.warn(
                "VersionNotOffered",
                field,
                format!(
                    "`{id}` is not among `spec.versions`: this rule alone leads there; add a pattern that names \
                     it to give it an address"
                ),
            ),
            Some(Meaning::Unlisted { exists: false } | Meaning::Gone) | None => findings.warn(
                "VersionNotFound",
                field,
                format!(
                    "there is no version `{id}` of base `{}`: the rule's consumers get what `onUnavailable.rules` \
                     says (a 503 by default); create the version, or take the rule out",
                    router.spec.base
                ),
            ),
        }
    }
    if let Some(Ok(wanted)) = router.spec.active.as_deref().map(VersionId::parse)
        && wanted != *active
    {
        let (reason, state) = match meanings.get(&wanted) {
            None | Some(Meaning::Gone | Meaning::Unlisted { exists: false }) => {
                ("ActiveNotFound", "does not exist; create it, or correct `spec.active`")
            }
            Some(Meaning::Offered { .. } | Meaning::Unlisted { exists: true }) => {
                ("ActiveNotReady", "has no ready endpoint yet; it becomes active as soon as it has one")
            }
        };
        findings.warn(reason, "spec.active", format!("`{active}` stays active: `{wanted}` {state}"));
    }
    findings.into_vec()
}
