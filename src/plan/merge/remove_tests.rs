//! Paths that `spec.remove` takes out, refuses, and misses.

use serde_json::Value;

use super::*;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn removed(base: &str, paths: &[&str]) -> Result<(Value, Vec<String>), Vec<String>> {
    let text = |faults: Vec<Fault>| faults.iter().map(Fault::to_string).collect::<Vec<_>>();
    let paths = paths
        .iter()
        .map(|path| RemovePath::parse(Root::Deployment, path).map_err(|fault| text(vec![fault])))
        .collect::<Result<Vec<_>, _>>()?;
    let mut spec = yaml(base);
    let notes = remove(&mut spec, &paths).map_err(text)?;
    Ok((spec, text(notes)))
}

const FULL: &str = r#"
replicas: 2
template:
  metadata: {annotations: {a.b/c: x, plain: y}}
  spec:
    containers:
    - name: web
      image: a
      args: [--verbose, --fast]
      livenessProbe: {httpGet: {port: 1}}
      ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}]
    - {name: log, image: b}
    tolerations: [{key: a}, {key: b}]
"#;

#[test]
fn remove_takes_fields_elements_keys_and_scalars_out() {
    for (path, pointer) in [
        ("replicas", "/replicas"),
        ("template.spec.containers[web].livenessProbe", "/template/spec/containers/0/livenessProbe"),
        ("template.spec.containers[log]", "/template/spec/containers/1"),
        (r#"template.metadata.annotations["a.b/c"]"#, "/template/metadata/annotations/a.b~1c"),
        ("template.metadata.annotations['plain']", "/template/metadata/annotations/plain"),
        ("template.metadata.annotations.plain", "/template/metadata/annotations/plain"),
        ("template.spec.containers[web].args[--fast]", "/template/spec/containers/0/args/1"),
        ("template.spec.containers[web].ports[53/UDP]", "/template/spec/containers/0/ports/1"),
        ("template.spec.tolerations[1]", "/template/spec/tolerations/1"),
        (
            "template.spec.containers[web].livenessProbe.httpGet",
            "/template/spec/containers/0/livenessProbe/httpGet",
        ),
    ] {
        let base = yaml(FULL);
        assert!(base.pointer(pointer).is_some(), "{pointer}");
        let (spec, notes) = removed(FULL, &[path]).unwrap();
        assert!(spec.pointer(pointer).is_none(), "{path}");
        assert_ne!(spec, base);
        assert_eq!(notes, Vec::<String>::new());
    }
}

#[test]
fn remove_refuses_what_no_spec_has() {
    for (path, says) in [
        (
            "template.spec.containers[web].livenesProbe",
            "no such field: `livenesProbe`; did you mean `livenessProbe`?",
        ),
        ("spec.template", "paths begin inside the Deployment's spec: leave `spec.` out"),
        ("template.spec.containers.web", "before `.web` an element must be named by its name, in brackets"),
        (
            "template.metadata.annotations.a.b/c",
            r#"a key with dots is written in quotes and brackets: `["a.b/c"]`"#,
        ),
        ("template.spec.containers[web].name", "`name` is required there and can't be left out"),
        (
            "template.spec.containers[wbe].args",
            "the base has no element `wbe` there (it has `web`, `log`); did you mean `web`?",
        ),
        (
            "template.spec.containers[web].ports[53]",
            "`[53]` could be any of [53/TCP], [53/UDP]; write one of these",
        ),
        ("template.spec.containers[web", "`[` is not closed by `]`"),
        ("replicas.x", "what stands before `x` has no parts"),
        ("template..spec", "a field's name is missing: two dots follow each other, or the path ends in one"),
        ("template[x]", "`[x]` names an element of a list, but what stands before it is no list"),
        ("", "a path can't be empty"),
    ] {
        let found = removed(FULL, &[path]).unwrap_err();
        let wanted = if path.is_empty() { says.to_owned() } else { format!("{path}: {says}") };
        assert_eq!(found, [wanted]);
    }
}

#[test]
fn remove_says_what_was_not_there() {
    let (spec, notes) = removed(FULL, &["paused", "template.spec.containers[lag]"]).unwrap();
    assert_eq!(spec, yaml(FULL));
    assert_eq!(
        notes,
        [
            "paused: isn't in the base; nothing was removed, the line can go",
            "template.spec.containers[lag]: isn't in the base; did you mean `log`?; nothing was removed, the line can go",
        ]
    );
}
