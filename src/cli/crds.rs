//! `synkronic crds`: the custom resource definitions, as YAML.
//!
//! `crds/` in the repository holds what this prints; a test compares the two.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use super::print::print;
use crate::api::definitions;

/// Arguments of `synkronic crds`: the definitions themselves follow from the types alone.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write one file per kind into this folder, instead of printing both
    #[arg(long, value_name = "DIR", env = "SYNKRONIC_CRDS_WRITE")]
    write: Option<PathBuf>,
}

/// Prints both definitions, or writes them.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    for (name, text) in files()? {
        match &arguments.write {
            Some(folder) => {
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => print(&format!("---\n{text}"))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The file name and text of each definition.
fn files() -> anyhow::Result<Vec<(String, String)>> {
    definitions()
        .into_iter()
        .map(|definition| {
            let name = format!("{}.yaml", definition.spec.names.plural);
            let mut value = serde_json::to_value(&definition)?;
            write_whole_numbers(&mut value);
            Ok((name, serde_saphyr::to_string(&value)?))
        })
        .collect()
}

/// Bounds are floats in the definition's type; `63` reads better than `63.0`.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Number(number) if number.is_f64() => {
            let whole = number.to_string().strip_suffix(".0").and_then(|text| text.parse::<i64>().ok());
            if let Some(whole) = whole {
                *value = Value::from(whole);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_holds_what_the_types_say() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        for (name, text) in files().unwrap() {
            let written = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert!(written == text, "crds/{name} is out of date: run `cargo run -- crds --write crds`");
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for (name, text) in files().unwrap() {
            let reading = crate::local::manifests::parse(&name, text.as_bytes());
            assert_eq!((reading.errors, reading.warnings), (vec![], vec![]));
            let definition =
                definitions().into_iter().find(|d| name.starts_with(&d.spec.names.plural)).unwrap();
            let mut value = serde_json::to_value(&definition).unwrap();
            write_whole_numbers(&mut value);
            assert_eq!(reading.manifests[0].value, value);
        }
    }
}
