//! Pairs of statuses and the patches between them.

use serde_json::json;

use super::*;

#[test]
fn a_patch_says_only_what_differs() {
    let from = json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1, 2], "f": "x"});
    assert_eq!(merge_patch(&from, &from), None);
    let to = json!({"a": 1, "b": {"c": 1, "d": 3}, "e": [1], "g": {}});
    let patch = json!({"b": {"d": 3}, "e": [1], "f": null, "g": {}});
    assert_eq!(merge_patch(&from, &to), Some(patch));
    assert_eq!(merge_patch(&json!({}), &json!({"a": {"b": 1}})), Some(json!({"a": {"b": 1}})));
    assert_eq!(merge_patch(&json!({"a": {"b": 1}}), &json!({})), Some(json!({"a": null})));
}
