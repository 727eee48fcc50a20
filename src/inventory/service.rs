//! Which Service and port a Router's traffic goes through, for the base and for each version.

use std::collections::BTreeSet;

use super::Inventory;
use super::finding::Finding;
use super::key::Key;
use super::names;
use super::object::{DeploymentFacts, RouterFacts, ServiceFacts, ServicePort};
use crate::api::VersionId;
use crate::api::names::{LABEL_BASE, LABEL_VERSION};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

impl Inventory {
    /// The Services of the namespace that select the pods of a base, without clones, in order of their names.
    pub fn services_of(&self, base: &DeploymentFacts) -> impl Iterator<Item = &ServiceFacts> {
        self.own_services(&base.meta.key.namespace).filter(|service| service.selects(&base.pod_labels))
    }

    /// The base's Service that a Router's traffic goes through: the one it names, else the base's only one.
    ///
    /// # Errors
    /// A finding on the Router where there is none, where the one that it names is not the base's, or where
    /// there is more than one and none is named.
    pub fn service_of_router(&self, router: &RouterFacts) -> Result<Key, Finding> {
        let key = router.base();
        let base = self.deployments.get(&key);
        match (&router.spec.service, base) {
            (_, Some(base)) if base.is_clone() => Err(base_is_clone(router, base)),
            (Some(name), base) => self.named_service(router, name, base),
            (None, Some(base)) => self.only_service(router, base),
            // A base that is gone for a moment (`kubectl replace --force`) takes no running version with it.
            (None, None) => self.service_cloned_for(&key).ok_or_else(|| {
                let message = format!(
                    "there is no Deployment `{}` in namespace `{}`; create it, or correct `spec.base`",
                    key.name, key.namespace
                );
                Finding::rejected(router.reference(), "BaseNotFound", "spec.base", message)
            }),
        }
    }

    /// The Service that a Router names. One of other pods would serve them as the base; without the base nobody
    /// can tell.
    fn named_service(
        &self,
        router: &RouterFacts,
        name: &str,
        base: Option<&DeploymentFacts>,
    ) -> Result<Key, Finding> {
        let key = router.meta.key.sibling(name);
        let (reason, message) = match (self.services.get(&key), base) {
            (None, _) => (
                "ServiceNotFound",
                format!(
                    "there is no Service `{name}` in namespace `{}`; create it, or correct `spec.service`",
                    key.namespace
                ),
            ),
            (Some(service), _) if service.is_clone() => (
                "ServiceIsClone",
                format!(
                    "the Service `{name}` is itself a clone; name the base's: each version is reached through \
                     its own clone of that"
                ),
            ),
            // Said where its endpoints are looked for: nothing that it may select is sent to.
            (Some(service), _) if service.type_ == "ExternalName" => return Ok(key),
            (Some(service), Some(base)) if !service.selects(&base.pod_labels) => {
                let base = &base.meta.key.name;
                let message = if service.selector.as_ref().is_none_or(|selector| selector.is_empty()) {
                    format!(
                        "the Service `{name}` has no selector, so nothing says that its endpoints are pods of \
                         the base `{base}`, and no version could have a clone of it; give it a selector, or name \
                         a Service that has one"
                    )
                } else {
                    format!(
                        "the Service `{name}` doesn't select the pods of the base `{base}`, so others would answer \
                         in their place; name one that does, or correct the Service's selector"
                    )
                };
                ("ServiceNotOfBase", message)
            }
            (Some(_), _) => return Ok(key),
        };
        Err(Finding::rejected(router.reference(), reason, "spec.service", message))
    }

    fn only_service(&self, router: &RouterFacts, base: &DeploymentFacts) -> Result<Key, Finding> {
        let mut services = self.services_of(base);
        let base = &base.meta.key.name;
        let (reason, message) = match (services.next(), services.next()) {
            (Some(only), None) => return Ok(only.meta.key.clone()),
            (Some(first), Some(second)) => (
                "ServiceAmbiguous",
                format!(
                    "the base `{base}` has more than one Service (`{}`, `{}`); say which in `spec.service`",
                    first.meta.key.name, second.meta.key.name
                ),
            ),
            (None, _) => (
                "ServiceNotFound",
                format!("no Service selects the pods of the base `{base}`; create one that does"),
            ),
        };
        Err(Finding::rejected(router.reference(), reason, "spec.service", message))
    }

    /// The only Service of which the versions of a base have clones; `None` where there are none, or of several.
    fn service_cloned_for(&self, base: &Key) -> Option<Key> {
        let versions = self.versions_of(base)?;
        let is_cloned = |service: &&ServiceFacts| {
            versions.keys().any(|id| self.version_service(base, &service.meta.key, id).is_some())
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

    /// A version's own Service, where it is there: the base's, or the clone of it that the version's
    /// DeploymentVersion controls. One that merely has the clone's name leads to somebody else's pods.
    #[must_use]
    pub fn version_service(&self, base: &Key, base_service: &Key, id: &VersionId) -> Option<&ServiceFacts> {
        let service = self.services.get(&self.service_of_version(base_service, id))?;
        let is_own = || {
            let dpv = self.versions_of(base)?.get(id)?.dpv.as_ref()?;
            Some(service.meta.is_clone_of(dpv))
        };
        (id.is_base() || is_own().unwrap_or(false)).then_some(service)
    }

    /// What a version's own Service is called: the base's, or its clone for that version.
    #[must_use]
    pub fn service_of_version(&self, base_service: &Key, version: &VersionId) -> Key {
        base_service.sibling(names::service(&base_service.name, version))
    }
}

/// A Router of a version. Its labels say of what.
fn base_is_clone(router: &RouterFacts, clone: &DeploymentFacts) -> Finding {
    let name = &clone.meta.key.name;
    let label = |label: &str| clone.meta.labels.get(label);
    let message = match (label(LABEL_BASE), label(LABEL_VERSION)) {
        (Some(base), Some(version)) => format!(
            "the Deployment `{name}` is itself a clone, the version `{version}` of `{base}`; write `{base}` in \
             `spec.base`, and the Router leads to each of its versions"
        ),
        (_, _) => format!(
            "the Deployment `{name}` is itself a clone; name the base it was made from in `spec.base`, and the \
             Router leads to each of its versions"
        ),
    };
    Finding::rejected(router.reference(), "BaseIsClone", "spec.base", message)
}

/// The port of a Service that a Router names: by name or number; absent, the only or the first one. HTTP needs
/// TCP: another port is none.
#[must_use]
pub fn port_of<'s>(service: &'s ServiceFacts, named: Option<&IntOrString>) -> Option<&'s ServicePort> {
    let mut ports = service.ports.iter().filter(|port| port.protocol == "TCP");
    match named {
        None => ports.next(),
        Some(IntOrString::Int(number)) => ports.find(|port| i32::from(port.port) == *number),
        Some(IntOrString::String(name)) => ports
            .find(|port| port.name == *name || name.parse::<u16>().is_ok_and(|number| number == port.port)),
    }
}
