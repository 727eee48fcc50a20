//! Which Service and port a Router's traffic goes through, for the base and for each version.

use std::collections::BTreeSet;

use super::Inventory;
use super::finding::Finding;
use super::key::Key;
use super::names;
use super::object::{DeploymentFacts, RouterFacts, ServiceFacts, ServicePort};
use crate::api::VersionId;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

impl Inventory {
    /// The Services of the namespace that select the pods of a base, without clones, in order of their names.
    pub fn services_of(&self, base: &DeploymentFacts) -> impl Iterator<Item = &ServiceFacts> {
        self.own_services(&base.meta.key.namespace).filter(|service| service.selects(&base.pod_labels))
    }

    /// The base's Service that a Router's traffic goes through: the one it names, else the base's only one.
    ///
    /// # Errors
    /// A finding on the Router where there is none, or more than one and none is named.
    pub fn service_of_router(&self, router: &RouterFacts) -> Result<Key, Finding> {
        let refused = |reason, field: &str, message| {
            Err(Finding::rejected(router.reference(), reason, field.to_owned(), message))
        };
        if let Some(name) = &router.spec.service {
            let key = router.meta.key.sibling(name.as_str());
            if self.services.get(&key).is_none() {
                let message = format!(
                    "there is no Service `{name}` in namespace `{}`; create it, or correct `spec.service`",
                    key.namespace
                );
                return refused("ServiceNotFound", "spec.service", message);
            }
            return Ok(key);
        }
        let base = router.base();
        let Some(deployment) = self.deployments.get(&base) else {
            // A base that is gone for a moment (`kubectl replace --force`) takes no running version with it.
            if let Some(service) = self.service_cloned_for(&base) {
                return Ok(service);
            }
            let message = format!(
                "there is no Deployment `{}` in namespace `{}`; create it, or correct `spec.base`",
                base.name, base.namespace
            );
            return refused("BaseNotFound", "spec.base", message);
        };
        let mut services = self.services_of(deployment);
        match (services.next(), services.next()) {
            (Some(only), None) => Ok(only.meta.key.clone()),
            (Some(first), Some(second)) => {
                let message = format!(
                    "the base `{}` has more than one Service (`{}`, `{}`); say which in `spec.service`",
                    base.name, first.meta.key.name, second.meta.key.name
                );
                refused("ServiceAmbiguous", "spec.service", message)
            }
            (None, _) => {
                let message = format!(
                    "no Service selects the pods of the base `{}`; create one, or name one in `spec.service`",
                    base.name
                );
                refused("ServiceNotFound", "spec.service", message)
            }
        }
    }

    /// The only Service of which the versions of a base have clones; `None` where there are none, or of several.
    fn service_cloned_for(&self, base: &Key) -> Option<Key> {
        let versions = self.versions_of(base)?;
        let is_cloned = |service: &&ServiceFacts| {
            versions.keys().any(|id| {
                let clone = self.services.get(&self.service_of_version(&service.meta.key, id));
                clone.is_some_and(ServiceFacts::is_clone)
            })
        };
        let mut cloned = self.own_services(&base.namespace).filter(is_cloned);
        let only = cloned.next()?;
        cloned.next().is_none().then(|| only.meta.key.clone())
    }

    /// The Routers whose traffic may go through a Service: it is their base's, or has the name of a clone of
    /// it. Where the Service is gone, only those that name it are among them.
    #[must_use]
    pub fn routers_through(&self, service: &Key) -> BTreeSet<Key> {
        let name = &*service.name;
        let mut bases: BTreeSet<&str> =
            name.match_indices('-').filter_map(|(at, _)| name.get(..at)).chain([name]).collect();
        // A name that ends in a hash may be the cut one of a Service whose own name was too long for a version's.
        let cut = name.rsplit_once('-').filter(|(_, hash)| {
            hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if let Some((beginning, _)) = cut {
            let longer = self.own_services(&service.namespace).map(|own| &*own.meta.key.name);
            bases.extend(longer.filter(|own| own.starts_with(beginning)));
        }
        let named = self.routers.of_namespace(&service.namespace);
        let named = named.filter(|it| it.spec.service.as_deref().is_some_and(|name| bases.contains(name)));
        let mut found: BTreeSet<Key> = named.map(|router| router.meta.key.clone()).collect();
        for base in bases {
            let Some(base_service) = self.services.get(&service.sibling(base)) else { continue };
            let selected = self.own_deployments(&service.namespace);
            for base in selected.filter(|base| base_service.selects(&base.pod_labels)) {
                found.extend(self.routers_of(&base.meta.key).map(|router| router.meta.key.clone()));
            }
        }
        found
    }

    /// A version's own Service: the base's, or its clone for that version.
    #[must_use]
    pub fn service_of_version(&self, base_service: &Key, version: &VersionId) -> Key {
        base_service.sibling(names::service(&base_service.name, version))
    }
}

/// The port of a Service that a Router names: by name or number; absent, the only or the first one.
#[must_use]
pub fn port_of<'s>(service: &'s ServiceFacts, named: Option<&IntOrString>) -> Option<&'s ServicePort> {
    match named {
        None => service.ports.first(),
        Some(IntOrString::Int(number)) => service.ports.iter().find(|port| i32::from(port.port) == *number),
        Some(IntOrString::String(name)) => service
            .ports
            .iter()
            .find(|port| port.name == *name || name.parse::<u16>().is_ok_and(|number| number == port.port)),
    }
}
