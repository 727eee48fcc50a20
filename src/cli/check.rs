//! `synkronic check`: a verdict on each object of some manifests, for people and for a CI.
//!
//! It asks no cluster: an object that the files only refer to (a base in another repository) counts as
//! missing. Nothing is judged here: the sentences come from the reader of manifests, the kinds' own
//! schema, the inventory, `plan` and `routes`, which are the ones that a cluster would give.

mod print;
#[cfg(test)]
mod tests;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::inventory::Settings;
use crate::inventory::settings::OverlayRight;
use crate::local::manifests;

/// Arguments of `synkronic check`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files and folders of manifests; `-` is standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// How the verdicts are written
    #[arg(long, short, value_enum, env = "SYNKRONIC_OUTPUT", default_value_t = Output::Text)]
    output: Output,
    /// Leave out the objects that nothing is said about
    #[arg(long, short, env = "SYNKRONIC_QUIET", value_parser = super::flags::switch)]
    quiet: bool,
    /// What overlays may do although their base does not
    #[arg(long, value_name = "RIGHT", value_delimiter = ',', env = "SYNKRONIC_ALLOW_OVERLAY")]
    allow_overlay: Vec<OverlayRight>,
}

/// How verdicts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// One line each: file:line: Kind namespace/name: field: sentence
    Text,
    /// One JSON document
    Json,
}

/// Judges the manifests; the exit code is 1 where one is rejected or cannot be read.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings =
        Settings { allowed_overlays: arguments.allow_overlay.into_iter().collect(), ..Settings::default() };
    let verdicts = verdict::judge(manifests::read(&arguments.paths), &settings);
    let text = match arguments.output {
        Output::Text => print::text(&verdicts, arguments.quiet),
        Output::Json => print::json(&verdicts, arguments.quiet)?,
    };
    super::print::print(&text)?;
    if arguments.output == Output::Text {
        eprintln!("{}", print::summary(&verdicts));
    }
    Ok(if verdicts.is_rejected() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
