//! The objects of a test, and requests to what they compile to.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::inventory::{Changes, Edit, Inventory, Key, Kind, Object, Settings};
use crate::routes::{Caching, Compiled, Facts, Outcome, compile};

/// An inventory and what it was last compiled to.
pub struct World {
    pub inventory: Inventory,
    pub settings: Settings,
    compiled: Option<Compiled>,
}

/// A request, as a test writes it.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub host: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub client: IpAddr,
    trusted: bool,
}

impl World {
    pub fn of(objects: impl IntoIterator<Item = Value>) -> Self {
        let mut world =
            Self { inventory: Inventory::default(), settings: Settings::default(), compiled: None };
        world.apply(objects);
        world
    }

    /// The shop: a base and versions 1 to 3 with one pod each, and this Router spec on `shop.example.com`.
    pub fn shop(spec: Value) -> Self {
        let mut objects = shop_objects();
        objects.push(router("shop", spec));
        Self::of(objects)
    }

    pub fn apply(&mut self, objects: impl IntoIterator<Item = Value>) {
        let edits =
            objects.into_iter().map(|value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap())));
        let changes = self.inventory.update(edits.collect::<Vec<_>>());
        self.compile(&changes);
    }

    pub fn remove(&mut self, kind: Kind, name: &str) {
        let changes = self.inventory.update([Edit::Remove(kind, Key::new("n", name))]);
        self.compile(&changes);
    }

    fn compile(&mut self, changes: &Changes) {
        self.compiled = Some(compile(&self.inventory, &self.settings, self.compiled.take(), changes));
    }

    pub fn compiled(&self) -> &Compiled {
        self.compiled.as_ref().unwrap()
    }

    /// What becomes of a request, in one line.
    pub fn get(&self, ask: &Ask) -> String {
        ask.with_facts(|facts| describe(&self.compiled().table.find(facts)))
    }

    /// The findings on a Router of namespace `n`, as `reason field`.
    pub fn findings(&self, router: &str) -> Vec<String> {
        let report = &self.compiled().reports[&Key::new("n", router)];
        report.findings.iter().map(|it| format!("{} {}", it.reason, it.field)).collect()
    }

    /// The messages of the findings with this reason.
    pub fn message(&self, router: &str, reason: &str) -> String {
        let report = &self.compiled().reports[&Key::new("n", router)];
        let of = report.findings.iter().filter(|it| it.reason == reason);
        of.map(|it| it.message.clone()).collect::<Vec<_>>().join("\n")
    }
}

impl Ask {
    /// `GET http://<url>`; the url as `host/path?query`.
    pub fn get(url: &str) -> Self {
        let (url, query) =
            url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query.to_owned())));
        let (host, path) = url.find('/').map_or((url, "/"), |at| url.split_at(at));
        Self {
            method: Method::GET,
            host: host.to_owned(),
            path: path.to_owned(),
            query,
            headers: HeaderMap::new(),
            client: IpAddr::from([192, 0, 2, 1]),
            trusted: false,
        }
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = method.parse().unwrap();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The method and URL of another request.
    pub fn take_url_of(&mut self, other: &Self) {
        let Self { method, host, path, query, .. } = other.clone();
        (self.method, self.host, self.path, self.query) = (method, host, path, query);
    }

    /// Another request's lines of a header.
    pub fn take_header_of(&mut self, other: &Self, name: &str) {
        let name: HeaderName = name.parse().unwrap();
        self.headers.remove(&name);
        for value in other.headers.get_all(&name) {
            self.headers.append(name.clone(), value.clone());
        }
    }

    pub fn client(mut self, client: &str) -> Self {
        self.client = client.parse().unwrap();
        self
    }

    /// By a peer that is believed.
    pub fn trusted(mut self) -> Self {
        self.trusted = true;
        self
    }

    pub fn with_facts<T>(&self, use_them: impl FnOnce(&Facts<'_>) -> T) -> T {
        use_them(&Facts {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            client: self.client,
            trusted: self.trusted,
        })
    }
}

pub fn describe(outcome: &Outcome<'_>) -> String {
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let choice = |choice: &crate::routes::Choice<'_>| {
        let caching = match choice.caching {
            Caching::ByUrl => String::new(),
            Caching::Vary(names) => format!(" vary {}", text(names)),
            Caching::Private => " private".to_owned(),
        };
        let prefix = if choice.prefix > 0 { format!(" prefix {}", choice.prefix) } else { String::new() };
        format!("{} {}{prefix}{caching}", choice.route.version, text(&choice.reason.value()))
    };
    match outcome {
        Outcome::Serve(it) => choice(it),
        Outcome::AddSlash(it) => format!("slash {}", choice(it)),
        Outcome::NoHost => "no host".to_owned(),
        Outcome::NoVersion { named, reason } => format!("no version {named} {}", text(&reason.value())),
        Outcome::Unavailable(it) => format!("unavailable {}", choice(it)),
    }
}

pub fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}}}})
}

pub fn service(name: &str, selects: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "n"},
        "spec": {"selector": {"app": selects}, "ports": [{"name": "http", "port": 80}]}})
}

/// A Service as the clone of a DeploymentVersion.
pub fn clone_service(name: &str, dpv: &str) -> Value {
    let mut service = service(name, dpv);
    service["metadata"]["labels"] = json!({"kyaninus.com/dpv": "x"});
    service["metadata"]["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "name": dpv, "uid": "u", "controller": true}]);
    service
}

pub fn dpv(name: &str) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "metadata": {"name": name, "namespace": "n"}, "spec": {}})
}

/// A slice of a Service; each endpoint as `address`, with `!` where it is not ready, `~` where it drains.
pub fn slice(service: &str, endpoints: &[&str]) -> Value {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|text| {
            let address = text.trim_start_matches(['!', '~']);
            let (ready, drains) = (!text.starts_with(['!', '~']), text.starts_with('~'));
            json!({"addresses": [address], "targetRef": {"kind": "Pod", "uid": format!("uid-{address}")},
                "conditions": {"ready": ready, "serving": ready || drains, "terminating": drains}})
        })
        .collect();
    let family = if endpoints.iter().any(|it| it.to_string().contains("::")) { "IPv6" } else { "IPv4" };
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": {"name": format!("{service}-1"), "namespace": "n",
            "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": 8080}], "endpoints": endpoints})
}

/// A Router of base `shop` on `shop.example.com`, unless the spec says otherwise.
pub fn router(name: &str, spec: Value) -> Value {
    let mut whole = json!({"base": "shop", "hosts": ["shop.example.com"]});
    for (field, value) in spec.as_object().unwrap() {
        whole[field] = value.clone();
    }
    json!({"apiVersion": "kyaninus.com/v1", "kind": "Router",
        "metadata": {"name": name, "namespace": "n"}, "spec": whole})
}

/// A version of `shop` with one pod at `10.0.1.<number>`.
pub fn version(number: u8) -> Vec<Value> {
    let id = format!("version-{number}");
    vec![
        dpv(&format!("shop-{id}")),
        clone_service(&format!("shop-{id}"), &format!("shop-{id}")),
        slice(&format!("shop-{id}"), &[&format!("10.0.1.{number}")]),
    ]
}

pub fn shop_objects() -> Vec<Value> {
    let mut objects = vec![deployment("shop"), service("shop", "shop"), slice("shop", &["10.0.0.1"])];
    objects.extend((1..=3).flat_map(version));
    objects
}
