//! How the pods of one Deployment run on this machine. Pure but for one question, which [`Machine`] answers:
//! where a program is.
//!
//! Only the first container runs: a version's neighbours in its pod (proxies, log shippers) are a
//! cluster's business.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::DeploymentSpec;
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};

use super::readiness::{Readiness, port_of};
use super::variables::{expand, expand_in_shell};
use crate::api::names;
use crate::inventory::object::DeploymentFacts;
use crate::inventory::selector::Labels;

/// How long a process may take to end after SIGTERM where its template does not say. A cluster gives 30 s;
/// who presses Ctrl-C waits for it.
const GRACE: Duration = Duration::from_secs(10);

/// What this machine and its user say about running things.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The running binary: what `synkronic` means as a command.
    pub synkronic: PathBuf,
    /// Where processes run that name no folder.
    pub folder: PathBuf,
    /// What a relative `kyaninus.com/local-dir` is relative to.
    pub manifests: PathBuf,
    /// `--run`: commands by Deployment.
    pub runs: BTreeMap<String, String>,
    /// Where programs are searched for.
    pub path: Vec<PathBuf>,
}

impl Machine {
    /// Where a program is; `synkronic` is this binary itself.
    fn find(&self, program: &str, folder: &Path) -> Option<PathBuf> {
        let path = Path::new(program);
        if program.contains('/') {
            let found = folder.join(path);
            let own = path.file_name().is_some_and(|name| name == "synkronic");
            return if found.is_file() { Some(found) } else { own.then(|| self.synkronic.clone()) };
        }
        if program == "synkronic" {
            return Some(self.synkronic.clone());
        }
        self.path.iter().map(|folder| folder.join(path)).find(|found| found.is_file())
    }
}

/// How to get an address that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Start a program with these arguments, `$(NAME)` not yet expanded.
    Program {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// Start a line of shell, `$(NAME)` not yet expanded.
    Shell(String),
    /// It runs already.
    Endpoint {
        /// Where; none: on either loopback address.
        address: Option<IpAddr>,
        /// Its port.
        port: u16,
    },
}

/// How the pods of one Deployment run here.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// How to get an address.
    pub way: Way,
    /// Where it runs.
    pub folder: PathBuf,
    /// How long it may take to end.
    pub grace: Duration,
    /// When it serves.
    pub readiness: Readiness,
    /// The container whose environment it gets.
    pub container: Container,
    /// The template's labels.
    pub labels: Labels,
    /// The template's annotations.
    pub annotations: Labels,
    /// The ServiceAccount that the template names.
    pub service_account: String,
}

/// What is said about a Deployment besides the Deployment itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'c> {
    /// The annotations of its DeploymentVersion, where it is a clone.
    pub dpv: Option<&'c Labels>,
    /// Its base's name; its own where it is none's clone.
    pub base: &'c str,
}

/// Reads how a Deployment runs here.
///
/// # Errors
/// A sentence with what to write, where nothing says how.
pub fn recipe(
    deployment: &DeploymentFacts,
    context: Context<'_>,
    machine: &Machine,
) -> Result<Recipe, String> {
    let spec: DeploymentSpec = serde_json::from_value(deployment.spec())
        .map_err(|error| format!("the Deployment `{}` cannot be read: {error}", deployment.meta.key.name))?;
    let template = spec.template;
    let said = Said::new(deployment, &template, context);
    let Some(pod) = &template.spec else { return Err(no_way(deployment, "its template has no `spec`")) };
    let Some(container) = pod.containers.first().cloned() else {
        return Err(no_way(deployment, "its template has no container"));
    };
    let folder = folder(&said, &container, machine);
    if !folder.is_dir() {
        let annotation = names::ANNOTATION_LOCAL_DIR;
        return Err(format!(
            "there is no folder `{}`; correct the annotation `{annotation}`",
            folder.display()
        ));
    }
    let way = way(deployment, context, &said, &container, &folder, machine)?;
    let metadata = template.metadata.clone().unwrap_or_default();
    Ok(Recipe {
        readiness: Readiness::of(&container),
        way,
        folder,
        grace: grace(pod),
        labels: metadata.labels.unwrap_or_default().into(),
        annotations: metadata.annotations.unwrap_or_default().into(),
        service_account: pod.service_account_name.clone().unwrap_or_else(|| "default".to_owned()),
        container,
    })
}

/// Annotations that speak about a Deployment's processes, the nearest first.
struct Said<'s> {
    dpv: Option<&'s Labels>,
    template: Option<&'s BTreeMap<String, String>>,
    deployment: &'s Labels,
}

impl<'s> Said<'s> {
    fn new(deployment: &'s DeploymentFacts, template: &'s PodTemplateSpec, context: Context<'s>) -> Self {
        let of_template = template.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
        Self { dpv: context.dpv, template: of_template, deployment: &deployment.meta.annotations }
    }

    fn get(&self, name: &str) -> Option<&'s str> {
        let of_template = || self.template.and_then(|it| it.get(name)).map(String::as_str);
        let of_dpv = self.dpv.and_then(|it| it.get(name));
        of_dpv
            .or_else(of_template)
            .or_else(|| self.deployment.get(name))
            .filter(|text| !text.trim().is_empty())
    }
}

fn way(
    deployment: &DeploymentFacts,
    context: Context<'_>,
    said: &Said<'_>,
    container: &Container,
    folder: &Path,
    machine: &Machine,
) -> Result<Way, String> {
    if let Some(line) = machine.runs.get(&*deployment.meta.key.name) {
        return Ok(shell(line, machine));
    }
    if let Some(endpoint) = said.get(names::ANNOTATION_LOCAL_ENDPOINT) {
        return match endpoint_address(endpoint) {
            Some((address, port)) => Ok(Way::Endpoint { address, port }),
            None => Err(no_way(deployment, &format!("`{endpoint}` is no address such as 127.0.0.1:3002"))),
        };
    }
    let base_line = machine.runs.get(context.base).map(String::as_str);
    if let Some(line) = base_line.or_else(|| said.get(names::ANNOTATION_LOCAL_COMMAND)) {
        return Ok(shell(line, machine));
    }
    let mut words = container.command.iter().flatten().chain(container.args.iter().flatten());
    let Some(program) = words.next().filter(|_| container.command.as_ref().is_some_and(|it| !it.is_empty()))
    else {
        return Err(no_way(deployment, "its container has no `command`, an image is not run here"));
    };
    match machine.find(program, folder) {
        Some(found) => Ok(Way::Program { program: found, arguments: words.cloned().collect() }),
        None => Err(no_way(deployment, &format!("`{program}` is not on this machine"))),
    }
}

/// What is missing, and what to write.
fn no_way(deployment: &DeploymentFacts, what: &str) -> String {
    let name = &deployment.meta.key.name;
    let place =
        if deployment.is_clone() { "pod template or on the DeploymentVersion" } else { "pod template" };
    let (command, endpoint) = (names::ANNOTATION_LOCAL_COMMAND, names::ANNOTATION_LOCAL_ENDPOINT);
    format!(
        "{what}; say how it runs here: annotation `{command}: \"npm run dev\"` in the {place}, or \
         --run {name}='npm run dev'; or, if it runs already, annotation `{endpoint}: \"127.0.0.1:3000\"`"
    )
}

/// A line of shell; `synkronic` as its first word is this binary.
fn shell(line: &str, machine: &Machine) -> Way {
    let line = line.trim();
    let rest = line.strip_prefix("synkronic").filter(|rest| rest.is_empty() || rest.starts_with(' '));
    Way::Shell(match rest {
        Some(rest) => format!("{}{rest}", quoted(&machine.synkronic.to_string_lossy())),
        None => line.to_owned(),
    })
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn is_synkronic(program: &str) -> bool {
    Path::new(program.trim_matches(['\'', '"'])).file_name().is_some_and(|name| name == "synkronic")
}

/// `127.0.0.1:3000`, `[::1]:3000`, `localhost:3000` or `:3000`; who listens on `localhost` may have taken either
/// loopback address.
fn endpoint_address(text: &str) -> Option<(Option<IpAddr>, u16)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((Some(address.ip()), address.port()));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    matches!(host, "" | "localhost").then_some((None, port))
}

/// The annotated folder; else the container's own, which is one of its image, if this machine has it too.
fn folder(said: &Said<'_>, container: &Container, machine: &Machine) -> PathBuf {
    if let Some(folder) = said.get(names::ANNOTATION_LOCAL_DIR) {
        return machine.manifests.join(folder);
    }
    let own = container.working_dir.as_deref().map(|folder| machine.folder.join(folder));
    own.filter(|folder| folder.is_dir()).unwrap_or_else(|| machine.folder.clone())
}

fn grace(pod: &PodSpec) -> Duration {
    let seconds = pod.termination_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(GRACE, Duration::from_secs)
}

/// The ports of one pod on this machine: for each declared container port the one that stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(pub Vec<u16>);

impl Ports {
    /// How many ports a container needs: one each that it declares, and one at least.
    #[must_use]
    pub fn needed(container: &Container) -> usize {
        container.ports.as_ref().map_or(1, |ports| ports.len().max(1))
    }

    /// The port in place of the first, which `PORT` names.
    #[must_use]
    pub fn main(&self) -> u16 {
        self.0.first().copied().unwrap_or_default()
    }

    /// The port here that a Service's target or a probe's port means: by name, or by number. A number that
    /// no container port declares means the main one.
    #[must_use]
    pub fn target(&self, container: &Container, target: &str) -> Option<u16> {
        let declared = container.ports.as_deref().unwrap_or_default();
        match port_of(target) {
            Ok(number) => {
                let at = declared.iter().position(|port| port.container_port == i32::from(number));
                at.map_or(Some(self.main()), |at| self.0.get(at).copied())
            }
            Err(name) => {
                let at = declared.iter().position(|port| port.name.as_deref() == Some(name))?;
                self.0.get(at).copied()
            }
        }
    }

    /// `PORT`, and `PORT_<NAME>` for every further port that has a name.
    #[must_use]
    pub fn variables(&self, container: &Container) -> Vec<(String, String)> {
        let mut set = vec![("PORT".to_owned(), self.main().to_string())];
        let declared = container.ports.iter().flatten().zip(&self.0);
        for (port, here) in declared.skip(1) {
            let Some(name) = &port.name else { continue };
            set.push((format!("PORT_{}", name.to_uppercase().replace('-', "_")), here.to_string()));
        }
        set
    }
}

/// What one pod starts as a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, beside what this process has.
    pub environment: Vec<(String, String)>,
    /// Where it runs.
    pub folder: PathBuf,
    /// How long it may take to end.
    pub grace: Duration,
}

impl Recipe {
    /// Whether this program's own `echo` runs.
    #[must_use]
    pub fn is_echo(&self) -> bool {
        match &self.way {
            Way::Program { program, arguments } => {
                is_synkronic(&program.to_string_lossy()) && arguments.first().is_some_and(|it| it == "echo")
            }
            Way::Shell(line) => {
                let words: Vec<&str> = line.split_whitespace().collect();
                words.windows(2).any(|pair| matches!(pair, [program, "echo"] if is_synkronic(program)))
            }
            Way::Endpoint { .. } => false,
        }
    }

    /// The process of a pod with this environment; none where it runs already.
    #[must_use]
    pub fn launch(&self, environment: Vec<(String, String)>) -> Option<Launch> {
        let (program, arguments) = match &self.way {
            Way::Program { program, arguments } => {
                (program.clone(), arguments.iter().map(|word| expand(word, &environment)).collect())
            }
            Way::Shell(line) => {
                (PathBuf::from("/bin/sh"), vec!["-c".to_owned(), expand_in_shell(line, &environment)])
            }
            Way::Endpoint { .. } => return None,
        };
        Some(Launch { program, arguments, environment, folder: self.folder.clone(), grace: self.grace })
    }
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
