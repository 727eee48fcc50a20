//! `synkronic render`: every object that the DeploymentVersions of some manifests would create, as YAML.
//!
//! It asks no cluster and changes nothing. The objects go to standard output, in the order of the plan; what
//! is refused or doubtful goes to standard error, with file and line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::api::Judge;
use crate::inventory::settings::OverlayRight;
use crate::inventory::{Edit, Finding, Inventory, Object, ObjectReference, Settings};
use crate::local::manifests::{self, Manifest, Reading};
use crate::plan;

/// Arguments of `synkronic render`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files and folders of manifests; `-` is standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// The scheme of the versions' addresses (SYNKRONIC_URL)
    #[arg(long, value_enum, default_value_t = Scheme::Http, env = "SYNKRONIC_SCHEME")]
    scheme: Scheme,
    /// The port in the versions' addresses, where it is not the scheme's own
    #[arg(long, env = "SYNKRONIC_PORT")]
    port: Option<u16>,
    /// What overlays may do although their base does not
    #[arg(long, value_name = "RIGHT", value_delimiter = ',', env = "SYNKRONIC_ALLOW_OVERLAY")]
    allow_overlay: Vec<OverlayRight>,
}

/// How addresses begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scheme {
    /// http://
    Http,
    /// https://
    Https,
}

/// Prints the objects; the exit code is 1 where a DeploymentVersion is refused or a document cannot be read.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings {
        scheme: match arguments.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        },
        port: arguments.port,
        allowed_overlays: arguments.allow_overlay.into_iter().collect(),
        ..Settings::default()
    };
    let rendered = render(manifests::read(&arguments.paths), &settings)?;
    for (_, _, line) in &rendered.remarks {
        eprintln!("{line}");
    }
    match std::io::stdout().lock().write_all(rendered.yaml.as_bytes()) {
        // `render … | head` has what it wants.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(if rendered.refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Lines for people, by file and line.
type Remarks = BTreeSet<(Arc<str>, u32, String)>;

/// What manifests come to.
struct Rendered {
    yaml: String,
    remarks: Remarks,
    refused: bool,
}

fn render(reading: Reading, settings: &Settings) -> anyhow::Result<Rendered> {
    let mut table = Table::default();
    for error in &reading.errors {
        table.refuse((error.source.clone(), error.line.unwrap_or(0), error.to_string()));
    }
    for warning in &reading.warnings {
        table.remarks.insert((
            warning.source.clone(),
            warning.line.unwrap_or(0),
            format!("warning: {warning}"),
        ));
    }
    let judge = Judge::new();
    let objects: Vec<Object> =
        reading.manifests.into_iter().filter_map(|manifest| table.take(manifest, &judge)).collect();
    // At once: each update resolves the versions of a namespace anew.
    table.inventory.update(objects.into_iter().map(|object| Edit::Apply(Box::new(object))));
    let plan = plan::plan(&table.inventory, settings);
    for finding in plan.reports.values().flat_map(|report| &report.findings) {
        table.say(finding);
    }
    if plan.reports.is_empty() {
        let line = "no DeploymentVersion is in these manifests: nothing to render".to_owned();
        table.remarks.insert(("".into(), 0, line));
    }
    let objects: Vec<serde_json::Value> = plan.objects.iter().map(|desired| desired.object.value()).collect();
    let yaml = manifests::stream(objects.iter())?;
    Ok(Rendered { yaml, remarks: table.remarks, refused: table.refused })
}

/// The objects read, and what is said about them.
#[derive(Default)]
struct Table {
    inventory: Inventory,
    manifests: BTreeMap<ObjectReference, Manifest>,
    remarks: Remarks,
    refused: bool,
}

impl Table {
    fn refuse(&mut self, line: (Arc<str>, u32, String)) {
        self.remarks.insert(line);
        self.refused = true;
    }

    /// The object of a manifest, where it is one that the rooms know.
    fn take(&mut self, manifest: Manifest, judge: &Judge) -> Option<Object> {
        let flaws = judge.judge(&manifest.value).unwrap_or_default();
        for flaw in &flaws {
            self.refuse(sentence(&manifest, "", &flaw.field, &flaw.message));
        }
        if !flaws.is_empty() {
            return None;
        }
        match Object::read(manifest.value.clone()) {
            Ok(Some(object)) => {
                let reference = ObjectReference { kind: object.kind(), key: object.key().clone() };
                self.manifests.insert(reference, manifest);
                Some(object)
            }
            Ok(None) => None,
            Err(error) => {
                self.refuse(sentence(&manifest, "", "", &error.message));
                None
            }
        }
    }

    fn say(&mut self, finding: &Finding) {
        let severity = if finding.is_rejection() { "" } else { "warning: " };
        let line = match self.manifests.get(&finding.object) {
            Some(manifest) => sentence(manifest, severity, &finding.field, &finding.message),
            None => {
                let line = format!("{severity}{}: {}: {}", finding.object, finding.field, finding.message);
                ("".into(), 0, line)
            }
        };
        self.remarks.insert(line);
        self.refused |= finding.is_rejection();
    }
}

/// `file:line: Kind namespace/name: field: message`, with what it is sorted by.
fn sentence(manifest: &Manifest, severity: &str, field: &str, message: &str) -> (Arc<str>, u32, String) {
    let line = manifest.line_of(field);
    let sentence = format!(
        "{}:{line}: {severity}{} {}/{}: {field}{}{message}",
        manifest.source,
        manifest.kind(),
        manifest.namespace().unwrap_or("default"),
        manifest.name().unwrap_or("?"),
        if field.is_empty() { "" } else { ": " },
    );
    (manifest.source.clone(), line, sentence)
}
