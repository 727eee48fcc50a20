//! `synkronic render`: every object that the DeploymentVersions of some manifests would create, as YAML.
//!
//! It asks no cluster and changes nothing. The objects go to standard output, in the order of the plan; what
//! is refused or doubtful goes to standard error, with file and line.

use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::AddressFlags;
use super::intake::{Intake, Remarks, Statuses};
use super::print::print;
use crate::inventory::Settings;
use crate::inventory::settings::OverlayRight;
use crate::local::manifests::{self, Reading};
use crate::plan;

/// Arguments of `synkronic render`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files and folders of manifests; `-` is standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    addresses: AddressFlags,
    /// What overlays may do although their base does not
    #[arg(long, value_name = "RIGHT", value_delimiter = ',', env = "SYNKRONIC_ALLOW_OVERLAY")]
    allow_overlay: Vec<OverlayRight>,
}

/// Prints the objects; the exit code is 1 where a DeploymentVersion is refused or a document cannot be read.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings {
        scheme: arguments.addresses.scheme(),
        port: arguments.addresses.port(),
        allowed_overlays: arguments.allow_overlay.into_iter().collect(),
        ..Settings::default()
    };
    let rendered = render(manifests::read(&arguments.paths), &settings)?;
    for (_, _, line) in &rendered.remarks {
        eprintln!("{line}");
    }
    print(&rendered.yaml)?;
    Ok(if rendered.refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What manifests come to.
struct Rendered {
    yaml: String,
    remarks: Remarks,
    refused: bool,
}

fn render(reading: Reading, settings: &Settings) -> anyhow::Result<Rendered> {
    let mut intake = Intake::of(reading, Statuses::Kept);
    let plan = plan::plan(&intake.inventory, settings);
    for finding in plan.reports.values().flat_map(|report| &report.findings) {
        intake.say(finding);
    }
    if plan.reports.is_empty() {
        intake.remark("no DeploymentVersion is in these manifests: nothing to render");
    }
    let objects: Vec<serde_json::Value> = plan.objects.iter().map(|desired| desired.object.value()).collect();
    let yaml = manifests::stream(objects.iter())?;
    Ok(Rendered { yaml, remarks: intake.remarks, refused: intake.refused })
}
