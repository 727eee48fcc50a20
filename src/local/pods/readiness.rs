//! When a pod serves: its readiness probe, or its port accepting. Pure; [`super::probe`] asks.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// When a pod serves.
///
/// `initialDelaySeconds` is not kept: a probe that comes early only hears no, and who waits at a desk wants
/// to see the page as soon as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// What is asked.
    pub check: Check,
    /// How often, once it has served; before that more often.
    pub period: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// So many good answers in a row make it ready.
    pub successes: u32,
    /// So many bad ones in a row make it unready.
    pub failures: u32,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Whether the main port accepts; once is enough, for as long as the process runs.
    Accepts,
    /// Whether this port accepts.
    Tcp(String),
    /// Whether GET answers 200 to 399.
    Http {
        /// The port, by number or name.
        port: String,
        /// The path.
        path: String,
        /// The fields to send, `Host` among them where the probe sets it.
        fields: Vec<(String, String)>,
    },
    /// Whether the command ends with 0.
    Exec(Vec<String>),
}

impl Readiness {
    /// Reads a container's readiness probe.
    #[must_use]
    pub fn of(container: &Container) -> Self {
        let none = Probe::default();
        let probe = container.readiness_probe.as_ref().unwrap_or(&none);
        let seconds = |value: Option<i32>, default: u64| {
            Duration::from_secs(
                value.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0).unwrap_or(default),
            )
        };
        let count = |value: Option<i32>, default: u32| {
            value.and_then(|it| u32::try_from(it).ok()).filter(|it| *it > 0).unwrap_or(default)
        };
        Self {
            check: check(probe),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: count(probe.success_threshold, 1),
            failures: count(probe.failure_threshold, 3),
        }
    }
}

fn check(probe: &Probe) -> Check {
    if let Some(get) = &probe.http_get {
        // A certificate of the pod's own is nobody's to judge here: that the port accepts has to do.
        if get.scheme.as_deref() == Some("HTTPS") {
            return Check::Tcp(text(&get.port));
        }
        let path = get.path.clone().filter(|path| path.starts_with('/')).unwrap_or_else(|| "/".to_owned());
        let mut fields: Vec<(String, String)> =
            get.http_headers.iter().flatten().map(|it| (it.name.clone(), it.value.clone())).collect();
        if let Some(host) = &get.host {
            fields.push(("Host".to_owned(), host.clone()));
        }
        return Check::Http { port: text(&get.port), path, fields };
    }
    if let Some(socket) = &probe.tcp_socket {
        return Check::Tcp(text(&socket.port));
    }
    if let Some(grpc) = &probe.grpc {
        return Check::Tcp(grpc.port.to_string());
    }
    match probe.exec.as_ref().and_then(|exec| exec.command.clone()) {
        Some(command) if !command.is_empty() => Check::Exec(command),
        Some(_) | None => Check::Accepts,
    }
}

fn text(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

/// A port by number, or else by name.
pub(super) fn port_of(text: &str) -> Result<u16, &str> {
    text.parse().map_err(|_| text)
}
