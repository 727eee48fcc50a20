//! A compilation that builds on the one before comes to what one from scratch comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::dice::{Dice, Step, cases};
use crate::inventory::snapshot::{decode, encode};
use crate::inventory::{Edit, Inventory, Key, Kind, Object, Settings};
use crate::routes::{Compiled, Endpoint, Table, compile};

/// The steps as edits.
pub fn edits(steps: &[Step]) -> Vec<Edit> {
    let edit = |step: &Step| match step {
        Step::Apply(value) => Edit::Apply(Box::new(Object::read(value.clone()).unwrap().unwrap())),
        Step::Remove(kind, namespace, name) => {
            let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap();
            Edit::Remove(kind, Key::new(namespace.as_str(), name.as_str()))
        }
    };
    steps.iter().map(edit).collect()
}

fn picture(compiled: &Compiled) -> Value {
    let mut table = compiled.table.describe();
    table.as_object_mut().unwrap().remove("generation");
    table
}

/// Where two values differ.
fn difference(at: &str, a: &Value, b: &Value) -> String {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let null = Value::Null;
            let of =
                |value: &serde_json::Map<String, Value>, key: &str| value.get(key).unwrap_or(&null).clone();
            let parts =
                keys.into_iter().map(|key| difference(&format!("{at}/{key}"), &of(a, key), &of(b, key)));
            parts.collect()
        }
        _ if a == b => String::new(),
        _ => format!("{at}: {a} where from scratch {b}\n"),
    }
}

/// The endpoints of a table, by identity.
fn endpoints(table: &Table) -> BTreeMap<String, Arc<Endpoint>> {
    let routers = table.hosts.iter().map(|(_, router)| router);
    let slots = routers.flat_map(|router| router.versions.iter().map(|(_, slot)| slot));
    let endpoints = slots.flat_map(|slot| slot.route.endpoints.iter());
    let identity = |it: &Endpoint| format!("{} {} {} {}", it.namespace, it.service, it.pod_uid, it.address);
    endpoints.map(|it| (identity(it), it.clone())).collect()
}

proptest! {
    #![proptest_config(cases(40))]
    #[test]
    fn building_on_the_last_comes_to_the_same_as_from_scratch(
        rounds in prop::collection::vec(prop::collection::vec(any::<u16>(), 40..400), 1..14)
    ) {
        let mut settings = Settings::default();
        let mut inventory = Inventory::default();
        let mut last: Option<Compiled> = None;
        for numbers in &rounds {
            let mut dice = Dice::of(numbers);
            let count = 1 + dice.upto(5);
            let begins = if last.is_none() { dice.beginning() } else { Vec::new() };
            let steps: Vec<Step> = begins.into_iter().chain((0..count).map(|_| dice.step())).collect();
            settings.allow_loopback ^= dice.chance(15);
            let changes = inventory.update(edits(&steps));
            let before = last.as_ref().map(|last| (last.table.clone(), picture(last)));
            let next = compile(&inventory, &settings, last.take(), &changes);
            let scratch = compile(&inventory, &settings, None, &Default::default());
            let (ours, anew) = (picture(&next), picture(&scratch));
            prop_assert!(ours == anew, "{}\nafter {steps:?}", difference("", &ours, &anew));
            prop_assert_eq!(&next.reports, &scratch.reports, "after {:?}", steps);
            let known = decode(&encode(&inventory, Timestamp::UNIX_EPOCH)).unwrap();
            let mut remembered = Inventory::default();
            remembered.update(known.edits);
            let from_disk = picture(&compile(&remembered, &settings, None, &Default::default()));
            prop_assert!(from_disk == anew, "by a snapshot: {}\nafter {steps:?}", difference("", &from_disk, &anew));
            let live = endpoints(&next.table);
            for gone in &next.retired {
                prop_assert!(live.values().all(|it| it.id != gone.id), "{gone:?} is retired and sent to");
            }
            if let Some((table, picture_before)) = before {
                if picture(&next) != picture_before {
                    prop_assert!(next.table.generation > table.generation);
                }
                for (identity, old) in endpoints(&table) {
                    // Its Router may have lost its hosts, and the endpoint with it, and both came back.
                    let kept = |new: &Arc<Endpoint>| {
                        new.id == old.id || next.retired.iter().any(|it| it.id == old.id)
                    };
                    prop_assert!(live.get(&identity).is_none_or(kept));
                }
            }
            last = Some(next);
        }
    }
}
