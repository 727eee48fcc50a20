//! kstatus, by which Argo CD, Flux and others wait: `Reconciling` while waiting may help, `Stalled` where only an
//! edit does; neither where it is ready or at rest on purpose.

use super::conditions::{Standing, Verdict};

/// What follows from the summary of a DeploymentVersion or a Router.
pub(super) fn progress(summary: &Verdict) -> Option<(&'static str, Verdict)> {
    if summary.is_held() {
        return None;
    }
    let says = |type_| Some((type_, Verdict::holds(&summary.reason, summary.message.clone())));
    match summary.reason.as_str() {
        "Suspended" | "ScaledToZero" => None,
        // What a DeploymentVersion waits for.
        "Creating" | "NotCreated" | "RollingOut" | "Restarting" | "Suspending" | "Unschedulable"
        | "BaseMissing" | "Applying" | "WaitingForTurn" | "WriteFailed"
        // What a Router waits for: its pods, and the edges, which are nothing that its author could edit.
        | "ActiveNotReady" | "OnItsWay" | "NoEdge" => says("Reconciling"),
        _ if summary.status == Standing::Unknown => says("Reconciling"),
        _ => says("Stalled"),
    }
}
