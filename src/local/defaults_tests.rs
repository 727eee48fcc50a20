use super::*;
use crate::inventory::{Edit, Object};

fn defaults(inventory: &Inventory, is_default: impl Fn(Kind, &Key) -> bool) -> Vec<Value> {
    super::defaults(inventory, is_default, &BTreeSet::new())
}

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
    assert_eq!(added.len(), 3, "{added:?}");
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
    assert_eq!(added.len(), 2);
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
    let plain = |objects: Vec<Value>| {
        let mut added = defaults(&inventory(objects), |_, _| false);
        assert!(added.len() <= 1, "{added:?}");
        added.pop()
    };
    let path = Some("/{version}");
    let of_b = plain(vec![router("a", "a", None), router("b", "b", path), router("c", "c", path)]).unwrap();
    assert_eq!(of_b["metadata"]["name"], "b-localhost");
    assert_eq!(of_b["spec"]["base"], "b");
    assert_eq!(of_b["spec"]["hosts"], json!(["localhost", "127.0.0.1"]));
    assert_eq!(of_b["spec"]["subdomain"], "", "or every *.localhost would be one of its versions' names");
    assert_eq!(plain(vec![router("a", "a", None)]), None);
    let mut taken = router("a", "a", None);
    taken["spec"]["hosts"] = json!(["localhost"]);
    assert_eq!(plain(vec![taken, router("b", "b", path)]), None);
}

#[test]
fn what_was_added_can_be_written_down() {
    let mut added = router("shop", "shop", None);
    added["metadata"]["uid"] = json!("x");
    let text = how_to_write(&added);
    assert!(text.contains("no Router names `shop`") && text.contains("\nkind: Router\n"), "{text}");
    assert!(text.contains("namespace: \"n\"\n") && !text.contains("uid"), "{text}");
}

#[test]
fn a_base_whose_router_is_refused_gets_no_other() {
    let inventory = inventory([base("shop"), dpv("shop-v1"), base("web"), dpv("web-v1")]);
    let refused = BTreeSet::from([Key::new("n", "shop")]);
    let added = super::defaults(&inventory, |_, _| false, &refused);
    assert!(added.iter().all(|value| value["metadata"]["name"] != "shop"), "{added:?}");
    assert_eq!(added[1]["spec"]["base"], "web");
}
