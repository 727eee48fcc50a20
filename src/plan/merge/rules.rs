//! What the API server demands and the OpenAPI marks don't say: one-ofs, and a container's image.
//!
//! `kubectl patch` leaves both members of a one-of behind when a patch changes from one to the other (`env`
//! from `value` to `valueFrom`), and the API server answers 422. Here the overlay's member wins. This is the
//! one place of the merge that is typed by hand; a test holds its names against the table.

use super::table::Type;

/// Fields of one type of which only some can be there together.
#[derive(Debug, Clone, Copy)]
pub(super) enum OneOf {
    /// At most one of these.
    Members(&'static [&'static str]),
    /// At most one of all the type's fields but these.
    AllBut(&'static [&'static str]),
    /// `member` is only for objects whose `by` says `value`.
    Tagged { by: &'static str, value: &'static str, member: &'static str },
}

/// The one-of of a type, where it has one.
pub(super) fn one_of(type_name: &str) -> Option<OneOf> {
    RULES.iter().find(|(name, _)| *name == type_name).map(|&(_, rule)| rule)
}

const RULES: [(&str, OneOf); 12] = [
    ("core.v1.EnvVar", OneOf::Members(&["value", "valueFrom"])),
    ("core.v1.EnvVarSource", OneOf::AllBut(&[])),
    ("core.v1.EnvFromSource", OneOf::AllBut(&["prefix"])),
    ("core.v1.Volume", OneOf::AllBut(&["name"])),
    ("core.v1.VolumeProjection", OneOf::AllBut(&[])),
    ("core.v1.PodResourceClaim", OneOf::AllBut(&["name"])),
    ("core.v1.Probe", OneOf::Members(&["exec", "grpc", "httpGet", "tcpSocket"])),
    ("core.v1.LifecycleHandler", OneOf::AllBut(&[])),
    (
        "apps.v1.DeploymentStrategy",
        OneOf::Tagged { by: "type", value: "RollingUpdate", member: "rollingUpdate" },
    ),
    ("core.v1.SeccompProfile", OneOf::Tagged { by: "type", value: "Localhost", member: "localhostProfile" }),
    ("core.v1.AppArmorProfile", OneOf::Tagged { by: "type", value: "Localhost", member: "localhostProfile" }),
    (
        "core.v1.ServiceSpec",
        OneOf::Tagged { by: "sessionAffinity", value: "ClientIP", member: "sessionAffinityConfig" },
    ),
];

impl OneOf {
    /// Whether `field` is a member of which only one can be there.
    pub fn excludes(self, field: &str) -> bool {
        match self {
            Self::Members(members) => members.contains(&field),
            Self::AllBut(others) => !others.contains(&field),
            Self::Tagged { .. } => false,
        }
    }
}

/// Fields that something new needs: those the OpenAPI document calls required, and a container's image, which
/// it doesn't because other kinds than a Deployment fill it in.
pub(super) fn needed(of: &Type) -> impl Iterator<Item = &str> {
    let image = (of.name == "core.v1.Container").then_some("image");
    of.required.iter().map(String::as_str).chain(image)
}

#[cfg(test)]
mod tests {
    use super::super::table::table;
    use super::*;

    #[test]
    fn every_name_is_one_of_the_table() {
        for (name, rule) in RULES {
            let of = table().get(table().find(name).unwrap_or_else(|| panic!("no type {name}")));
            let fields: Vec<&str> = match rule {
                OneOf::Members(fields) | OneOf::AllBut(fields) => fields.to_vec(),
                OneOf::Tagged { by, member, .. } => vec![by, member],
            };
            for field in fields {
                assert!(of.fields.contains_key(field), "{name} has no {field}");
            }
        }
    }
}
