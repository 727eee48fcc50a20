//! A right, or a kind, that is taken from a running controller: it says so, goes on with all the rest, and takes up
//! what it missed once it is back.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use synkronic::api::DeploymentVersion;

use crate::plane::{Plane, until};
use crate::program::Program;
use crate::scene::{SHOP, Scene};

/// A user of the plane that may do what it is granted, and nothing else.
const USER: &str = "limited";
const ROUTERS: &str = "crd/routers.kyaninus.com";

const POLICY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop}
spec: {podSelector: {matchLabels: {app: shop}}, ingress: [{ports: [{port: 8080}]}]}
";

/// Grants what the manifests grant to both halves, but for one resource; until the API server goes by it.
async fn grant(plane: &Plane, without: Option<&str>) {
    let mut rules = vec![json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
        "verbs": ["get", "list", "watch", "create", "update", "patch"]})];
    for role in [
        include_str!("../../manifests/rights/controller.yaml"),
        include_str!("../../manifests/rights/edge.yaml"),
    ] {
        let (role, _binding) = role.split_once("\n---\n").expect("a role, then its binding");
        let role: Value = serde_saphyr::from_str(role).unwrap();
        rules.extend(role["rules"].as_array().unwrap().iter().cloned());
    }
    rules.retain(|rule| !without.is_some_and(|without| rule["resources"] == json!([without])));
    let meta = json!({"name": "synkronic-limited"});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": meta,
        "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "synkronic-limited"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}]});
    for object in [role, binding] {
        plane.kubectl_with(&["apply", "-f", "-"], &object.to_string()).unwrap();
    }
    until(30, "the API server does not go by the new rights", async || {
        let may = plane.kubectl(&["auth", "can-i", "create", "networkpolicies", "--as", USER]).is_ok();
        may != (without == Some("networkpolicies"))
    })
    .await;
}

async fn image(scene: &Scene, name: &str, image: &str) {
    let patch = json!({"spec": {"deploymentSpec": {"template": {"spec":
        {"containers": [{"name": "web", "image": image}]}}}}});
    let api = scene.api::<DeploymentVersion>();
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    until(60, "a clone does not follow its version", async || {
        let clone = scene.api::<Deployment>().get_opt(name).await.unwrap();
        let clone = serde_json::to_value(clone).unwrap();
        clone["spec"]["template"]["spec"]["containers"][0]["image"] == image
    })
    .await;
}

async fn has_policy(scene: &Scene, name: &str) -> bool {
    scene.api::<NetworkPolicy>().get_opt(name).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_right_that_is_taken_away_is_missed_by_name_and_by_nothing_else() {
    let scene = Scene::set("rights").await;
    scene.shop();
    scene.apply(POLICY);
    grant(&scene.plane, None).await;
    let program = Program::start_as(&scene.plane, USER, &[]).await;
    scene.version("version-1", "shop:1").await;
    scene.becomes("shop-version-1", "Ready", "True", None).await;
    assert!(has_policy(&scene, "shop-version-1").await);

    // What it may not write.
    grant(&scene.plane, Some("networkpolicies")).await;
    scene.version("version-2", "shop:1").await;
    let message = scene.becomes("shop-version-2", "Cloned", "False", Some("Forbidden")).await;
    println!("{message}");
    assert!(message.contains("networkpolicies") && message.contains(USER), "{message}");
    image(&scene, "shop-version-1", "shop:2").await;
    program.serves("version-1.shop.test", "version-1").await;

    // What it may not read: that is asked when a watch begins, as all do behind a restart.
    scene.plane.control(&["stop", "--kill", "kube-apiserver"]);
    scene.plane.control(&["start", "kube-apiserver"]);
    scene.plane.control(&["stop", "kube-controller-manager"]);
    scene.plane.control(&["start", "kube-controller-manager"]);
    let message = scene.becomes("shop-version-1", "Cloned", "True", Some("ClonedWithWarnings")).await;
    println!("{message}");
    assert!(message.contains("`networkpolicies` (networking.k8s.io)"), "{message}");
    assert!(program.log().contains("Forbidden"), "the log says so, too");
    image(&scene, "shop-version-1", "shop:3").await;
    program.serves("version-1.shop.test", "version-1").await;
    assert!(has_policy(&scene, "shop-version-1").await, "what it cannot see it does not take away");

    grant(&scene.plane, None).await;
    scene.becomes("shop-version-2", "Ready", "True", None).await;
    scene.becomes("shop-version-1", "Cloned", "True", Some("Cloned")).await;
    for name in ["shop-version-1", "shop-version-2"] {
        assert!(has_policy(&scene, name).await, "{name}");
    }
    program.serves("version-2.shop.test", "version-2").await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_kind_that_is_taken_away_is_taken_up_again() {
    let scene = Scene::set("kinds").await;
    scene.shop();
    let program = Program::start(&scene.plane, &[]).await;
    scene.version("version-1", "shop:1").await;
    scene.becomes("shop-version-1", "Ready", "True", None).await;
    program.serves("version-1.shop.test", "version-1").await;

    scene.plane.kubectl(&["delete", ROUTERS]).unwrap();
    until(60, "a host of a kind that is gone is served", async || {
        program.get("shop.test", "/").await.is_ok_and(|answer| answer.status == 404)
    })
    .await;
    scene.becomes("shop-version-1", "Routed", "False", Some("NoRouter")).await;
    until(60, "the log does not say that the kind is gone", async || program.log().contains("NotServed"))
        .await;
    image(&scene, "shop-version-1", "shop:2").await;

    let crd = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/routers.yaml");
    scene.plane.kubectl(&["create", "-f", crd]).unwrap();
    scene.plane.kubectl(&["wait", "--for=condition=Established", ROUTERS]).unwrap();
    scene.apply(SHOP);
    program.serves("shop.test", "base").await;
    program.serves("version-1.shop.test", "version-1").await;
    scene.becomes("shop-version-1", "Routed", "True", None).await;
    let (deployments, _) = scene.names().await;
    assert_eq!(deployments, BTreeSet::from(["shop".to_owned(), "shop-version-1".to_owned()]));
    scene.end().await;
}
