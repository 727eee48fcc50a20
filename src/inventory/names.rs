//! What clones are called.

use sha2::{Digest, Sha256};

use crate::api::VersionId;

/// The longest name that a Service, a label value and a DNS label may have (RFC 1035 2.3.4).
pub const LONGEST: usize = 63;

/// Eight hex digits of a text's SHA-256: enough to keep cut names apart.
#[must_use]
pub fn hash8(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The name itself where it fits, else its beginning and eight hex digits of the whole.
#[must_use]
pub fn fitted(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let mut end = LONGEST - 9;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let beginning = name.get(..end).unwrap_or_default().trim_end_matches(['-', '.', '_']);
    format!("{beginning}-{}", hash8(name))
}

/// The clone's Deployment: the DeploymentVersion's own name, cut where it does not fit.
#[must_use]
pub fn deployment(dpv: &str) -> String {
    fitted(dpv)
}

/// The clone of a Service for a version: `<service>-<version id>`. The base's own Service keeps its name.
#[must_use]
pub fn service(service: &str, version: &VersionId) -> String {
    if version.is_base() { service.to_owned() } else { fitted(&format!("{service}-{version}")) }
}

/// The copy of a NetworkPolicy or a PodDisruptionBudget for a version: `<name>-<version id>`.
#[must_use]
pub fn copy(name: &str, version: &VersionId) -> String {
    fitted(&format!("{name}-{version}"))
}

/// The twin of a NetworkPolicy that admits a version's pods as peers. A version id has no dot, so that no copy
/// ever has this name.
#[must_use]
pub fn peer(policy: &str, version: &VersionId) -> String {
    fitted(&format!("{policy}-{version}.peers"))
}

/// The value of the label `kyaninus.com/dpv`: what a clone's Deployment selects by.
#[must_use]
pub fn dpv_label(dpv: &str) -> String {
    hash8(dpv)
}
