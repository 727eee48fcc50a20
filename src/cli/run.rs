//! `synkronic run`: in a cluster, as controller, as edge, or as both.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;

use super::flags::{self, AddressFlags, EdgeFlags, listed};
use super::life::{self, Signals, publisher};
use crate::admin::{self, Missing, Readiness};
use crate::cluster::client::{self, Cluster};
use crate::cluster::control::{self, Candidacy, Ends, Meters, Task, Tell};
use crate::cluster::core::MAX_ROLLING;
use crate::cluster::kinds::Roles;
use crate::cluster::lease::Terms;
use crate::cluster::shelf::Shelf;
use crate::edge::{Bound, Edge};
use crate::inventory::Settings;
use crate::inventory::owners::{HostOwner, HostOwners};
use crate::inventory::settings::OverlayRight;
use crate::meter::Meter;
use crate::routes::Table;

/// Run in a cluster: the controller, which makes clones, and the edge, which serves requests
///
/// With the pod's service account, or a kubeconfig. Of several controllers the one that holds the Lease
/// writes; every edge serves. What is known is served, whether the API server answers or not.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only this half; both by default
    #[arg(long, value_name = "ROLE", env = "SYNKRONIC_ROLE", value_delimiter = ',')]
    role: Vec<Role>,
    /// Kubeconfig; by default what KUBECONFIG names, ~/.kube/config, or the pod's service account
    #[arg(long, value_name = "FILE", env = "SYNKRONIC_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Watch only this namespace; repeatable, all by default
    #[arg(long = "namespace", value_name = "NAME", env = "SYNKRONIC_NAMESPACE", value_delimiter = ',')]
    namespaces: Vec<String>,
    #[command(flatten)]
    addresses: AddressFlags,
    /// Something that overlays may do although their base does not: service-account, host-path,
    /// host-namespace, capability, privileged or external-service; repeatable
    #[arg(long, value_name = "RIGHT", env = "SYNKRONIC_ALLOW_OVERLAY", value_delimiter = ',')]
    allow_overlay: Vec<OverlayRight>,
    /// Hosts that Routers of one namespace alone may claim, as shop=*.shop.example.com; `*` is any run of
    /// characters; repeatable
    #[arg(long, value_name = "NAMESPACE=HOSTS", env = "SYNKRONIC_HOST_OWNER", value_delimiter = ',')]
    host_owner: Vec<HostOwner>,
    /// So many versions of a base follow its change at a time
    #[arg(long, value_name = "N", env = "SYNKRONIC_MAX_ROLLING", default_value_t = MAX_ROLLING)]
    max_rolling: usize,
    /// Name of this process's pod
    #[arg(long, value_name = "NAME", env = "SYNKRONIC_POD_NAME", default_value_t = pod_name(), hide_default_value = true)]
    pod_name: String,
    /// Uid of that pod: the Lease by which an edge reports goes with it
    #[arg(long, value_name = "UID", env = "SYNKRONIC_POD_UID")]
    pod_uid: Option<String>,
    /// Namespace of its Leases; by default the one of the service account, or of the kubeconfig's context
    #[arg(long, value_name = "NAME", env = "SYNKRONIC_POD_NAMESPACE")]
    pod_namespace: Option<String>,
    /// Lease that controllers share: who holds it writes
    #[arg(long, value_name = "NAME", env = "SYNKRONIC_LEASE", default_value = "synkronic-controller")]
    lease: String,
    /// The Lease may be taken by another controller when it was not renewed for this long
    #[arg(long, value_name = "TIME", env = "SYNKRONIC_LEASE_DURATION", default_value = "15s", value_parser = lease_duration)]
    lease_duration: Duration,
    /// File in which the edge keeps what it last knew: it starts from it where the API server does not answer
    #[arg(long, value_name = "FILE", env = "SYNKRONIC_SNAPSHOT")]
    snapshot: Option<PathBuf>,
    #[command(flatten)]
    edge: EdgeFlags,
}

/// In a pod the machine's name is the pod's.
fn pod_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "synkronic".to_owned() } else { name }
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    let duration = super::flags::time(text)?;
    if duration < Duration::from_secs(3) || duration > Duration::from_secs(3600) {
        return Err(format!("`{text}`: a Lease holds for 3 s at least, an hour at most"));
    }
    Ok(duration)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Controller,
    Edge,
}

impl Arguments {
    fn roles(&self) -> Roles {
        let has = |role| self.role.is_empty() || self.role.contains(&role);
        Roles { controller: has(Role::Controller), edge: has(Role::Edge) }
    }

    fn candidacy(&self) -> Candidacy {
        // A name alone may be had by two processes: of two that run on one machine, or before and after a crash.
        let me = format!("{}_{}", self.pod_name, process_id());
        Candidacy { lease: self.lease.clone(), me, terms: Terms { duration: self.lease_duration } }
    }

    fn settings(&self) -> Settings {
        Settings {
            scheme: self.addresses.scheme(),
            port: self.addresses.port(),
            allow_loopback: false,
            refused: BTreeSet::new(),
            allowed_overlays: self.allow_overlay.iter().copied().collect(),
            host_owners: HostOwners::new(self.host_owner.iter().cloned()),
        }
    }

    /// Logs what was asked for, but for what an edge alone goes by.
    fn say(&self, cluster: &Cluster, settings: &Settings) {
        tracing::info!(
            server = %cluster.server,
            namespace = cluster.namespace,
            controller = self.roles().controller,
            edge = self.roles().edge,
            namespaces = listed(&self.namespaces),
            scheme = settings.scheme,
            port = settings.port,
            allow_overlay = listed(&settings.allowed_overlays.iter().map(|right| right.as_str()).collect::<Vec<_>>()),
            host_owner = ?self.host_owner,
            max_rolling = self.max_rolling,
            lease = self.lease,
            lease_duration_s = self.lease_duration.as_secs(),
            pod_name = self.pod_name,
            snapshot = self.snapshot.as_ref().map(|file| file.display().to_string()),
            admin = listed(&self.edge.admin),
            "configuration"
        );
    }
}

/// A word that no other process has.
fn process_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Runs the command until SIGINT or SIGTERM.
///
/// # Errors
/// Where there is no way to the API server, or an address cannot be bound.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    super::logging::start(LevelFilter::INFO);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Before anything is started: a signal that comes early must find somebody.
    let mut signals = Signals::new()?;
    let (roles, mut settings) = (arguments.roles(), arguments.settings());
    let table: Arc<ArcSwap<Table>> = Arc::default();
    let meter = Arc::new(Meter::new()?);
    let readiness = Readiness::new();
    let config = arguments.edge.config(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8080)));
    let mut cluster = client::connect(arguments.kubeconfig.as_deref()).await.map_err(anyhow::Error::msg)?;
    if let Some(namespace) = &arguments.pod_namespace {
        cluster.namespace.clone_from(namespace);
    }
    settings.refused.extend(cluster.addresses());
    arguments.say(&cluster, &settings);
    if roles.edge {
        flags::say(&config);
    }
    // Bind first, ready last.
    let starting = readiness.missing("the first lists");
    let edge = match roles.edge {
        true => Some(Edge::build(&config, table.clone(), meter.clone())?),
        false => None,
    };
    let sources = admin::Sources { meter: meter.clone(), table: table.clone(), readiness: readiness.clone() };
    let admin = admin::Bound::build(&flags::admin(&arguments.edge.admin), sources)?;
    let serves = edge.as_ref().map(|edge| listed(&edge.addresses));
    tracing::info!(serves, admin = listed(&admin.addresses), "listening");
    let candidacy = arguments.candidacy();
    let task = Task {
        cluster,
        roles,
        namespaces: arguments.namespaces.clone(),
        settings,
        candidacy,
        max_rolling: arguments.max_rolling,
        pod: arguments.pod_name.clone(),
        pod_uid: arguments.pod_uid.clone(),
        // A controller writes by what the API server says, and by nothing else.
        shelf: arguments.snapshot.clone().filter(|_| roles.edge).map(Shelf::new),
    };
    let ends = Ends::default();
    let tell = teller(readiness.clone(), starting);
    let meters = Meters { control: meter.control()?, process: meter.clone() };
    let running = control::run(task, publisher(table, meter), tell, &meters, &ends);
    let leaving = async {
        signals.next().await;
        let _unready = readiness.missing("it is leaving");
        tracing::info!("leaving");
        ends.leaving.cancel();
        leave(&mut signals, edge).await;
        ends.stop.cancel();
    };
    tokio::join!(running, leaving);
    drop(admin);
    Ok(ExitCode::SUCCESS)
}

async fn leave(signals: &mut Signals, edge: Option<Bound>) {
    if let Some(edge) = edge {
        life::leave(signals, edge, || {}).await;
    }
}

/// Tells the admin port what is missing.
fn teller(readiness: Arc<Readiness>, starting: Missing) -> Tell {
    let (mut starting, mut held) = (Some(starting), BTreeMap::<String, Missing>::new());
    Box::new(move |missing, beside| {
        readiness.note(beside);
        held.retain(|what, _| missing.contains(what));
        for what in missing {
            held.entry(what).or_insert_with_key(|what| readiness.missing(what.clone()));
        }
        drop(starting.take());
    })
}
