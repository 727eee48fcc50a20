//! Who holds a host.
//!
//! A host belongs to the Router whose status says that it claimed it, the earliest such claim first; where
//! no status speaks, to the oldest Router that lists it. So an older Router that adds a host later does not
//! take it from the one that has it. Where an administrator keeps a host for some namespaces, a Router of another
//! holds it never, whatever its status says. A Router's version names (`version-2.shop.example.com`) belong to the
//! namespace that holds the host they are made from: nobody else claims one of them later, nor a wildcard that would
//! cover them.

use std::collections::BTreeSet;

use super::Inventory;
use super::key::Key;
use super::object::RouterFacts;
use super::offer::SubdomainPattern;
use crate::api::{Host, HostClaim};
use jiff::Timestamp;

/// Who keeps a Router from serving a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender<'i> {
    /// The Router.
    pub router: &'i Key,
    /// Where it does not hold the host itself: its host whose versions' names are at stake.
    pub versions_of: Option<Host>,
}

impl Inventory {
    /// The Router that holds a host as written in a spec; `None` where none lists it.
    #[must_use]
    pub fn holder(&self, host: &Host) -> Option<&RouterFacts> {
        self.wanted_hosts
            .get(host)?
            .iter()
            .filter_map(|key| self.routers.get(key))
            .filter(|router| self.host_owners.admit(&router.meta.key.namespace, host))
            .min_by(|a, b| claim_order(a, host).cmp(&claim_order(b, host)))
    }

    /// Whether this Router holds this host, and no other namespace holds the name above it.
    #[must_use]
    pub fn holds(&self, router: &RouterFacts, host: &Host) -> bool {
        self.host_owners.admit(&router.meta.key.namespace, host) && self.contender(router, host).is_none()
    }

    /// Who keeps a Router from serving a host, if anybody does: the host's holder, or, in another namespace and with
    /// an earlier claim, the holder of a host whose version names it is, or covers, one of.
    #[must_use]
    pub fn contender(&self, router: &RouterFacts, host: &Host) -> Option<Contender<'_>> {
        let holder = self.holder(host)?;
        if holder.meta.key != router.meta.key {
            return Some(Contender { router: &holder.meta.key, versions_of: None });
        }
        let mine = claim_order(router, host);
        if let (false, ..) = mine {
            // Its claim is written: a pattern that comes to read like the host later does not take it.
            return None;
        }
        let rival = |parent: &Host, reads: &dyn Fn(&SubdomainPattern) -> bool| {
            let above = self.holder(parent)?;
            let earlier = claim_order(above, parent) < mine;
            let foreign = above.meta.key.namespace != router.meta.key.namespace;
            (earlier && foreign && above.subdomain_pattern().is_some_and(|pattern| reads(&pattern)))
                .then(|| Contender { router: &above.meta.key, versions_of: Some(parent.clone()) })
        };
        let above = parents(host).find_map(|(parent, at)| {
            let name = host.as_str().get(..at)?;
            rival(&parent, &|it| name.ends_with(&*it.between) && name.starts_with(&*it.before))
        });
        above.or_else(|| {
            let suffix = host.wildcard_suffix()?;
            self.wanted_hosts.keys().find_map(|below| rival(below, &|it| it.is_covered(below, suffix)))
        })
    }

    /// The Routers that list a host, in order of their keys.
    pub fn wanting(&self, host: &Host) -> impl Iterator<Item = &Key> {
        self.wanted_hosts.get(host).into_iter().flatten()
    }

    /// The hosts, of all that some Router lists, whose standing hangs on one of these: those themselves, those that
    /// read like a version's name above one of them, and wildcards beside one of them.
    pub fn hosts_touched_by<'i>(&'i self, hosts: &'i BTreeSet<Host>) -> impl Iterator<Item = &'i Host> {
        let beside: BTreeSet<&str> =
            hosts.iter().filter_map(|host| Some(host.as_str().split_once('.')?.1)).collect();
        self.wanted_hosts.keys().filter(move |wanted| {
            let text = wanted.as_str();
            let mut ends = text.match_indices(['.', '-']);
            hosts.contains(*wanted)
                || wanted.wildcard_suffix().is_some_and(|suffix| beside.contains(suffix))
                || ends.any(|(at, _)| text.get(at + 1..).is_some_and(|t| hosts.contains(t)))
        })
    }

    /// Every host that some Router lists, in order.
    pub fn wanted_hosts(&self) -> impl Iterator<Item = &Host> {
        self.wanted_hosts.keys()
    }
}

/// The hosts whose version names `host` could be, with the length of what stands before them.
fn parents(host: &Host) -> impl Iterator<Item = (Host, usize)> {
    let text = host.as_str();
    text.match_indices(['.', '-'])
        .filter_map(|(at, _)| Some((Host::parse(text.get(at + 1..)?).ok()?, at + 1)))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Recorded claims before unrecorded ones, earlier before later.
fn claim_order<'r>(router: &'r RouterFacts, host: &Host) -> (bool, Timestamp, Timestamp, &'r Key) {
    let recorded = router.status.hosts.iter().find(|claim| claim.host == host.as_str());
    let since = recorded.and_then(|HostClaim { since, .. }| since.parse().ok()).unwrap_or(Timestamp::MAX);
    let (created, key) = router.meta.age();
    (recorded.is_none(), since, created, key)
}
