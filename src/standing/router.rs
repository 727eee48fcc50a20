//! Where one Router stands, and what must outlive a restart.

use jiff::{SignedDuration, Timestamp};

use super::conditions::{self, Verdict};
use super::progress::progress;
use crate::api::{Activation, HostClaim, OfferedId, RouterStatus, RouterVersion, VersionId};
use crate::inventory::object::RouterFacts;
use crate::inventory::report::{Programmed, Reports, RouteReport};
use crate::inventory::{Finding, Inventory, Settings};

/// How many activations are kept.
const HISTORY: usize = 10;
/// How long a version id that was on offer keeps its path.
const OFFERED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How many versions, and how many ids once offered, a status lists: an object may have 1.5 MiB in all.
const LISTED: usize = 1_000;

/// The reasons that mean: something the Router refers to is not there, or not what it has to be.
const REFERENCES: [&str; 7] = [
    "BaseNotFound",
    "BaseIsClone",
    "ServiceNotFound",
    "ServiceIsClone",
    "ServiceNotOfBase",
    "ServiceAmbiguous",
    "PortNotFound",
];

/// The status of one Router.
pub(super) fn status(
    inventory: &Inventory,
    router: &RouterFacts,
    reports: &Reports,
    settings: &Settings,
    now: Timestamp,
) -> RouterStatus {
    let before = &router.status;
    let active = inventory.effective_active(router);
    let versions = versions(inventory, router, settings);
    let ready = versions.iter().filter(|version| version.ready).count();
    let verdicts = verdicts(router, reports, &active);
    RouterStatus {
        observed_generation: router.meta.generation,
        conditions: conditions::list(&before.conditions, router.meta.generation, now, verdicts),
        history: history(&before.history, &active, now),
        hosts: hosts(inventory, router, now),
        offered: offered(inventory, router, now),
        ready: Some(format!("{ready}/{}", versions.len())),
        versions,
        active: Some(active.to_string()),
    }
}

fn versions(inventory: &Inventory, router: &RouterFacts, settings: &Settings) -> Vec<RouterVersion> {
    let service = inventory.service_of_router(router).ok();
    let addresses = inventory.addresses_through(router);
    let listed = inventory.offered(router).take(LISTED);
    listed
        .map(|version| {
            let urls = match inventory.reaches(router, version) {
                true => addresses.urls(&version.id, settings),
                false => Vec::new(),
            };
            let path = urls.iter().position(|url| {
                // Behind scheme, host and port: a path of its own.
                url.splitn(4, '/').nth(3).is_some_and(|path| !path.is_empty())
            });
            RouterVersion {
                id: version.id.to_string(),
                url: urls.first().filter(|_| path != Some(0)).cloned(),
                path_url: path.and_then(|at| urls.get(at)).cloned(),
                ready: service
                    .as_ref()
                    .is_some_and(|service| inventory.is_ready_through(service, router, &version.id)),
            }
        })
        .collect()
}

fn history(before: &[Activation], active: &VersionId, now: Timestamp) -> Vec<Activation> {
    if before.first().is_some_and(|newest| newest.version == active.as_str()) {
        return before.to_vec();
    }
    let newest = Activation { version: active.to_string(), time: now.to_string() };
    std::iter::once(newest).chain(before.iter().take(HISTORY - 1).cloned()).collect()
}

/// A claim is made when the host is first held and lasts while the Router lists it.
fn hosts(inventory: &Inventory, router: &RouterFacts, now: Timestamp) -> Vec<HostClaim> {
    let held = router.hosts().into_iter().filter(|host| inventory.holds(router, host));
    held.map(|host| {
        let known = router.status.hosts.iter().find(|claim| claim.host == host.as_str());
        known.cloned().unwrap_or_else(|| HostClaim { host: host.to_string(), since: now.to_string() })
    })
    .collect()
}

/// Ids that were on offer and are no longer, while their paths stay theirs.
fn offered(inventory: &Inventory, router: &RouterFacts, now: Timestamp) -> Vec<OfferedId> {
    let versions = inventory.versions_of(&router.base());
    let gone = |id: &str| {
        !VersionId::parse(id)
            .is_ok_and(|id| router.offers(&id) && versions.is_some_and(|versions| versions.contains_key(&id)))
    };
    let fresh = router.status.versions.iter().filter(|version| version.id != VersionId::BASE);
    let fresh = fresh.map(|version| OfferedId { id: version.id.clone(), last: now.to_string() });
    let kept = router.status.offered.iter().filter(|offered| {
        offered.last.parse::<Timestamp>().is_ok_and(|last| now.duration_since(last) < OFFERED_FOR)
    });
    let mut list: Vec<OfferedId> = Vec::new();
    for offered in fresh.chain(kept.cloned()).filter(|offered| gone(&offered.id)) {
        if list.len() < LISTED && !list.iter().any(|known| known.id == offered.id) {
            list.push(offered);
        }
    }
    list.sort_by(|a, b| a.id.cmp(&b.id));
    list
}

fn verdicts(router: &RouterFacts, reports: &Reports, active: &VersionId) -> Vec<(&'static str, Verdict)> {
    let Some(report) = reports.routers.get(&router.meta.key) else {
        let pending = || Verdict::unknown("Pending", "not compiled yet");
        let all = ["Ready", "Accepted", "ResolvedRefs", "Programmed"].map(|type_| (type_, pending()));
        return all.into_iter().chain(progress(&pending())).collect();
    };
    let refused = || report.findings.iter().filter(|finding| finding.is_rejection());
    let references: Vec<&Finding> = refused().filter(|it| REFERENCES.contains(&it.reason)).collect();
    let others: Vec<&Finding> = refused().filter(|it| !REFERENCES.contains(&it.reason)).collect();

    let resolved = match references.first() {
        Some(first) => Verdict::fails(first.reason, sentences(&references)),
        None => Verdict::holds("Resolved", "everything it refers to is there"),
    };
    let accepted = match (others.first(), report.served) {
        (None, _) => Verdict::holds("Accepted", "the whole of it is valid"),
        (Some(_), true) => {
            Verdict::holds("PartiallyInvalid", format!("the rest is served: {}", sentences(&others)))
        }
        (Some(first), false) => Verdict::fails(first.reason, sentences(&others)),
    };
    let programmed = programmed(router, report, reports.programmed.as_ref());
    let ready = match refused().next() {
        Some(first) => Verdict::fails(first.reason, sentences(&refused().collect::<Vec<_>>())),
        None if !programmed.is_held() => programmed.clone(),
        None => active_summary(router, active, report),
    };
    let progress = progress(&ready);
    let mut verdicts = vec![
        ("Ready", ready),
        ("Accepted", accepted),
        ("ResolvedRefs", resolved),
        ("Programmed", programmed),
    ];
    verdicts.extend(progress);
    verdicts
}

/// Whether requests are routed so. No word says how many edges there are: each that comes or goes would
/// write every Router's status.
fn programmed(router: &RouterFacts, report: &RouteReport, edges: Option<&Programmed>) -> Verdict {
    match edges {
        _ if !report.served => {
            Verdict::fails("NotProgrammed", "it is not in the routing table; the other conditions say why")
        }
        None => Verdict::holds("Programmed", "it is in the routing table"),
        Some(edges) if !edges.running => Verdict::fails(
            "NoEdge",
            "no edge is running that could serve it: start one (`synkronic run --role edge`)",
        ),
        Some(edges) if edges.behind.contains(&router.meta.key) => {
            Verdict::fails("OnItsWay", "not every edge serves this generation yet")
        }
        Some(_) => Verdict::holds("Programmed", "every edge serves it"),
    }
}

fn active_summary(router: &RouterFacts, active: &VersionId, report: &RouteReport) -> Verdict {
    let wanted = router.spec.active.as_deref().unwrap_or(VersionId::BASE);
    if wanted == active.as_str() {
        return Verdict::holds("Ready", format!("`{active}` is active"));
    }
    let told = report.findings.iter().find(|it| ["ActiveNotReady", "ActiveNotFound"].contains(&it.reason));
    let message = match told {
        Some(finding) => finding.message.clone(),
        None => format!("`{active}` is active, and `{wanted}` is not yet"),
    };
    Verdict::fails("ActiveNotReady", message)
}

fn sentences(findings: &[&Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        if finding.field.is_empty() {
            finding.message.clone()
        } else {
            format!("{}: {}", finding.field, finding.message)
        }
    });
    lines.collect::<Vec<_>>().join("; ")
}
