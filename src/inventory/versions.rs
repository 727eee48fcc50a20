//! Which base a DeploymentVersion belongs to, under which id, and so: the set of versions of a base.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Inventory;
use super::finding::Finding;
use super::key::Key;
use super::names;
use super::object::VersionFacts;
use crate::api::VersionId;

/// One running variant of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Its Deployment's name.
    pub deployment: Arc<str>,
    /// The DeploymentVersion it comes from; `None` for the base itself.
    pub dpv: Option<Key>,
}

/// The versions of one base, by id; the base itself is among them where its Deployment is there.
pub type Versions = BTreeMap<VersionId, Version>;

/// What a DeploymentVersion resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It is a version of this base.
    Resolved(Resolved),
    /// It is none; the finding says why and what to do.
    Refused(Finding),
}

/// A DeploymentVersion's base and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The base Deployment.
    pub base: Key,
    /// Whether that Deployment is there now. Where it was once and is gone, the clones stay as they are.
    pub base_present: bool,
    /// The version id.
    pub version: VersionId,
    /// The clone's Deployment's name.
    pub deployment: Arc<str>,
}

impl Inventory {
    /// What a DeploymentVersion resolves to; `None` where there is no such object.
    #[must_use]
    pub fn resolution(&self, dpv: &Key) -> Option<&Resolution> {
        self.resolutions.get(dpv)
    }

    /// The versions of a base; `None` where it has none and is not there itself.
    #[must_use]
    pub fn versions_of(&self, base: &Key) -> Option<&Versions> {
        self.versions.get(base)
    }

    /// All bases that have versions, or a Router, with their versions.
    pub fn bases(&self) -> impl Iterator<Item = (&Key, &Versions)> {
        self.versions.iter()
    }

    /// What one DeploymentVersion comes to by itself; that another holds its id is not seen here.
    ///
    /// # Errors
    /// Why it is a version of nothing.
    pub(super) fn resolve(&self, dpv: &VersionFacts) -> Result<Resolved, Finding> {
        let own = &dpv.meta.key;
        if let Some(namespace) = &dpv.spec.namespace
            && **namespace != *own.namespace
        {
            return Err(Finding::rejected(
                dpv.reference(),
                "CrossNamespace",
                "spec.namespace",
                format!(
                    "the base has to be in the object's own namespace `{}`, not `{namespace}`: owner references \
                     and endpoints do not cross namespaces; create the DeploymentVersion in `{namespace}` or \
                     leave the field out",
                    own.namespace
                ),
            ));
        }
        let base = self.base_of(dpv)?;
        let version = version_id(dpv, &base)?;
        Ok(Resolved {
            base_present: self.deployments.get(&base).is_some_and(|found| !found.is_clone()),
            base,
            version,
            deployment: names::deployment(&own.name).into(),
        })
    }

    /// The base by name, by memory or by convention.
    fn base_of(&self, dpv: &VersionFacts) -> Result<Key, Finding> {
        let own = &dpv.meta.key;
        if let Some(base) = dpv.named_base() {
            let name = &*base.name;
            let known = dpv.status.base() == Some(name);
            return match self.deployments.get(&base) {
                Some(found) if found.is_clone() => Err(Finding::rejected(
                    dpv.reference(),
                    "BaseIsClone",
                    "spec.name",
                    format!("the Deployment `{name}` is itself a clone; name the base it was made from"),
                )),
                Some(_) => Ok(base),
                None if known => Ok(base),
                None => Err(Finding::rejected(
                    dpv.reference(),
                    "BaseNotFound",
                    "spec.name",
                    format!(
                        "there is no Deployment `{name}` in namespace `{}`; create it, or correct `spec.name`",
                        own.namespace
                    ),
                )),
            };
        }
        // A base that was resolved once is missed while it is gone, not swapped for a shorter name.
        if let Some(known) = dpv.status.base()
            && prefix_of(known, &own.name)
        {
            return Ok(own.sibling(known));
        }
        self.longest_base(own).ok_or_else(|| {
            // Its clone would have the Deployment's own name.
            if self.deployments.get(own).is_some_and(|found| !found.is_clone()) {
                let message = format!(
                    "the Deployment `{name}` cannot be the base of a DeploymentVersion that has its name, for the \
                     clone has it, too; name the DeploymentVersion `{name}-<version id>`",
                    name = own.name
                );
                return Finding::rejected(dpv.reference(), "BaseNotFound", "metadata.name", message);
            }
            Finding::rejected(
                dpv.reference(),
                "BaseNotFound",
                "spec.name",
                format!(
                    "no Deployment of namespace `{}` has a name that `{}` begins with, as `<base>-<version id>` \
                     would; create the base, or write its name in `spec.name`",
                    own.namespace, own.name
                ),
            )
        })
    }

    fn longest_base(&self, own: &Key) -> Option<Key> {
        let dashes = own.name.rmatch_indices('-').map(|(at, _)| at);
        dashes
            .filter_map(|at| own.name.get(..at).map(|name| own.sibling(name)))
            .find(|base| self.deployments.get(base).is_some_and(|found| !found.is_clone()))
    }
}

/// Whether `name` reads `<base>-<something>`.
fn prefix_of(base: &str, name: &str) -> bool {
    name.strip_prefix(base).is_some_and(|rest| rest.starts_with('-') && rest.len() > 1)
}

fn version_id(dpv: &VersionFacts, base: &Key) -> Result<VersionId, Finding> {
    let own = &*dpv.meta.key.name;
    let (field, text) = match &dpv.spec.version {
        Some(written) => ("spec.version", written.clone()),
        None => {
            let rest = own.strip_prefix(&*base.name).and_then(|rest| rest.strip_prefix('-')).unwrap_or(own);
            let id = if rest.is_empty() { own } else { rest };
            ("metadata.name", id.replace('.', "-"))
        }
    };
    let refused = |reason, message| Err(Finding::rejected(dpv.reference(), reason, field, message));
    match VersionId::parse(&text) {
        Ok(id) if id.is_base() => refused(
            "VersionReserved",
            "the version id `base` is the base's own; choose another in `spec.version`".to_owned(),
        ),
        Ok(id) => Ok(id),
        Err(error) => refused("InvalidVersion", format!("{error}; write one in `spec.version`")),
    }
}

/// Why a DeploymentVersion does not get the id that it asks for.
pub(super) fn version_taken(dpv: &VersionFacts, holder: &Key, base: &Key, id: &VersionId) -> Finding {
    Finding::rejected(
        dpv.reference(),
        "VersionTaken",
        "spec.version",
        format!(
            "the DeploymentVersion `{}` holds the version id `{id}` of base `{}`; choose another in \
             `spec.version`, or delete that one",
            holder.name, base.name
        ),
    )
}
