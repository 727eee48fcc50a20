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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn every_flag_has_an_environment_form_and_stands_in_the_readme() {
        let readme = include_str!("../../README.md");
        let command = Arguments::command();
        let mut flags = 0;
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            for flag in command.get_arguments().filter(|it| !it.is_positional() && !it.is_hide_set()) {
                let Some(name) = flag.get_long().filter(|name| *name != "help") else { continue };
                let named = format!("{} --{name}", command.get_name());
                let env = flag.get_env().and_then(|env| env.to_str()).unwrap_or_default();
                assert!(env.starts_with("SYNKRONIC_"), "{named} has no environment form");
                assert!(readme.contains(&format!("--{name}")), "README.md does not name {named}");
                flags += 1;
            }
        }
        assert!(flags > 60, "{flags} flags are not all there are");
    }
}
