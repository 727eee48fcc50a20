//! What the edge needs to serve one version through one Router: plain types, shared by [`Arc`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use http::HeaderValue;

/// One version as one Router serves it. Immutable but for its counters; a request keeps its route for its
/// whole life, never the table.
#[derive(Debug)]
pub struct Route {
    /// The Router's namespace.
    pub namespace: Arc<str>,
    /// The Router's name.
    pub router: Arc<str>,
    /// The version id.
    pub version: Arc<str>,
    /// The version id as the value of `x-synkronic-version`.
    pub version_value: HeaderValue,
    /// What upstream speaks.
    pub protocol: Protocol,
    /// The endpoints that may be sent to: ready ones; where none is ready, those that terminate but still
    /// serve. Empty: nothing serves this version now.
    pub endpoints: Arc<[Arc<Endpoint>]>,
    /// Time limits and retries.
    pub limits: RouteLimits,
    /// Why there is no endpoint; `None` where there is one.
    pub absence: Option<Absence>,
    /// What its DeploymentVersion says is wrong with it, as `CrashLooping`; only where there is no endpoint. The
    /// word alone: the message beside it names images and prints what containers said, and this is for everybody.
    pub trouble: Option<Arc<str>>,
    /// Requests in flight, of all workers; outlives recompilation.
    pub in_flight: Arc<AtomicU32>,
}

impl Route {
    /// Why nothing serves it, as part of a sentence that begins with the version's name.
    #[must_use]
    pub fn why(&self) -> String {
        let why = self.absence.map_or("cannot be reached", Absence::sentence);
        match &self.trouble {
            Some(trouble) => format!("{why}; its DeploymentVersion says `{trouble}`"),
            None => why.to_owned(),
        }
    }

    /// A route that nothing but trials made: no limits of its own, HTTP/1.1, these endpoints.
    ///
    /// # Panics
    /// Where `version` is no header value, which no version id can be.
    #[must_use]
    #[allow(clippy::expect_used, reason = "for trials; the invariant is stated")]
    pub fn trial(namespace: &str, router: &str, version: &str, endpoints: Vec<Arc<Endpoint>>) -> Self {
        Self {
            namespace: namespace.into(),
            router: router.into(),
            version: version.into(),
            version_value: HeaderValue::from_str(version).expect("a version id is a DNS label"),
            protocol: Protocol::Http1,
            absence: endpoints.is_empty().then_some(Absence::NoEndpoints),
            trouble: None,
            endpoints: endpoints.into(),
            limits: RouteLimits::default(),
            in_flight: Arc::default(),
        }
    }
}

/// Why a version has no endpoint. The order is that in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Absence {
    /// A rule names it, but there is no such version.
    NoVersion,
    /// Its DeploymentVersion is suspended: it runs no pods on purpose.
    Suspended,
    /// The Router's Service cannot be told, or the version's own is not there (yet).
    NoService,
    /// Its DeploymentVersion does not ask for a clone of the Service that the Router goes through.
    NotCloned,
    /// Its Service is of type `ExternalName`, which is not followed.
    External,
    /// Its Service has no such port.
    NoPort,
    /// Its Service's port speaks a protocol that is not served.
    Protocol,
    /// It has no pod.
    NoEndpoints,
    /// It has pods, but none is ready.
    NotReady,
    /// All its addresses are such as are refused (loopback, link-local, unspecified, multicast).
    Refused,
}

impl Absence {
    /// One word, for labels and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoVersion => "no-version",
            Self::Suspended => "suspended",
            Self::NoService => "no-service",
            Self::NotCloned => "not-cloned",
            Self::External => "external-name",
            Self::NoPort => "no-port",
            Self::Protocol => "protocol-not-served",
            Self::NoEndpoints => "no-endpoints",
            Self::NotReady => "not-ready",
            Self::Refused => "addresses-refused",
        }
    }

    /// Whether it may pass without anybody changing an object: pods start, endpoints become ready.
    #[must_use]
    pub fn passes(self) -> bool {
        match self {
            Self::NoService | Self::NoEndpoints | Self::NotReady => true,
            Self::NoVersion
            | Self::Suspended
            | Self::NotCloned
            | Self::External
            | Self::NoPort
            | Self::Protocol
            | Self::Refused => false,
        }
    }

    /// The same as part of a sentence that begins with the version's name.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NoVersion => "is named by a rule, but there is no such version",
            Self::Suspended => "is suspended: it runs no pods until its DeploymentVersion says otherwise",
            Self::NoService => "has no Service yet",
            Self::NotCloned => {
                "has no Service that this address leads to: its DeploymentVersion does not name that among its \
                 services"
            }
            Self::External => "has a Service of type ExternalName, which is not followed",
            Self::NoPort => "has a Service without the port that the Router names",
            Self::Protocol => "speaks a protocol that is not served yet",
            Self::NoEndpoints => "has no pod yet",
            Self::NotReady => "has no pod that is ready",
            Self::Refused => "has only addresses that are not sent to",
        }
    }
}

/// What an endpoint speaks, from the Service port's `appProtocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1, with WebSocket upgrades.
    Http1,
    /// HTTP/2 without TLS (`kubernetes.io/h2c`).
    H2c,
}

/// The limits of a Router; `None` leaves the edge's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteLimits {
    /// Until a connection stands.
    pub connect: Option<Duration>,
    /// From the request's last byte to the response's head.
    pub response: Option<Duration>,
    /// Between two pieces of a stream.
    pub idle: Option<Duration>,
    /// Further attempts after the first; `None` means 1.
    pub retries: Option<u32>,
}

/// An address that serves one version.
///
/// Two endpoints are interchangeable for pooled connections only if they are the same `Endpoint` (same
/// `id`): namespace, Service, pod uid, address, port and protocol all enter its identity, so a pod IP that
/// comes back as somebody else's pod gets no old connection.
#[derive(Debug)]
pub struct Endpoint {
    /// Unique in this process for as long as it runs; kept over recompilation while nothing of the identity
    /// changes, never given again.
    pub id: u64,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The Service it belongs to.
    pub service: Arc<str>,
    /// The pod's uid, empty where none is known.
    pub pod_uid: Arc<str>,
    /// Where to connect.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// Set once the endpoint has left the table: its idle connections are dropped at once.
    pub retired: AtomicBool,
}
