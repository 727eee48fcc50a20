//! Worlds and requests drawn from a row of numbers, from small sets of names so that they meet.

use proptest::prelude::ProptestConfig;
use serde_json::{Value, json};

use super::world::Ask;

/// A row of numbers; past its end all are 0, which is always the plainest choice.
pub struct Dice<'n> {
    numbers: std::slice::Iter<'n, u16>,
}

pub const IDS: [&str; 5] = ["version-1", "version-2", "pr-1", "x", "base"];
pub const HOSTS: [&str; 10] = [
    "a.test",
    "b.test",
    "x-a.test",
    "*.test",
    "version-1.a.test",
    "pr-1-a.test",
    "*.a.test",
    "c.a.test",
    "bad host",
    "a-b.test",
];
const NAMESPACES: [&str; 2] = ["n", "m"];
const BASES: [&str; 2] = ["shop", "shop-x"];
const SUBDOMAINS: [&str; 6] =
    ["{version}.{host}", "{version}-{host}", "", "v-{version}.{host}", "{version}", "{version}.v.{host}"];

/// So many cases, unless the environment says another number (`PROPTEST_CASES`).
pub fn cases(number: u32) -> ProptestConfig {
    let said = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig::default();
    if said { config } else { ProptestConfig { cases: number, ..config } }
}

/// A change of the world.
#[derive(Debug, Clone)]
pub enum Step {
    Apply(Value),
    Remove(String, String, String),
}

impl<'n> Dice<'n> {
    pub fn of(numbers: &'n [u16]) -> Self {
        Self { numbers: numbers.iter() }
    }

    /// A beginning, and some changes.
    pub fn steps(&mut self) -> Vec<Step> {
        let mut steps = self.beginning();
        for _ in 0..self.upto(16) {
            steps.push(self.step());
        }
        steps
    }

    pub fn upto(&mut self, sides: usize) -> usize {
        usize::from(self.numbers.next().copied().unwrap_or(0)) % sides
    }

    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.upto(items.len())].clone()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.upto(100) >= 100 - percent
    }

    fn meta(&mut self, name: &str) -> Value {
        let namespace = if self.chance(15) { NAMESPACES[1] } else { NAMESPACES[0] };
        let day = 1 + self.upto(4);
        json!({"name": name, "namespace": namespace, "creationTimestamp": format!("2026-01-0{day}T00:00:00Z")})
    }

    /// Bases with versions that are up, for the most part, and one to three Routers.
    pub fn beginning(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for base in BASES {
            let app = json!({"app": base});
            let named = |name: &str| json!({"name": name, "namespace": "n"});
            let mut objects = vec![
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named(base), "spec": {
                    "selector": {"matchLabels": app}, "template": {"metadata": {"labels": app}}}}),
            ];
            for id in IDS {
                let name = if id == "base" { base.to_owned() } else { format!("{base}-{id}") };
                let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": named(&name),
                    "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}});
                if id != "base" {
                    objects.push(json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
                        "metadata": named(&name), "spec": {"name": base, "version": id}}));
                    service["metadata"]["labels"] = json!({"kyaninus.com/dpv": "0"});
                    service["metadata"]["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1",
                        "kind": "DeploymentVersion", "name": name, "uid": "u", "controller": true}]);
                }
                objects.push(service);
                let mut slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "addressType": "IPv4", "metadata": named(&format!("{name}-0")),
                    "ports": [{"name": "http", "port": 8080}], "endpoints": [self.endpoint()]});
                slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": name});
                objects.push(slice);
            }
            objects.retain(|_| !self.chance(7));
            steps.extend(objects.into_iter().map(Step::Apply));
        }
        for _ in 0..=self.upto(3) {
            steps.push(Step::Apply(self.router()));
        }
        steps
    }

    pub fn step(&mut self) -> Step {
        let object = match self.upto(10) {
            0..=3 => self.router(),
            4 => self.deployment(),
            5 | 6 => self.dpv(),
            7 => self.service(),
            _ => self.slice(),
        };
        if self.chance(20) {
            let text = |pointer: &str| object.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            return Step::Remove(text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        }
        Step::Apply(object)
    }

    fn deployment(&mut self) -> Value {
        let name = self.pick(&BASES);
        let app = if self.chance(10) { "other" } else { name };
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": self.meta(name), "spec": {
            "selector": {"matchLabels": {"app": app}}, "template": {"metadata": {"labels": {"app": app}}}}})
    }

    fn dpv(&mut self) -> Value {
        let (base, id) = (self.pick(&BASES), self.pick(&IDS));
        let mut spec = json!({});
        if self.chance(20) {
            spec["name"] = json!(self.pick(&BASES));
        }
        if self.chance(15) {
            spec["version"] = json!(self.pick(&IDS));
        }
        if self.chance(15) {
            spec["suspend"] = json!(true);
        }
        json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
            "metadata": self.meta(&format!("{base}-{id}")), "spec": spec})
    }

    fn service_name(&mut self) -> String {
        let base = self.pick(&BASES);
        if self.chance(60) { format!("{base}-{}", self.pick(&IDS)) } else { base.to_owned() }
    }

    fn service(&mut self) -> Value {
        let name = self.service_name();
        let mut metadata = self.meta(&name);
        let app = self.pick(&BASES);
        if name.contains("-version") || name.contains("-pr") || self.chance(10) {
            if !self.chance(15) {
                metadata["labels"] = json!({"kyaninus.com/dpv": "0"});
            }
            let owner = if self.chance(15) { format!("{app}-{}", self.pick(&IDS)) } else { name.clone() };
            metadata["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
                "name": owner, "uid": "u", "controller": true}]);
        }
        let mut ports = vec![json!({"name": "http", "port": 80})];
        if self.chance(20) {
            ports.insert(0, json!({"name": "other", "port": 81}));
        }
        if self.chance(10) {
            ports[0]["appProtocol"] = json!("kubernetes.io/h2c");
        }
        if self.chance(10) {
            ports[0]["protocol"] = json!("UDP");
        }
        let mut spec = json!({"selector": {"app": app}, "ports": ports});
        if self.chance(8) {
            spec["type"] = json!("ExternalName");
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    }

    fn slice(&mut self) -> Value {
        let service = self.service_name();
        let name = format!("{service}-{}", self.upto(2));
        let mut metadata = self.meta(&name);
        metadata["labels"] = json!({"kubernetes.io/service-name": service});
        let endpoints: Vec<Value> = (0..self.upto(3)).map(|_| self.endpoint()).collect();
        let mut ports = vec![json!({"name": "http", "port": 8080})];
        if self.chance(30) {
            ports.push(json!({"name": "other", "port": 8081}));
        }
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": metadata, "ports": ports, "endpoints": endpoints})
    }

    fn endpoint(&mut self) -> Value {
        let address = self.pick(&[
            "10.0.0.1",
            "10.0.0.2",
            "10.0.0.3",
            "10.0.0.4",
            "10.0.0.5",
            "127.0.0.1",
            "169.254.1.1",
        ]);
        let (ready, terminating) = (!self.chance(15), self.chance(10));
        let mut endpoint = json!({"addresses": [address], "conditions": {
            "ready": ready && !terminating, "serving": ready, "terminating": terminating}});
        if !self.chance(10) {
            endpoint["targetRef"] = json!({"kind": "Pod", "uid": format!("pod-{}", self.upto(3))});
        }
        endpoint
    }

    pub fn router(&mut self) -> Value {
        let name = self.pick(&["r1", "r2", "r3"]);
        let metadata = self.meta(name);
        let mut hosts: Vec<&str> = (0..=self.upto(3)).map(|_| self.pick(&HOSTS)).collect();
        if self.chance(60) {
            hosts.push("a.test");
        }
        let mut spec = json!({"base": self.pick(&BASES), "hosts": hosts});
        if self.chance(40) {
            spec["service"] = json!(self.pick(&["shop", "shop-x", "shop", "shop-version-1", "gone"]));
        }
        if self.chance(20) {
            spec["port"] = self.pick(&[json!("http"), json!(80), json!("other")]);
        }
        if self.chance(60) {
            spec["versions"] =
                self.pick(&[json!(["version-*"]), json!(["version-*", "pr-*"]), json!(["x", "*-1"])]);
        }
        if self.chance(50) {
            spec["subdomain"] = json!(self.pick(&SUBDOMAINS));
        }
        if self.chance(50) {
            spec["path"] = json!(self.pick(&["/{version}", "/v/{version}", "no pattern"]));
        }
        if self.chance(50) {
            spec["active"] = json!(self.pick(&["version-1", "version-2", "x", "gone", "No Id"]));
        }
        if self.chance(30) {
            spec["override"] = json!({"header": self.pick(&["X-V", "X-W"])});
        }
        if self.chance(40) {
            spec["onUnavailable"] = json!({"rules": self.pick(&["fail", "active", "base"])});
        }
        spec["rules"] = (0..self.upto(4)).map(|place| self.rule(place)).collect();
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": metadata, "spec": spec,
            "status": self.status()})
    }

    fn status(&mut self) -> Value {
        let mut status = json!({});
        if self.chance(30) {
            status["active"] = json!(self.pick(&IDS));
        }
        if self.chance(30) {
            status["hosts"] = json!([{"host": self.pick(&HOSTS),
                "since": format!("2026-02-0{}T00:00:00Z", 1 + self.upto(3))}]);
        }
        if self.chance(30) {
            status["offered"] = json!([{"id": self.pick(&IDS), "last": "2026-01-01T00:00:00Z"},
                {"id": "version-9", "last": "2026-01-01T00:00:00Z"}]);
        }
        status
    }

    fn rule(&mut self, place: usize) -> Value {
        let name = if self.chance(8) { "r0".to_owned() } else { format!("r{place}") };
        let matches: Vec<Value> = (0..1 + self.upto(2)).map(|_| self.entry()).collect();
        json!({"name": name, "match": matches, "send": self.pick(&["version-1", "version-2", "x", "base", "gone"])})
    }

    fn entry(&mut self) -> Value {
        let mut entry = json!({});
        if self.chance(45) {
            let mut header = self.value();
            header["name"] = json!(self.pick(&["X-A", "x-b"]));
            entry["headers"] = json!([header]);
        }
        if self.chance(25) {
            let mut cookie = self.value();
            cookie["name"] = json!("qa");
            entry["cookies"] = json!([cookie]);
        }
        if self.chance(20) {
            let mut query = self.value();
            query["name"] = json!("q");
            entry["query"] = json!([query]);
        }
        if self.chance(20) {
            entry["methods"] = json!(["GET", self.pick(&["POST", "get"])]);
        }
        if self.chance(30) {
            entry["paths"] = json!([self.pick(&[
                json!({"prefix": "/"}),
                json!({"prefix": "/version-1"}),
                json!({"prefix": "/a/"}),
                json!({"exact": "/a"}),
                json!({"regex": "/a(/.)*"}),
                json!({"exact": "a"}),
            ])]);
        }
        if self.chance(15) {
            entry["clientCidrs"] = json!([self.pick(&["10.0.0.0/8", "192.0.2.1", "not a range"])]);
        }
        entry
    }

    fn value(&mut self) -> Value {
        self.pick(&[
            json!({"exact": "blue"}),
            json!({"prefix": "bl"}),
            json!({"regex": "b.*e|red"}),
            json!({"present": true}),
            json!({"present": false}),
            json!({"regex": "(("}),
            json!({"exact": "blue", "prefix": "b"}),
        ])
    }

    pub fn ask(&mut self) -> Ask {
        let host = match self.upto(6) {
            0 => self.pick(&HOSTS).replace('*', "any"),
            1 | 2 => "a.test".to_owned(),
            3 => format!("{}.{}", self.pick(&IDS), self.pick(&HOSTS[..5])),
            4 => format!("{}-{}", self.pick(&IDS), self.pick(&HOSTS[..5])),
            _ => self
                .pick(&[
                    "v-version-1.a.test",
                    "x.v.a.test",
                    "nobody.example",
                    "version-9.a.test",
                    "x-a-b.test",
                ])
                .to_owned(),
        };
        let path = match self.upto(3) {
            0 => self.pick(&["/", "/a", "/a/b", "/ab", "/version-9", "/base/x", "/gone/"]).to_owned(),
            1 => format!("/{}{}", self.pick(&IDS), self.pick(&["", "/", "/a", "x"])),
            _ => format!("/v/{}{}", self.pick(&IDS), self.pick(&["", "/", "/a"])),
        };
        let query = self.pick(&["", "?q=blue", "?q=b%6Cue&q=x", "?x=1&q", "?q=red+"]);
        let mut ask = Ask::get(&format!("{host}{path}{query}")).method(self.pick(&["GET", "POST"]));
        let values = ["blue", "black", "red", "", "green"];
        for name in ["x-a", "x-b", "x-a"] {
            if self.chance(35) {
                ask = ask.header(name, self.pick(&values));
            }
        }
        if self.chance(30) {
            ask = ask.header("cookie", &format!("z=1; qa={}", self.pick(&values)));
        }
        for name in ["x-v", "x-w"] {
            if self.chance(15) {
                ask = ask.header(name, self.pick(&["version-1", "gone", "base", "", "x"]));
            }
        }
        ask.client(self.pick(&["192.0.2.1", "10.1.1.1", "203.0.113.9"]))
    }
}
