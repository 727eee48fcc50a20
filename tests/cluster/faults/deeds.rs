//! What people do to a namespace, one after the other; the same in every schedule.

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

/// One thing that somebody does.
pub enum Deed {
    /// Applies an object, as another field manager.
    Apply(&'static str, Value),
    /// Changes a field.
    Patch(&'static str, &'static str, Value),
    /// Deletes an object.
    Delete(&'static str, &'static str),
}

/// Where a kind's objects are.
pub fn collection(plural: &str) -> &'static str {
    match plural {
        "deployments" => "/apis/apps/v1",
        "services" | "events" | "namespaces" => "/api/v1",
        "deploymentversions" | "routers" => "/apis/kyaninus.com/v1",
        "leases" => "/apis/coordination.k8s.io/v1",
        "networkpolicies" => "/apis/networking.k8s.io/v1",
        "poddisruptionbudgets" => "/apis/policy/v1",
        other => panic!("{other}"),
    }
}

fn deployment(name: &str, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": image,
                "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {"requests": {"cpu": "1000m"}}}]}}}})
}

fn service(name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}})
}

/// Lets the shop's pods in, to pods of an app.
fn policy(name: &str, app: &str, port: u16) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "shop"}}}],
                "ports": [{"protocol": "TCP", "port": port}]}]}})
}

fn budget(name: &str, app: &str, kept: u32) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
        "spec": {"minAvailable": kept, "selector": {"matchLabels": {"app": app}}}})
}

/// No pod runs: what is tested is what is written.
fn version(name: &str, image: Option<&str>) -> Value {
    let containers = image.map(|image| json!([{"name": "web", "image": image}]));
    let mut overlay = json!({"replicas": 0});
    if let Some(containers) = containers {
        overlay["template"] = json!({"spec": {"containers": containers}});
    }
    json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "metadata": {"name": format!("shop-{name}")},
        "spec": {"deploymentSpec": overlay}})
}

fn router(active: &str) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "shop"},
        "spec": {"base": "shop", "service": "shop", "hosts": ["HOST"], "active": active}})
}

/// All of it, in order.
pub fn deeds() -> Vec<Deed> {
    use Deed::{Apply, Delete, Patch};
    let image = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}});
    vec![
        Apply("deploymentversions", version("v1", Some("shop:v1"))),
        Apply("deploymentversions", version("v2", None)),
        Apply("deploymentversions", version("taken", None)),
        Apply("routers", router("v2")),
        Apply("deploymentversions", version("v3", Some("shop:v3"))),
        Apply("deploymentversions", version("v1", Some("shop:v1b"))),
        Apply("deployments", deployment("shop", "shop:2")),
        Patch("deployments", "shop-v3", image("evil:1")),
        Delete("services", "shop-v1"),
        Apply("networkpolicies", policy("shop", "shop", 8081)),
        Patch("networkpolicies", "shop-v3", json!({"spec": {"policyTypes": ["Ingress", "Egress"]}})),
        Delete("networkpolicies", "db"),
        Delete("poddisruptionbudgets", "shop-v1"),
        Apply("services", service("metrics", "shop")),
        Apply("routers", router("v1")),
        Delete("deploymentversions", "shop-v2"),
        Delete("poddisruptionbudgets", "shop"),
        Patch("deploymentversions", "shop-v3", json!({"spec": {"version": "blue"}})),
        Apply("networkpolicies", policy("db", "db", 5433)),
        Delete("services", "metrics"),
        Delete("deployments", "shop"),
        Apply("deployments", deployment("shop", "shop:3")),
        Patch("services", "shop-v1", json!({"spec": {"selector": {"more": "x"}}})),
        Apply("poddisruptionbudgets", budget("shop", "shop", 2)),
        Delete("networkpolicies", "db-blue.peers"),
        Delete("deployments", "shop-v3"),
    ]
}

/// Somebody who may do everything.
pub struct Hand {
    pub client: Client,
    pub namespace: String,
}

impl Hand {
    /// The answer of the API server, its refusals as an error.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        type_: &str,
        body: &Value,
    ) -> Result<Value, kube::Error> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request =
            Request::builder().method(method).uri(path).header("content-type", type_).body(body).unwrap();
        self.client.request(request).await
    }

    pub fn path(&self, plural: &str, name: &str) -> String {
        format!("{}/namespaces/{}/{plural}/{name}", collection(plural), self.namespace)
    }

    /// An empty namespace; one that an earlier run left is cleared away first.
    pub async fn make_namespace(&self) {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        let _ = self.ask(Method::DELETE, &path, "application/json", &Value::Null).await;
        for _ in 0..600 {
            match self.ask(Method::POST, "/api/v1/namespaces", "application/json", &namespace).await {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
        panic!("there is no namespace {}", self.namespace);
    }

    /// What is there before anything else: a base, and strangers that have a version's names.
    pub async fn prepare(&self) {
        for (plural, object) in [
            ("deployments", deployment("shop", "shop:1")),
            ("services", service("shop", "shop")),
            ("deployments", deployment("shop-taken", "strange:1")),
            ("services", service("shop-taken", "strange")),
            ("networkpolicies", policy("shop", "shop", 8080)),
            ("networkpolicies", policy("db", "db", 5432)),
            ("networkpolicies", policy("shop-taken", "strange", 80)),
            ("poddisruptionbudgets", budget("shop", "shop", 1)),
            ("poddisruptionbudgets", budget("shop-taken", "strange", 1)),
        ] {
            self.does(&Deed::Apply(plural, object)).await;
        }
        // What their own controllers write is written by then.
        for _ in 0..300 {
            let mut looked_at = true;
            for (plural, conditions) in [("deployments", 2), ("poddisruptionbudgets", 1)] {
                let path = self.path(plural, "shop-taken");
                let found = self.ask(Method::GET, &path, "application/json", &Value::Null).await.unwrap();
                looked_at &=
                    found["status"]["conditions"].as_array().is_some_and(|all| all.len() == conditions);
            }
            if looked_at {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{}: the strangers' own controllers have not looked at them", self.namespace);
    }

    pub async fn does(&self, deed: &Deed) {
        match deed {
            Deed::Apply(plural, object) => {
                let name = object["metadata"]["name"].as_str().unwrap();
                let path = format!("{}?fieldManager=people&force=true", self.path(plural, name));
                // A host belongs to one namespace.
                let text = object.to_string().replace("HOST", &format!("{}.test", self.namespace));
                let object = serde_json::from_str(&text).unwrap();
                self.ask(Method::PATCH, &path, "application/apply-patch+yaml", &object).await.unwrap();
            }
            Deed::Patch(plural, name, patch) => {
                let type_ = if collection(plural).contains("kyaninus") {
                    "application/merge-patch+json"
                } else {
                    "application/strategic-merge-patch+json"
                };
                // It may not be there yet, or no longer.
                let _ = self.ask(Method::PATCH, &self.path(plural, name), type_, patch).await;
            }
            Deed::Delete(plural, name) => {
                let path = self.path(plural, name);
                let _ = self.ask(Method::DELETE, &path, "application/json", &Value::Null).await;
            }
        }
    }

    /// Somebody else takes the Lease.
    pub async fn depose(&self) {
        let leases = collection("leases");
        let path = format!("{leases}/namespaces/{}/leases/{}", super::LEASES, self.namespace);
        let _ = self.ask(Method::PATCH, &path, "application/merge-patch+json", &super::foreign_lease()).await;
    }

    /// The strangers, to the byte.
    pub async fn strangers(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for plural in ["deployments", "services", "networkpolicies", "poddisruptionbudgets"] {
            let path = self.path(plural, "shop-taken");
            all.push(self.ask(Method::GET, &path, "application/json", &Value::Null).await.unwrap());
        }
        all
    }

    /// Has the namespace deleted while the controller still serves finalizers: as it is, or, which is sooner
    /// over, the Routers and versions first.
    pub async fn leave(&self, as_it_is: bool) {
        for (plural, name) in [
            ("routers", "shop"),
            ("deploymentversions", "shop-v1"),
            ("deploymentversions", "shop-v3"),
            ("deploymentversions", "shop-taken"),
        ] {
            if !as_it_is {
                self.does(&Deed::Delete(plural, name)).await;
            }
        }
        if !as_it_is {
            self.are_gone().await;
        }
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        let _ = self.ask(Method::DELETE, &path, "application/json", &Value::Null).await;
        if as_it_is {
            self.are_gone().await;
        }
    }

    async fn are_gone(&self) {
        let versions = format!("/apis/kyaninus.com/v1/namespaces/{}/deploymentversions", self.namespace);
        for _ in 0..600 {
            let left = self.ask(Method::GET, &versions, "application/json", &Value::Null).await;
            if left.is_ok_and(|left| left["items"].as_array().is_some_and(Vec::is_empty)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{}: its deletion hangs on a finalizer", self.namespace);
    }
}
