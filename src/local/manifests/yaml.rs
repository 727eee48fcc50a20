//! Objects to YAML text, as people and kubectl read it. Pure.

use serde_json::Value;

/// Objects as a stream of YAML documents, each behind its own `---`.
///
/// # Errors
/// Where an object cannot be written as YAML; JSON always can.
pub fn stream<'v>(objects: impl Iterator<Item = &'v Value>) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(&document(object)?);
    }
    Ok(text)
}

/// One YAML document. Text that reads as something else (`"1"`, `"true"`, `"no"`, in YAML 1.1 too, which
/// kubectl reads) is quoted; long lines are not folded, so that a search finds them.
///
/// # Errors
/// As [`stream`].
pub fn document(object: &Value) -> Result<String, serde_saphyr::ser::Error> {
    let options = serde_saphyr::ser_options! {
        folded_wrap_chars: usize::MAX,
        prefer_block_scalars: !has_tabbed_beginning(object),
    };
    let mut text = serde_saphyr::to_string_with_options(object, options)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Whether some text of several lines begins with a tab. As a block it is YAML, but kubectl's reader takes the
/// tab for indentation and refuses the document; such a document has its texts in quotes.
fn has_tabbed_beginning(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.contains('\n') && text.trim_start_matches([' ', '\n', '\r']).starts_with('\t')
        }
        Value::Array(items) => items.iter().any(has_tabbed_beginning),
        Value::Object(map) => map.values().any(has_tabbed_beginning),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_back(text: &str) -> Vec<Value> {
        let reading = super::super::parse("-", text.as_bytes());
        assert_eq!(reading.errors, []);
        reading.manifests.into_iter().map(|manifest| manifest.value).collect()
    }

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        for text in [
            "1",
            "0x1F",
            "0644",
            "1e3",
            "1_000",
            "12:30:45",
            "true",
            "no",
            "Off",
            "y",
            "null",
            "~",
            "",
            "2026-01-01",
            ".5",
            "+1",
            "-",
            "*a",
            "&a",
            "!x",
            "@a",
            "%a",
            "# no",
            "a: b",
            " a",
            "a ",
            "[",
            "{}",
            "<<",
            "=",
            "|",
            "\u{feff}",
            "\u{85}",
            "---",
            "...",
        ] {
            let printed = document(&json!({ "v": text })).unwrap();
            let quoted = printed.trim_start_matches("v:").trim_start().starts_with(['"', '\'']);
            assert!(quoted, "{text:?} is printed as {printed:?}");
        }
    }

    #[test]
    fn scripts_stay_readable() {
        let tabbed = document(&json!({ "args": ["\tx\ny"] })).unwrap();
        assert!(tabbed.contains("\\tx\\ny"), "kubectl reads no block that begins with a tab: {tabbed}");
        let script = "#!/bin/sh\nset -e\n  exec \"$@\"\n";
        assert!(document(&json!({ "args": [script] })).unwrap().contains("  exec \"$@\"\n"));
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![".*", "[ \n\t#:a'\"|>-]{0,12}", "[0-9.eE+_:x-]{1,6}", "(?s).{0,200}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map(".{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_printed_reads_back_the_same(values in proptest::collection::vec(value(), 1..3)) {
            let objects: Vec<Value> =
                values.into_iter().map(|value| json!({"apiVersion": "v1", "kind": "X", "spec": value})).collect();
            let text = stream(objects.iter()).unwrap();
            prop_assert_eq!(read_back(&text), objects, "{}", text);
        }
    }
}
