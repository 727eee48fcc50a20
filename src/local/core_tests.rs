use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::super::manifests::parse;
use super::super::picture::Light;
use super::super::pods::herd::Mouth;
use super::super::pods::life::Exit;
use super::super::pods::recipe::Machine;
use super::super::shelf::PATIENCE;
use super::*;
use crate::routes::{Facts, Outcome};

/// A core whose pods all run already, as far as it is told.
struct Trial {
    core: Core,
    mouth: Mouth,
    table: Rc<RefCell<Arc<Table>>>,
    instant: Instant,
}

impl Trial {
    fn new() -> Self {
        let machine = Machine {
            synkronic: "/nowhere".into(),
            folder: "/".into(),
            manifests: "/".into(),
            runs: BTreeMap::new(),
            path: Vec::new(),
        };
        let (herd, mouth) = Herd::new(machine, None);
        let table: Rc<RefCell<Arc<Table>>> = Rc::default();
        let slot = table.clone();
        let settings = Settings { port: Some(8080), allow_loopback: true, ..Settings::default() };
        let publish = Box::new(move |new: &Arc<Table>| *slot.borrow_mut() = new.clone());
        Self { core: Core::new(settings, herd, publish), mouth, table, instant: Instant::now() }
    }

    fn save(&mut self, file: &str, text: &str) {
        self.core.read(file, parse(file, text.as_bytes()));
        self.settle();
    }

    fn delete(&mut self, file: &str) {
        self.core.forget(file);
        self.settle();
        self.instant += PATIENCE;
        self.settle();
    }

    fn settle(&mut self) {
        self.core.settle(Timestamp::UNIX_EPOCH, self.instant);
    }

    /// Every pod that is there reports that it serves.
    fn all_serve(&mut self) {
        for id in 1..100 {
            self.core.hear(id, Phase::Ready([127, 0, 0, 1].into()));
        }
        self.settle();
    }

    /// `version`, `404` or `503`.
    fn at(&self, host: &str) -> String {
        let headers = http::HeaderMap::new();
        let facts = Facts {
            method: &http::Method::GET,
            host,
            path: "/",
            query: None,
            headers: &headers,
            client: [127, 0, 0, 1].into(),
            trusted: false,
        };
        match self.table.borrow().find(&facts) {
            Outcome::Serve(choice) | Outcome::AddSlash(choice) => choice.route.version.to_string(),
            Outcome::NoHost | Outcome::NoVersion { .. } => "404".to_owned(),
            Outcome::Unavailable(_) => "503".to_owned(),
        }
    }

    fn object(&self, kind: Kind, name: &str) -> Option<&Value> {
        self.core.world.get(kind, &Key::new("default", name))
    }

    fn notes(&self) -> String {
        self.core.picture().notes.join("\n")
    }
}

const SHOP: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}, annotations: {kyaninus.com/local-endpoint: '127.0.0.1:1'}}
    spec: {containers: [{name: web, image: shop}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
";
const V1: &str = "\
apiVersion: kyaninus.com/v1
kind: DeploymentVersion
metadata: {name: shop-v1, annotations: {kyaninus.com/local-endpoint: '127.0.0.1:2'}}
spec: {}
";

fn router(host: &str, more: &str) -> String {
    format!(
        "apiVersion: kyaninus.com/v1\nkind: Router\nmetadata: {{name: shop}}\nspec: {{base: shop, hosts: [{host}]{more}}}\n"
    )
}

#[tokio::test]
async fn a_version_comes_serves_and_goes() {
    let mut trial = Trial::new();
    trial.save("shop.yaml", SHOP);
    trial.save("v1.yaml", V1);
    trial.save("router.yaml", &router("shop.test", ""));
    assert_eq!((trial.at("shop.test"), trial.at("v1.shop.test")), ("503".into(), "503".into()));
    trial.all_serve();
    assert_eq!((trial.at("shop.test"), trial.at("v1.shop.test")), ("base".into(), "v1".into()));
    assert!(trial.object(Kind::Deployment, "shop-v1").is_some());
    trial.save("router.yaml", &router("shop.test", ", active: v1"));
    assert_eq!((trial.at("shop.test"), trial.at("base.shop.test")), ("v1".into(), "base".into()));
    trial.delete("v1.yaml");
    assert_eq!((trial.at("shop.test"), trial.at("v1.shop.test")), ("base".into(), "404".into()));
    assert!(trial.object(Kind::Deployment, "shop-v1").is_none());
    assert!(trial.object(Kind::Service, "shop-v1").is_none());
}

#[tokio::test]
async fn a_default_router_gives_way_to_a_written_one() {
    let mut trial = Trial::new();
    trial.save("shop.yaml", SHOP);
    trial.save("v1.yaml", V1);
    trial.all_serve();
    assert_eq!((trial.at("shop.localhost"), trial.at("v1.shop.localhost")), ("base".into(), "v1".into()));
    assert_eq!(trial.at("localhost"), "base");
    assert!(trial.notes().contains("no Router names `shop`"), "{}", trial.notes());
    trial.save("router.yaml", &router("shop.test", ""));
    assert_eq!((trial.at("shop.localhost"), trial.at("v1.shop.test")), ("404".into(), "v1".into()));
    assert_eq!(trial.at("localhost"), "404", "no Router with path mode is left");
    assert_eq!(trial.notes(), "");
    trial.delete("router.yaml");
    assert_eq!((trial.at("v1.shop.localhost"), trial.at("v1.shop.test")), ("v1".into(), "404".into()));
}

#[tokio::test]
async fn clones_follow_the_address_they_are_told() {
    let mut trial = Trial::new();
    let url = |trial: &Trial| {
        let clone = trial.object(Kind::Deployment, "shop-v1").unwrap();
        let env = clone.pointer("/spec/template/spec/containers/0/env").unwrap().as_array().unwrap();
        let url = env.iter().find(|variable| variable["name"] == "SYNKRONIC_URL");
        url.map(|variable| variable["value"].as_str().unwrap().to_owned())
    };
    trial.save("all.yaml", &format!("{SHOP}---\n{V1}---\n{}", router("shop.test", "")));
    assert_eq!(url(&trial).as_deref(), Some("http://v1.shop.test:8080/"));
    trial.save("all.yaml", &format!("{SHOP}---\n{V1}---\n{}", router("other.test", "")));
    assert_eq!(url(&trial).as_deref(), Some("http://v1.other.test:8080/"));
    let before = trial.object(Kind::Deployment, "shop-v1").cloned();
    trial.save("all.yaml", &format!("{SHOP}---\n{V1}---\n{}", router("other.test", ", active: v1")));
    assert_eq!(trial.object(Kind::Deployment, "shop-v1").cloned(), before);
}

#[tokio::test]
async fn a_strangers_deployment_of_the_clones_name_is_not_touched() {
    let mut trial = Trial::new();
    trial.save("shop.yaml", SHOP);
    trial.save("v1.yaml", V1);
    let stranger = SHOP.split("---").next().unwrap().replace("name: shop}", "name: shop-v1}");
    trial.save("stranger.yaml", &stranger);
    let there = trial.object(Kind::Deployment, "shop-v1").unwrap();
    assert_eq!(there.pointer("/metadata/ownerReferences"), None);
    assert!(trial.notes().contains("there is a Deployment `shop-v1` already"), "{}", trial.notes());
}

#[tokio::test]
async fn a_bad_object_is_named_until_it_is_good_and_keeps_what_was_there() {
    let mut trial = Trial::new();
    trial.save("all.yaml", &format!("{SHOP}---\n{V1}---\n{}", router("shop.test", "")));
    trial.all_serve();
    trial.save("all.yaml", &format!("{SHOP}---\n{V1}---\n{}", router("[no, list]", "")));
    trial.save("other.yaml", "");
    assert!(trial.notes().contains("all.yaml:"), "{}", trial.notes());
    assert_eq!(trial.at("v1.shop.test"), "v1");
    trial.save("all.yaml", &format!("{SHOP}---\n{V1}---\n{}", router("other.test", "")));
    trial.all_serve();
    assert_eq!((trial.notes().as_str(), trial.at("v1.other.test")), ("", "v1".into()));
}

#[tokio::test]
async fn a_pod_whose_port_was_taken_gives_way_to_another() {
    let mut trial = Trial::new();
    trial.save(
        "shop.yaml",
        &SHOP.replace("kyaninus.com/local-endpoint: '127.0.0.1:1'", "kyaninus.com/local-command: x"),
    );
    let pods = |trial: &Trial| {
        let pods = trial.core.inventory.pods.iter().filter(|pod| !pod.meta.deleting);
        pods.map(|pod| pod.meta.key.name.to_string()).collect::<Vec<_>>()
    };
    let first = pods(&trial);
    let exit = Exit { code: 1, message: "address in use".to_owned(), restarts: 0 };
    trial.core.hear(1, Phase::Down(exit.clone()));
    trial.settle();
    assert_eq!(pods(&trial), first, "one that ends by itself starts again");
    let port = trial.core.herd.main_port(1).unwrap();
    let faster = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    trial.core.hear(1, Phase::Down(exit));
    trial.settle();
    assert_eq!(pods(&trial).len(), 1);
    assert_ne!(pods(&trial), first);
    drop(faster);
}

#[tokio::test]
async fn pods_report_by_themselves() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    let mut trial = Trial::new();
    trial.save("shop.yaml", &SHOP.replace("127.0.0.1:1", &address));
    let waiting = tokio::time::timeout(Duration::from_secs(60), trial.mouth.reports.recv());
    let (id, phase) = waiting.await.unwrap().unwrap();
    assert_eq!(phase, Phase::Ready([127, 0, 0, 1].into()));
    trial.core.hear(id, phase);
    trial.settle();
    assert_eq!(trial.at("shop.localhost"), "base");
}

/// The base's status and the light before it, and what is noted.
fn of_base(trial: &Trial) -> (String, Light, String) {
    let picture = trial.core.picture();
    let row = picture.groups[0].rows[0].clone();
    (row.status, row.light, picture.notes.join("\n"))
}

#[tokio::test]
async fn a_base_that_could_not_start_again_says_so_while_the_old_process_serves() {
    let shop = SHOP.replace(
        "image: shop}",
        "image: shop, env: [{name: A, valueFrom: {configMapKeyRef: {name: x, key: a}}}]}",
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n";
    let mut trial = Trial::new();
    trial.save("x.yaml", map);
    trial.save("shop.yaml", &shop);
    trial.save("v1.yaml", V1);
    trial.save("router.yaml", &router("shop.test", ""));
    trial.all_serve();
    assert_eq!(of_base(&trial), ("Ready".to_owned(), Light::Green, String::new()));

    // What its environment comes from goes; its template stays.
    trial.delete("x.yaml");
    let (status, light, notes) = of_base(&trial);
    assert_eq!((status.as_str(), light), ("NotReady (old serves)", Light::Red));
    assert!(notes.contains("shop: there is no ConfigMap `x`"), "{notes}");
    assert!(notes.contains("shop-v1: there is no ConfigMap `x`"), "{notes}");
    assert_eq!((trial.at("shop.test"), trial.at("v1.shop.test")), ("base".into(), "v1".into()));
    trial.save("x.yaml", map);
    assert_eq!(of_base(&trial), ("Ready".to_owned(), Light::Green, String::new()));

    // Its template becomes one that nothing says how to run.
    trial.save("shop.yaml", &shop.replace("127.0.0.1:1", "nowhere"));
    let (status, light, notes) = of_base(&trial);
    assert_eq!((status.as_str(), light), ("NotReady (old serves)", Light::Red));
    assert!(notes.contains("`nowhere` is no address"), "{notes}");
    assert_eq!(trial.at("shop.test"), "base");
    trial.save("shop.yaml", &shop);
    assert_eq!(of_base(&trial), ("Ready".to_owned(), Light::Green, String::new()));
}

#[tokio::test]
async fn a_refused_router_is_not_replaced_by_a_default_one() {
    let mut trial = Trial::new();
    trial.save("all.yaml", &format!("{SHOP}---\n{V1}---\n{}", router("shop.test", ", actve: v1")));
    trial.all_serve();
    assert!(trial.notes().contains("spec.actve"), "{}", trial.notes());
    assert!(!trial.notes().contains("no Router names"), "{}", trial.notes());
    assert_eq!(trial.at("shop.localhost"), "404");
}

#[tokio::test]
async fn where_there_is_no_version_the_picture_says_what_is_missing() {
    let mut trial = Trial::new();
    let missing = |trial: &Trial| trial.core.picture().missing.unwrap_or_default();
    trial.save("none.yaml", "");
    assert!(missing(&trial).contains("add a Deployment"), "{}", missing(&trial));
    trial.save("shop.yaml", SHOP.split("---").next().unwrap());
    assert!(missing(&trial).contains("a DeploymentVersion of `shop`"), "{}", missing(&trial));
    assert!(missing(&trial).contains("a Service"), "{}", missing(&trial));
    trial.save("v1.yaml", V1);
    assert_eq!(missing(&trial), "");
}
