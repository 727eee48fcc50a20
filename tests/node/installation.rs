//! What `kubectl apply -k manifests` brings, and the example on it, unchanged.

use crate::health;
use crate::world::{SYSTEM, World, until};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn the_example_runs_in_a_cluster_as_it_stands() {
    let world = World::installed().await;
    world.show(&["-n", SYSTEM, "get", "pods", "-o", "wide"]);
    unprivileged(&world);

    let scene = world.namespace("shop").await;
    scene.kubectl(&["apply", "-f", "manifests/examples/shop"]);
    for id in ["version-1", "version-2", "version-3"] {
        scene.ready(id);
    }
    scene.kubectl(&["wait", "--for=condition=Ready", "router/shop", "--timeout=60s"]);
    world.served("shop.localhost", "base").await;

    let asks = [
        ("shop.localhost", "/", &[][..], "base", "active"),
        ("version-2.shop.localhost", "/", &[], "version-2", "subdomain"),
        ("shop.localhost", "/version-1/cart", &[], "version-1", "path"),
        ("shop.localhost", "/", &[("x-qa-team", "blue")], "version-3", "rule:qa-blue"),
    ];
    for (host, target, headers, version, reason) in asks {
        let answer = world.get(host, target, headers).await;
        assert_eq!(answer.version(), Some(version), "{host}{target}: {answer:?}");
        assert_eq!(answer.header("x-synkronic-reason"), Some(reason));
        // The pod says the same of itself: what was routed is what was cloned.
        assert_eq!(answer.header("x-echo-version"), Some(version));
    }
    let nobody = world.get("version-9.shop.localhost", "/", &[]).await;
    assert_eq!(nobody.status, 404, "{nobody:?}");

    scene.show(&["get", "dpv,rtr"]);
    scene.show(&["get", "dpv", "-o", "wide"]);
    scene.show(&["get", "deployments,services"]);
    assert_eq!(health::of(&world, &scene.object("DeploymentVersion", "shop-version-1").await).0, "Healthy");
    assert_eq!(health::of(&world, &scene.object("Router", "shop").await).0, "Healthy");

    // What is deleted goes, and nothing else does.
    scene.kubectl(&["delete", "dpv", "shop-version-1"]);
    until(30, "the clone is gone", async || {
        world.get("version-1.shop.localhost", "/", &[]).await.status == 404
            && scene.kubectl(&["get", "deployments", "-o", "name"])
                == "deployment.apps/shop\ndeployment.apps/shop-version-2\ndeployment.apps/shop-version-3\n"
    })
    .await;
    assert_eq!(world.refused_writes(), Vec::<String>::new(), "rights are missing");
    world.remove_namespace("shop").await;
}

/// Nobody's rights but those that are needed: as the kernel sees the processes, and as the API server does.
fn unprivileged(world: &World) {
    let script = "for p in $(pgrep -f '^/usr/bin/synkronic run'); do cat /proc/$p/status; done";
    let said = world.on_node(&["sh", "-c", script]);
    let every = |field: &str, value: &str| {
        let found: Vec<&str> =
            said.lines().filter_map(|line| line.strip_prefix(field)).map(str::trim).collect();
        assert!(found.len() >= 4 && found.iter().all(|it| *it == value), "{field} {found:?}");
    };
    every("Uid:", "65532\t65532\t65532\t65532");
    every("CapEff:", "0000000000000000");
    every("NoNewPrivs:", "1");
    every("Seccomp:", "2");

    let can = |account: &str, verb: &str, what: &str| {
        let user = format!("system:serviceaccount:{SYSTEM}:synkronic-{account}");
        world.try_kubectl(&["auth", "can-i", verb, what, "-n", "default", "--as", &user], "").is_ok()
    };
    assert!(can("controller", "create", "deployments.apps"));
    for (verb, what) in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("get", "configmaps"),
        ("create", "pods"),
        ("create", "serviceaccounts"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
    ] {
        assert!(!can("controller", verb, what), "the controller may {verb} {what}");
        assert!(!can("edge", verb, what), "the edge may {verb} {what}");
    }
    for what in
        ["deployments.apps", "services", "deploymentversions.kyaninus.com", "routers.kyaninus.com/status"]
    {
        for verb in ["create", "patch", "update", "delete"] {
            assert!(!can("edge", verb, what), "the edge may {verb} {what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn the_author_of_a_version_must_hold_the_right_to_create_deployments() {
    let world = World::installed().await;
    let scene = world.namespace("author").await;
    scene.base(1, &serde_json::Value::Null);
    let version = r#"{"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "metadata": {"name": "shop-alice", "namespace": "author"}, "spec": {}}"#;
    let create = || world.try_kubectl(&["--as", "alice", "create", "-f", "-"], version);
    scene.kubectl(&[
        "create",
        "role",
        "versions",
        "--verb=create,patch,get",
        "--resource=deploymentversions.kyaninus.com",
    ]);
    scene.kubectl(&["create", "rolebinding", "versions", "--role=versions", "--user=alice"]);
    let patch = |patch: &str| {
        world.try_kubectl(
            &["--as", "alice", "-n", "author", "patch", "dpv", "shop-bob", "--type=merge", "-p", patch],
            "",
        )
    };
    scene.version("bob", &serde_json::json!({}));

    let refused = create().expect_err("alice may not create deployments");
    assert!(refused.contains("alice may not create deployments in namespace author"), "{refused}");
    assert!(patch(r#"{"spec": {"suspend": true}}"#).is_err());
    assert!(patch(r#"{"metadata": {"annotations": {"kyaninus.com/share-volumes": "true"}}}"#).is_err());
    // What is cloned stays the same: nobody needs a right for that.
    patch(r#"{"metadata": {"labels": {"team": "blue"}}}"#).expect("a label");

    scene.kubectl(&["create", "role", "deployments", "--verb=create", "--resource=deployments.apps"]);
    scene.kubectl(&["create", "rolebinding", "deployments", "--role=deployments", "--user=alice"]);
    until(10, "alice may create it", async || create().is_ok()).await;
    world.remove_namespace("author").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: tests/run"]
async fn each_half_may_write_only_what_is_its_own() {
    let world = World::installed().await;
    let scene = world.namespace("strangers").await;
    scene.base(1, &serde_json::Value::Null);
    let controller = format!("system:serviceaccount:{SYSTEM}:synkronic-controller");
    let attempts: [&[&str]; 4] = [
        &["delete", "deployment", "shop"],
        &["delete", "service", "shop"],
        &["create", "deployment", "another", "--image=synkronic:latest"],
        &["patch", "service", "shop", "--type=merge", "-p", r#"{"spec": {"selector": {"app": "other"}}}"#],
    ];
    for attempt in attempts {
        let words = world.try_kubectl(&[&["-n", "strangers", "--as", &controller], attempt].concat(), "");
        let words = words.expect_err("it is no clone");
        assert!(words.contains("writes only what a DeploymentVersion owns"), "{attempt:?}: {words}");
    }

    let edge = format!("system:serviceaccount:{SYSTEM}:synkronic-edge");
    let pod = "--as-user-extra=authentication.kubernetes.io/pod-name=synkronic-edge-1-a";
    let steal = format!(
        r#"{{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {{"name": "synkronic-controller",
        "namespace": "{SYSTEM}"}}, "spec": {{"holderIdentity": "somebody"}}}}"#
    );
    let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-", "--as", &edge, pod];
    let words = world.try_kubectl(&apply, &steal).expect_err("it is the controllers' Lease");
    assert!(words.contains("only the Lease that has its own pod's name"), "{words}");
    let own = steal.replace("synkronic-controller", "synkronic-edge-1-a");
    let twice = own.replace("synkronic-edge-1-a", "synkronic-edge-synkronic-edge-1-a");
    world.try_kubectl(&apply, &twice).expect_err("it is another edge's Lease");
    world.try_kubectl(&apply, &own).expect("it is its own Lease");
    world.kubectl(&["-n", SYSTEM, "delete", "lease", "synkronic-edge-1-a"]);
    world.remove_namespace("strangers").await;
}
