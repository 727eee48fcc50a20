//! Where this program's own log goes: standard error, JSON where that is no terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts the log; on a terminal from `on_terminal` upwards, else from INFO. `SYNKRONIC_LOG` says otherwise,
/// as `debug` or `synkronic::edge=debug,warn`.
pub(super) fn start(on_terminal: LevelFilter) {
    let terminal = std::io::stderr().is_terminal();
    let level = if terminal { on_terminal } else { LevelFilter::INFO };
    // kube warns of each watch that a server ends: what is wrong is said here, once. Who asks for more gets it.
    // The level stands in the text: one directive in it, and a default directive counts no more.
    let asked = std::env::var("SYNKRONIC_LOG").unwrap_or_else(|_| format!("{level},kube_client=error"));
    let filter = EnvFilter::builder().with_default_directive(level.into()).parse_lossy(asked);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It is started already: by a test that runs several commands.
    let _ = if terminal { log.compact().try_init() } else { log.json().flatten_event(true).try_init() };
}
