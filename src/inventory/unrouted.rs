//! Why a version has no address of its own, and what to do.

use super::Inventory;
use super::finding::Finding;
use super::object::{RouterFacts, VersionFacts};
use super::offer::SubdomainPattern;
use super::versions::{Resolved, Version};

impl Inventory {
    /// Why no Router gives a version an address. Of several Routers the first that offers it has the word.
    #[must_use]
    pub fn unrouted(&self, dpv: &VersionFacts, resolved: &Resolved) -> Finding {
        let id = &resolved.version;
        let version = self.versions_of(&resolved.base).and_then(|versions| versions.get(id));
        let mut offering = self.routers_of(&resolved.base).filter(|router| router.offers(id));
        let (reason, field, message) = match (version, offering.next()) {
            (Some(version), Some(router)) => self.unaddressed(router, version),
            (_, _) => {
                let base = &resolved.base.name;
                let message = format!(
                    "no Router of base `{base}` offers `{id}`; create one, or add the id to its `spec.versions`"
                );
                ("NoRouter", "", message)
            }
        };
        Finding::warning(dpv.reference(), reason, field, message)
    }

    /// Why a Router that offers a version gives it no address.
    fn unaddressed(&self, router: &RouterFacts, version: &Version) -> (&'static str, &'static str, String) {
        let (name, id) = (&router.meta.key.name, &version.id);
        if !self.reaches(router, version) {
            let message = match &router.spec.service {
                Some(service) => format!(
                    "the Router `{name}` goes through the Service `{service}`, of which this version has no \
                     clone; add `{service}` to `spec.services`, or leave the field out"
                ),
                None => format!(
                    "`spec.services` is empty: there is no Service through which the Router `{name}` could \
                     reach this version; name the base's in it, or leave the field out"
                ),
            };
            return ("NoService", "spec.services", message);
        }
        let off = |field: &Option<String>| field.as_deref().is_none_or(str::is_empty);
        let mut held = router.hosts();
        held.retain(|host| self.holds(router, host));
        let exact = held.iter().find(|host| host.wildcard_suffix().is_none());
        let why = match (exact, router.subdomain_pattern()) {
            (Some(host), Some(SubdomainPattern { before, between })) => {
                let message = format!(
                    "`{before}{id}{between}{host}`, as the Router `{name}` would have it, is no host name: each \
                     part of one has 63 characters at most, and the whole 253; choose a shorter `spec.version`, \
                     or another `spec.subdomain` in the Router"
                );
                return ("HostTooLong", "spec.version", message);
            }
            (None, _) if held.is_empty() => "it holds none of its hosts",
            (None, _) => "its hosts are wildcards, to which no version's name can be added",
            (Some(_), None) => match (off(&router.spec.subdomain), off(&router.spec.path)) {
                (true, true) => "its `spec.subdomain` is off, and it has no `spec.path`",
                (true, false) => "its `spec.subdomain` is off, and its `spec.path` is refused",
                (false, true) => "its `spec.subdomain` is refused, and it has no `spec.path`",
                (false, false) => "its `spec.subdomain` and its `spec.path` are refused",
            },
        };
        let message = format!(
            "the Router `{name}` offers `{id}` at no address of its own: {why}; only a rule or the override \
             header can lead here, until that is changed in the Router"
        );
        ("NoAddress", "", message)
    }
}
