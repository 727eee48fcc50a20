//! Where each version of one Router leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::HeaderValue;

use super::backends::Backends;
use super::endpoints::{self, Chosen};
use super::findings::Findings;
use crate::api::VersionId;
use crate::inventory::object::{RouterFacts, VersionFacts};
use crate::inventory::{Finding, Inventory, Key, Settings};
use crate::routes::route::{Absence, Protocol, Route, RouteLimits};
use crate::routes::router::{Offer, Slot};

/// What an id means to a Router, before it is known where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Whether a request may name it.
    pub offer: Offer,
    /// Whether there is such a version.
    pub exists: bool,
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
    let parsed = |text: &String| VersionId::parse(text).ok();
    // What is sent to although no request may name it.
    let sent = router.spec.rules.iter().filter_map(|rule| parsed(&rule.send));
    let wanted = router.spec.active.as_ref().and_then(parsed).filter(exists);
    for id in sent.chain(wanted).chain([active.clone()]) {
        let exists = exists(&id);
        meanings.insert(id, Meaning { offer: Offer::Unlisted, exists });
    }
    for id in router.status.offered.iter().filter_map(|offered| parsed(&offered.id)) {
        let exists = exists(&id);
        meanings.insert(id, Meaning { offer: Offer::Gone, exists });
    }
    for version in inventory.offered(router) {
        let open = Offer::Open { by_path: !version.id.is_base() };
        meanings.insert(version.id.clone(), Meaning { offer: open, exists: true });
    }
    meanings.insert(VersionId::base(), Meaning { offer: Offer::Open { by_path: false }, exists: true });
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
        let route = self.route(id, meaning.exists, old.map(|old| &old.route));
        Slot { route, offer: meaning.offer }
    }

    fn route(&mut self, id: &VersionId, exists: bool, old: Option<&Arc<Route>>) -> Arc<Route> {
        let version = old.map_or_else(|| Arc::from(id.as_str()), |old| old.version.clone());
        let (absence, endpoints) = self.endpoints(id, exists, &version);
        let trouble = absence.and_then(|absence| self.trouble(id, absence));
        let protocol = Protocol::Http1;
        if let Some(old) = old
            && old.absence == absence
            && old.trouble.as_deref() == trouble
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
            trouble: trouble.map(Arc::from),
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
        let chosen = match self.inventory.version_service(&self.router.base(), base_service, id) {
            Some(own) => {
                endpoints::choose(self.inventory, self.settings, self.router, own, id, &mut findings)
            }
            None => Chosen::Nothing(Absence::NoService),
        };
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
                let never = absence == Absence::NoService && !self.reaches(id);
                (Some(if never { Absence::NotCloned } else { absence }), none)
            }
        };
        let suspended = absence.is_some() && self.is_suspended(id);
        (if suspended { Some(Absence::Suspended) } else { absence }, endpoints)
    }

    /// Whether a route still says rightly what its DeploymentVersion says: an id can pass from one to another.
    pub(super) fn tells_right(&self, id: &VersionId, route: &Route) -> bool {
        match route.absence {
            None | Some(Absence::NoVersion) => true,
            Some(absence) => {
                let never = absence == Absence::NotCloned;
                let asked = never || (absence == Absence::NoService && self.service.is_some());
                (!asked || never != self.reaches(id))
                    && self.is_suspended(id) == (absence == Absence::Suspended)
                    && self.trouble(id, absence) == route.trouble.as_deref()
            }
        }
    }

    fn reaches(&self, id: &VersionId) -> bool {
        let version = self.inventory.versions_of(&self.router.base()).and_then(|versions| versions.get(id));
        version.is_none_or(|version| self.inventory.reaches(self.router, version))
    }

    fn is_suspended(&self, id: &VersionId) -> bool {
        self.dpv(id).is_some_and(|dpv| dpv.spec.suspend)
    }

    /// What keeps the version from being ready, where more can be said than the absence says.
    fn trouble(&self, id: &VersionId, absence: Absence) -> Option<&str> {
        match absence {
            Absence::NoService | Absence::NoEndpoints | Absence::NotReady => self.dpv(id)?.trouble(),
            Absence::NoVersion
            | Absence::Suspended
            | Absence::NotCloned
            | Absence::External
            | Absence::NoPort
            | Absence::Protocol
            | Absence::Refused => None,
        }
    }

    fn dpv(&self, id: &VersionId) -> Option<&VersionFacts> {
        let version = self.inventory.versions_of(&self.router.base())?.get(id)?;
        self.inventory.dpvs.get(version.dpv.as_ref()?)
    }
}

type Endpoints = Arc<[Arc<crate::routes::route::Endpoint>]>;

fn same(old: &Endpoints, new: &Endpoints) -> bool {
    old.len() == new.len() && old.iter().zip(new.iter()).all(|(old, new)| Arc::ptr_eq(old, new))
}

/// Warnings on the ids that rules name and that are not, or not quite, what they seem.
pub(super) fn judge_names(router: &RouterFacts, meanings: &BTreeMap<VersionId, Meaning>) -> Vec<Finding> {
    let mut findings = Findings::on(router.reference());
    let mut names = BTreeSet::new();
    for (place, rule) in router.spec.rules.iter().enumerate() {
        let duplicate = !names.insert(&rule.name);
        let Ok(id) = VersionId::parse(&rule.send) else { continue };
        let field = format!("spec.rules[{}].send", super::rule::label(rule, place, duplicate));
        match meanings.get(&id) {
            Some(Meaning { offer: Offer::Open { .. }, .. }) => {}
            Some(Meaning { exists: true, .. }) => findings.warn(
                "VersionNotOffered",
                field,
                format!(
                    "`{id}` is not among `spec.versions`: this rule alone leads there; add a pattern that names \
                     it to give it an address"
                ),
            ),
            Some(Meaning { exists: false, .. }) | None => findings.warn(
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
    findings.into_vec()
}
