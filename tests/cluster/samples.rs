//! Both samples of the contract, as they stand there, on the real API server.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use synkronic::api::DeploymentVersion;

use crate::apart::Apart;
use crate::program::Program;
use crate::scene::Scene;

const SAMPLE: &str = r#"
apiVersion: "kyaninus.com/v1"
kind: DeploymentVersion
metadata:
  name: my-app-deploy-version-1
  namespace: my-app-namespace
spec:
  name: my-app-deploy-version-1
  namespace: my-app-namespace
  deploymentSpec:
    replicas: 1
    template:
       spec:
          containers:
          - name: manager
            image: controller:latest
"#;

const EARLIER_SAMPLE: &str = "
apiVersion: kyaninus.com/v1
kind: DeploymentVersion
metadata:
  name: nginx-deployment-v1
spec:
  name: nginx-deployment
  deploymentSpec:
    selector:
      matchLabels:
        app: nginx
    template:
      metadata:
        labels:
          app: nginx-v1
      spec:
        containers:
        - name: nginx
          ports:
          - containerPort: 89
";

const BASES: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: my-app-deploy}
spec:
  replicas: 3
  selector: {matchLabels: {app: my-app}}
  template:
    metadata: {labels: {app: my-app}}
    spec: {containers: [{name: manager, image: 'controller:stable', ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: my-app}
spec: {selector: {app: my-app}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: kyaninus.com/v1
kind: Router
metadata: {name: my-app}
spec: {base: my-app-deploy, hosts: [my-app.test]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx-deployment, labels: {app: nginx}}
spec:
  replicas: 3
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec: {containers: [{name: nginx, image: 'nginx:1.14.2', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: nginx}
spec: {type: NodePort, selector: {app: nginx}, ports: [{port: 80, targetPort: 80}]}
---
apiVersion: kyaninus.com/v1
kind: Router
metadata: {name: nginx}
spec: {base: nginx-deployment, hosts: [nginx.test], path: '/{version}', versions: ['v*']}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn both_samples_are_cloned_routed_and_told_of() {
    let scene = Scene::set("my-app-namespace").await;
    scene.apply(BASES);
    let program = Program::start(&scene.plane, &[]).await;
    program.serves("my-app.test", "base").await;
    let apart =
        ["my-app", "nginx"].map(|service| Apart::watch(scene.client.clone(), &scene.namespace, service));
    scene.apply(SAMPLE);
    scene.apply(EARLIER_SAMPLE);

    program.serves("version-1.my-app.test", "version-1").await;
    program.serves("v1.nginx.test", "v1").await;
    assert_eq!(program.get("nginx.test", "/v1/").await.unwrap().version.as_deref(), Some("v1"));
    assert_eq!(program.get("my-app.test", "/").await.unwrap().version.as_deref(), Some("base"));
    clones(&scene).await;
    statuses(&scene).await;
    columns(&scene);
    apart.into_iter().for_each(Apart::was);
    scene.end().await;
}

async fn clones(scene: &Scene) {
    let deployments = scene.api::<Deployment>();
    let sample = serde_json::to_value(deployments.get("my-app-deploy-version-1").await.unwrap()).unwrap();
    assert_eq!(sample["spec"]["replicas"], 1);
    assert_eq!(sample["spec"]["template"]["spec"]["containers"][0]["image"], "controller:latest");
    assert_eq!(sample["metadata"]["labels"]["kyaninus.com/version"], "version-1");
    assert_eq!(sample["metadata"]["ownerReferences"][0]["kind"], "DeploymentVersion");
    let earlier = serde_json::to_value(deployments.get("nginx-deployment-v1").await.unwrap()).unwrap();
    let template = &earlier["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["app"], "nginx-v1", "an overlay's own label is honoured");
    assert!(earlier["spec"]["selector"]["matchLabels"]["app"].is_null(), "an overlay's selector gives way");
    let ports = template["spec"]["containers"][0]["ports"].as_array().unwrap().iter();
    let ports: Vec<_> = ports.map(|port| port["containerPort"].as_i64().unwrap()).collect();
    assert_eq!(ports, [80, 89]);
    let service = serde_json::to_value(scene.api::<Service>().get("nginx-v1").await.unwrap()).unwrap();
    assert_eq!(service["spec"]["type"], "ClusterIP");
    assert!(service["spec"]["ports"][0]["nodePort"].is_null());
    assert_eq!(
        service["spec"]["selector"], earlier["spec"]["selector"]["matchLabels"],
        "it selects what the Deployment does, whatever else the pods' labels become"
    );
}

async fn statuses(scene: &Scene) {
    for (name, base, id, url) in [
        ("my-app-deploy-version-1", "my-app-deploy", "version-1", "http://version-1.my-app.test/"),
        ("nginx-deployment-v1", "nginx-deployment", "v1", "http://v1.nginx.test/"),
    ] {
        for kind in ["BaseResolved", "Cloned", "Available", "Routed", "Ready"] {
            scene.becomes(name, kind, "True", None).await;
        }
        let object = scene.api::<DeploymentVersion>().get(name).await.unwrap();
        let status = object.status.expect("a status");
        assert_eq!(status.observed_generation, object.metadata.generation);
        assert_eq!(status.base.expect("a base").name, base);
        assert_eq!(status.version.as_deref(), Some(id));
        assert_eq!(status.deployment.as_deref(), Some(name));
        assert_eq!(status.url.as_deref(), Some(url));
        assert_eq!((status.replicas, status.ready_replicas), (Some(1), Some(1)));
    }
    let wait = ["wait", "--for=condition=Ready", "--timeout=30s", "dpv/nginx-deployment-v1", "rtr/nginx"];
    scene.kubectl(&wait);
}

fn columns(scene: &Scene) {
    let table = scene.kubectl(&["get", "dpv"]);
    println!("{table}");
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["NAME", "BASE", "VERSION", "READY", "STATUS", "URL", "AGE"]);
    let row = table.lines().find(|line| line.starts_with("my-app-deploy-version-1")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().take(4).collect();
    assert_eq!(cells, ["my-app-deploy-version-1", "my-app-deploy", "version-1", "1/1"]);
    println!("{}", scene.kubectl(&["get", "rtr"]));
}

/// What the API server takes in a base and refuses in an apply.
const TWICE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: twice}
spec:
  replicas: 0
  selector: {matchLabels: {app: twice}}
  template:
    metadata: {labels: {app: twice}}
    spec:
      imagePullSecrets: [{name: a}, {name: a}]
      hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]
      containers:
      - name: web
        image: 'twice:0'
        ports: [{name: http, containerPort: 8080}, {name: admin, containerPort: 8080}]
        env: [{name: A, value: '1'}, {name: B, value: $(A)}, {name: A, value: $(A)2}]
---
apiVersion: v1
kind: Service
metadata: {name: twice}
spec: {selector: {app: twice}, ports: [{port: 80, targetPort: admin}]}
---
apiVersion: kyaninus.com/v1
kind: Router
metadata: {name: twice}
spec: {base: twice, hosts: [twice.test]}
---
apiVersion: kyaninus.com/v1
kind: DeploymentVersion
metadata: {name: twice-v1}
spec: {}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the control plane; tests/run starts it"]
async fn a_base_that_has_something_twice_is_cloned() {
    let scene = Scene::set("twice").await;
    // `kubectl apply`, as of old, is a create with an annotation.
    scene.apply(TWICE);
    let program = Program::start(&scene.plane, &[]).await;
    program.serves("v1.twice.test", "v1").await;
    scene.becomes("twice-v1", "Ready", "True", None).await;
    let said = scene.becomes("twice-v1", "Cloned", "True", Some("ClonedWithWarnings")).await;
    assert!(said.contains("env[A]: is there more than once") && said.contains("ports[8080]"), "{said}");
    let clone = serde_json::to_value(scene.api::<Deployment>().get("twice-v1").await.unwrap()).unwrap();
    let pod = &clone["spec"]["template"]["spec"];
    let env = pod["containers"][0]["env"].as_array().unwrap().iter();
    let env: Vec<_> = env.map(|variable| (variable["name"].as_str(), variable["value"].as_str())).collect();
    assert_eq!(env.get(2..), Some(&[(Some("B"), Some("1")), (Some("A"), Some("12"))][..]), "{env:?}");
    assert_eq!(pod["hostAliases"][0]["hostnames"], serde_json::json!(["a", "b"]));
    scene.clear_versions().await;
    scene.end().await;
}
