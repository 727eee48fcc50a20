//! Whose rights in the cluster a version's pods have.

use serde_json::Value;

use super::{Gain, gain};
use crate::inventory::settings::OverlayRight;
use crate::plan::json::text;

/// The ServiceAccount that pods of a spec run as; `serviceAccount` is the field's old name.
fn account(spec: &Value) -> &str {
    ["/template/spec/serviceAccountName", "/template/spec/serviceAccount"]
        .into_iter()
        .find_map(|pointer| text(spec, pointer).filter(|name| !name.is_empty()))
        .unwrap_or("default")
}

/// Another ServiceAccount than the base's.
pub(super) fn find(base: &Value, spec: &Value, gains: &mut Vec<Gain>) {
    let name = account(spec);
    if name != account(base) {
        let what = format!("the ServiceAccount `{name}`");
        gains.push(gain(OverlayRight::ServiceAccount, "template.spec.serviceAccountName", what));
    }
}
