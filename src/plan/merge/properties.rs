//! What holds for every overlay.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::scalar::Scalar;
use super::table::{Kind, ListMerge, Shape, Type, TypeId, table};
use super::{Root, merge, rules};

/// A value of a field's kind, built along the table to `depth` levels.
fn value(kind: Kind, depth: u32) -> BoxedStrategy<Value> {
    match kind {
        Kind::Scalar(scalar) => scalar_value(scalar),
        Kind::Object(of) => object(of, depth),
    }
}

fn scalar_value(scalar: Scalar) -> BoxedStrategy<Value> {
    match scalar {
        Scalar::Text | Scalar::Time | Scalar::IntOrText | Scalar::Any => {
            "[a-c]{1,2}".prop_map(Value::from).boxed()
        }
        Scalar::Int32 | Scalar::Int64 => (0..4_i64).prop_map(Value::from).boxed(),
        Scalar::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Scalar::Quantity => (1..4_u8).prop_map(|n| Value::from(format!("{n}Gi"))).boxed(),
    }
}

/// A whole object of a type: what it needs, and some of the rest; never two members of a one-of.
fn object(of: TypeId, depth: u32) -> BoxedStrategy<Value> {
    let ty = table().get(of);
    let needed = |name: &str| rules::needed(ty).any(|needed| needed == name);
    let fields: Vec<BoxedStrategy<Option<(String, Value)>>> = ty
        .fields
        .iter()
        .filter(|(name, _)| depth > 0 || needed(name))
        .map(|(name, shape)| {
            let key = name.clone();
            let field = shaped(shape, depth.saturating_sub(1)).prop_map(move |value| (key.clone(), value));
            if needed(name) {
                field.prop_map(Some).boxed()
            } else {
                proptest::option::weighted(0.25, field).boxed()
            }
        })
        .collect();
    fields
        .prop_map(move |fields| {
            let mut map: Map<String, Value> = fields.into_iter().flatten().collect();
            keep_one_member(ty, &mut map);
            Value::Object(map)
        })
        .boxed()
}

fn keep_one_member(ty: &Type, map: &mut Map<String, Value>) {
    match rules::one_of(&ty.name) {
        Some(rules::OneOf::Tagged { by, value, member }) if map.contains_key(member) => {
            map.insert(by.to_owned(), value.into());
        }
        Some(rule) => {
            let mut seen = false;
            map.retain(|name, _| !rule.excludes(name) || !std::mem::replace(&mut seen, true));
        }
        None => {}
    }
}

fn shaped(shape: &'static Shape, depth: u32) -> BoxedStrategy<Value> {
    match shape {
        Shape::One(kind) => value(*kind, depth),
        Shape::Map(kind) => proptest::collection::btree_map("[a-c]", value(*kind, depth), 0..3)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
            .boxed(),
        Shape::List(kind, merge) => {
            let items = proptest::collection::vec(value(*kind, depth), 0..3);
            items.prop_map(move |items| Value::Array(distinct(items, merge))).boxed()
        }
    }
}

/// Each element of a list that merges has its key, and no two have the same.
fn distinct(items: Vec<Value>, merge: &ListMerge) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        let same = |other: &Value| match merge {
            ListMerge::Atomic => false,
            ListMerge::Set => *other == item,
            ListMerge::Keyed(rule) => other.get(&rule.key) == item.get(&rule.key),
        };
        let keyless = matches!(merge, ListMerge::Keyed(rule) if item.get(&rule.key).is_none());
        if !keyless && !kept.iter().any(same) {
            kept.push(item);
        }
    }
    kept
}

fn spec(root: Root) -> BoxedStrategy<Value> {
    object(table().find(root.type_name()).unwrap(), 6)
}

fn map(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

fn merged(root: Root, base: &Value, overlay: &Value) -> Value {
    merge(root, base.clone(), map(overlay)).unwrap_or_else(|faults| panic!("{faults:?}")).spec
}

/// Whether every part of `overlay` is in `whole`: maps by key, atomic lists whole, keyed ones by element.
fn holds(whole: &Value, overlay: &Value) -> bool {
    match (whole, overlay) {
        (Value::Object(whole), Value::Object(overlay)) => {
            overlay.iter().all(|(key, value)| whole.get(key).is_some_and(|inner| holds(inner, value)))
        }
        (Value::Array(whole), Value::Array(overlay)) => {
            overlay.iter().all(|item| whole.iter().any(|inner| holds(inner, item)))
        }
        (whole, overlay) => whole == overlay,
    }
}

fn root() -> impl Strategy<Value = Root> {
    prop_oneof![3 => Just(Root::Deployment), 1 => Just(Root::Service)]
}

fn two() -> impl Strategy<Value = (Root, Value, Value)> {
    root().prop_flat_map(|root| (Just(root), spec(root), spec(root)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_nothing_changes_nothing((root, base, _) in two()) {
        prop_assert_eq!(merged(root, &base, &Value::Object(Map::new())), base);
    }

    #[test]
    fn a_full_overlay_is_the_result((root, base, overlay) in two()) {
        prop_assert_eq!(merged(root, &overlay, &overlay), overlay.clone());
        prop_assert_eq!(merged(root, &Value::Object(Map::new()), &overlay), overlay.clone());
        let mut whole = overlay.clone();
        whole["$patch"] = "replace".into();
        prop_assert_eq!(merged(root, &base, &whole), overlay);
    }

    #[test]
    fn the_same_patch_twice_is_once((root, base, overlay) in two()) {
        let once = merged(root, &base, &overlay);
        prop_assert_eq!(merged(root, &once, &overlay), once);
    }

    #[test]
    fn the_result_holds_the_overlay((root, base, overlay) in two()) {
        let result = merged(root, &base, &overlay);
        prop_assert!(holds(&result, &overlay), "{result} lacks a part of {overlay}");
    }

    /// Two halves of an overlay that touch different fields can be laid on in either order, or at once.
    #[test]
    fn the_order_of_unrelated_keys_does_not_matter(
        base in spec(Root::Deployment),
        overlay in spec(Root::Deployment),
        pick in any::<u64>(),
    ) {
        let split = |part: u64| -> Value {
            let keys = map(&overlay).iter().enumerate().filter(|(i, _)| (pick >> (i % 64)) & 1 == part);
            Value::Object(keys.map(|(_, (key, value))| (key.clone(), value.clone())).collect())
        };
        let (one, other) = (split(0), split(1));
        let root = Root::Deployment;
        let both = merged(root, &base, &overlay);
        prop_assert_eq!(&merged(root, &merged(root, &base, &one), &other), &both);
        prop_assert_eq!(&merged(root, &merged(root, &base, &other), &one), &both);
    }

    /// No JSON makes the reader panic, and what it accepts can be laid onto any base without a panic.
    #[test]
    fn any_json_is_answered(root in root(), base in json(), overlay in json()) {
        if let Value::Object(overlay) = overlay {
            let _ = merge(root, base, &overlay);
        }
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map(word(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Words that lead somewhere in the table, and some that don't.
fn word() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "template",
        "spec",
        "containers",
        "name",
        "env",
        "value",
        "valueFrom",
        "ports",
        "containerPort",
        "args",
        "replicas",
        "selector",
        "port",
        "$patch",
        "delete",
        "replace",
        "merge",
        "$retainKeys",
        "$setElementOrder/containers",
        "$deleteFromPrimitiveList/args",
        "strategy",
        "type",
        "x",
    ])
    .prop_map(str::to_owned)
}
