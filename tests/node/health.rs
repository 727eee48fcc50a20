//! Argo CD's health check, run by a Lua of this machine on objects as they are in the cluster.

use std::process::Command;

use serde_json::Value;

use crate::world::World;

/// What Argo CD would call the health of an object, and its message.
pub fn of(world: &World, object: &Value) -> (String, String) {
    let rendered = world.kubectl(&["create", "--dry-run=client", "-o", "json", "-k", "manifests/argocd"]);
    let settings: Value = serde_json::from_str(&rendered).unwrap();
    let kind = object["kind"].as_str().unwrap();
    let script = &settings["data"][format!("resource.customizations.health.kyaninus.com_{kind}")];
    let script = script.as_str().expect("the kind has a health check");
    let lua = format!(
        "obj = {}\nlocal function health()\n{script}\nend\nlocal it = health()\nio.write(it.status, '\\n', it.message)",
        literal(object)
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lua).unwrap();
    let output =
        Command::new("lua5.3").arg(file.path()).output().expect("lua5.3 is installed (Debian: lua5.3)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (status, message) = text.split_once('\n').expect("status and message");
    (status.to_owned(), message.to_owned())
}

/// A value as Lua writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("{{{}}}", items.iter().map(literal).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("[{}]={}", quoted(key), literal(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}

/// Bytes as decimal escapes: nothing in them means anything to Lua.
fn quoted(text: &str) -> String {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:03}")).collect();
    format!("\"{escaped}\"")
}
