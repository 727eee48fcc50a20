//! `synkronic local-pod`, which nobody types: the process between `synkronic local` and a pod's process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::local::pods::supervise;

/// Supervises one process of `synkronic local`
#[derive(clap::Args)]
pub struct Arguments {
    /// Milliseconds between SIGTERM and SIGKILL
    #[arg(long, default_value_t = 10_000)]
    grace_ms: u64,
    /// The second stage: becomes the program
    #[arg(long)]
    exec: bool,
    /// The program
    program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// Where nothing can be started.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.exec {
        return Ok(supervise::become_pod(&arguments.program, &arguments.arguments));
    }
    let grace = Duration::from_millis(arguments.grace_ms);
    Ok(supervise::supervise(grace, &arguments.program, &arguments.arguments)?)
}
