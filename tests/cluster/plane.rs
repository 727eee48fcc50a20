//! The control plane that the tests run against: where it is, who asks, what was written to it.
//!
//! It refuses to start one: `tests/kubernetes/plane` does, before the tests, in a network namespace that the
//! tests must be run in.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize;

/// A pod's address on a machine whose pods all have one: only inside the plane's namespace can it be bound.
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 244, 255, 254);

/// A control plane that runs.
pub struct Plane {
    folder: PathBuf,
}

/// One write, as the API server's audit log has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    pub verb: String,
    #[serde(rename = "requestURI")]
    pub uri: String,
    user: User,
    response_status: Option<ResponseStatus>,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    username: String,
}

#[derive(Debug, Clone, Deserialize)]
struct ResponseStatus {
    code: u16,
}

impl Write {
    pub fn user(&self) -> &str {
        &self.user.username
    }

    pub fn code(&self) -> u16 {
        self.response_status.as_ref().map_or(0, |status| status.code)
    }

    /// Leases are renewed for ever, by everyone who holds one.
    pub fn is_lease(&self) -> bool {
        self.uri.contains("/apis/coordination.k8s.io/")
    }
}

impl Plane {
    /// The one that `SYNKRONIC_PLANE` names.
    ///
    /// # Panics
    /// Where there is none, or where the test does not run in its namespace.
    pub fn find() -> Self {
        let folder = std::env::var_os("SYNKRONIC_PLANE").map(PathBuf::from).expect(
            "SYNKRONIC_PLANE names no control plane; tests/run starts one, or tests/kubernetes/plane up DIR",
        );
        // Cargo runs tests in the package's folder, so a relative name means the same as in the shell there.
        let folder = folder.canonicalize().expect("SYNKRONIC_PLANE is a folder");
        TcpListener::bind((INSIDE, 0)).unwrap_or_else(|error| {
            panic!(
                "{INSIDE} cannot be bound ({error}): run the tests inside the control plane's network \
                 namespace, `tests/kubernetes/plane exec {} cargo test …`",
                folder.display()
            )
        });
        Self { folder }
    }

    /// The kubeconfig of one of its users: `admin`, `synkronic`, `limited` or `hands`.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        let name = if user == "admin" { "kubeconfig".to_owned() } else { format!("{user}.kubeconfig") };
        self.folder.join(name)
    }

    /// A client as one of its users.
    pub async fn client(&self, user: &str) -> Client {
        let file = Kubeconfig::read_from(self.kubeconfig(user)).expect("the plane writes kubeconfigs");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// The folder that it keeps its files in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What kubectl says, as administrator; its words where it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.kubectl_with(arguments, "")
    }

    /// What kubectl says of what it reads from its standard input.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let bin =
            std::fs::read_to_string(self.folder.join("bin")).expect("the plane says where its programs are");
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, input.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let output = Command::new(Path::new(bin.trim()).join("kubectl"))
            .env("KUBECONFIG", self.kubeconfig("admin"))
            .args(arguments)
            .stdin(file)
            .output()
            .expect("kubectl starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Stops or starts one of its programs: `stop --kill kube-apiserver`, `start kube-apiserver`.
    pub fn control(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/plane");
        let (command, rest) = arguments.split_first().expect("a command");
        let status = Command::new(script).arg(command).arg(&self.folder).args(rest).status();
        assert!(status.expect("the script starts").success(), "plane {arguments:?}");
    }

    /// How many bytes the audit log has; [`Plane::writes`] begins there.
    pub fn mark(&self) -> u64 {
        std::fs::metadata(self.folder.join("audit.log")).map_or(0, |log| log.len())
    }

    /// Every create, update, patch and delete since a mark.
    pub fn writes(&self, mark: u64) -> Vec<Write> {
        let log = std::fs::read(self.folder.join("audit.log")).expect("the plane keeps an audit log");
        let since = log.get(usize::try_from(mark).unwrap()..).expect("the audit log only grows");
        let lines = since.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // The last line may be half written.
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

/// Waits until something holds, at most `seconds`; `what` says what did not come.
pub async fn until(seconds: u64, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds().await {
        assert!(Instant::now() < end, "after {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
