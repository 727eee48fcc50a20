//! Which Service and port a Router's traffic goes through, for the base and for each version.

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
        let own = self.own_services.get(&base.meta.key.namespace).into_iter().flatten();
        own.filter_map(|key| self.services.get(key)).filter(|service| service.selects(&base.pod_labels))
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
