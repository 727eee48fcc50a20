//! `find` against the naive oracle of the routes' own tests, in worlds drawn from the input.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The tests of `routes` name the rooms from the crate's root.
pub use synkronic::{inventory, routes};

#[allow(dead_code, unused_imports)]
#[path = "../../../src/routes/tests/dice.rs"]
mod dice;
#[allow(dead_code)]
#[path = "../../../src/routes/tests/oracle.rs"]
mod oracle;
#[allow(dead_code)]
#[path = "../../../src/routes/tests/world.rs"]
mod world;

use dice::{Dice, Step};
use inventory::{Edit, Inventory, Key, Kind, Object, Settings};

fn edit(step: &Step) -> Edit {
    match step {
        Step::Apply(value) => Edit::Apply(Box::new(Object::read(value.clone()).unwrap().unwrap())),
        Step::Remove(kind, namespace, name) => {
            let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap();
            Edit::Remove(kind, Key::new(namespace.as_str(), name.as_str()))
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let numbers: Vec<u16> = data.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
    // Requests come first, so that short inputs have some.
    let (requests, numbers) = numbers.split_at(numbers.len().min(4 * 32));
    let steps = Dice::of(numbers).steps();
    let objects = oracle::after(&steps);
    let mut inventory = Inventory::default();
    let changes = inventory.update(steps.iter().map(edit).collect::<Vec<_>>());
    let table = routes::compile(&inventory, &Settings::default(), None, &changes).table;
    for numbers in requests.chunks(32) {
        let ask = Dice::of(numbers).ask();
        let outcome = ask.with_facts(|facts| world::describe(&table.find(facts)));
        let plain = outcome.split(" vary ").next().unwrap().trim_end_matches(" private");
        assert_eq!(plain, oracle::expect(&objects, &ask), "{ask:?}");
    }
});
