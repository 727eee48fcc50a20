//! Which version a plain request gets.

use super::Inventory;
use super::object::RouterFacts;
use super::versions::Version;
use crate::api::VersionId;

impl Inventory {
    /// The effective active version of a Router: `spec.active` if it is ready, or was active already; else
    /// the one that was active; else the base. So a switch to a version that is not up leaves the old one
    /// in place, and a version that fails later is not silently replaced. A version whose deletion has begun
    /// is active no longer: its pods stay until the traffic has moved.
    #[must_use]
    pub fn effective_active(&self, router: &RouterFacts) -> VersionId {
        let versions = self.versions_of(&router.base());
        let exists = |id: &VersionId| {
            let stays = |version: &Version| {
                let dpv = version.dpv.as_ref().and_then(|dpv| self.dpvs.get(dpv));
                dpv.is_none_or(|dpv| !dpv.meta.deleting)
            };
            id.is_base() || versions.and_then(|versions| versions.get(id)).is_some_and(stays)
        };
        let wanted = match &router.spec.active {
            Some(text) => VersionId::parse(text).ok(),
            None => Some(VersionId::base()),
        };
        let earlier = router.status.active.as_deref().and_then(|text| VersionId::parse(text).ok());
        if let Some(wanted) = wanted.filter(exists)
            && (earlier.as_ref() == Some(&wanted) || self.is_ready(router, &wanted))
        {
            return wanted;
        }
        earlier.filter(exists).unwrap_or_else(VersionId::base)
    }
}
