//! How the API server is reached: kubeconfig or the pod's service account, and connections that notice when
//! the other side is gone.
//!
//! kube's own stack is taken apart for two reasons: its sockets have no keep-alive, so that a watch on a
//! server that vanished without a word would stay silent for five minutes; and it retries 429, 503 and 504 by
//! itself, where every caller here has its own idea of when to come again.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::ConfigExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

/// A connection must stand after this long.
const CONNECT: Duration = Duration::from_secs(5);
/// A socket that is silent for this long is asked whether anybody is there …
const KEEPALIVE: Duration = Duration::from_secs(10);
/// … this often …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
/// … and so many times; afterwards it is dead. What was written has as long.
const KEEPALIVE_RETRIES: u32 = 3;
/// The API server closes idle connections; ours go first.
const POOL_IDLE: Duration = Duration::from_secs(60);

/// The API server, as this process reaches it.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
    /// The namespace this process belongs to: its pod's, else the one of the kubeconfig's context.
    pub namespace: String,
    /// The API server's address, for the log.
    pub server: http::Uri,
}

impl Cluster {
    /// The API server's addresses, as far as configuration and environment name them.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let secure = self.server.scheme_str() != Some("http");
        let port = self.server.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let own = self.server.host().and_then(ip).map(|ip| SocketAddr::new(ip, port));
        let variable = |name| std::env::var(name).ok();
        let service = variable("KUBERNETES_SERVICE_HOST").and_then(|host| ip(&host));
        let port = variable("KUBERNETES_SERVICE_PORT").and_then(|port| port.parse().ok());
        let service = service.zip(port).map(|(ip, port)| SocketAddr::new(ip, port));
        own.into_iter().chain(service).collect()
    }
}

/// An address, with or without the brackets that version 6 has in a URL.
fn ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Reads the configuration and builds the client. Nothing is sent yet.
///
/// # Errors
/// A sentence, where there is no configuration or it does not hold together.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Cluster, String> {
    let mut config = match kubeconfig {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| format!("kubeconfig {}: {error}", path.display());
            let read = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(read, &options).await.map_err(|error| wrong(&error))?
        }
        None => Config::infer().await.map_err(|error| {
            format!("there is neither a kubeconfig nor a pod's service account (name one with --kubeconfig): {error}")
        })?,
    };
    let agent = HeaderValue::from_static(concat!("synkronic/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    let (namespace, server) = (config.default_namespace.clone(), config.cluster_url.clone());
    let client = build(config).map_err(|error| format!("the API server {server}: {error}"))?;
    Ok(Cluster { client, namespace, server })
}

fn build(config: Config) -> Result<Client, kube::Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT));
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    http.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    #[cfg(target_os = "linux")]
    http.set_tcp_user_timeout(Some(KEEPALIVE + KEEPALIVE_INTERVAL * KEEPALIVE_RETRIES));
    let connector = config.rustls_https_connector_with_connector(http)?;
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}
