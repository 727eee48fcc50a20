use super::*;
use crate::inventory::{Edit, Object};

fn inventory(objects: impl IntoIterator<Item = Value>) -> Inventory {
    let mut inventory = Inventory::default();
    let read = |value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap()));
    inventory.update(objects.into_iter().map(read));
    inventory
}

fn base(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n"},
        "spec": {"template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "w", "ports": [{"containerPort": 3000}]}]}}}})
}

fn service(name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "n"},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80}]}})
}

fn dpv(name: &str) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "metadata": {"name": name, "namespace": "n"}, "spec": {}})
}

fn router(name: &str, base: &str, path: Option<&str>) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": {"name": name, "namespace": "n"},
        "spec": {"base": base, "hosts": [format!("{name}.localhost")], "path": path}})
}

#[test]
fn a_version_and_its_base_are_enough_to_see_something() {
    let added =
        defaults(&inventory([base("shop"), dpv("shop-v1"), base("db"), service("db", "db")]), |_, _| false);
    assert_eq!(added.len(), 2, "{added:?}");
    assert_eq!(added[0]["kind"], "Service");
    assert_eq!(added[0]["spec"]["ports"][0]["targetPort"], 3000);
    assert_eq!(
        added[1]["spec"],
        json!({"base": "shop", "service": "shop", "hosts": ["shop.localhost"],
        "versions": ["v1"], "path": "/{version}"})
    );
}

#[test]
fn a_base_that_a_router_names_gets_none() {
    let objects = [base("shop"), service("shop", "shop"), dpv("shop-v1"), router("shop", "shop", None)];
    assert_eq!(defaults(&inventory(objects.clone()), |_, _| false), Vec::<Value>::new());
    // One that was added earlier does not count: it is added again, or it would come and go.
    let added = defaults(&inventory(objects), |kind, _| kind == Kind::Router);
    assert_eq!(added.len(), 1);
    assert_eq!(added[0]["spec"]["service"], "shop");
}

#[test]
fn deployments_alone_are_seen_too() {
    let added = defaults(&inventory([base("shop"), service("web", "shop"), base("job")]), |_, _| false);
    assert_eq!(added.len(), 1);
    assert_eq!(added[0]["spec"], json!({"base": "shop", "service": "web", "hosts": ["shop.localhost"]}));
}

#[test]
fn the_first_router_with_path_mode_answers_at_localhost() {
    let of = |objects: Vec<Value>| {
        let inventory = inventory(objects);
        let routers: Vec<&RouterFacts> = inventory.routers.iter().collect();
        plain_host_router(&routers).map(|key| key.name.to_string())
    };
    let path = Some("/{version}");
    assert_eq!(
        of(vec![router("a", "a", None), router("b", "b", path), router("c", "c", path)]),
        Some("b".to_owned())
    );
    assert_eq!(of(vec![router("a", "a", None)]), None);
    let taken = with_plain_host(router("a", "a", None));
    assert_eq!(taken["spec"]["hosts"], json!(["a.localhost", "localhost"]));
    assert_eq!(of(vec![taken, router("b", "b", path)]), None);
}
