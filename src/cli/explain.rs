//! `synkronic explain`: which version a request gets, and why, rule by rule.
//!
//! It sends no such request: it asks the admin port of a running Synkronic, or the table that some manifests
//! would come to. It changes nothing.

mod ask;
mod simulate;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::print::print;
use crate::local::manifests;
use crate::routes::Described;
use crate::routes::explain::Explanation;

/// Arguments of `synkronic explain`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("asked").args(["admin", "from"]).required(true).multiple(true)))]
pub struct Arguments {
    /// The admin port of a running Synkronic, as http://127.0.0.1:9090
    #[arg(long, value_name = "URL", env = "SYNKRONIC_ADMIN_URL")]
    admin: Option<String>,
    /// Manifests to ask instead: files and folders, `-` is standard input
    #[arg(long, value_name = "FILE|DIR", env = "SYNKRONIC_EXPLAIN_FROM", value_delimiter = ',')]
    from: Vec<PathBuf>,
    /// The method, as GET
    method: String,
    /// The URL, as `http://shop.localhost:8080/cart`
    url: String,
    /// A header of the request, as 'X-QA-Team: blue'; repeatable, its environment form holds one
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE", env = "SYNKRONIC_EXPLAIN_HEADER")]
    headers: Vec<String>,
    /// The client's address; this machine's own unless written
    #[arg(long, value_name = "IP", env = "SYNKRONIC_EXPLAIN_CLIENT")]
    client: Option<String>,
    /// How the explanation is written
    #[arg(long, short, value_enum, env = "SYNKRONIC_OUTPUT", default_value_t = Output::Text)]
    output: Output,
}

/// How an explanation is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// Prints the explanation; the exit code is 0 whatever the request gets.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { admin, from, method, url, headers, client, output } = arguments;
    // Said here in any case, so that a slip in the request reads the same wherever it is asked.
    let described = Described::parse(&method, &url, &headers, client.as_deref())?;
    let explanation = match admin {
        Some(admin) if from.is_empty() => {
            let query = Described::query(&method, &url, &headers, client.as_deref());
            let answer = ask::get(&admin, &format!("/explain?{query}"))?;
            serde_json::from_str(&answer)
                .context("the admin port answered with something else than an explanation")?
        }
        _ => {
            let simulated = simulate::simulate(manifests::read(&from));
            for (_, _, line) in &simulated.remarks {
                eprintln!("{line}");
            }
            eprintln!(
                "(from manifests alone: every version that is not suspended counts as ready, and no earlier \
                 status is known)"
            );
            simulated.explain(&described)
        }
    };
    write(&explanation, output)?;
    Ok(ExitCode::SUCCESS)
}

fn write(explanation: &Explanation, output: Output) -> anyhow::Result<()> {
    let text = match output {
        Output::Text => explanation.to_string(),
        Output::Json => format!("{}\n", serde_json::to_string_pretty(explanation)?),
    };
    Ok(print(&text)?)
}
