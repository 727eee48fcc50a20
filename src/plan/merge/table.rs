//! The merge table: every type that an overlay can reach, its fields, and how their values merge.
//!
//! It is read from `table.json`, which `tests/merge_table.rs` makes from Kubernetes' OpenAPI document; nothing
//! in it is typed by hand.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::scalar::Scalar;

/// A type of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeId(usize);

/// What one value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar(Scalar),
    Object(TypeId),
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Shape {
    One(Kind),
    Map(Kind),
    List(Kind, ListMerge),
}

/// How a list takes an overlay.
#[derive(Debug)]
pub(super) enum ListMerge {
    /// Replaced whole.
    Atomic,
    /// A set of scalars: what the overlay names is added.
    Set,
    /// Elements with the same key merge.
    Keyed(KeyRule),
}

/// By what the elements of a list are told apart.
#[derive(Debug)]
pub(super) struct KeyRule {
    /// `x-kubernetes-patch-merge-key`.
    pub key: String,
    /// `x-kubernetes-list-map-keys`: what the API server itself tells them apart by.
    pub all: Vec<String>,
}

/// One type.
#[derive(Debug)]
pub(super) struct Type {
    /// As `core.v1.Container`.
    pub name: String,
    pub fields: BTreeMap<String, Shape>,
    /// Fields without which the API server takes no such object.
    pub required: Vec<String>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Table {
    types: Vec<Type>,
    names: BTreeMap<String, TypeId>,
}

/// The table of the Kubernetes release that this program was built with.
pub(super) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        Table::read(include_str!("table.json"))
            .expect("the committed table is whole: a test reads it before it ships")
    });
    &TABLE
}

impl Table {
    /// The type of this name.
    pub fn find(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }

    /// A type.
    pub fn get(&self, id: TypeId) -> &Type {
        self.types.get(id.0).expect("a TypeId is only made for a type of this table")
    }

    fn read(text: &str) -> Result<Self, String> {
        let raw: BTreeMap<String, RawType> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let names: BTreeMap<String, TypeId> =
            raw.keys().enumerate().map(|(index, name)| (name.clone(), TypeId(index))).collect();
        let mut types = Vec::with_capacity(raw.len());
        for (name, raw) in raw {
            let mut fields = BTreeMap::new();
            for (field, shape) in raw.fields {
                fields.insert(field, shape.read(&names)?);
            }
            types.push(Type { name, fields, required: raw.required });
        }
        Ok(Self { types, names })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawType {
    fields: BTreeMap<String, RawShape>,
    #[serde(default)]
    required: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawShape {
    Plain(String),
    Marked(RawMarks),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMarks {
    list: Option<String>,
    map: Option<String>,
    #[serde(rename = "type")]
    one: Option<String>,
    #[serde(default)]
    strategy: String,
    key: Option<String>,
    #[serde(default)]
    keys: Vec<String>,
}

impl RawShape {
    fn read(self, names: &BTreeMap<String, TypeId>) -> Result<Shape, String> {
        let kind = |name: &str| match names.get(name) {
            Some(&id) => Ok(Kind::Object(id)),
            None => Scalar::named(name).map(Kind::Scalar).ok_or_else(|| format!("no type `{name}`")),
        };
        match self {
            Self::Plain(name) => Ok(Shape::One(kind(&name)?)),
            Self::Marked(RawMarks { list: Some(name), strategy, key, keys, .. }) => {
                // `merge,retainKeys` is a list of strategies; retainKeys is a word for those who make
                // patches, and comes to us as the directive `$retainKeys`.
                let merges = strategy.split(',').any(|strategy| strategy == "merge");
                let merge = match (merges, key) {
                    (true, Some(key)) => ListMerge::Keyed(KeyRule { key, all: keys }),
                    (true, None) => ListMerge::Set,
                    (false, _) => ListMerge::Atomic,
                };
                Ok(Shape::List(kind(&name)?, merge))
            }
            Self::Marked(RawMarks { map: Some(name), .. }) => Ok(Shape::Map(kind(&name)?)),
            Self::Marked(RawMarks { one: Some(name), .. }) => Ok(Shape::One(kind(&name)?)),
            Self::Marked(_) => Err("a field is neither a list, a map nor one value".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_table_is_whole() {
        let table = table();
        for root in [super::super::Root::Deployment, super::super::Root::Service] {
            assert!(table.find(root.type_name()).is_some());
        }
        let container = table.get(table.find("core.v1.Container").unwrap());
        let Some(Shape::List(_, ListMerge::Keyed(rule))) = container.fields.get("ports") else {
            panic!("container ports merge by a key")
        };
        assert_eq!((rule.key.as_str(), rule.all.len()), ("containerPort", 2));
        assert!(matches!(container.fields.get("args"), Some(Shape::List(_, ListMerge::Atomic))));
    }
}
