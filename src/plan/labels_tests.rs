//! Selectors that would catch a version's pods, and the labels that escape them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::inventory::Key;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn catcher(kind: Kind, name: &str, selector: Value) -> Catcher {
    let who = ObjectReference { kind, key: Key::new("n", name) };
    Catcher { who, selector: serde_json::from_value(selector).unwrap() }
}

fn service(name: &str, selector: &[(&str, &str)]) -> Catcher {
    catcher(Kind::Service, name, json!({ "matchLabels": labels(selector) }))
}

fn chosen(catchers: &[Catcher], asked: &[(&str, &str)], overlays: &[&str]) -> Result<Labels, Vec<String>> {
    let overlays = overlays.iter().map(|key| (*key).to_owned()).collect();
    let version = VersionId::parse("v2").unwrap();
    choose(catchers, &labels(asked), &labels(asked), &overlays, &version, "shop-v2")
        .map(|chosen| chosen.labels)
        .map_err(|caught| caught.iter().map(|catcher| catcher.who.to_string()).collect())
}

#[test]
fn one_common_key_is_enough() {
    let catchers = [
        service("a", &[("app", "shop"), ("tier", "web")]),
        service("b", &[("app", "shop"), ("zone", "x")]),
        service("c", &[("app", "other")]),
    ];
    let asked = [("app", "shop"), ("tier", "web"), ("zone", "x")];
    assert_eq!(
        chosen(&catchers, &asked, &[]),
        Ok(labels(&[("app", "shop-v2"), ("tier", "web"), ("zone", "x")]))
    );
}

#[test]
fn two_disjoint_selectors_need_two_keys_and_a_crossing_one_is_taken_for_three() {
    let catchers = [
        service("a", &[("a", "1"), ("x", "1")]),
        service("b", &[("b", "1"), ("x", "1")]),
        service("c", &[("c", "1")]),
    ];
    let asked = [("a", "1"), ("b", "1"), ("c", "1"), ("x", "1")];
    assert_eq!(
        chosen(&catchers, &asked, &[]),
        Ok(labels(&[("a", "1"), ("b", "1"), ("c", "1-v2"), ("x", "1-v2")]))
    );
}

#[test]
fn the_instance_changes_before_the_name() {
    let (name, instance) = ("app.kubernetes.io/name", "app.kubernetes.io/instance");
    let catchers = [service("a", &[(name, "shop"), (instance, "prod")])];
    let asked = [(name, "shop"), (instance, "prod")];
    assert_eq!(chosen(&catchers, &asked, &[]), Ok(labels(&[(name, "shop"), (instance, "prod-v2")])));
}

#[test]
fn expressions_count_and_exists_takes_the_key_away() {
    let asked = [("app", "shop"), ("tier", "web")];
    let of = |expressions: Value| {
        [catcher(Kind::PodDisruptionBudget, "p", json!({ "matchExpressions": expressions }))]
    };
    let within = of(json!([{"key": "tier", "operator": "In", "values": ["web", "api"]}]));
    assert_eq!(chosen(&within, &asked, &[]), Ok(labels(&[("app", "shop"), ("tier", "web-v2")])));
    let exists = of(json!([{"key": "tier", "operator": "Exists"}]));
    assert_eq!(chosen(&exists, &asked, &[]), Ok(labels(&[("app", "shop")])));
    let either = of(
        json!([{"key": "tier", "operator": "Exists"}, {"key": "app", "operator": "In", "values": ["shop"]}]),
    );
    assert_eq!(chosen(&either, &asked, &[]), Ok(labels(&[("app", "shop-v2"), ("tier", "web")])));
    for held in [
        json!([{"key": "tier", "operator": "NotIn", "values": ["db"]}]),
        json!([{"key": "db", "operator": "DoesNotExist"}]),
    ] {
        assert_eq!(chosen(&of(held), &asked, &[]), Err(vec!["PodDisruptionBudget n/p".to_owned()]));
    }
}

#[test]
fn an_empty_selector_and_a_network_policy_hold_nobody_back() {
    let empty = [catcher(Kind::PodDisruptionBudget, "p", json!({}))];
    assert_eq!(chosen(&empty, &[("a", "1")], &[]), Ok(labels(&[("a", "1")])));
    let negative = json!({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]});
    let policy = [catcher(Kind::NetworkPolicy, "p", negative), service("s", &[("a", "1")])];
    assert_eq!(chosen(&policy, &[("a", "1")], &[]), Ok(labels(&[("a", "1-v2")])));
}

#[test]
fn what_asks_for_versions_may_have_them_unless_it_has_the_base_too() {
    let (base, version) = ("kyaninus.com/base", "kyaninus.com/version");
    let of_base = labels(&[("app", "shop")]);
    let asked = labels(&[("app", "shop"), (base, "shop"), (version, "v2")]);
    let choose_by = |catchers: &[Catcher], of_base: &Labels| {
        let version = VersionId::parse("v2").unwrap();
        choose(catchers, of_base, &asked, &BTreeSet::new(), &version, "shop-v2")
            .map(|chosen| chosen.labels.get("app").map(str::to_owned))
            .map_err(|caught| caught.len())
    };
    let own = service("own", &[("app", "shop")]);
    let exists = json!({"matchExpressions": [{"key": base, "operator": "Exists"}]});
    for purpose in [
        service("all", &[(base, "shop")]),
        service("one", &[(version, "v2")]),
        service("named", &[("app", "shop-v2"), (version, "v2")]),
        catcher(Kind::PodDisruptionBudget, "any", exists),
    ] {
        let chosen = choose_by(&[own.clone(), purpose], &of_base);
        assert_eq!(chosen, Ok(Some("shop-v2".to_owned())), "nothing gives way to it");
    }
    let not_one = json!({"matchExpressions": [{"key": version, "operator": "NotIn", "values": ["v1"]}]});
    let not_one = catcher(Kind::PodDisruptionBudget, "others", not_one);
    assert_eq!(
        choose_by(&[not_one], &of_base),
        Err(1),
        "the base's pods lack the label, and are selected, too"
    );
    let copied = labels(&[("app", "shop"), (base, "shop")]);
    assert_eq!(choose_by(&[service("all", &[(base, "shop")])], &copied), Err(1), "the base's pods bear it");
}

#[test]
fn the_overlays_labels_stay_where_they_are_safe() {
    let base = [service("s", &[("app", "nginx")]), service("t", &[("app", "nginx"), ("tier", "web")])];
    let asked = [("app", "nginx-v1"), ("tier", "web")];
    assert_eq!(chosen(&base, &asked, &["app"]), Ok(labels(&asked)), "the overlay alone escapes both");
    let both = [service("s", &[("app", "mine"), ("tier", "web")])];
    assert_eq!(
        chosen(&both, &[("app", "mine"), ("tier", "web")], &["app"]),
        Ok(labels(&[("app", "mine"), ("tier", "web-v2")])),
        "the base's key gives way first"
    );
    let other = [service("s", &[("app", "mine")])];
    assert_eq!(chosen(&other, &[("app", "mine")], &["app"]), Ok(labels(&[("app", "mine-v2")])));
}

#[test]
fn a_value_that_is_somebody_elses_gets_a_hash() {
    let catchers = [service("a", &[("app", "shop")]), service("b", &[("app", "shop-v2")])];
    let found = chosen(&catchers, &[("app", "shop")], &[]).unwrap();
    assert_eq!(found.get("app"), Some(&*format!("shop-v2-{}", hash8("shop-v2"))));
}

#[test]
fn a_budget_for_everybody_else_is_avoided_and_holds_nobody_back() {
    let negative = |key: &str| {
        let selector = json!({"matchExpressions": [{"key": key, "operator": "NotIn", "values": ["shop"]}]});
        catcher(Kind::PodDisruptionBudget, "others", selector)
    };
    let asked = [("app", "shop"), ("tier", "shop")];
    let catchers = [service("s", &asked), negative("app")];
    assert_eq!(chosen(&catchers, &asked, &[]), Ok(labels(&[("app", "shop"), ("tier", "shop-v2")])));
    let catchers = [service("s", &asked), negative("app"), negative("tier")];
    assert_eq!(chosen(&catchers, &asked, &[]), Ok(labels(&[("app", "shop-v2"), ("tier", "shop")])));
    let catchers = [service("s", &asked), service("t", &[("app", "shop-v2")]), negative("tier")];
    assert_eq!(
        chosen(&catchers, &asked, &[]),
        Ok(labels(&[("app", &format!("shop-v2-{}", hash8("shop-v2"))), ("tier", "shop")])),
        "a hash does, too"
    );
}

#[test]
fn values_stay_label_values() {
    let long = "x".repeat(63);
    for value in ["", long.as_str()] {
        let found = chosen(&[service("a", &[("app", value)])], &[("app", value)], &[]).unwrap();
        let value = found.get("app").unwrap();
        assert!(value.len() <= 63 && !value.starts_with('-') && !value.is_empty(), "{value}");
    }
}

fn arbitrary_selector(operators: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let requirement = ("[a-f]", proptest::sample::select(operators)).prop_map(|(key, operator)| {
        let values = if operator.ends_with("In") { json!(["x"]) } else { json!([]) };
        json!({"key": key, "operator": operator, "values": values})
    });
    (proptest::collection::btree_map("[a-f]", "[xy]", 0..3), proptest::collection::vec(requirement, 0..3))
        .prop_map(|(labels, requirements)| json!({"matchLabels": labels, "matchExpressions": requirements}))
}

fn arbitrary_catchers(operators: &'static [&'static str]) -> impl Strategy<Value = Vec<Catcher>> {
    let catcher = arbitrary_selector(operators).prop_map(|it| catcher(Kind::PodDisruptionBudget, "p", it));
    proptest::collection::vec(catcher, 0..6)
}

/// The fewest labels that must change or go for nothing to catch the rest, found by trying every way.
fn fewest(catchers: &[Catcher], asked: &Labels) -> Option<usize> {
    let keys: Vec<&str> = asked.keys().collect();
    let ways = 3_usize.pow(u32::try_from(keys.len()).unwrap());
    let touched = (0..ways).filter_map(|mut way| {
        let mut labels = asked.clone();
        let mut touched = 0;
        for key in &keys {
            match way % 3 {
                0 => {}
                1 => drop(labels.insert((*key).to_owned(), "other".to_owned())),
                _ => drop(labels.remove(key)),
            }
            touched += usize::from(way % 3 > 0);
            way /= 3;
        }
        (!catchers.iter().any(|it| it.catches(&labels))).then_some(touched)
    });
    touched.min()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Selectors that ask for something can always be escaped, and by no fewer keys than were taken.
    #[test]
    fn the_choice_is_the_smallest(
        catchers in arbitrary_catchers(&["In", "Exists"]),
        asked in proptest::collection::btree_map("[a-f]", "[xy]", 0..6),
    ) {
        let asked = Labels::from(asked);
        let version = VersionId::parse("v2").unwrap();
        let chosen = choose(&catchers, &asked, &asked, &BTreeSet::new(), &version, "d").unwrap();
        prop_assert!(!catchers.iter().any(|it| it.catches(&chosen.labels)));
        prop_assert_eq!(Some(chosen.changed.len()), fewest(&catchers, &asked));
    }

    /// With selectors that ask for absence a choice is still safe, or is refused with what would catch.
    #[test]
    fn a_choice_is_safe(
        catchers in arbitrary_catchers(&["In", "NotIn", "Exists", "DoesNotExist"]),
        asked in proptest::collection::btree_map("[a-f]", "[xy]", 0..6),
    ) {
        let asked = Labels::from(asked);
        let version = VersionId::parse("v2").unwrap();
        match choose(&catchers, &asked, &asked, &BTreeSet::new(), &version, "d") {
            Ok(chosen) => {
                let catches = |it: &Catcher| it.is_forbidden(&asked) && it.catches(&chosen.labels);
                prop_assert!(!catchers.iter().any(catches));
            }
            Err(caught) => prop_assert!(!caught.is_empty()),
        }
    }
}
