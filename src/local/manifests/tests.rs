use serde_json::json;

use super::*;

fn read_one(text: &str) -> Manifest {
    let reading = parse("a.yaml", text.as_bytes());
    assert_eq!(reading.errors, [], "{text}");
    assert_eq!(reading.manifests.len(), 1, "{text}");
    reading.manifests.into_iter().next().unwrap()
}

fn errors(text: impl AsRef<[u8]>) -> Vec<String> {
    parse("a.yaml", text.as_ref()).errors.iter().map(ToString::to_string).collect()
}

const SHOP: &str = "\
apiVersion: kyaninus.com/v1
kind: DeploymentVersion
metadata:
  name: shop-1
  annotations:
    kyaninus.com/build: abc
spec:
  deploymentSpec:
    template:
      spec:
        containers:
        - name: web
          image: shop:2
          ports: [{containerPort: 80}, {containerPort: 81}]
        - name: side
          image: side
";

#[test]
fn every_field_knows_its_line() {
    let manifest = read_one(SHOP);
    assert_eq!(manifest.value["metadata"]["name"], "shop-1");
    let cases = [
        ("", 1),
        ("kind", 2),
        ("metadata.annotations[kyaninus.com/build]", 6),
        ("metadata.annotations.kyaninus.com/build", 6),
        ("spec.deploymentSpec.template.spec.containers[web].image", 13),
        ("spec.deploymentSpec.template.spec.containers[name=side].image", 16),
        ("spec.deploymentSpec.template.spec.containers[1].image", 16),
        ("spec.deploymentSpec.template.spec.containers[web].ports[81].containerPort", 14),
        ("spec.deploymentSpec.template.spec.containers[web].nothing.here", 12),
        ("spec.nothing", 7),
        ("nothing", 1),
        ("[[[", 1),
        ("spec..", 7),
    ];
    for (path, line) in cases {
        assert_eq!(manifest.line_of(path), line, "{path}");
    }
}

#[test]
fn several_documents_and_lists_are_taken_apart() {
    let text = "\u{feff}# a comment\n---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A}\n\
                - apiVersion: v1\n  kind: BList\n  items:\n  - {apiVersion: v1, kind: B}\n---\n# nothing\n---\n\
                {\"apiVersion\": \"v1\", \"kind\": \"C\"}\n...\n";
    let reading = parse("a.yaml", text.as_bytes());
    assert_eq!(reading.errors, []);
    let found: Vec<_> = reading.manifests.iter().map(|m| (m.kind(), m.line_of("kind"))).collect();
    assert_eq!(found, [("A", 7), ("B", 11), ("C", 15)]);
    assert_eq!(parse("a", b"").manifests, []);
    assert_eq!(parse("a", b"apiVersion: v1\nkind: List\nitems: []\n"), Reading::default());
}

#[test]
fn a_broken_document_takes_nothing_with_it() {
    let text = "apiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: [B\n---\napiVersion: v1\nkind: C\n---\nkind: D\nkind: D\n\
                ---\napiVersion: v1\nkind: E\n";
    let reading = parse("a.yaml", text.as_bytes());
    let kinds: Vec<_> = reading.manifests.iter().map(Manifest::kind).collect();
    assert_eq!(kinds, ["A", "C", "E"]);
    let lines: Vec<_> = reading.errors.iter().map(|error| error.line).collect();
    assert_eq!(lines.len(), 2, "{:?}", reading.errors);
    assert_eq!(lines[1], Some(11));
}

#[test]
fn a_document_too_large_takes_nothing_with_it() {
    let large = format!(
        "apiVersion: v1\nkind: A\ntext: {}\n---\napiVersion: v1\nkind: B\n",
        "x".repeat(DOCUMENT_LIMIT)
    );
    let reading = parse("a.yaml", large.as_bytes());
    assert_eq!(reading.manifests.iter().map(Manifest::kind).collect::<Vec<_>>(), ["B"]);
    assert!(
        reading.errors[0].to_string().starts_with("a.yaml:3: this document is larger than 1 MiB"),
        "{:?}",
        reading.errors
    );
    let comments = format!(
        "apiVersion: v1\nkind: A\n{}---\napiVersion: v1\nkind: B\n",
        "# x\n".repeat(DOCUMENT_LIMIT / 2)
    );
    let reading = parse("a.yaml", comments.as_bytes());
    assert_eq!(
        reading.manifests.iter().map(Manifest::kind).collect::<Vec<_>>(),
        ["B"],
        "{:?}",
        reading.errors
    );
    assert!(errors(vec![b' '; FILE_LIMIT + 1])[0].contains("split it"));
}

#[test]
fn errors_name_the_line_and_the_way_out() {
    let head = "apiVersion: v1\nkind: A\n";
    let cases: [(&str, u32, &str); 13] = [
        ("a:\n\tb: 1\n", 4, "a tab indents this line"),
        ("a: 1\nb: 2\na: 3\n", 5, "the key `a` stands here and on line 3; keep one"),
        ("a: *nobody\n", 3, "names no anchor"),
        ("a: &me [*me]\n", 3, "within its own anchor"),
        ("a: !!python/object:os.system x\n", 3, "means nothing to Kubernetes"),
        ("a: !Ref x\n", 3, "the tag `!Ref`"),
        ("a: .nan\n", 3, "a number that JSON does not have"),
        ("a: {{ .Values.a }}\n", 3, "render it first"),
        ("{{- if .Values.a }}\na: 1\n", 3, "render it first"),
        ("a: !!int x\n", 3, "no number, as its tag says"),
        ("[1]: 2\n", 3, "a key must be text"),
        ("<<: 1\n", 3, "`<<` takes a mapping"),
        ("containers:\n- name: web\n  ima", 5, "this is no YAML"),
    ];
    for (body, line, words) in cases {
        let errors = errors(format!("{head}{body}"));
        assert_eq!(errors.len(), 1, "{body}: {errors:?}");
        assert!(errors[0].starts_with(&format!("a.yaml:{line}: ")), "{body}: {errors:?}");
        assert!(errors[0].contains(words), "{body}: {errors:?}");
    }
}

#[test]
fn what_is_no_object_is_named() {
    assert_eq!(errors("kind: A\n"), ["a.yaml:1: this is no Kubernetes object: `apiVersion` is missing"]);
    assert_eq!(errors("\n\na: 1\n"), ["a.yaml:3: this is no Kubernetes object: `kind` is missing"]);
    assert_eq!(errors("- a\n- b\n").len(), 1);
    assert_eq!(errors("just words\n").len(), 1);
    assert_eq!(errors("apiVersion: v1\nkind: List\nitems: [{kind: A, apiVersion: v1}, 3]\n").len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_named() {
    assert_eq!(errors(b"a: 1\nb: \xff\n"), ["a.yaml:2: a byte here is not UTF-8; save the file as UTF-8"]);
    assert_eq!(errors(b"\xff\xfea\0"), ["a.yaml:1: this is UTF-16; save it as UTF-8"]);
}

#[test]
fn aliases_and_merge_keys_are_written_out() {
    let manifest = read_one(
        "apiVersion: v1\nkind: A\nbase: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3\nd:\n  <<: [*b, {z: 4, x: 9}]\ne: *b\n",
    );
    assert_eq!(manifest.value["c"], json!({"x": 1, "y": 3}));
    assert_eq!(manifest.value["d"], json!({"x": 1, "y": 2, "z": 4}));
    assert_eq!(manifest.value["e"], json!({"x": 1, "y": 2}));
    assert_eq!((manifest.line_of("c.x"), manifest.line_of("c.y"), manifest.line_of("e")), (3, 6, 9));
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text =
        "apiVersion: v1\nkind: A\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", below.trim_end_matches(", ")));
    }
    let errors = errors(&text);
    assert!(errors[0].contains("larger than 1 MiB, its aliases written out"), "{errors:?}");
    let mut deep = "apiVersion: v1\nkind: A\na0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(self::errors(&deep)[0].contains("deeper than 128 levels"));
    let nested = format!("apiVersion: v1\nkind: A\na: {}{}\n", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(self::errors(&nested).len(), 1);
}

#[test]
fn hostile_texts_cost_little() {
    let many = "[\n---\n".repeat(400_000);
    assert_eq!(errors(&many).len(), 101);
    let anchors: String = (0..100).map(|n| format!("&a{n} [")).collect();
    let text = format!("apiVersion: v1\nkind: A\na: {anchors}{}", "x".repeat(500_000));
    assert_eq!(errors(format!("{text}{}\n", "]".repeat(100))).len(), 1);
}

#[test]
fn norway_stays_text_with_a_warning() {
    let reading = parse(
        "a.yaml",
        b"apiVersion: v1\nkind: A\ncountry: no\non: \"no\"\nmode: 0644\nid: '007'\nv: !!str 1\nt: |\n  1\n",
    );
    assert_eq!(reading.errors, []);
    let value = &reading.manifests[0].value;
    assert_eq!(value["country"], "no");
    assert_eq!(value["on"], "no");
    assert_eq!(value["mode"], 420);
    assert_eq!(value["id"], "007");
    assert_eq!(value["v"], "1");
    assert_eq!(value["t"], "1\n");
    let warnings: Vec<_> = reading.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "a.yaml:3: `no` is text here, but kubectl reads a boolean; write \"no\" or true/false",
            "a.yaml:4: `on` is text here, but kubectl reads a boolean; write \"on\" or true/false",
        ]
    );
}

#[test]
fn folders_are_read_in_order_and_one_bad_file_spoils_none() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    write("b.yml", "apiVersion: v1\nkind: B\n");
    write("a.yaml", "apiVersion: v1\nkind: A\n");
    write("c.json", "{\"apiVersion\": \"v1\",\n\"kind\": \"C\"}");
    write("sub/d.yaml", "apiVersion: v1\nkind: D\n");
    write("half.yaml", "apiVersion: v1\nkind: {E");
    write("kustomization.yaml", "resources: []\n");
    write(".hidden.yaml", "kind: [");
    write("notes.txt", "kind: [");
    let missing = folder.path().join("missing.yaml");
    let reading = read(&[folder.path().to_owned(), missing, folder.path().join("a.yaml")]);
    let kinds: Vec<_> = reading.manifests.iter().map(Manifest::kind).collect();
    assert_eq!(kinds, ["A", "B", "C", "D"]);
    assert_eq!(reading.errors.len(), 2, "{:?}", reading.errors);
    assert!(reading.errors[0].source.ends_with("half.yaml"));
    assert!(reading.errors[1].text.starts_with("this cannot be read"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = parse("a", &bytes);
    }

    #[test]
    fn yaml_shaped_text_neither(text in "([a-c&*:\\-{}\\[\\], \"'#|>!<\n\t]|: |- |--- )*") {
        let reading = parse("a", text.as_bytes());
        for manifest in reading.manifests {
            proptest::prop_assert!(manifest.line_of(&text) >= 1);
        }
    }
}

#[test]
fn folders_that_nobody_writes_manifests_in_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = |path: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    };
    for path in
        ["a.yaml", "deploy/b.yml", "target/c.json", ".d.yaml", "README.md", "deploy/kustomization.yaml"]
    {
        file(path);
    }
    for path in [".git/e.yaml", "web/node_modules/f/g.yaml", "built/CACHEDIR.TAG", "built/debug/h.json"] {
        file(path);
    }
    let listed = list(folder.path()).unwrap();
    let told = |paths: &[std::path::PathBuf]| -> Vec<String> {
        let inside = paths.iter().map(|path| path.strip_prefix(folder.path()).unwrap());
        inside.map(|path| path.display().to_string()).collect()
    };
    assert_eq!(told(&listed.files), ["a.yaml", "deploy/b.yml", "target/c.json"]);
    assert_eq!(told(&listed.folders), ["", "deploy", "target", "web"]);
    let empty = folder.path().join("web");
    let said = read(&[empty]).errors.remove(0).to_string();
    assert!(said.contains("web: no .yaml, .yml or .json file is in this folder"), "{said}");
}
