//! What the pure rooms tell one another: `plan` and `routes` report, `standing` makes statuses of it.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::key::{Key, Kind};

/// What became of one DeploymentVersion in `plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloneReport {
    /// The clone's Deployment, where one is wanted.
    pub deployment: Option<String>,
    /// The clone's Services, sorted.
    pub services: Vec<String>,
    /// The copies and twins of NetworkPolicies, sorted.
    pub policies: Vec<String>,
    /// The copies of PodDisruptionBudgets, sorted.
    pub budgets: Vec<String>,
    /// Refusals and warnings, sorted.
    pub findings: Vec<Finding>,
    /// Why what is wanted is not all written yet; `None` where it is.
    pub pending: Option<Pending>,
}

/// What the clone of a DeploymentVersion waits for before it is as it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pending {
    /// A write is on its way, or is tried again soon.
    Write,
    /// Other versions of the base take over its change first.
    Turn,
}

/// What became of one Router in `routes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteReport {
    /// Whether it is in the table at all.
    pub served: bool,
    /// Refusals and warnings, sorted.
    pub findings: Vec<Finding>,
}

/// How the Routers stand with the edges of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programmed {
    /// Whether any edge is running.
    pub running: bool,
    /// The Routers that some edge does not serve yet as they are specified now.
    pub behind: BTreeSet<Key>,
}

/// The newest reports of the other rooms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reports {
    /// By DeploymentVersion.
    pub clones: BTreeMap<Key, CloneReport>,
    /// By Router.
    pub routers: BTreeMap<Key, RouteReport>,
    /// What the edges say; `None` where nobody asks them, and the table in this process is what counts.
    pub programmed: Option<Programmed>,
    /// The kinds that may not be read.
    pub unread: BTreeSet<Unread>,
}

/// A kind of which the objects are not known, because somebody has to give the right to read them first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// The kind.
    pub kind: Kind,
    /// In one namespace, or in all.
    pub namespace: Option<String>,
}
