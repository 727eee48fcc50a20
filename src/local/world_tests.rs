use serde_json::json;

use super::*;

fn dpv(replicas: i64) -> Value {
    json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion",
        "metadata": {"name": "shop-1", "resourceVersion": "7"},
        "spec": {"deploymentSpec": {"replicas": replicas}}, "status": {"version": "forged"}})
}

fn key() -> Key {
    Key::new("default", "shop-1")
}

fn at(world: &World, pointer: &str) -> Value {
    world.get(Kind::DeploymentVersion, &key()).unwrap().pointer(pointer).cloned().unwrap_or_default()
}

#[test]
fn what_an_api_server_adds_stays() {
    let mut world = World::default();
    let (first, later) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    assert!(matches!(world.put(dpv(1), Origin::File, first), Ok(Put::Changed(Edit::Apply(_)))));
    let uid = at(&world, "/metadata/uid");
    assert_eq!(at(&world, "/metadata/namespace"), "default");
    assert_eq!(at(&world, "/metadata/generation"), 1);
    assert_eq!(at(&world, "/metadata/resourceVersion"), Value::Null);
    assert_eq!(at(&world, "/status"), Value::Null, "a manifest writes no status");
    assert!(matches!(world.put(dpv(1), Origin::File, later), Ok(Put::Same)));
    assert!(world.put_status(Kind::DeploymentVersion, &key(), json!({"version": "1"})).is_some());
    assert!(world.put_status(Kind::DeploymentVersion, &key(), json!({"version": "1"})).is_none());
    assert!(matches!(world.put(dpv(2), Origin::File, later), Ok(Put::Changed(_))));
    assert_eq!(at(&world, "/metadata/generation"), 2);
    assert_eq!(at(&world, "/metadata/uid"), uid);
    assert_eq!(at(&world, "/metadata/creationTimestamp"), first.to_string());
    assert_eq!(at(&world, "/status/version"), "1");
    // Deleted and made again, it is another object.
    assert!(matches!(world.remove(Kind::DeploymentVersion, &key()), Some(Edit::Remove(..))));
    assert!(world.remove(Kind::DeploymentVersion, &key()).is_none());
    world.put(dpv(2), Origin::File, later).unwrap();
    assert_ne!(at(&world, "/metadata/uid"), uid);
}

#[test]
fn what_cannot_be_read_replaces_nothing() {
    let mut world = World::default();
    world.put(dpv(1), Origin::File, Timestamp::UNIX_EPOCH).unwrap();
    let mut broken = dpv(1);
    broken["spec"]["deploymentSpec"] = json!("text");
    assert!(world.put(broken, Origin::File, Timestamp::UNIX_EPOCH).is_err());
    assert_eq!(at(&world, "/spec/deploymentSpec/replicas"), 1);
    let foreign = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
    assert!(matches!(world.put(foreign, Origin::File, Timestamp::UNIX_EPOCH), Ok(Put::Foreign)));
}

#[test]
fn a_strangers_object_is_never_touched() {
    let mut world = World::default();
    world.put(dpv(1), Origin::File, Timestamp::UNIX_EPOCH).unwrap();
    let clone = world.put(dpv(2), Origin::Clone, Timestamp::UNIX_EPOCH).unwrap();
    assert!(matches!(clone, Put::Taken(Origin::File)));
    assert_eq!(at(&world, "/spec/deploymentSpec/replicas"), 1);
    assert_eq!(world.of(Origin::File).count(), 1);
    assert_eq!(world.of(Origin::Clone).count(), 0);
}
