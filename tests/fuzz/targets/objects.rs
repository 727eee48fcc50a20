//! Objects as anybody may write them, from the text to the table, the plan and the statuses: each is answered, none
//! stops the others, nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synkronic::inventory::{Edit, Inventory, Object, Settings};
use synkronic::{local, plan, routes};

fuzz_target!(|data: &[u8]| {
    let reading = local::manifests::parse("input", data);
    let read = reading.manifests.into_iter().filter_map(|manifest| Object::read(manifest.value).ok().flatten());
    let edits: Vec<Edit> = read.map(|object| Edit::Apply(Box::new(object))).collect();
    if edits.is_empty() {
        return;
    }
    let settings = Settings::default();
    let mut inventory = Inventory::default();
    let changes = inventory.update(edits);
    let compiled = routes::compile(&inventory, &settings, None, &changes);
    let _ = compiled.table.describe();
    let _ = plan::plan(&inventory, &settings);
});
