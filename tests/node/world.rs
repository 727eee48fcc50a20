//! The cluster with its node, and Synkronic installed in it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use synkronic::api::{DeploymentVersion, Router};

use crate::load::{self, Answer};

/// Where `manifests/` installs it.
pub const SYSTEM: &str = "synkronic-system";

/// A cluster with Synkronic in it.
pub struct World {
    folder: PathBuf,
    pub client: Client,
    /// The edge's Service.
    pub edge: SocketAddr,
    /// How long the audit log was at the beginning.
    mark: usize,
}

/// Whether what is measured is repeated as often as a report needs it.
pub fn is_full() -> bool {
    std::env::var_os("SYNKRONIC_SCENES").is_some_and(|scenes| scenes == "full")
}

impl World {
    /// The cluster that `SYNKRONIC_NODE` names, with Synkronic installed from `manifests/` and ready.
    pub async fn installed() -> Self {
        let folder = std::env::var_os("SYNKRONIC_NODE").map(PathBuf::from).expect(
            "SYNKRONIC_NODE names no cluster with a node; tests/run starts one (tests/kubernetes/plane, node)",
        );
        let folder = folder.canonicalize().expect("SYNKRONIC_NODE is a folder");
        let file = Kubeconfig::read_from(folder.join("kubeconfig")).expect("the plane writes a kubeconfig");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        let mut world = Self {
            folder,
            client: Client::try_from(config).unwrap(),
            edge: SocketAddr::from(([0, 0, 0, 0], 80)),
            mark: 0,
        };
        world.install();
        world.mark = world.audit_log().len();
        world
    }

    /// `kubectl apply -k manifests`, and until it is ready.
    pub fn install(&mut self) {
        self.kubectl(&["apply", "-k", "manifests"]);
        for deployment in ["synkronic-controller", "synkronic-edge"] {
            let deployment = format!("deployment/{deployment}");
            self.kubectl(&["-n", SYSTEM, "rollout", "status", &deployment, "--timeout=60s"]);
        }
        let address = ["-n", SYSTEM, "get", "service", "synkronic-edge", "-o", "jsonpath={.spec.clusterIP}"];
        self.edge = format!("{}:80", self.kubectl(&address)).parse().expect("the Service has an address");
    }

    /// What kubectl says, as administrator.
    ///
    /// # Panics
    /// Where it fails, with its words.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments, "").unwrap_or_else(|words| panic!("kubectl {arguments:?}: {words}"))
    }

    /// What kubectl says of what it reads from its standard input; what it says on its standard error
    /// where it fails.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let bin =
            std::fs::read_to_string(self.folder.join("bin")).expect("the plane says where its programs are");
        let mut child = Command::new(Path::new(bin.trim()).join("kubectl"))
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Prints what a person would see.
    pub fn show(&self, arguments: &[&str]) {
        println!("$ kubectl {}\n{}", arguments.join(" "), self.kubectl(arguments));
    }

    /// Stops or starts one of the control plane's programs.
    pub fn plane(&self, command: &[&str], arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/plane");
        let status = Command::new(script).args(command).arg(&self.folder).args(arguments).status();
        assert!(status.expect("the script starts").success(), "plane {command:?} {arguments:?}");
    }

    /// A command where the node's processes are.
    pub fn on_node(&self, command: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/node");
        let output = Command::new(script).arg("exec").arg(&self.folder).args(command).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn audit_log(&self) -> String {
        std::fs::read_to_string(self.folder.join("audit.log")).expect("the plane keeps an audit log")
    }

    /// Every write of one of Synkronic's accounts that the API server refused for want of a right, since the
    /// installation was found.
    pub fn refused_writes(&self) -> Vec<String> {
        let log = self.audit_log();
        let lines = log[self.mark..].lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ours = lines.filter(|line| {
            let user = line.pointer("/user/username").and_then(Value::as_str).unwrap_or_default();
            user.starts_with("system:serviceaccount:synkronic-")
        });
        // Other refusals with 403 are none of rights: a namespace that is being deleted takes nothing new.
        let decision = "/annotations/authorization.k8s.io~1decision";
        let refused = ours.filter(|line| line.pointer(decision) == Some(&json!("forbid")));
        refused.map(|line| format!("{} {}", line["verb"], line["requestURI"])).collect()
    }

    /// A namespace of a scene's own, empty.
    pub async fn namespace(&self, name: &str) -> Scene<'_> {
        self.remove_namespace(name).await;
        self.kubectl(&["create", "namespace", name]);
        Scene { world: self, name: name.to_owned() }
    }

    /// Removes a namespace with all in it, and waits until it is gone.
    pub async fn remove_namespace(&self, name: &str) {
        self.kubectl(&["delete", "namespace", name, "--ignore-not-found", "--timeout=60s"]);
    }

    /// One request through the edge's Service.
    pub async fn get(&self, host: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        load::get(self.edge, host, target, headers).await
    }

    /// Waits for the first answer by a version at a host.
    pub async fn served(&self, host: &str, version: &str) {
        until(60, &format!("{host} is served by {version}"), async || {
            self.get(host, "/", &[]).await.version() == Some(version)
        })
        .await;
    }
}

/// A namespace of one scene, removed by the next that wants its name.
pub struct Scene<'w> {
    pub world: &'w World,
    pub name: String,
}

impl Scene<'_> {
    /// What kubectl says in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.world.kubectl(&[&["-n", &self.name], arguments].concat())
    }

    /// Prints what a person would see.
    pub fn show(&self, arguments: &[&str]) {
        self.world.show(&[&["-n", &self.name], arguments].concat());
    }

    /// Objects as `kubectl apply` takes them.
    pub fn apply(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let applied = self.world.try_kubectl(&["-n", &self.name, "apply", "-f", "-"], &list.to_string());
        applied.unwrap_or_else(|words| panic!("kubectl apply: {words}"));
    }

    pub fn routers(&self) -> Api<Router> {
        Api::namespaced(self.world.client.clone(), &self.name)
    }

    pub fn versions(&self) -> Api<DeploymentVersion> {
        Api::namespaced(self.world.client.clone(), &self.name)
    }

    /// A base `shop` as in the example, of so many pods.
    pub fn base(&self, replicas: u32, pod: &Value) {
        let mut spec = json!({"containers": [{"name": "web", "image": "synkronic:latest", "imagePullPolicy": "IfNotPresent",
            "command": ["synkronic", "echo"], "env": [{"name": "PORT", "value": "8080"}],
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/status/200", "port": "http"}, "periodSeconds": 1,
                // A machine with much else to do is no reason to take a pod out of service.
                "timeoutSeconds": 10, "failureThreshold": 10}}]});
        merge(&mut spec["containers"][0], &pod["container"]);
        merge(&mut spec, &pod["pod"]);
        self.apply(&[
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
                "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "shop"}},
                    "template": {"metadata": {"labels": {"app": "shop"}}, "spec": spec}}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
                "spec": {"selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}),
        ]);
    }

    /// Which host leads to the base and its versions.
    pub fn router(&self, host: &str) {
        self.apply(&[
            json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "shop"},
            "spec": {"base": "shop", "hosts": [host]}}),
        ]);
    }

    /// A version `shop-ID` with an overlay.
    pub fn version(&self, id: &str, overlay: &Value) {
        self.apply(&[json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
            "metadata": {"name": format!("shop-{id}")}, "spec": {"deploymentSpec": overlay}})]);
    }

    /// `kubectl wait` for a condition of a version.
    pub fn ready(&self, id: &str) {
        self.kubectl(&["wait", "--for=condition=Ready", &format!("dpv/shop-{id}"), "--timeout=60s"]);
    }

    /// An object as it is now.
    pub async fn object(&self, kind: &str, name: &str) -> Value {
        let plural = format!("{}s", kind.to_lowercase());
        let resource = ApiResource {
            group: "kyaninus.com".to_owned(),
            version: "v1".to_owned(),
            api_version: "kyaninus.com/v1".to_owned(),
            kind: kind.to_owned(),
            plural,
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.world.client.clone(), &self.name, &resource);
        serde_json::to_value(api.get(name).await.unwrap()).unwrap()
    }

    /// The status, reason and message of a condition.
    pub async fn condition(&self, kind: &str, name: &str, type_: &str) -> (String, String, String) {
        let object = self.object(kind, name).await;
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array).cloned();
        let found = conditions.into_iter().flatten().find(|it| it["type"] == type_).unwrap_or_default();
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        (text("status"), text("reason"), text("message"))
    }

    /// Makes a version the active one; when the API server was asked to. An edge may follow before it has answered.
    pub async fn activate(&self, version: &str) -> Instant {
        let asked = Instant::now();
        let patch = Patch::Merge(json!({"spec": {"active": version}}));
        self.routers().patch("shop", &PatchParams::default(), &patch).await.unwrap();
        asked
    }
}

/// Lays one object over another, field by field.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (under, over) => *under = over.clone(),
    }
}

/// Waits until something holds, at most `seconds`; `what` says what did not come.
pub async fn until(seconds: u64, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds().await {
        assert!(Instant::now() < end, "not after {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
