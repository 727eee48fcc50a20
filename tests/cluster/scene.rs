//! What a test has: a control plane, the hand-made kubelet, a namespace of its own, and words to speak of objects.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use synkronic::api::DeploymentVersion;

use crate::hands::Hands;
use crate::plane::{Plane, until};

/// The label of a scene's namespace.
const SCENE: &str = "synkronic.test/scene";
/// The Lease that the leader holds.
const LEASE: &str = "synkronic-controller";

/// What a namespace that goes is left of.
#[derive(Clone, Copy, PartialEq)]
enum Clear {
    /// Who serves its finalizers runs.
    Own,
    /// A failed test's: nobody serves its finalizers any more.
    Leftovers,
}

/// A namespace on a control plane with a kubelet.
pub struct Scene {
    pub plane: Plane,
    /// Plays for as long as the scene is set.
    _hands: Hands,
    pub namespace: String,
    pub client: Client,
}

impl Scene {
    /// Sets it: CRDs, kubelet, an empty namespace.
    pub async fn set(namespace: &str) -> Self {
        let plane = Plane::find();
        let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
        let files = ["deploymentversions.yaml", "routers.yaml"].map(|file| format!("{crds}/{file}"));
        let arguments = ["apply", "--server-side", "--force-conflicts", "-f", &files[0], "-f", &files[1]];
        plane.kubectl(&arguments).unwrap();
        let names = ["crd/deploymentversions.kyaninus.com", "crd/routers.kyaninus.com"];
        plane.kubectl(&["wait", "--for=condition=Established", names[0], names[1]]).unwrap();
        let hands = Hands::start(plane.client("hands").await).await;
        let client = plane.client("admin").await;
        let scene = Self { plane, _hands: hands, namespace: namespace.to_owned(), client };
        scene.clear(Clear::Leftovers).await;
        let namespaces: Api<Namespace> = Api::all(scene.client.clone());
        let made: Namespace =
            serde_json::from_value(json!({"metadata": {"name": namespace, "labels": {SCENE: ""}}})).unwrap();
        namespaces.create(&PostParams::default(), &made).await.unwrap();
        scene
    }

    /// Ends it, with all that is in its namespace; whoever serves finalizers must still run.
    pub async fn end(self) {
        self.clear(Clear::Own).await;
    }

    /// Deletes every scene's namespace: one that a failed test left would still hold its hosts.
    async fn clear(&self, how: Clear) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let scenes = ListParams::default().labels(SCENE);
        for left in namespaces.list(&scenes).await.unwrap() {
            let _ = namespaces.delete(&left.name_any(), &DeleteParams::default()).await;
            if how == Clear::Leftovers {
                let versions: Api<DeploymentVersion> = Api::namespaced(self.client.clone(), &left.name_any());
                let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                for version in versions.list(&ListParams::default()).await.unwrap() {
                    let _ = versions.patch(&version.name_any(), &PatchParams::default(), &free).await;
                }
            }
        }
        until(120, "a scene's namespace is not gone", async || {
            namespaces.list(&scenes).await.is_ok_and(|left| left.items.is_empty())
        })
        .await;
    }

    /// The objects of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// `kubectl apply` of some YAML, into the namespace.
    pub fn apply(&self, yaml: &str) {
        self.plane.kubectl_with(&["apply", "--namespace", &self.namespace, "-f", "-"], yaml).unwrap();
    }

    /// What kubectl says of the namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--namespace", self.namespace.as_str()];
        all.extend(arguments);
        self.plane.kubectl(&all).unwrap()
    }

    /// A base `shop` with a Service, and a Router that offers all its versions on `shop.test`.
    pub fn shop(&self) {
        self.apply(SHOP);
    }

    /// A version of `shop` with an image.
    pub async fn version(&self, id: &str, image: &str) {
        let made = version(id, image);
        self.api::<DeploymentVersion>().create(&PostParams::default(), &made).await.unwrap();
    }

    /// A condition of a DeploymentVersion.
    pub async fn condition(&self, name: &str, kind: &str) -> Option<Condition> {
        let object = self.api::<DeploymentVersion>().get_opt(name).await.ok().flatten()?;
        let conditions = object.status.map(|status| status.conditions).unwrap_or_default();
        conditions.into_iter().find(|condition| condition.type_ == kind)
    }

    /// Until a condition has a status and a reason; what it then says.
    pub async fn becomes(&self, name: &str, kind: &str, status: &str, reason: Option<&str>) -> String {
        let what = format!("{name} has no {kind}={status} {}", reason.unwrap_or_default());
        until(60, &what, async || {
            let condition = self.condition(name, kind).await;
            condition.is_some_and(|found| {
                found.status == status && reason.is_none_or(|reason| found.reason == reason)
            })
        })
        .await;
        self.condition(name, kind).await.map(|condition| condition.message).unwrap_or_default()
    }

    /// Until every version of these has a status that says it is ready.
    pub async fn all_ready(&self, seconds: u64, names: &BTreeSet<String>) {
        let api = self.api::<DeploymentVersion>();
        until(seconds, "not every DeploymentVersion became Ready", async || {
            let Ok(list) = api.list(&ListParams::default()).await else { return false };
            let ready = list.iter().filter(|object| is_ready(object)).map(ResourceExt::name_any);
            let ready: BTreeSet<String> = ready.collect();
            names.is_subset(&ready)
        })
        .await;
    }

    /// Names of the Deployments and of the Services in the namespace.
    pub async fn names(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let deployments = self.api::<Deployment>().list(&ListParams::default()).await.unwrap();
        let services = self.api::<Service>().list(&ListParams::default()).await.unwrap();
        (
            deployments.iter().map(ResourceExt::name_any).collect(),
            services.iter().map(ResourceExt::name_any).collect(),
        )
    }

    /// Deletes every DeploymentVersion, and waits until all is gone that was made for them.
    pub async fn clear_versions(&self) {
        let api = self.api::<DeploymentVersion>();
        for object in api.list(&ListParams::default()).await.unwrap() {
            let _ = api.delete(&object.name_any(), &DeleteParams::default()).await;
        }
    }

    /// Who holds Synkronic's Lease.
    pub async fn lease_holder(&self) -> Option<String> {
        let leases: Api<Lease> = Api::all(self.client.clone());
        let list = leases.list(&ListParams::default()).await.ok()?;
        let ours = list.items.into_iter().find(|lease| lease.name_any() == LEASE)?;
        ours.spec.and_then(|spec| spec.holder_identity)
    }
}

fn is_ready(object: &DeploymentVersion) -> bool {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// A version of `shop`.
pub fn version(id: &str, image: &str) -> DeploymentVersion {
    serde_json::from_value(json!({
        "apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "metadata": {"name": format!("shop-{id}")},
        "spec": {"deploymentSpec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}},
    }))
    .unwrap()
}

/// Two pods of a base, its Service, its Router.
pub const SHOP: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: web
        image: shop:0
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: kyaninus.com/v1
kind: Router
metadata: {name: shop}
spec: {base: shop, hosts: [shop.test]}
";
