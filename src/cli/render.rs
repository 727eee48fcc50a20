//! (being built)

use std::process::ExitCode;

/// (being built)
#[derive(clap::Args)]
pub struct Arguments {}

/// (being built)
pub fn run(_arguments: Arguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("this command is not built yet")
}
