//! What the schemas of both kinds say beyond their types: shapes of texts, rules across fields, and the
//! custom resource definitions made of it all.
//!
//! Each rule stands here once as CEL, for the API server, and once as Rust, for [`super::Judge`]; a test
//! holds them side by side.

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{DeploymentVersion, Router};

/// A DNS label (RFC 1123 2.1), as namespaces, Services and version ids are.
pub(super) const LABEL: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// A name of an object: DNS labels with dots between.
pub(super) const OBJECT_NAME: &str = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";
/// A host, or all hosts one level below one.
pub(super) const HOST: &str =
    r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$";
/// A version id in which `*` stands for any run of characters.
pub(super) const VERSION_PATTERN: &str = "^[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?$";
/// A port's name (RFC 6335 5.1), or its number as text.
pub(super) const PORT_NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// A name or method as HTTP writes them (RFC 9110 5.6.2).
pub(super) const TOKEN: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
/// A header's name. The edge lets none with `_` through, because some servers read it as `-`.
pub(super) const HEADER_NAME: &str = "^[!#$%&'*+.^`|~0-9A-Za-z-]+$";
/// Any text without control characters.
pub(super) const PRINTABLE: &str = r"^[^\x00-\x1f\x7f]+$";
/// An address range, or one address.
pub(super) const CIDR: &str = "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$";
/// A duration.
pub(super) const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// How paths begin.
const PATH: &str = "^/";

/// What a text that does not fit its pattern is told.
pub(super) fn words_for(pattern: &str) -> Option<&'static str> {
    Some(match pattern {
        LABEL => "use lower-case letters, digits and inner dashes, as in `version-2`",
        OBJECT_NAME => "use lower-case letters, digits, inner dashes and dots, as in `shop`",
        HOST => "write a host name without scheme, port and path, as `shop.example.com` or `*.example.com`",
        VERSION_PATTERN => "use lower-case letters, digits, dashes and `*`, as in `pr-*`",
        TOKEN => "use letters, digits and dashes, as HTTP names have",
        HEADER_NAME => "use letters, digits and dashes, as in `X-QA-Team`",
        PRINTABLE => "leave control characters out",
        CIDR => "write an address range, as `10.0.0.0/8` or `2001:db8::/32`",
        DURATION => "write a duration, as `500ms`, `1s` or `1m30s`",
        PATH => "begin it with `/`",
        _ => return None,
    })
}

/// A rule across fields, as CEL and as Rust.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// The rule as the API server evaluates it on `self`.
    pub cel: &'static str,
    /// What breaking it is told, with the way out.
    pub message: &'static str,
    /// The field below `self` that the message is about; empty for `self`.
    pub field: &'static str,
    /// The same rule.
    pub holds: fn(&Value) -> bool,
}

pub(super) const VERSION_IS_NOT_BASE: Rule = Rule {
    cel: "self != 'base'",
    message: "the version id `base` is the base's own; choose another",
    field: "",
    holds: |value| value != "base",
};

pub(super) const SUBDOMAIN_SHAPE: Rule = Rule {
    cel: r"self.matches(r'^([a-z0-9.-]*\{version\}[a-z0-9.-]+\{host\})?$')",
    message: "must contain {version} and {host}, as \"{version}.{host}\" or \"{version}-{host}\"; \"\" turns \
              subdomains off",
    field: "",
    holds: |value| {
        let text = value.as_str().unwrap_or_default();
        let plain = |part: &str| part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
        let parts = text.strip_suffix("{host}").and_then(|text| text.split_once("{version}"));
        let fits = |(before, between): (&str, &str)| plain(before) && plain(between) && !between.is_empty();
        text.is_empty() || parts.is_some_and(fits)
    },
};

pub(super) const PATH_SHAPE: Rule = Rule {
    cel: r"self.matches(r'^/([A-Za-z0-9._~-]+/)*\{version\}$')",
    message: "write \"/{version}\", or the same behind literal segments, as \"/preview/{version}\"; leave it out \
              to turn paths off",
    field: "",
    holds: |value| {
        let text = value.as_str().unwrap_or_default();
        let letter = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
        let segment = |segment: &str| !segment.is_empty() && segment.bytes().all(letter);
        let before = text.strip_suffix("/{version}").map(|before| before.strip_prefix('/').unwrap_or(before));
        before.is_some_and(|before| before.is_empty() || before.split('/').all(segment))
            && text.starts_with('/')
            && !text.starts_with("//")
    },
};

pub(super) const PATH_NEEDS_VERSIONS: Rule = Rule {
    cel: "!has(self.path) || (has(self.versions) && size(self.versions) > 0 && \
          self.versions.all(v, !v.startsWith('*')))",
    message: "with `path`, `versions` must name the ids on offer by patterns with a literal beginning, as \
              [\"version-*\"], so that no version can take the application's own paths",
    field: ".path",
    holds: |value| {
        let literal = |pattern: &Value| !pattern.as_str().unwrap_or_default().starts_with('*');
        let is_named = || {
            let patterns = value.get("versions").and_then(Value::as_array);
            patterns.is_some_and(|patterns| !patterns.is_empty() && patterns.iter().all(literal))
        };
        is_absent(value, "path") || is_named()
    },
};

pub(super) const MATCH_SAYS_SOMETHING: Rule = Rule {
    cel: "(has(self.headers) && size(self.headers) > 0) || (has(self.cookies) && size(self.cookies) > 0) || \
          (has(self.clientCidrs) && size(self.clientCidrs) > 0) || \
          (has(self.methods) && size(self.methods) > 0) || (has(self.paths) && size(self.paths) > 0) || \
          (has(self.query) && size(self.query) > 0)",
    message: "an entry without a condition would take every request; write one, or set `active` instead",
    field: "",
    holds: |value| {
        let some = |key: &str| value.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        ["headers", "cookies", "clientCidrs", "methods", "paths", "query"].into_iter().any(some)
    },
};

pub(super) const ONE_WAY_TO_MATCH: Rule = Rule {
    cel: "(has(self.exact) ? 1 : 0) + (has(self.prefix) ? 1 : 0) + (has(self.regex) ? 1 : 0) + \
          (has(self.present) ? 1 : 0) == 1",
    message: "write exactly one of `exact`, `prefix`, `regex` and `present`",
    field: "",
    holds: |value| count(value, &["exact", "prefix", "regex", "present"]) == 1,
};

pub(super) const ONE_WAY_TO_MATCH_A_PATH: Rule = Rule {
    cel: "(has(self.exact) ? 1 : 0) + (has(self.prefix) ? 1 : 0) + (has(self.regex) ? 1 : 0) == 1",
    message: "write exactly one of `exact`, `prefix` and `regex`",
    field: "",
    holds: |value| count(value, &["exact", "prefix", "regex"]) == 1,
};

/// Every rule, to find one by its CEL.
pub(super) const RULES: [Rule; 7] = [
    VERSION_IS_NOT_BASE,
    SUBDOMAIN_SHAPE,
    PATH_SHAPE,
    PATH_NEEDS_VERSIONS,
    MATCH_SAYS_SOMETHING,
    ONE_WAY_TO_MATCH,
    ONE_WAY_TO_MATCH_A_PATH,
];

fn is_absent(value: &Value, key: &str) -> bool {
    value.get(key).is_none_or(Value::is_null)
}

fn count(value: &Value, keys: &[&str]) -> usize {
    keys.iter().filter(|key| !is_absent(value, key)).count()
}

/// `x-kubernetes-validations` of some rules.
pub(super) fn validations(rules: &[Rule]) -> Value {
    let validation = |rule: &Rule| match rule.field {
        "" => json!({ "rule": rule.cel, "message": rule.message }),
        field => json!({ "rule": rule.cel, "message": rule.message, "fieldPath": field }),
    };
    rules.iter().map(validation).collect()
}

/// The schema of an overlay: an object whose fields are judged by whoever knows the base.
pub(super) struct FreeForm;

impl JsonSchema for FreeForm {
    fn schema_name() -> Cow<'static, str> {
        "FreeForm".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// The schema of a Service's port: a name or a number.
pub(super) struct PortNameOrNumber;

impl JsonSchema for PortNameOrNumber {
    fn schema_name() -> Cow<'static, str> {
        "PortNameOrNumber".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "minimum": 1,
            "maximum": 65535,
            "minLength": 1,
            "maxLength": 63,
            "pattern": PORT_NAME,
        })
    }
}

/// Reads null as the default, as if the field were absent: an API server drops the null, a file keeps it.
pub(super) fn or_null<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// The definitions of both kinds, as an API server takes them.
#[must_use]
pub fn definitions() -> [CustomResourceDefinition; 2] {
    [DeploymentVersion::crd(), Router::crd()].map(|mut definition| {
        for version in &mut definition.spec.versions {
            if let Some(schema) = version.schema.as_mut().and_then(|v| v.open_api_v3_schema.as_mut()) {
                settle(schema);
                schema.title = None;
                leave_out_where_empty(schema);
            }
        }
        definition
    })
}

/// A `spec` of which no field is required may be left out, as the clone of a base without changes does.
fn leave_out_where_empty(schema: &mut JSONSchemaProps) {
    if let Some(spec) = schema.properties.as_mut().and_then(|properties| properties.get_mut("spec"))
        && spec.required.as_ref().is_none_or(Vec::is_empty)
    {
        spec.default = Some(JSON(json!({})));
    }
}

/// Takes out what the derived schema says without meaning it.
///
/// `nullable`: an API server drops a null where it is not set, so null and absent are the same (which
/// an `Option` means); where it is set, the null is kept and `has()` holds for it.
fn settle(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if schema.format.as_deref() == Some("uint32") {
        schema.format = None;
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        settle(property);
    }
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(item)) => settle(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(settle),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        settle(values);
    }
}

#[cfg(test)]
mod tests;
