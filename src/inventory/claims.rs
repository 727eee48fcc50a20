//! Who holds a host.
//!
//! A host belongs to the Router whose status says that it claimed it, the earliest such claim first; where
//! no status speaks, to the oldest Router that lists it. So an older Router that adds a host later does not
//! take it from the one that has it. Where an administrator keeps a host for some namespaces, a Router of another
//! holds it never, whatever its status says. A Router's version names (`version-2.shop.example.com`) belong to the
//! namespace that holds the host they are made from.

use std::collections::BTreeSet;

use super::Inventory;
use super::key::Key;
use super::object::RouterFacts;
use crate::api::{Host, HostClaim};
use jiff::Timestamp;

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

    /// The Router that keeps another from serving a host, if there is one: the host's holder, or, in another
    /// namespace and with an earlier claim, the holder of a host whose version names it is one of.
    #[must_use]
    pub fn contender(&self, router: &RouterFacts, host: &Host) -> Option<&Key> {
        let holder = self.holder(host)?;
        if holder.meta.key != router.meta.key {
            return Some(&holder.meta.key);
        }
        let mine = claim_order(router, host);
        if let (false, ..) = mine {
            // Its claim is written: a pattern that comes to read like the host later does not take it.
            return None;
        }
        parents(host).find_map(|(parent, at)| {
            let above = self.holder(&parent)?;
            let pattern = above.subdomain_pattern()?;
            let name = host.as_str().get(..at)?;
            let reads = name.ends_with(&*pattern.between) && name.starts_with(&*pattern.before);
            let earlier = claim_order(above, &parent) < mine;
            (reads && earlier && above.meta.key.namespace != router.meta.key.namespace)
                .then_some(&above.meta.key)
        })
    }

    /// The Routers that list a host, in order of their keys.
    pub fn wanting(&self, host: &Host) -> impl Iterator<Item = &Key> {
        self.wanted_hosts.get(host).into_iter().flatten()
    }

    /// The hosts, of all that some Router lists, whose standing hangs on one of these: those themselves, and
    /// those that read like a version's name above one of them.
    pub fn hosts_touched_by<'i>(&'i self, hosts: &'i BTreeSet<Host>) -> impl Iterator<Item = &'i Host> {
        self.wanted_hosts.keys().filter(|wanted| {
            let text = wanted.as_str();
            let mut ends = text.match_indices(['.', '-']);
            hosts.contains(*wanted)
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
