//! `synkronic echo`: a small upstream for trials.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::echo::{Bound, Voice};

/// A small upstream for trials: answers with its version and the request as it saw it
///
/// `/` answers with its version and the request as it saw it: a page for browsers, JSON for others.
/// POST, PUT and PATCH get their own body back, WebSockets their own frames. `/bytes/N[?chunked=1]`,
/// `/slow?ms=N`, `/status/NNN`, `/events[?ms=N&count=N]`, `/request` (JSON with the body in it),
/// `/redirect?to=…`, `/cookie?name=…&value=…&path=…`, `/hang`, `/break`. HTTP/1.1, and HTTP/2 without
/// TLS by prior knowledge.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one. Default: every address, with the port that `PORT`
    /// names, else 127.0.0.1:8080
    #[arg(long, value_name = "ADDR", env = "SYNKRONIC_ECHO_LISTEN", value_parser = super::flags::address)]
    listen: Option<SocketAddr>,
    /// The port of the default address
    #[arg(long, env = "PORT", hide = true)]
    port: Option<u16>,
    /// The version it answers with; where a version's pods run it, `SYNKRONIC_VERSION` is set already
    #[arg(long, value_name = "ID", env = "SYNKRONIC_VERSION", default_value = "base")]
    version: String,
    /// Versions that its page links to
    #[arg(long, value_name = "ID", env = "SYNKRONIC_ECHO_LINKS", value_delimiter = ',')]
    links: Vec<String>,
    /// What its page says besides
    #[arg(long, value_name = "TEXT", env = "SYNKRONIC_ECHO_GREETING", default_value = "")]
    greeting: String,
    /// Threads; one is enough until a bench says otherwise
    #[arg(long, value_name = "N", env = "SYNKRONIC_ECHO_WORKERS", default_value_t = 1)]
    workers: usize,
    /// How long running requests may take to end after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", env = "SYNKRONIC_ECHO_DRAIN", default_value_t = 10)]
    drain: u64,
}

impl Arguments {
    fn address(&self) -> SocketAddr {
        match (self.listen, self.port) {
            (Some(listen), _) => listen,
            (None, Some(port)) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
            (None, None) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Where the address cannot be bound.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let runtime = if arguments.workers > 1 {
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.workers).enable_all().build()
    } else {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    };
    runtime.context("cannot start")?.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let address = arguments.address();
    let drain = Duration::from_secs(arguments.drain);
    let voice = Voice { version: arguments.version, links: arguments.links, greeting: arguments.greeting };
    let version = voice.version.clone();
    // Before binding: who waits for the address may send the signal at once.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let bound = Bound::bind(address, voice).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = bound.address().context("cannot tell the bound address")?;
    // Nobody may be reading: then there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "echo {version} listens on http://{address}");
    let stop = CancellationToken::new();
    let serving = bound.serve(stop.clone(), drain);
    let signalled = async {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        stop.cancel();
    };
    tokio::join!(serving, signalled);
    Ok(ExitCode::SUCCESS)
}
