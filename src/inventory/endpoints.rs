//! Where the pods of a Service are.

use std::net::SocketAddr;

use super::Inventory;
use super::key::Key;
use super::object::RouterFacts;
use super::service::port_of;
use crate::api::VersionId;

/// One endpoint of a Service's port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointView<'i> {
    /// Where to connect.
    pub address: SocketAddr,
    /// The pod's uid, empty where none is known.
    pub pod_uid: &'i str,
    /// Whether it should get new requests.
    pub ready: bool,
    /// Whether it serves although its pod is ending.
    pub draining: bool,
}

impl Inventory {
    /// The endpoints of a Service's port (by the port's name, empty for the unnamed one), sorted, each
    /// address once.
    #[must_use]
    pub fn endpoints_of(&self, service: &Key, port_name: &str) -> Vec<EndpointView<'_>> {
        let mut found: Vec<EndpointView<'_>> = Vec::new();
        for slice in self.slices_of(service) {
            for port in slice.ports.iter().filter(|port| port.name == port_name) {
                found.extend(slice.endpoints.iter().map(|endpoint| EndpointView {
                    address: SocketAddr::new(endpoint.address, port.port),
                    pod_uid: endpoint.pod_uid.as_deref().unwrap_or_default(),
                    ready: endpoint.ready && !endpoint.terminating,
                    draining: endpoint.serving && endpoint.terminating,
                }));
            }
        }
        // Ready before not ready, so that of two entries of one address the usable one stays.
        found.sort_by(|a, b| {
            (a.address, a.pod_uid, !a.ready, !a.draining).cmp(&(b.address, b.pod_uid, !b.ready, !b.draining))
        });
        found.dedup_by(|later, first| later.address == first.address && later.pod_uid == first.pod_uid);
        found
    }

    /// Whether a version has an endpoint that takes new requests, as this Router reaches it.
    #[must_use]
    pub fn is_ready(&self, router: &RouterFacts, version: &VersionId) -> bool {
        let Ok(base_service) = self.service_of_router(router) else { return false };
        self.is_ready_through(&base_service, router, version)
    }

    /// The same, where the Router's base Service is known already.
    #[must_use]
    pub fn is_ready_through(&self, base_service: &Key, router: &RouterFacts, version: &VersionId) -> bool {
        let service = self.version_service(&router.base(), base_service, version);
        let Some(service) = service else { return false };
        let Some(port) = port_of(service, router.spec.port.as_ref()) else { return false };
        self.slices_of(&service.meta.key).any(|slice| {
            slice.ports.iter().any(|found| found.name == port.name)
                && slice.endpoints.iter().any(|endpoint| endpoint.ready && !endpoint.terminating)
        })
    }
}
