//! What comes back of what was written, and what of bytes that are no snapshot. That a table from a snapshot is the
//! table of the inventory is a property in `routes::tests::again`.

use super::*;
use crate::inventory::object::Keyed;
use crate::inventory::{Key, Store};

fn inventory() -> Inventory {
    let meta = |name: &str| {
        json!({"namespace": "n", "name": name, "uid": "u", "generation": 3,
        "creationTimestamp": "2026-01-02T03:04:05Z", "labels": {"app": name}})
    };
    let mut deleted = meta("shop-version-1");
    deleted["deletionTimestamp"] = json!("2026-01-02T03:04:06Z");
    let mut clone = meta("shop-version-1");
    clone["labels"] = json!({"kyaninus.com/dpv": "x"});
    clone["ownerReferences"] = json!([{"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "name": "d",
        "uid": "u", "controller": true}]);
    let mut slice = meta("shop-1");
    slice["labels"] = json!({"kubernetes.io/service-name": "shop"});
    let objects = [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("shop"), "spec": {"replicas": 3,
            "selector": {"matchLabels": {"app": "shop"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
            "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": []}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": clone, "spec": {"type": "ClusterIP",
            "selector": {"app": "shop"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080},
                {"name": "admin", "port": 90, "targetPort": "admin", "appProtocol": "http"}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv6", "metadata": slice,
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": ["2001:db8::1"], "conditions": {"ready": false, "serving": true,
                "terminating": true}, "targetRef": {"kind": "Pod", "uid": "p"}},
                {"addresses": ["2001:db8::2"]}]}),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "DeploymentVersion", "metadata": deleted,
            "spec": {"suspend": true}, "status": {"base": {"name": "shop", "uid": "b"}}}),
        json!({"apiVersion": "kyaninus.com/v1", "kind": "Router", "metadata": meta("shop"),
            "spec": {"base": "shop", "hosts": ["shop.example.com", "no host"], "active": "version-1", "port": "http",
                "rules": [{"name": "a\nb", "match": [{"headers": [{"name": "X", "exact": "\u{0}\u{7f}é"}]}],
                    "send": "version-1"}]},
            "status": {"active": "version-1"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta("secret"), "data": {"password": "aHVudGVyMg=="}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("config"), "data": {"password": "hunter2"}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta("pod"), "spec": {"containers": []}}),
    ];
    let mut inventory = Inventory::default();
    let edits = objects.map(|value: Value| Edit::Apply(Box::new(Object::read(value).unwrap().unwrap())));
    inventory.update(edits);
    inventory
}

fn same<T: Keyed + PartialEq + std::fmt::Debug>(a: &Store<T>, b: &Store<T>) {
    assert_eq!(a.iter().collect::<Vec<_>>(), b.iter().collect::<Vec<_>>());
}

#[test]
fn what_routing_reads_comes_back_and_nothing_else() {
    let (before, time) = (inventory(), "2026-11-23T16:00:00Z".parse().unwrap());
    let bytes = encode(&before, time);
    let snapshot = decode(&bytes).unwrap();
    assert_eq!(snapshot.written, time);
    let mut after = Inventory::default();
    after.update(snapshot.edits);
    same(&before.slices, &after.slices);
    same(&before.dpvs, &after.dpvs);
    same(&before.routers, &after.routers);
    let key = Key::new("n", "shop");
    let (old, new) = (before.deployments.get(&key).unwrap(), after.deployments.get(&key).unwrap());
    assert_eq!((&old.meta, &old.selector, &old.pod_labels), (&new.meta, &new.selector, &new.pod_labels));
    let key = Key::new("n", "shop-version-1");
    let (old, new) = (before.services.get(&key).unwrap(), after.services.get(&key).unwrap());
    assert_eq!(
        (&old.meta, &old.selector, &old.ports, &old.type_),
        (&new.meta, &new.selector, &new.ports, &new.type_)
    );
    let text = String::from_utf8(bytes).unwrap();
    for secret in ["aHVudGVyMg", "hunter2", "containers", "replicas"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(text, String::from_utf8(encode(&after, time)).unwrap(), "the same again");
}

#[test]
fn an_empty_one_is_one() {
    assert!(decode(&encode(&Inventory::default(), Timestamp::UNIX_EPOCH)).unwrap().edits.is_empty());
}

#[test]
fn what_is_cut_off_at_any_byte_or_changed_in_any_byte_is_refused() {
    let bytes = encode(&inventory(), Timestamp::UNIX_EPOCH);
    for end in 0..bytes.len() {
        let error = decode(&bytes[..end]).unwrap_err();
        let header = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let expected = if end < header { SnapshotError::Foreign } else { SnapshotError::CutOff };
        assert_eq!(error, expected, "{end}");
    }
    for at in 0..bytes.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            assert!(decode(&damaged).is_err(), "byte {at} with bit {bit:x}");
        }
    }
    // Two, one behind the other; lines in another order; one line twice.
    assert!(decode(&[&bytes[..], &bytes[..]].concat()).is_err());
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    assert_eq!(decode(&swapped.concat()).unwrap_err(), SnapshotError::Damaged);
    let mut twice = lines.clone();
    twice.insert(1, lines[1]);
    assert_eq!(decode(&twice.concat()).unwrap_err(), SnapshotError::Damaged);
}

#[test]
fn what_is_none_or_of_another_version_says_so() {
    for foreign in
        ["", "\n", "{}", "null", "[1]", "apiVersion: v1\n", "\0\0\0", "{\"synkronic\":1}", "\u{feff}{}"]
    {
        assert_eq!(decode(foreign.as_bytes()).unwrap_err(), SnapshotError::Foreign, "{foreign:?}");
    }
    // The first one did not say whose clone a Service is.
    for other in [1, 3] {
        let head = format!("{{\"synkronic\":\"snapshot\",\"format\":{other},\"more\":true}}\nbinary");
        let error = decode(head.as_bytes()).unwrap_err();
        assert_eq!(error, SnapshotError::Format(other));
        assert!(error.to_string().contains(&format!("format {other}")));
    }
    // A whole one, whose content this build does not know.
    let body = "{\"synkronic\":\"snapshot\",\"format\":2,\"written\":\"2026-01-01T00:00:00Z\"}\n{\"kind\":\"Pudding\"}\n";
    let whole = format!("{body}{SUM}{}\"}}\n", digest(body.as_bytes()));
    let error = decode(whole.as_bytes()).unwrap_err();
    assert_eq!(error, SnapshotError::Object { line: 2, message: "no kind that is known".to_owned() });
}
