//! `synkronic local`: the whole of Synkronic on this machine, without a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use tracing_subscriber::filter::LevelFilter;

use super::flags::{self, EdgeFlags, listed};
use super::life::{self, Signals, publisher};
use crate::admin::{self, Readiness};
use crate::edge::{AccessLog, Bound, Edge};
use crate::inventory::Settings;
use crate::local::control::{self, Ends, Source};
use crate::local::core::Core;
use crate::local::pods::herd::Herd;
use crate::local::pods::recipe::Machine;
use crate::local::screen::Screen;
use crate::meter::Meter;
use crate::routes::Table;

/// Run the whole of Synkronic on this machine, without a cluster
///
/// Every Deployment of the manifests runs as processes: its first container's command, with PORT set to a
/// free port. Where an image has no command in the manifest, say how it runs here: `--run`, or in the pod
/// template the annotation kyaninus.com/local-command (and kyaninus.com/local-dir), or
/// kyaninus.com/local-endpoint for one that runs already. Saving a manifest applies it, deleting it deletes.
#[derive(clap::Args)]
#[command(mut_arg("drain_timeout", |flag| flag.default_value("2s")))]
pub struct Arguments {
    /// Manifests: files, or folders of them; `-` is standard input
    #[arg(value_name = "DIR", required = true)]
    paths: Vec<PathBuf>,
    /// How a Deployment and its versions run here; repeatable
    #[arg(long, value_name = "NAME=COMMAND", env = "SYNKRONIC_RUN", value_parser = named_command)]
    run: Vec<(String, String)>,
    /// Show only what these versions or Deployments print; repeatable
    #[arg(long, value_name = "VERSION", env = "SYNKRONIC_LOGS", value_delimiter = ',')]
    logs: Vec<String>,
    #[command(flatten)]
    edge: EdgeFlags,
}

fn named_command(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, command)) if !name.trim().is_empty() && !command.trim().is_empty() => {
            Ok((name.trim().to_owned(), command.trim().to_owned()))
        }
        Some(_) | None => {
            Err("write the Deployment's name and its command, as shop='npm run dev'".to_owned())
        }
    }
}

impl Arguments {
    fn machine(&self) -> anyhow::Result<Machine> {
        let folder = std::env::current_dir().context("there is no current folder")?;
        Ok(Machine {
            synkronic: std::env::current_exe().context("cannot tell where this program is")?,
            manifests: self.paths.first().map_or(folder.clone(), |path| folder.join(folder_of(path))),
            folder,
            runs: self.run.iter().cloned().collect::<BTreeMap<_, _>>(),
            path: std::env::var_os("PATH")
                .map(|path| std::env::split_paths(&path).collect())
                .unwrap_or_default(),
        })
    }

    /// Logs what was asked for. Commands are left out: they may hold a password.
    fn say(&self) {
        let paths: Vec<_> = self.paths.iter().map(|path| path.display()).collect();
        let run: Vec<&str> = self.run.iter().map(|(name, _)| name.as_str()).collect();
        tracing::info!(
            paths = listed(&paths),
            run = listed(&run),
            logs = listed(&self.logs),
            admin = listed(&self.edge.admin),
            "the configuration of local"
        );
    }

    fn shown(&self) -> Option<BTreeSet<String>> {
        // An environment form that is set to nothing is not set.
        let shown: BTreeSet<String> = self.logs.iter().filter(|it| !it.is_empty()).cloned().collect();
        (!shown.is_empty()).then_some(shown)
    }
}

/// The folder that a path is, or lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        _ if path.is_dir() => path,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Runs the command until SIGINT or SIGTERM.
///
/// # Errors
/// Where the manifests are not there, or an address cannot be bound.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Above the table of a terminal only what somebody has to know.
    super::logging::start(LevelFilter::WARN);
    let machine = arguments.machine()?;
    let source = Source::new(arguments.paths.clone()).map_err(|sentence| anyhow!(sentence))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(arguments, machine, source))
}

async fn serve(arguments: &Arguments, machine: Machine, source: Source) -> anyhow::Result<ExitCode> {
    // Before anything is started: a signal that comes early must find somebody.
    let signals = Signals::new()?;
    let table: Arc<ArcSwap<Table>> = Arc::default();
    let meter = Arc::new(Meter::new()?);
    let config = arguments.edge.config(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    arguments.say();
    flags::say(&config);
    let edge = Edge::build(&config, table.clone(), meter.clone())?;
    let readiness = Readiness::new();
    let unready = readiness.missing("the first table");
    let admin = admin::Bound::build(
        &flags::admin(&arguments.edge.admin),
        admin::Sources { meter: meter.clone(), table: table.clone(), readiness: readiness.clone() },
    )?;
    let settings = Settings {
        port: edge.addresses.first().map(SocketAddr::port).filter(|port| *port != 80),
        allow_loopback: true,
        ..Settings::default()
    };
    let (herd, mouth) = Herd::new(machine, arguments.shown());
    let is_alone = !matches!(config.access_log, AccessLog::Stdout | AccessLog::Stderr);
    let screen = Screen::new(heading(&edge.addresses, &admin.addresses), is_alone);
    let core = Core::new(settings, herd, publisher(table, meter.clone()));
    let ends = Ends::default();
    let leaving = leave(signals, edge, readiness.clone(), ends.clone());
    let running = async {
        let (core, mouth, screen) = control::run(unready, core, mouth, source, screen, &meter, &ends).await;
        control::end(core, mouth, screen, ends.impatient).await;
        drop(admin);
    };
    tokio::select! {
        () = running => {}
        () = leaving => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn heading(edge: &[SocketAddr], admin: &[SocketAddr]) -> String {
    let list = |addresses: &[SocketAddr]| {
        addresses.iter().map(|address| format!("http://{address}")).collect::<Vec<_>>().join(", ")
    };
    format!("synkronic serves at {}; admin at {}; Ctrl-C ends it", list(edge), list(admin))
}

/// At the first signal the edge drains, then the pods end; at the second everything ends at once. Never
/// returns: who runs the pods knows when all is over.
async fn leave(mut signals: Signals, edge: Bound, readiness: Arc<Readiness>, ends: Ends) {
    signals.next().await;
    let _unready = readiness.missing("it is leaving");
    ends.leaving.cancel();
    life::leave(&mut signals, edge, || ends.impatient.cancel()).await;
    ends.stop.cancel();
    // The pods have their grace, unless somebody has had enough.
    signals.next().await;
    ends.impatient.cancel();
    std::future::pending().await
}
