//! Which endpoints of a version's Service are sent to.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::backends::Wanted;
use super::findings::Findings;
use crate::api::VersionId;
use crate::inventory::endpoints::EndpointView;
use crate::inventory::object::{RouterFacts, ServiceFacts};
use crate::inventory::service::port_of;
use crate::inventory::{Inventory, Settings};
use crate::routes::route::{Absence, Protocol};

/// What a version's Service comes to.
pub(super) enum Chosen<'i> {
    /// A port, and the endpoints that are sent to: none means the absence.
    Through { port: &'i str, protocol: Protocol, wanted: Vec<Wanted<'i>>, absence: Option<Absence> },
    /// No port that is served.
    Nothing(Absence),
}

/// Chooses a version's endpoints by its own Service: the ready ones; where none is ready, those that terminate but still serve.
pub(super) fn choose<'i>(
    inventory: &'i Inventory,
    settings: &Settings,
    router: &RouterFacts,
    service: &'i ServiceFacts,
    version: &VersionId,
    findings: &mut Findings,
) -> Chosen<'i> {
    let port = match served_port(service, router, version, findings) {
        Ok(port) => port,
        Err(absence) => return Chosen::Nothing(absence),
    };
    let all = inventory.endpoints_of(&service.meta.key, port);
    let (allowed, refused): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|it| refusal(it, settings).is_none());
    let first = refused.first().and_then(|first| Some((first, refusal(first, settings)?)));
    if let Some((first, why)) = first {
        let more = match refused.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let message = format!(
            "version `{version}`: {}{more} of Service `{}` is not sent to: {why}; correct the EndpointSlice",
            first.address, service.meta.key.name,
        );
        findings.warn("AddressRefused", "spec.service", message);
    }
    let ready: Vec<Wanted<'_>> =
        allowed.iter().filter(|it| it.ready).map(|it| (it.address, it.pod_uid)).collect();
    let draining = || allowed.iter().filter(|it| it.draining).map(|it| (it.address, it.pod_uid)).collect();
    let wanted = if ready.is_empty() { draining() } else { ready };
    let absence = match (wanted.is_empty(), allowed.is_empty(), refused.is_empty()) {
        (false, _, _) => None,
        (true, true, true) => Some(Absence::NoEndpoints),
        (true, true, false) => Some(Absence::Refused),
        (true, false, _) => Some(Absence::NotReady),
    };
    Chosen::Through { port, protocol: Protocol::Http1, wanted, absence }
}

/// The name of the Service's port that the Router goes through, where it is one that is served.
///
/// What is wrong with the base's own Service concerns the whole Router; with a clone's, only its version.
fn served_port<'i>(
    service: &'i ServiceFacts,
    router: &RouterFacts,
    version: &VersionId,
    findings: &mut Findings,
) -> Result<&'i str, Absence> {
    let name = &service.meta.key.name;
    let mut found = |reason, field: &str, message: String| {
        if version.is_base() {
            findings.reject(reason, field, message);
        } else {
            findings.warn(reason, field, format!("version `{version}`: {message}"));
        }
    };
    if service.type_ == "ExternalName" {
        let message = format!(
            "the Service `{name}` is of type ExternalName, which is not followed: traffic goes to pods of the \
             Router's own namespace; name a Service that selects pods"
        );
        found("ExternalService", "spec.service", message);
        return Err(Absence::External);
    }
    let Some(port) = port_of(service, router.spec.port.as_ref()) else {
        let ports: Vec<String> =
            service.ports.iter().filter(|port| port.protocol == "TCP").map(port_text).collect();
        let (field, message) = if ports.is_empty() {
            let message = format!(
                "the Service `{name}` has no TCP port, which HTTP needs; give it one, or name another in \
                 `spec.service`"
            );
            ("spec.service", message)
        } else {
            let has = ports.join(", ");
            let message =
                format!("the Service `{name}` has no such port, it has only {has}; correct `spec.port`");
            ("spec.port", message)
        };
        found("PortNotFound", field, message);
        return Err(Absence::NoPort);
    };
    match port.app_protocol.as_deref() {
        Some(
            protocol @ ("kubernetes.io/h2c" | "h2c" | "http2" | "grpc" | "https" | "kubernetes.io/wss"
            | "tls" | "grpcs"),
        ) => {
            let message = format!(
                "the port `{}` of Service `{name}` speaks `{protocol}` (appProtocol), which is not served yet; \
                 serve HTTP/1.1 on a port and name that in `spec.port`",
                port_text(port)
            );
            found("ProtocolNotServed", "spec.port", message);
            Err(Absence::Protocol)
        }
        Some(_) | None => Ok(&port.name),
    }
}

fn port_text(port: &crate::inventory::object::ServicePort) -> String {
    if port.name.is_empty() { port.port.to_string() } else { format!("{} ({})", port.name, port.port) }
}

/// Amazon's instance metadata over IPv6: as good as the link-local one, but of a unique local range.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Why an endpoint is not sent to. In a cluster a pod of the own namespace has to stand behind it: what is written
/// by hand leads to other tenants too (CVE-2021-25740). Who may write slices can also forge a pod's name there;
/// since 1.22 Kubernetes gives that right to nobody but its controllers.
fn refusal(it: &EndpointView<'_>, settings: &Settings) -> Option<&'static str> {
    if !is_allowed(it.address, settings) {
        return Some(
            "loopback, link-local, unspecified and multicast addresses, and the API server's, are refused",
        );
    }
    let podless = it.pod_uid.is_empty() && !settings.allow_loopback;
    podless.then_some("no pod of this namespace stands behind it")
}

/// Whether an address may be sent to: a tenant's hand-written EndpointSlice must not lead to the node itself,
/// nor to the API server.
fn is_allowed(address: SocketAddr, settings: &Settings) -> bool {
    let ip = address.ip().to_canonical();
    if ip.is_loopback() {
        return settings.allow_loopback && address.port() != 0;
    }
    let special = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets().first() == Some(&0),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == METADATA,
    };
    let refused = settings.refused.contains(&SocketAddr::new(ip, address.port()));
    !special && !refused && !ip.is_unspecified() && !ip.is_multicast() && address.port() != 0
}
