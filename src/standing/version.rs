//! Where one DeploymentVersion stands.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::conditions::{self, Verdict};
use super::progress::progress;
use super::{pods, unread};
use crate::api::{BaseReference, DeploymentVersionStatus, names};
use crate::inventory::object::{DeploymentFacts, DeploymentState, VersionFacts};
use crate::inventory::report::{CloneReport, Pending, Reports, Unread};
use crate::inventory::versions::{Resolution, Resolved};
use crate::inventory::{Finding, Inventory, Key, Settings};

/// The status of one DeploymentVersion.
pub(super) fn status(
    inventory: &Inventory,
    dpv: &VersionFacts,
    reports: &Reports,
    settings: &Settings,
    now: Timestamp,
) -> DeploymentVersionStatus {
    let report = reports.clones.get(&dpv.meta.key);
    let resolved = match inventory.resolution(&dpv.meta.key) {
        Some(Resolution::Resolved(resolved)) => Some(resolved),
        Some(Resolution::Refused(_)) | None => None,
    };
    let clone = report
        .and_then(|report| report.deployment.as_deref())
        .or_else(|| resolved.map(|resolved| &*resolved.deployment))
        .and_then(|name| inventory.deployments.get(&dpv.meta.key.sibling(name)))
        .filter(|deployment| deployment.is_clone());
    let mut counts = clone.map(Counts::of);
    if let Some(counts) = &mut counts {
        counts.newest &= !old_endpoints(inventory, &dpv.meta.key, report);
    }
    let urls = resolved.map_or_else(Vec::new, |it| inventory.urls_of(&it.base, &it.version, settings));

    let own_pods: Vec<_> = inventory.pods_of(&dpv.meta.key).filter(|pod| !pod.meta.deleting).collect();
    let base = base_resolved(inventory, dpv);
    let cloned = cloned(inventory, dpv, resolved, report, &reports.unread);
    let leaving = inventory.pods_of(&dpv.meta.key).filter(|pod| pod.meta.deleting).count();
    let available = available(dpv, clone, counts.as_ref(), &own_pods, leaving);
    let routed = routed(inventory, dpv, resolved, &urls);
    let pending = report.and_then(|report| report.pending).map(pending);
    let summary = summary(&base, &cloned, &available, pending);
    let mut verdicts = vec![
        ("Ready", summary.clone()),
        ("BaseResolved", base),
        ("Cloned", cloned),
        ("Available", available),
    ];
    verdicts.push(("Routed", routed));
    verdicts.extend(progress(&summary));

    let before = dpv.status.read();
    DeploymentVersionStatus {
        observed_generation: dpv.meta.generation,
        conditions: conditions::list(&before.conditions, dpv.meta.generation, now, verdicts),
        base: base_reference(inventory, resolved, before.base),
        deployment: clone.map(|clone| clone.meta.key.name.to_string()),
        services: report.map(|report| report.services.clone()).unwrap_or_default(),
        replicas: counts.as_ref().map(|counts| counts.wanted),
        ready_replicas: counts.as_ref().map(|counts| counts.ready),
        ready: counts.as_ref().map(|counts| format!("{}/{}", counts.ready, counts.wanted)),
        version: resolved.map(|resolved| resolved.version.to_string()),
        url: urls.first().cloned(),
        urls,
        image: clone.and_then(|clone| clone.image.clone()),
        build: dpv.meta.annotations.get(names::ANNOTATION_BUILD).map(str::to_owned),
    }
}

/// The base as it was first resolved; its uid and generation follow the object while it is there.
fn base_reference(
    inventory: &Inventory,
    resolved: Option<&Resolved>,
    before: Option<BaseReference>,
) -> Option<BaseReference> {
    let Some(resolved) = resolved else { return before };
    match inventory.deployments.get(&resolved.base) {
        Some(base) => Some(BaseReference {
            name: resolved.base.name.to_string(),
            uid: base.meta.uid.clone(),
            generation: base.meta.generation,
        }),
        None => before,
    }
}

fn base_resolved(inventory: &Inventory, dpv: &VersionFacts) -> Verdict {
    match inventory.resolution(&dpv.meta.key) {
        None => Verdict::unknown("Pending", "not looked at yet"),
        Some(Resolution::Refused(finding)) => Verdict::fails(finding.reason, finding.message.clone()),
        Some(Resolution::Resolved(resolved)) if !resolved.base_present => Verdict::fails(
            "BaseMissing",
            format!(
                "the base Deployment `{}` is gone; what runs stays as it is until it comes back",
                resolved.base.name
            ),
        ),
        Some(Resolution::Resolved(resolved)) => {
            Verdict::holds("Resolved", format!("version `{}` of `{}`", resolved.version, resolved.base.name))
        }
    }
}

fn cloned(
    inventory: &Inventory,
    dpv: &VersionFacts,
    resolved: Option<&Resolved>,
    report: Option<&CloneReport>,
    unread: &BTreeSet<Unread>,
) -> Verdict {
    if resolved.is_none() {
        return Verdict::fails("NotResolved", "nothing is made before the base is known");
    }
    let Some(report) = report else { return Verdict::unknown("Pending", "not planned yet") };
    if let Some(refusal) = report.findings.iter().find(|finding| finding.is_rejection()) {
        return Verdict::fails(refusal.reason, in_field(refusal));
    }
    let deployment = report.deployment.as_deref().map(|name| dpv.meta.key.sibling(name));
    let sibling = |name: &String| dpv.meta.key.sibling(name.as_str());
    let there = deployment.is_some_and(|key| inventory.deployments.get(&key).is_some())
        && report.services.iter().all(|name| inventory.services.get(&sibling(name)).is_some())
        && report.policies.iter().all(|name| inventory.network_policies.get(&sibling(name)).is_some())
        && report.budgets.iter().all(|name| inventory.disruption_budgets.get(&sibling(name)).is_some());
    let mut warnings: Vec<String> = report.findings.iter().map(in_field).collect();
    warnings.extend(unread::warnings(unread, &dpv.meta.key.namespace));
    match (there, warnings.is_empty()) {
        (false, _) => Verdict::fails("Creating", "the Deployment and its Services are being created"),
        (true, true) => Verdict::holds("Cloned", "the Deployment and its Services are there"),
        (true, false) => Verdict::holds("ClonedWithWarnings", warnings.join("; ")),
    }
}

fn in_field(finding: &Finding) -> String {
    if finding.field.is_empty() {
        finding.message.clone()
    } else {
        format!("{}: {}", finding.field, finding.message)
    }
}

/// The pod counts of a Deployment.
struct Counts {
    wanted: i32,
    ready: i32,
    /// Whether the newest spec was seen, and as many pods as are wanted, and no others, are of its template.
    newest: bool,
}

impl Counts {
    fn of(deployment: &DeploymentFacts) -> Self {
        // Pods whose deletion has begun are in none of these; see `old_endpoints` for them.
        let DeploymentState { wanted, total, updated, ready, observed, .. } = deployment.state;
        let seen = deployment.meta.generation.is_none_or(|now| observed >= Some(now));
        Self { wanted, ready, newest: seen && total == updated && updated >= wanted }
    }
}

/// Whether new requests may still reach a pod that is on its way out: the Deployment counts it no longer as soon
/// as its deletion begins, its endpoint goes a little later. Where no pods are known, nothing is said.
fn old_endpoints(inventory: &Inventory, dpv: &Key, report: Option<&CloneReport>) -> bool {
    let leaving: BTreeSet<&str> = inventory
        .pods_of(dpv)
        .filter(|pod| pod.meta.deleting)
        .filter_map(|pod| pod.meta.uid.as_deref())
        .collect();
    if leaving.is_empty() {
        return false;
    }
    let services = report.into_iter().flat_map(|report| &report.services);
    let slices =
        services.flat_map(|name| inventory.slices_of(&dpv.sibling(name.as_str())).collect::<Vec<_>>());
    let endpoints = slices.into_iter().flat_map(|slice| &slice.endpoints);
    let mut open = endpoints.filter(|endpoint| endpoint.ready && !endpoint.terminating);
    open.any(|endpoint| endpoint.pod_uid.as_deref().is_some_and(|uid| leaving.contains(uid)))
}

fn available(
    dpv: &VersionFacts,
    clone: Option<&DeploymentFacts>,
    counts: Option<&Counts>,
    pods: &[&crate::inventory::object::PodFacts],
    leaving: usize,
) -> Verdict {
    let (Some(clone), Some(counts)) = (clone, counts) else {
        return Verdict::fails("NotCreated", "there is no Deployment yet");
    };
    if dpv.spec.suspend {
        return suspended(clone, leaving);
    }
    if counts.wanted == 0 {
        return Verdict::fails("ScaledToZero", "the overlay asks for 0 replicas; ask for at least 1");
    }
    if counts.ready >= counts.wanted && counts.newest {
        return Verdict::holds("Available", format!("{} of {} pods are ready", counts.ready, counts.wanted));
    }
    if let Some(trouble) = pods::trouble(pods) {
        return trouble;
    }
    if let Some(refusal) = replica_failure(clone) {
        return refusal;
    }
    let newest = if counts.newest { "" } else { ", older ones are being replaced" };
    let message = format!("{} of {} pods are ready{newest}", counts.ready, counts.wanted);
    // Its controller goes on trying, but who waits for it should not.
    let reason = if clone.state.given_up { "ProgressDeadlineExceeded" } else { "RollingOut" };
    Verdict::fails(reason, message)
}

/// A suspended version is at rest once its last pod is gone; `leaving` are those whose deletion has begun, which
/// the Deployment counts no longer.
fn suspended(clone: &DeploymentFacts, leaving: usize) -> Verdict {
    let running = match usize::try_from(clone.state.total).unwrap_or_default() + leaving {
        0 => {
            return Verdict::fails("Suspended", "`spec.suspend` is set: no pods run; unset it to start them");
        }
        1 => "1 pod still runs".to_owned(),
        more => format!("{more} pods still run"),
    };
    Verdict::fails("Suspending", format!("`spec.suspend` is set: {running} and will be stopped"))
}

/// Pods that could not even be made, as the Deployment's own conditions tell.
fn replica_failure(clone: &DeploymentFacts) -> Option<Verdict> {
    let message = clone.state.refusal.as_deref()?;
    let reason = if message.contains("exceeded quota") { "QuotaExceeded" } else { "PodsNotCreated" };
    Some(Verdict::fails(reason, format!("pods cannot be created: {message}")))
}

fn routed(
    inventory: &Inventory,
    dpv: &VersionFacts,
    resolved: Option<&Resolved>,
    urls: &[String],
) -> Verdict {
    match (resolved, urls.first()) {
        (None, _) => Verdict::fails("NotResolved", "nothing is routed before the base is known"),
        (Some(_), Some(url)) => Verdict::holds("Routed", format!("at {url}")),
        (Some(resolved), None) => {
            let why = inventory.unrouted(dpv, resolved);
            Verdict::fails(why.reason, why.message)
        }
    }
}

/// What runs is not what is wanted yet, although it runs well.
fn pending(pending: Pending) -> Verdict {
    match pending {
        Pending::Write => Verdict::fails("Applying", "what changed is being written"),
        Pending::Turn => Verdict::fails(
            "WaitingForTurn",
            "its base changed, and so many of its versions follow at a time; what runs serves meanwhile",
        ),
    }
}

/// `Ready`: the first of the conditions that does not hold, in the order in which they can come about. That
/// no Router leads to a version does not make it less ready.
fn summary(base: &Verdict, cloned: &Verdict, available: &Verdict, pending: Option<Verdict>) -> Verdict {
    for verdict in [base, cloned, available] {
        if !verdict.is_held() {
            return verdict.clone();
        }
    }
    if let Some(pending) = pending {
        return pending;
    }
    Verdict::holds("Ready", available.message.clone())
}
