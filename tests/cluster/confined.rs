//! What confines a base's pods, once more for its versions: NetworkPolicies with their twins, and
//! PodDisruptionBudgets, from the first to the last; and a stranger's of the same names.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use synkronic::api::DeploymentVersion;

use crate::plane::until;
use crate::program::Program;
use crate::scene::Scene;

const CONFINEMENT: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop}
spec:
  podSelector: {matchLabels: {app: shop}}
  ingress: [{from: [{podSelector: {matchLabels: {app: shop}}}], ports: [{port: 8080}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: shop}}}], ports: [{port: 5432}]}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: shop}}}
";

/// What version-2 would have to make, each there already; they select nobody.
const STRANGERS: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop-version-2, labels: {whose: a-stranger}}
spec: {podSelector: {matchLabels: {app: stranger}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-version-2.peers, labels: {whose: a-stranger}}
spec: {podSelector: {matchLabels: {app: stranger}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop-version-2, labels: {whose: a-stranger}}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: stranger}}}
";

async fn policy(scene: &Scene, name: &str) -> Value {
    let found = scene.api::<NetworkPolicy>().get_opt(name).await.unwrap();
    found.map(|policy| serde_json::to_value(policy).unwrap()).unwrap_or_default()
}

async fn budget(scene: &Scene, name: &str) -> Value {
    let found = scene.api::<PodDisruptionBudget>().get_opt(name).await.unwrap();
    found.map(|budget| serde_json::to_value(budget).unwrap()).unwrap_or_default()
}

/// The strangers' objects as the API server has them, with resourceVersion and managed fields.
async fn strangers(scene: &Scene) -> [Value; 3] {
    [
        policy(scene, "shop-version-2").await,
        policy(scene, "db-version-2.peers").await,
        budget(scene, "shop-version-2").await,
    ]
}

/// Names of all policies, then of all budgets.
async fn names(scene: &Scene) -> (Vec<String>, Vec<String>) {
    let policies = scene.api::<NetworkPolicy>().list(&ListParams::default()).await.unwrap();
    let budgets = scene.api::<PodDisruptionBudget>().list(&ListParams::default()).await.unwrap();
    (
        policies.iter().map(ResourceExt::name_any).collect(),
        budgets.iter().map(ResourceExt::name_any).collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_version_is_confined_as_its_base_is() {
    let scene = Scene::set("confined").await;
    scene.shop();
    scene.apply(CONFINEMENT);
    scene.apply(STRANGERS);
    until(30, "the stranger's budget is not observed", async || {
        budget(&scene, "shop-version-2").await["status"]["conditions"].is_array()
    })
    .await;
    let before = strangers(&scene).await;
    let _program = Program::start(&scene.plane, &[]).await;

    scene.version("version-1", "shop:1").await;
    scene.version("version-2", "shop:1").await;
    scene.becomes("shop-version-1", "Ready", "True", None).await;
    let message = scene.becomes("shop-version-2", "Cloned", "False", Some("NameTaken")).await;
    println!("version-2: {message}");
    they_come_with_the_version(&scene).await;
    they_follow_the_base(&scene).await;
    edits_are_set_back(&scene).await;
    they_go_and_come_with_the_bases(&scene).await;
    // After all that, in which version-2 was looked at again and again.
    scene.becomes("shop-version-2", "Cloned", "False", Some("NameTaken")).await;
    assert_eq!(strangers(&scene).await, before, "while the versions are there");

    for name in ["shop-version-1", "shop-version-2"] {
        scene.api::<DeploymentVersion>().delete(name, &DeleteParams::default()).await.unwrap();
    }
    until(60, "a version is gone, and what was made for it is not", async || {
        names(&scene).await == named(&["db", "db-version-2.peers", "shop", "shop-version-2"])
            && scene.names().await.0.len() == 1
    })
    .await;
    assert_eq!(strangers(&scene).await, before, "after the versions are gone");
    scene.end().await;
}

/// These policies, and both budgets that nobody of ours made.
fn named(policies: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    (owned(policies), owned(&["shop", "shop-version-2"]))
}

/// Before it is ready they are there: nobody reaches its pods whom they keep out.
async fn they_come_with_the_version(scene: &Scene) {
    let dpv = scene.api::<DeploymentVersion>().get("shop-version-1").await.unwrap();
    let copy = policy(scene, "shop-version-1").await;
    let selector = copy["spec"]["podSelector"].clone();
    assert!(selector["matchLabels"]["kyaninus.com/dpv"].is_string(), "{copy}");
    assert_eq!(copy["metadata"]["ownerReferences"][0]["uid"], json!(dpv.uid()));
    let base = json!({"podSelector": {"matchLabels": {"app": "shop"}}});
    let own = json!({"podSelector": selector});
    assert_eq!(copy["spec"]["ingress"][0]["from"], json!([base, own]), "base and version reach the version");
    let twin = policy(scene, "db-version-1.peers").await;
    assert_eq!(twin["spec"]["podSelector"], json!({"matchLabels": {"app": "db"}}));
    assert_eq!(twin["spec"]["ingress"][0]["from"], json!([own]), "the version reaches what the base reaches");
    // The version reaches the base's own pods, too.
    let peers = policy(scene, "shop-version-1.peers").await;
    assert_eq!(peers["spec"]["ingress"][0]["from"], json!([own]));
    let copy = budget(scene, "shop-version-1").await;
    assert_eq!((&copy["spec"]["selector"], &copy["spec"]["maxUnavailable"]), (&selector, &json!(1)));
    assert_eq!(copy["metadata"]["ownerReferences"][0]["uid"], json!(dpv.uid()));
}

async fn change<K>(scene: &Scene, name: &str, spec: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
{
    let patch = Patch::Merge(json!({"spec": spec}));
    scene.api::<K>().patch(name, &PatchParams::default(), &patch).await.unwrap();
}

async fn they_follow_the_base(scene: &Scene) {
    let from = json!([{"podSelector": {"matchLabels": {"app": "shop"}}}]);
    let at = |port: u16| json!({"ingress": [{"from": from, "ports": [{"port": port, "protocol": "TCP"}]}]});
    change::<NetworkPolicy>(scene, "shop", at(8081)).await;
    change::<NetworkPolicy>(scene, "db", at(5433)).await;
    change::<PodDisruptionBudget>(scene, "shop", json!({"maxUnavailable": "50%"})).await;
    until(30, "what confines the version does not follow what confines the base", async || {
        policy(scene, "shop-version-1").await["spec"]["ingress"][0]["ports"][0]["port"] == 8081
            && policy(scene, "db-version-1.peers").await["spec"]["ingress"][0]["ports"][0]["port"] == 5433
            && budget(scene, "shop-version-1").await["spec"]["maxUnavailable"] == "50%"
    })
    .await;
}

async fn edits_are_set_back(scene: &Scene) {
    let uid = policy(scene, "shop-version-1").await["metadata"]["uid"].clone();
    change::<NetworkPolicy>(scene, "shop-version-1", json!({"podSelector": {"matchLabels": {"app": "x"}}}))
        .await;
    scene.api::<PodDisruptionBudget>().delete("shop-version-1", &DeleteParams::default()).await.unwrap();
    until(30, "a hand's edit is not set back", async || {
        let copy = policy(scene, "shop-version-1").await;
        assert_eq!(copy["metadata"]["uid"], uid, "edited back, not made anew");
        copy["spec"]["podSelector"]["matchLabels"]["app"].is_null()
            && budget(scene, "shop-version-1").await.is_object()
    })
    .await;
}

async fn they_go_and_come_with_the_bases(scene: &Scene) {
    let policies = scene.api::<NetworkPolicy>();
    policies.delete("db", &DeleteParams::default()).await.unwrap();
    policies.delete("shop", &DeleteParams::default()).await.unwrap();
    scene.api::<PodDisruptionBudget>().delete("shop", &DeleteParams::default()).await.unwrap();
    let left = (
        vec!["db-version-2.peers".to_owned(), "shop-version-2".to_owned()],
        vec!["shop-version-2".to_owned()],
    );
    until(30, "the base's are gone, and the version's are not", async || names(scene).await == left).await;
    scene.apply(CONFINEMENT);
    let all = ["db", "db-version-1.peers", "shop", "shop-version-1", "shop-version-1.peers"];
    until(30, "the base's are back, and the version's are not", async || {
        let (policies, budgets) = names(scene).await;
        all.iter().all(|name| policies.iter().any(|it| it == name))
            && budgets.iter().any(|name| name == "shop-version-1")
    })
    .await;
    scene.becomes("shop-version-1", "Ready", "True", None).await;
}
