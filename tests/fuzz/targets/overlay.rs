//! Overlays of any shape on bases of any shape: an answer, never a panic; and laid on twice as laid on once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use synkronic::plan::merge::{RemovePath, Root, merge, remove};

const WORDS: &[&str] = &[
    "template", "spec", "containers", "initContainers", "name", "image", "env", "value", "valueFrom", "ports", "containerPort", "protocol",
    "args", "command", "replicas", "selector", "matchLabels", "metadata", "labels", "annotations", "port", "targetPort", "volumes",
    "volumeMounts", "mountPath", "configMap", "emptyDir", "strategy", "type", "rollingUpdate", "maxSurge", "tolerations", "hostAliases", "ip",
    "resources", "limits", "cpu", "securityContext", "imagePullSecrets", "topologySpreadConstraints", "topologyKey", "whenUnsatisfiable",
    "$patch", "$retainKeys", "$setElementOrder/containers", "$setElementOrder/env", "$deleteFromPrimitiveList/finalizers", "delete",
    "replace", "merge", "a", "b", "80", "1Gi", "Recreate", "TCP", "", "x.y/z", "Always",
];

/// JSON drawn from bytes.
struct Feed<'d>(std::slice::Iter<'d, u8>);

impl Feed<'_> {
    fn next(&mut self) -> usize {
        self.0.next().map_or(0, |b| usize::from(*b))
    }

    fn word(&mut self) -> String {
        WORDS[self.next() % WORDS.len()].to_owned()
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.next() % if depth == 0 { 5 } else { 9 } {
            0 => self.word().into(),
            1 => (self.next() as i64 - 8).into(),
            2 => Value::Null,
            3 => (self.next() % 2 == 1).into(),
            4 => self.word().into(),
            5 | 6 | 7 => Value::Object(self.map(depth - 1)),
            _ => (0..self.next() % 4).map(|_| self.value(depth - 1)).collect(),
        }
    }

    fn map(&mut self, depth: u32) -> Map<String, Value> {
        (0..self.next() % 5).map(|_| (self.word(), self.value(depth))).collect()
    }
}

fn directs(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| key.starts_with('$') || value.is_null() || directs(value)),
        Value::Array(items) => items.iter().any(directs),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let root = if kind % 2 == 0 { Root::Deployment } else { Root::Service };
    let (mut base, overlay) = if kind % 4 < 2 {
        // As JSON: two documents, one behind the other.
        let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
        let (Some(Ok(base)), Some(Ok(overlay))) = (documents.next(), documents.next()) else { return };
        (base, overlay)
    } else {
        let mut feed = Feed(bytes.iter());
        (Value::Object(feed.map(6)), Value::Object(feed.map(6)))
    };
    if let Value::Object(overlay) = &overlay
        && let Ok(once) = merge(root, base.clone(), overlay)
    {
        let again = merge(root, base.clone(), overlay).map(|applied| applied.spec);
        assert_eq!(again.as_ref(), Ok(&once.spec));
        if !directs(&Value::Object(overlay.clone()))
            && let Ok(twice) = merge(root, once.spec.clone(), overlay)
        {
            assert_eq!(twice.spec, once.spec);
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let paths: Vec<RemovePath> = text.split('\n').filter_map(|line| RemovePath::parse(root, line).ok()).collect();
    let _ = remove(&mut base, &paths);
});
