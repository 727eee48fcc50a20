//! Bases and overlays that an API server mostly accepts, drawn along the merge table of `plan::merge`.
//!
//! What a field may hold stands in `words.json`, and there too which fields it leaves alone: those that no
//! Deployment may have, and those whose validity hangs on three others.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A stream of numbers that a seed decides (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

#[derive(Deserialize)]
struct Words {
    skip: Vec<String>,
    skip_in_init_containers: Vec<String>,
    keys: BTreeMap<String, Vec<String>>,
    words: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
struct Type {
    fields: BTreeMap<String, Shape>,
    #[serde(default)]
    required: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    One(String),
    More(More),
}

#[derive(Deserialize, Default)]
struct More {
    list: Option<String>,
    map: Option<String>,
    #[serde(rename = "type")]
    one: Option<String>,
    key: Option<String>,
    #[serde(default)]
    strategy: String,
}

/// Whether a whole object is drawn, or what changes one.
#[derive(Clone, Copy, PartialEq)]
enum For {
    Base,
    Overlay,
}

/// One draws them all.
pub struct Draw {
    table: BTreeMap<String, Type>,
    words: Words,
}

/// Where a value stands: the field that holds it, and whether that is an init container's.
#[derive(Clone, Copy)]
struct Place<'a> {
    field: &'a str,
    depth: u32,
    init: bool,
    by: For,
}

/// Fields that hold what another kind of `EnvVar`, volume, probe … would hold: one of them can be there.
const ONE_OF: [(&str, &[&str]); 4] = [
    ("EnvVar", &["name"]),
    ("Volume", &["name"]),
    ("EnvFromSource", &["prefix"]),
    ("PodResourceClaim", &["name"]),
];
const PROBES: [&str; 4] = ["exec", "grpc", "httpGet", "tcpSocket"];

impl Draw {
    pub fn new() -> Self {
        let table = serde_json::from_str(include_str!("../../../src/plan/merge/table.json")).unwrap();
        let words = serde_json::from_str(include_str!("words.json")).unwrap();
        Self { table, words }
    }

    /// A Deployment's `spec`.
    pub fn deployment(&self, dice: &mut Dice) -> Value {
        let mut spec = self.whole(dice, "apps.v1.DeploymentSpec", For::Base);
        spec["selector"] = json!({"matchLabels": {"app": "shop"}});
        let pod = &mut spec["template"]["spec"];
        // Mounts name volumes: all that can be named are there.
        let mut volumes = pod["volumes"].as_array().cloned().unwrap_or_default();
        for name in ["data", "cache", "config"] {
            if !volumes.iter().any(|volume| volume["name"] == name) {
                volumes.push(json!({"name": name, "emptyDir": {}}));
            }
        }
        pod["volumes"] = volumes.into();
        if pod["containers"].as_array().is_none_or(Vec::is_empty) {
            pod["containers"] = json!([{"name": "web", "image": "shop:1"}]);
        }
        spec["template"]["metadata"]["labels"]["app"] = "shop".into();
        spec
    }

    /// A Service's `spec`.
    pub fn service(&self, dice: &mut Dice) -> Value {
        let mut spec = self.whole(dice, "core.v1.ServiceSpec", For::Base);
        if spec["ports"].as_array().is_none_or(Vec::is_empty) {
            spec["ports"] = json!([{"name": "http", "port": 80}]);
        }
        spec
    }

    /// An overlay for either.
    pub fn overlay(&self, dice: &mut Dice, of: &str) -> Map<String, Value> {
        match self.whole(dice, of, For::Overlay) {
            Value::Object(map) => map,
            other => panic!("an overlay is a map, not {other}"),
        }
    }

    fn whole(&self, dice: &mut Dice, of: &str, by: For) -> Value {
        self.object(dice, of, Place { field: "", depth: 0, init: false, by })
    }

    fn object(&self, dice: &mut Dice, of: &str, place: Place<'_>) -> Value {
        let ty = &self.table[of];
        let short = of.rsplit('.').next().unwrap();
        let mut map = Map::new();
        for (field, shape) in &ty.fields {
            let path = format!("{short}.{field}");
            let skipped = |list: &[String]| list.contains(&path);
            if skipped(&self.words.skip) || place.init && skipped(&self.words.skip_in_init_containers) {
                continue;
            }
            let needed = ty.required.contains(field) || path == "Container.image";
            let trunk = matches!(field.as_str(), "template" | "spec" | "containers" | "metadata");
            let chance = if trunk {
                95
            } else if needed {
                if place.by == For::Base { 100 } else { 98 }
            } else if place.by == For::Overlay {
                15
            } else {
                28
            };
            // What is not there cannot be taken away, and an atomic list's elements are whole.
            let taken = place.by == For::Overlay && !trunk && !needed && field != "labels" && dice.percent(4);
            if taken {
                map.insert(field.clone(), Value::Null);
            } else if needed && place.by == For::Base || dice.percent(chance) {
                let init = place.init || field == "initContainers";
                let inner = Place { field, depth: place.depth + 1, init, by: place.by };
                self.field(dice, short, shape, inner, &mut map);
            }
        }
        self.put_right(dice, short, &mut map, place);
        Value::Object(map)
    }

    fn field(
        &self,
        dice: &mut Dice,
        owner: &str,
        shape: &Shape,
        place: Place<'_>,
        map: &mut Map<String, Value>,
    ) {
        let field = place.field.to_owned();
        let none = More::default();
        let (kind, more) = match shape {
            Shape::One(kind) => (kind, &none),
            Shape::More(more) => (
                more.list
                    .as_ref()
                    .or(more.map.as_ref())
                    .or(more.one.as_ref())
                    .expect("a table's shape has a kind"),
                more,
            ),
        };
        if more.list.is_some() {
            let items = self.list(dice, owner, kind, more, place);
            if !items.is_empty() {
                map.insert(field, items.into());
            }
        } else if more.map.is_some() {
            let keys = self.words.keys.get(place.field).unwrap_or(&self.words.keys[""]);
            let mut inner = Map::new();
            for key in keys.iter().take(3) {
                if dice.percent(50) {
                    let gone = place.by == For::Overlay && dice.percent(15);
                    let value = if gone { Value::Null } else { self.scalar(dice, owner, kind, place) };
                    inner.insert(key.clone(), value);
                }
            }
            // The template's labels hold what the selector wants.
            if place.by == For::Overlay && place.field != "labels" && dice.percent(8) {
                inner.retain(|_, value| !value.is_null());
                inner.insert("$patch".into(), "replace".into());
            }
            map.insert(field, Value::Object(inner));
        } else if self.table.contains_key(kind) {
            let mut value = self.object(dice, kind, place);
            if place.by == For::Overlay && !place.field.is_empty() && place.depth > 2 && dice.percent(5) {
                let map = value.as_object_mut().unwrap();
                map.retain(|_, value| !value.is_null());
                map.insert("$patch".into(), "replace".into());
            }
            map.insert(field, value);
        } else {
            let value = self.scalar(dice, owner, kind, place);
            map.insert(field, value);
        }
    }

    fn list(&self, dice: &mut Dice, owner: &str, kind: &str, more: &More, place: Place<'_>) -> Vec<Value> {
        let keyed = more.key.as_deref().filter(|_| more.strategy.contains("merge"));
        // Elements of a list that is replaced whole are whole themselves.
        let by = if keyed.is_some() { place.by } else { For::Base };
        let place = Place { by, ..place };
        let mut items: Vec<Value> = Vec::new();
        for _ in 0..=dice.below(3) {
            let item = if self.table.contains_key(kind) {
                self.object(dice, kind, Place { depth: place.depth + 1, ..place })
            } else {
                self.scalar(dice, owner, kind, place)
            };
            let twice = match keyed.or(unique_by(place.field)) {
                Some(key) => items.iter().any(|other| other[key] == item[key]),
                None => items.contains(&item),
            };
            if !twice {
                items.push(item);
            }
        }
        if let (Some(key), For::Overlay) = (keyed, by) {
            items.retain(|item| !item[key].is_null());
            for item in &mut items {
                if place.field != "containers" && dice.percent(12) {
                    *item = json!({key: item[key], "$patch": "delete"});
                } else if more.strategy.contains("retainKeys") && dice.percent(30) {
                    retain(item);
                }
            }
            if place.field != "containers" && place.field != "volumes" && dice.percent(8) {
                items.retain(|item| item.get("$patch").is_none());
                items.push(json!({"$patch": "replace"}));
            }
        }
        items
    }

    fn scalar(&self, dice: &mut Dice, owner: &str, kind: &str, place: Place<'_>) -> Value {
        let field = place.field;
        let words = &self.words.words;
        if kind == "boolean" {
            return match words.get(field) {
                Some(words) => dice.pick(words).clone(),
                None => dice.percent(50).into(),
            };
        }
        let found = words.get(&format!("{owner}.{field}")).or_else(|| words.get(field));
        match (found, kind) {
            (Some(words), _) => dice.pick(words).clone(),
            (None, "quantity") => dice.pick(&words["quantity"]).clone(),
            (None, "int32" | "int64") => dice.below(3).into(),
            (None, _) => dice.pick(&words[""]).clone(),
        }
    }

    /// What the marks don't say and the API server demands.
    fn put_right(&self, dice: &mut Dice, short: &str, map: &mut Map<String, Value>, place: Place<'_>) {
        if let Some(words) = self.words.words.get(&format!("{}.name", place.field)) {
            map.insert("name".into(), dice.pick(words).clone());
        }
        if let Some((_, others)) = ONE_OF.iter().find(|(name, _)| *name == short) {
            one_of(map, |field| !others.contains(&field));
        }
        match short {
            "Probe" => one_of(map, |field| PROBES.contains(&field)),
            "LifecycleHandler" | "EnvVarSource" | "VolumeProjection" => one_of(map, |_| true),
            _ => {}
        }
        let whole = place.by == For::Base || dice.percent(60);
        if let Some((_, members, (member, value))) =
            needed_members().into_iter().find(|(name, ..)| *name == short).filter(|_| whole)
            && !map.iter().any(|(field, value)| !value.is_null() && !members.contains(&field.as_str()))
        {
            map.insert(member.into(), value);
        }
        match short {
            "ContainerPort" | "ServicePort" => {
                // A name for each number, so that no two ports get the same.
                let number = if short == "ServicePort" { "port" } else { "containerPort" };
                if map.contains_key("name") || short == "ServicePort" {
                    let name = format!("p-{}", map.get(number).unwrap_or(&Value::Null)).replace("null", "x");
                    map.insert("name".into(), name.into());
                }
            }
            "DeploymentStrategy" if map.get("type").is_some_and(|kind| kind == "Recreate") => {
                map.remove("rollingUpdate");
            }
            "SeccompProfile" | "AppArmorProfile" => {
                map.remove("localhostProfile");
            }
            "ServiceSpec" if map.get("sessionAffinity").is_none_or(|kind| kind != "ClientIP") => {
                map.remove("sessionAffinityConfig");
            }
            "Toleration" if map.get("operator").is_none() && place.by == For::Base => {
                map.insert("operator".into(), "Equal".into());
            }
            "LabelSelectorRequirement" | "NodeSelectorRequirement" if map.get("values").is_none() => {
                map.insert("values".into(), json!(["x"]));
            }
            _ => {}
        }
    }
}

type Needed = (&'static str, &'static [&'static str], (&'static str, Value));

/// Types that need one of their fields, beside some; and one that serves.
fn needed_members() -> [Needed; 10] {
    const PROBE: [&str; 5] =
        ["initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"];
    [
        ("Probe", &PROBE, ("tcpSocket", json!({"port": 80}))),
        ("LifecycleHandler", &[], ("sleep", json!({"seconds": 1}))),
        ("EnvVarSource", &[], ("fieldRef", json!({"fieldPath": "metadata.name"}))),
        ("EnvFromSource", &["prefix"], ("configMapRef", json!({"name": "settings"}))),
        ("VolumeProjection", &[], ("configMap", json!({"name": "settings"}))),
        ("PodResourceClaim", &["name"], ("resourceClaimName", json!("claim"))),
        ("Volume", &["name"], ("emptyDir", json!({}))),
        ("ExecAction", &[], ("command", json!(["true"]))),
        ("SELinuxOptions", &[], ("level", json!("s0"))),
        ("Toleration", &["effect", "operator", "value"], ("key", json!("a"))),
    ]
}

fn unique_by(field: &str) -> Option<&'static str> {
    match field {
        "resizePolicy" => Some("resourceName"),
        "items" => Some("path"),
        "readinessGates" => Some("conditionType"),
        _ => None,
    }
}

fn one_of(map: &mut Map<String, Value>, member: impl Fn(&str) -> bool) {
    let mut seen = false;
    map.retain(|field, value| value.is_null() || !member(field) || !std::mem::replace(&mut seen, true));
}

/// `$retainKeys` with all that is there.
fn retain(item: &mut Value) {
    let Some(map) = item.as_object_mut() else { return };
    map.retain(|_, value| !value.is_null());
    let keys: Vec<Value> =
        map.keys().filter(|key| !key.starts_with('$')).map(|key| key.as_str().into()).collect();
    map.insert("$retainKeys".into(), keys.into());
}
