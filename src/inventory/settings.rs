//! What the administrator of this Synkronic decided, as far as the pure rooms need it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::owners::HostOwners;

/// Settings of the pure rooms. They are arguments, so that the same inventory and settings always give the
/// same result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How addresses of versions are written: `http` or `https`.
    pub scheme: &'static str,
    /// The port in such addresses; `None` where it is the scheme's own.
    pub port: Option<u16>,
    /// Whether endpoints on loopback addresses, and such as no pod stands behind, are taken: on one machine yes, in
    /// a cluster never.
    pub allow_loopback: bool,
    /// Addresses that no endpoint may have: in a cluster those of the API server, so that no hand-written
    /// EndpointSlice leads there with the edge's own standing in the network.
    pub refused: BTreeSet<SocketAddr>,
    /// What overlays may do although their base does not.
    pub allowed_overlays: BTreeSet<OverlayRight>,
    /// Hosts that are kept for some namespaces.
    pub host_owners: HostOwners,
}

/// Something that an overlay may do only where its base does too, or the administrator allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OverlayRight {
    /// Name another ServiceAccount, or get a token of the base's.
    ServiceAccount,
    /// Mount paths of the node, or write those that the base only reads.
    HostPath,
    /// Join the node's network, process, IPC or user namespace, or have the kubelet call others from there.
    HostNamespace,
    /// Add capabilities.
    Capability,
    /// Run privileged, or with less to hold it than the base's.
    Privileged,
    /// Give a Service an address outside of the cluster.
    ExternalService,
}

impl OverlayRight {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::ServiceAccount,
        Self::HostPath,
        Self::HostNamespace,
        Self::Capability,
        Self::Privileged,
        Self::ExternalService,
    ];

    /// The word that `--allow-overlay` takes for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "service-account",
            Self::HostPath => "host-path",
            Self::HostNamespace => "host-namespace",
            Self::Capability => "capability",
            Self::Privileged => "privileged",
            Self::ExternalService => "external-service",
        }
    }
}

impl std::str::FromStr for OverlayRight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|right| right.as_str() == text).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is no right of an overlay; there are {all}")
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scheme: "http",
            port: None,
            allow_loopback: false,
            refused: BTreeSet::new(),
            allowed_overlays: BTreeSet::new(),
            host_owners: HostOwners::default(),
        }
    }
}

impl Settings {
    /// The address of a host, as `http://shop.localhost:8080/`.
    #[must_use]
    pub fn url(&self, host: &str) -> String {
        match self.port {
            Some(port) => format!("{}://{host}:{port}/", self.scheme),
            None => format!("{}://{host}/", self.scheme),
        }
    }
}
