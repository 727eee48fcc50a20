//! Inventories of any size, and requests to what they compile to: for the micro benchmarks and for the test
//! that `find` allocates nothing.
#![allow(dead_code, reason = "each program takes what it needs")]

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use synkronic::inventory::{Changes, Document, Edit, Inventory, Object, Settings};
use synkronic::routes::{Compiled, Facts, compile};

/// The reasons that a request can have, as [`Ask::by`] makes them.
pub const REASONS: [&str; 8] =
    ["header", "subdomain", "path", "rule", "active", "no host", "no version", "not a version's path"];

/// The host of the first Router.
pub const DOMAIN: &str = "shop.example.com";

/// Where the pods of a version are: two with addresses of their own, or one that really answers.
#[derive(Clone, Copy)]
pub enum Pods {
    /// Addresses that nobody has.
    Nowhere,
    /// One pod on loopback; a turn moves it from a version's first port to its second, or back, with another
    /// uid, as a new pod has. Versions beyond the ports begin anew with the first.
    Ports(&'static [[u16; 2]]),
}

/// An inventory and what it compiles to.
pub struct World {
    pods: Pods,
    inventory: Inventory,
    settings: Settings,
    compiled: Option<Compiled>,
    routers: usize,
    versions: usize,
    turn: usize,
}

impl World {
    /// `routers` Routers with `versions` versions each.
    pub fn of(routers: usize, versions: usize, pods: Pods) -> Self {
        let mut world = Self {
            pods,
            inventory: Inventory::default(),
            settings: Settings { allow_loopback: true, ..Settings::default() },
            compiled: None,
            routers,
            versions,
            turn: 0,
        };
        let objects = (0..routers).flat_map(|router| shop(router, versions, pods));
        // One by one, so that what is measured is not the JSON of all of them at once.
        let changes = world.inventory.update(objects.map(apply));
        world.compile(&changes);
        world
    }

    /// Takes in other addresses of one version, each turn of another; what changed.
    pub fn move_endpoint(&mut self) -> Changes {
        let at = self.turn / 2 % (self.routers * self.versions);
        let (router, version) = (at % self.routers, at / self.routers);
        let there = u8::from(self.turn.is_multiple_of(2));
        self.turn += 1;
        let slice = slice(&namespace(router), &format!("shop-version-{version}"), version, there, self.pods);
        let changes = self.inventory.update([apply(slice)]);
        assert!(!changes.is_empty(), "each turn changes something");
        changes
    }

    pub fn compile(&mut self, changes: &Changes) {
        self.compiled = Some(compile(&self.inventory, &self.settings, self.compiled.take(), changes));
    }

    pub fn compiled(&self) -> &Compiled {
        self.compiled.as_ref().expect("World::of compiles")
    }
}

/// Read as an edge reads it in a cluster: without the JSON of Services, which only a controller makes clones from.
fn apply(object: Value) -> Edit {
    let mut object = Object::read(object).expect("the object is well-formed").expect("its kind is known");
    if let Object::Service(service) = &mut object {
        service.object = Document::default();
    }
    Edit::Apply(Box::new(object))
}

fn namespace(router: usize) -> String {
    format!("shop-{router}")
}

/// A base, its Router, and its versions with their clones.
fn shop(router: usize, versions: usize, pods: Pods) -> impl Iterator<Item = Value> {
    let namespace = namespace(router);
    let host = if router == 0 { DOMAIN.to_owned() } else { format!("shop-{router}.example.com") };
    let rules = json!([
        {"name": "qa", "match": [{"headers": [{"name": "X-QA-Team", "exact": "blue"}]}], "send": "version-3"},
        {"name": "beta", "match": [{"cookies": [{"name": "beta", "exact": "yes"}], "paths": [{"prefix": "/checkout"}]}],
            "send": "version-4"},
    ]);
    let own = [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": namespace},
            "spec": {"selector": {"matchLabels": {"app": "shop"}},
                "template": {"metadata": {"labels": {"app": "shop"}}}}}),
        service(&namespace, "shop", None),
        slice(&namespace, "shop", 0, 0, pods),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": "shop", "namespace": namespace},
            "spec": {"base": "shop", "hosts": [host], "versions": ["version-*"],
                "path": "/{version}", "active": "version-1", "rules": rules,
                "override": {"header": "X-Synkronic-Version"}}}),
    ];
    let versions = (0..versions).flat_map(move |number| {
        let name = format!("shop-version-{number}");
        [
            json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
                "metadata": {"name": name, "namespace": namespace}, "spec": {}}),
            service(&namespace, &name, Some(&name)),
            slice(&namespace, &name, number, 0, pods),
        ]
    });
    own.into_iter().chain(versions)
}

fn service(namespace: &str, name: &str, dpv: Option<&str>) -> Value {
    let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}});
    if let Some(dpv) = dpv {
        service["metadata"]["labels"] = json!({"kyaninus.com/dpv": dpv});
        service["metadata"]["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1",
            "kind": "DeploymentVersion", "name": dpv, "uid": "u", "controller": true}]);
    }
    service
}

fn slice(namespace: &str, service: &str, number: usize, turn: u8, pods: Pods) -> Value {
    let (addresses, port) = match pods {
        Pods::Nowhere => {
            let network = format!("10.{}.{}", number / 256, number % 256);
            (vec![format!("{network}.{}", 2 * turn), format!("{network}.{}", 2 * turn + 1)], 8080)
        }
        Pods::Ports(ports) => (vec!["127.0.0.1".to_owned()], ports[number % ports.len()][usize::from(turn)]),
    };
    let endpoint = |address: &String| {
        json!({"addresses": [address], "conditions": {"ready": true, "serving": true},
            "targetRef": {"kind": "Pod", "name": service, "uid": format!("{address}-{number}-{turn}")}})
    };
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{service}-1"), "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": port}],
        "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>()})
}

/// A request.
pub struct Ask {
    host: String,
    path: String,
    headers: HeaderMap,
}

impl Ask {
    /// A request to the first Router that `find` decides by this reason, for the version of that number.
    pub fn by(reason: &str, number: usize) -> Self {
        let mut host = DOMAIN.to_owned();
        let mut path = "/checkout/basket?item=42".to_owned();
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64)"));
        headers.insert("cookie", HeaderValue::from_static("session=0123456789abcdef; theme=dark"));
        headers.insert("accept", HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"));
        let mut header = |name: &'static str, value: String| {
            headers.insert(HeaderName::from_static(name), value.parse().expect("a header's value"));
        };
        match reason {
            "header" => header("x-synkronic-version", format!("version-{number}")),
            "subdomain" => host = format!("version-{number}.{DOMAIN}"),
            "path" => path = format!("/version-{number}/basket"),
            "rule" => header("x-qa-team", "blue".to_owned()),
            "no host" => host = "elsewhere.example.com".to_owned(),
            "no version" => host = format!("version-x{number}.{DOMAIN}"),
            "not a version's path" => path = format!("/version-x{number}/basket"),
            _ => {}
        }
        Self { host, path, headers }
    }

    pub fn with_facts<T>(&self, use_them: impl FnOnce(&Facts<'_>) -> T) -> T {
        let (path, query) = self.path.split_once('?').map_or((&*self.path, None), |(p, q)| (p, Some(q)));
        use_them(&Facts {
            method: &Method::GET,
            host: &self.host,
            path,
            query,
            headers: &self.headers,
            client: IpAddr::from([192, 0, 2, 1]),
            trusted: false,
        })
    }
}
