//! The command line: one file a command, and the wiring of the rooms.
//!
//! Exit codes: 0 done, 1 refused or failed with one clear sentence, 2 wrong usage (clap's own).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod crds;
mod echo;
mod explain;
pub mod flags;
mod intake;
mod life;
mod local;
mod local_pod;
mod logging;
mod print;
mod render;
mod run;

/// Rainbow deployments for Kubernetes.
#[derive(Parser)]
#[command(name = "synkronic", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    // What `local`, `run` and `echo` are, at length, stands at their arguments: a line here would hide it.
    Local(Box<local::Arguments>),
    Run(Box<run::Arguments>),
    /// Print every object that the DeploymentVersions of some manifests would create
    Render(render::Arguments),
    /// Judge manifests: a verdict on each object, exit 1 where one is rejected
    Check(check::Arguments),
    /// Say which version a request gets, and why
    Explain(explain::Arguments),
    /// Print the custom resource definitions
    Crds(crds::Arguments),
    Echo(echo::Arguments),
    #[command(hide = true)]
    LocalPod(local_pod::Arguments),
}

/// Parses the process's arguments and runs the command they name.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Local(arguments) => local::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Render(arguments) => render::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Crds(arguments) => crds::run(arguments),
        Command::Echo(arguments) => echo::run(arguments),
        Command::LocalPod(arguments) => local_pod::run(arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("synkronic: {error:#}");
            ExitCode::FAILURE
        }
    }
}
