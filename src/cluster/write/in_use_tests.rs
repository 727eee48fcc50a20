//! A deletion and the traffic that has to leave.

use serde_json::json;

use super::*;
use crate::inventory::{Edit, Object};

fn dpv(deleting: bool, held: bool) -> VersionFacts {
    let mut value = json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "metadata": {"name": "shop-2", "namespace": "n", "finalizers": ["other/x"]}, "spec": {}});
    if deleting {
        value["metadata"]["deletionTimestamp"] = json!("2026-01-01T12:00:00Z");
    }
    if held {
        value["metadata"]["finalizers"] = json!(["other/x", names::FINALIZER_IN_USE]);
    }
    match Object::read(value).unwrap().unwrap() {
        Object::DeploymentVersion(dpv) => dpv,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_case_has_its_verdict() {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let leaving = Leaving { since: noon, moved: Some(noon) };
    let after = |seconds: i64| noon + SignedDuration::from_secs(seconds);
    for (deleting, held, used, seconds, wanted) in [
        (false, false, Use::None, 0, Verdict::Stays),
        (false, true, Use::None, 0, Verdict::Remove),
        (false, false, Use::Named, 0, Verdict::Add),
        (false, true, Use::Active, 0, Verdict::Stays),
        // One that is being deleted can bear no new one.
        (true, false, Use::Active, 0, Verdict::Stays),
        (true, true, Use::None, 0, Verdict::Remove),
        (true, true, Use::Named, 0, Verdict::Until(noon + DRAIN)),
        (true, true, Use::Named, 5, Verdict::Remove),
        (true, true, Use::Active, 59, Verdict::Until(noon + LONGEST)),
        (true, true, Use::Active, 60, Verdict::Remove),
    ] {
        let verdict = judge(&dpv(deleting, held), used, leaving, after(seconds));
        assert_eq!(verdict, wanted, "{deleting} {held} {used:?} {seconds}");
    }
    // Moved late: the edges get their time from then on.
    let late = Leaving { since: noon, moved: Some(after(20)) };
    assert_eq!(judge(&dpv(true, true), Use::Named, late, after(21)), Verdict::Until(after(25)));
}

#[test]
fn only_ours_is_added_and_taken_away() {
    assert_eq!(finalizers(&dpv(false, false).meta, true), ["other/x", names::FINALIZER_IN_USE]);
    assert_eq!(finalizers(&dpv(false, true).meta, true), ["other/x", names::FINALIZER_IN_USE]);
    assert_eq!(finalizers(&dpv(false, true).meta, false), ["other/x"]);
}

#[test]
fn a_router_names_by_its_active_version_its_rules_and_what_is_written() {
    let mut inventory = Inventory::default();
    let base = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "namespace": "n"},
        "spec": {"selector": {}, "template": {"metadata": {"labels": {}}}}});
    let mut put = |value| {
        inventory.update([Edit::Apply(Box::new(Object::read(value).unwrap().unwrap()))]);
        inventory.clone()
    };
    put(base);
    for name in ["shop-1", "shop-2", "shop-3", "shop-4"] {
        put(json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
            "metadata": {"name": name, "namespace": "n"}, "spec": {}}));
    }
    let mut router = json!({"apiVersion": "kyaninus.com/v1", "kind": "Router",
        "metadata": {"name": "r", "namespace": "n"}, "status": {"active": "3"},
        "spec": {"base": "shop", "hosts": ["a.b"], "active": "1", "rules": [{"name": "x", "match": [], "send": "2"}]}});
    let inventory = put(router.clone());
    let of = |inventory: &Inventory, name: &str| {
        usage(inventory, inventory.dpvs.get(&Key::new("n", name)).unwrap())
    };
    let all =
        |inventory: &Inventory| ["shop-1", "shop-2", "shop-3", "shop-4"].map(|name| of(inventory, name));
    assert_eq!(all(&inventory), [Use::Named, Use::Named, Use::Active, Use::None]);
    let named: Vec<String> =
        named_by(&inventory, &Key::new("n", "r")).iter().map(|key| key.name.to_string()).collect();
    assert_eq!(named, ["shop-1", "shop-2", "shop-3"]);
    router["metadata"]["deletionTimestamp"] = json!("2026-01-01T12:00:00Z");
    assert_eq!(all(&put(router)), [Use::None; 4]);
}
