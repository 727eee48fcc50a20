use std::collections::BTreeMap;

use super::*;

fn schema_of(kind: &str) -> JSONSchemaProps {
    let definition = definitions().into_iter().find(|found| found.spec.names.kind == kind).unwrap();
    definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap()
}

/// Calls `look` with the path and schema of every field and item.
fn walk(schema: &JSONSchemaProps, path: &str, look: &mut impl FnMut(&str, &JSONSchemaProps)) {
    look(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        walk(property, &format!("{path}.{name}"), look);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        walk(item, &format!("{path}[]"), look);
    }
}

#[test]
fn every_field_is_described_and_structural() {
    for kind in ["DeploymentVersion", "Router"] {
        walk(&schema_of(kind), kind, &mut |path, schema| {
            let described = schema.description.as_deref().is_some_and(|text| text.len() > 4);
            assert!(described || path.ends_with("[]"), "{path} has no description");
            assert!(schema.ref_path.is_none() && schema.nullable.is_none(), "{path}");
            assert!(schema.one_of.is_none() && schema.any_of.is_none() && schema.all_of.is_none(), "{path}");
            assert_eq!(schema.type_.is_none(), schema.x_kubernetes_int_or_string == Some(true), "{path}");
        });
    }
}

/// CEL's cost is estimated from bounds, so each list and text of a spec must have one.
#[test]
fn every_list_and_text_of_a_spec_is_bounded() {
    for kind in ["DeploymentVersion", "Router"] {
        let schema = schema_of(kind);
        walk(&schema.properties.unwrap()["spec"], "spec", &mut |path, schema| {
            let bounded = match schema.type_.as_deref() {
                Some("array") => schema.max_items.is_some() && schema.x_kubernetes_list_type.is_some(),
                Some("string") => schema.max_length.is_some() || schema.enum_.is_some(),
                None => schema.max_length.is_some() && schema.maximum.is_some(),
                _ => true,
            };
            assert!(bounded, "{kind} {path}");
        });
    }
}

#[test]
fn bounds_are_those_of_the_contract() {
    let mut found = BTreeMap::new();
    walk(&schema_of("Router").properties.unwrap()["spec"], "spec", &mut |path, schema| {
        found.insert(path.to_owned(), (schema.max_items, schema.max_length));
    });
    assert_eq!(found["spec.hosts"], (Some(16), None));
    assert_eq!(found["spec.rules"], (Some(64), None));
    assert_eq!(found["spec.rules[].match"], (Some(16), None));
    assert_eq!(found["spec.rules[].match[].headers[].name"], (None, Some(63)));
    assert_eq!(found["spec.rules[].match[].headers[].exact"], (None, Some(1024)));
    assert_eq!(found["spec.base"], (None, Some(63)));
}

#[test]
fn every_pattern_compiles_and_has_words() {
    for kind in ["DeploymentVersion", "Router"] {
        walk(&schema_of(kind), kind, &mut |path, schema| {
            if let Some(pattern) = &schema.pattern {
                assert!(regex::Regex::new(pattern).is_ok(), "{path}: {pattern}");
                assert!(words_for(pattern).is_some(), "{path}: {pattern}");
            }
        });
    }
}

#[test]
fn every_rule_in_a_schema_has_its_twin_and_every_twin_is_used() {
    let mut used = std::collections::BTreeSet::new();
    for kind in ["DeploymentVersion", "Router"] {
        walk(&schema_of(kind), kind, &mut |path, schema| {
            for validation in schema.x_kubernetes_validations.iter().flatten() {
                assert!(RULES.iter().any(|rule| rule.cel == validation.rule), "{path}: {}", validation.rule);
                used.insert(validation.rule.clone());
            }
        });
    }
    assert_eq!(used.len(), RULES.len());
}

/// The patterns within CEL, beside what Rust says of the same texts.
#[test]
fn shapes_are_the_same_in_cel_and_in_rust() {
    let texts = [
        "",
        "{version}",
        "{host}",
        "{version}.{host}",
        "{version}-{host}",
        "{version}{host}",
        "{host}.{version}",
        "v-{version}.x.{host}",
        "{version}.{host}.x",
        "{version} {host}",
        "{version}.{version}.{host}",
        "A{version}.{host}",
        "/{version}",
        "/preview/{version}",
        "/a/b.c~/{version}",
        "//{version}",
        "/a//{version}",
        "preview/{version}",
        "/{version}/",
        "/a b/{version}",
        "/{version}/{version}",
        "/v{version}",
        "/",
    ];
    for rule in [SUBDOMAIN_SHAPE, PATH_SHAPE] {
        let pattern =
            rule.cel.strip_prefix("self.matches(r'").and_then(|cel| cel.strip_suffix("')")).unwrap();
        let pattern = regex::Regex::new(pattern).unwrap();
        for text in texts {
            assert_eq!(pattern.is_match(text), (rule.holds)(&json!(text)), "{pattern} {text:?}");
        }
    }
}

#[test]
fn definitions_carry_what_kubectl_shows() {
    let [dpv, router] = definitions();
    let columns = |definition: &CustomResourceDefinition| {
        let columns = definition.spec.versions[0].additional_printer_columns.clone().unwrap_or_default();
        columns.into_iter().map(|column| column.name).collect::<Vec<_>>()
    };
    assert_eq!(columns(&dpv), ["Base", "Version", "Ready", "Status", "URL", "Age", "Image", "Build"]);
    assert_eq!(columns(&router), ["Hosts", "Active", "Versions", "Ready", "Age"]);
    assert_eq!(dpv.spec.names.short_names, Some(vec!["dpv".to_owned()]));
    assert_eq!(router.spec.names.short_names, Some(vec!["rtr".to_owned()]));
    for definition in [dpv, router] {
        assert_eq!(definition.spec.names.categories, Some(vec!["synkronic".to_owned()]));
        assert!(
            definition.spec.versions[0].subresources.as_ref().is_some_and(|found| found.status.is_some())
        );
    }
}
