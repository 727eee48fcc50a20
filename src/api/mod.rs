//! The two kinds as Rust types, their definitions for an API server, and the small words they are made of.
//!
//! What a schema cannot say (which hosts are free, whether an overlay fits) is judged elsewhere; here a
//! [`VersionId`] or a [`Host`] that exists is a valid one.

mod deployment_version;
mod host;
mod judge;
pub mod names;
mod router;
mod schema;
mod spelling;
mod version_id;

pub use deployment_version::{
    BaseReference, DeploymentVersion, DeploymentVersionSpec, DeploymentVersionStatus,
};
pub use host::{Host, HostError};
pub use judge::{Flaw, Judge};
pub use router::{
    Activation, CookieMatch, Fallback, HeaderMatch, HostClaim, OfferedId, OnUnavailable, Override, PathMatch,
    QueryMatch, Retries, Router, RouterSpec, RouterStatus, RouterVersion, Rule, RuleMatch, Timeouts,
    ValueMatch,
};
pub use schema::definitions;
pub use spelling::nearest;
pub use version_id::{VersionId, VersionIdError};
