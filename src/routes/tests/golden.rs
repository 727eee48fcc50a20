//! Each file of `tests/golden/routes` beside the `.txt` that says what it compiles to: the table, and what is
//! found on each Router.
//!
//! `BLESS=1 cargo test --lib golden` writes the expected texts anew; read them before they are committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::inventory::{Changes, Edit, Inventory, Object, Settings, Severity};
use crate::local::manifests;
use crate::routes::{Compiled, compile};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/routes");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    files
}

fn compiled(file: &PathBuf) -> Compiled {
    let reading = manifests::read(std::slice::from_ref(file));
    assert!(reading.errors.is_empty(), "{:?}", reading.errors);
    let mut inventory = Inventory::default();
    let objects = reading.manifests.into_iter().map(|it| Object::read(it.value).unwrap().unwrap());
    inventory.update(objects.map(|object| Edit::Apply(Box::new(object))).collect::<Vec<_>>());
    compile(&inventory, &Settings::default(), None, &Changes::default())
}

fn text(compiled: &Compiled) -> String {
    let mut text = serde_json::to_string_pretty(&compiled.table.describe()).unwrap();
    text.push('\n');
    for (key, report) in &compiled.reports {
        let served = if report.served { "served" } else { "not served" };
        writeln!(text, "\n{key}: {served}").unwrap();
        for finding in &report.findings {
            let how = if finding.severity == Severity::Rejected { "rejected" } else { "warning" };
            writeln!(text, "  {how} {} {}: {}", finding.reason, finding.field, finding.message).unwrap();
        }
    }
    text
}

#[test]
fn golden_each_inventory_compiles_to_its_table() {
    let bless = std::env::var_os("BLESS").is_some();
    let files = files();
    assert!(files.len() >= 6);
    for file in files {
        let found = text(&compiled(&file));
        let beside = file.with_extension("txt");
        if bless {
            std::fs::write(&beside, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(found, expected, "{}: BLESS=1 writes it anew", file.display());
    }
}
