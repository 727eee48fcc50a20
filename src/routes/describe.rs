//! The table as JSON: what `/table` shows, and what golden files and comparisons of tables hold.
//!
//! Sorted throughout; endpoint ids and counters are left out, so that equal tables read the same whatever
//! way they came about.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::route::{Protocol, Route};
use super::router::{Offer, Plan, RouterTable, Slot};
use super::rules::Rule;
use super::table::Table;
use crate::api::Fallback;

impl Table {
    /// The table: its generation, its hosts, and each Router with its versions.
    #[must_use]
    pub fn describe(&self) -> Value {
        let mut hosts = BTreeMap::new();
        let mut routers = BTreeMap::new();
        for (host, router) in self.hosts.iter() {
            let name = format!("{}/{}", router.plan.namespace, router.plan.name);
            hosts.insert(host, name.clone());
            routers.entry(name).or_insert_with(|| describe_router(router));
        }
        json!({"generation": self.generation, "hosts": hosts, "routers": routers})
    }
}

fn describe_router(router: &Arc<RouterTable>) -> Value {
    let versions: BTreeMap<&str, Value> = router
        .versions
        .iter()
        .map(|(id, slot)| (&**id, describe_slot(slot, router.plan.path.is_some())))
        .collect();
    let mut router_value = describe_plan(&router.plan);
    router_value.insert("active".to_owned(), json!(&*router.active.version));
    router_value.insert("versions".to_owned(), json!(versions));
    Value::Object(router_value)
}

fn describe_plan(plan: &Plan) -> Map<String, Value> {
    let subdomain =
        plan.subdomain.as_ref().map(|it| format!("{}{{version}}{}{{host}}", it.before, it.between));
    let entries = [
        ("subdomain", json!(subdomain)),
        ("path", json!(plan.path.as_ref().map(super::path::PathPattern::as_str))),
        ("overrideHeader", json!(plan.header.as_ref().map(http::HeaderName::as_str))),
        ("vary", json!(plan.rules_vary.as_ref().map(text))),
        ("rulesFallback", json!(plan.rules_fallback.map(fallback))),
        ("listVersions", if plan.list_versions { json!(true) } else { Value::Null }),
        (
            "rules",
            if plan.rules.0.is_empty() {
                Value::Null
            } else {
                plan.rules.0.iter().map(describe_rule).collect()
            },
        ),
    ];
    entries
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn describe_rule(rule: &Rule) -> Value {
    let entries = rule.entries.iter().map(|entry| {
        let conditions = entry.url.iter().chain(&entry.consumer).map(ToString::to_string);
        conditions.collect::<Vec<_>>().join(", and ")
    });
    json!({"name": rule.name, "send": rule.send, "match": entries.collect::<Vec<_>>()})
}

fn describe_slot(slot: &Slot, paths: bool) -> Value {
    let offer = match slot.offer {
        Offer::Open { by_path: true } if paths => "offered, by path too",
        Offer::Open { .. } => "offered",
        Offer::Unlisted => "not offered",
        Offer::Gone => "was offered",
    };
    let mut value = describe_route(&slot.route);
    value.insert("offer".to_owned(), json!(offer));
    Value::Object(value)
}

fn describe_route(route: &Route) -> Map<String, Value> {
    let endpoints: Vec<String> = route.endpoints.iter().map(|it| it.address.to_string()).collect();
    let service = route.endpoints.first().map(|it| it.service.to_string());
    let millis = |time: Option<std::time::Duration>| time.map(|time| time.as_millis());
    let limits = route.limits;
    let entries = [
        ("absence", json!(route.absence.map(super::Absence::as_str))),
        ("connectMs", json!(millis(limits.connect))),
        ("endpoints", json!(endpoints)),
        ("idleMs", json!(millis(limits.idle))),
        ("protocol", if route.protocol == Protocol::H2c { json!("h2c") } else { Value::Null }),
        ("responseMs", json!(millis(limits.response))),
        ("retries", json!(limits.retries)),
        ("service", json!(service)),
        ("trouble", json!(route.trouble.as_deref())),
    ];
    entries
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn fallback(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::Fail => "fail",
        Fallback::Active => "active",
        Fallback::Base => "base",
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}
