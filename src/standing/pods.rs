//! Why a version does not come up, in its pods' own words.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::conditions::Verdict;
use crate::inventory::object::PodFacts;

/// The worst that the pods tell of, `None` where they tell of nothing wrong.
pub(super) fn trouble(pods: &[&PodFacts]) -> Option<Verdict> {
    pods.iter()
        .filter_map(|pod| trouble_of(&pod.pod))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, verdict)| verdict)
}

/// A pod's trouble with its rank: what no waiting mends comes first.
fn trouble_of(pod: &Pod) -> Option<(u8, Verdict)> {
    let status = pod.status.as_ref()?;
    let containers =
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    if let Some(found) = containers.filter_map(container_trouble).min_by_key(|(rank, _)| *rank) {
        return Some(found);
    }
    let unscheduled = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    let message = unscheduled.message.as_deref().unwrap_or("no node takes the pod");
    Some((2, Verdict::fails("Unschedulable", format!("no node takes the pod: {message}"))))
}

fn container_trouble(container: &ContainerStatus) -> Option<(u8, Verdict)> {
    let name = &container.name;
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    let waits_for = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
    let words = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
    match waits_for {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => {
            let message =
                format!("the image `{}` of container `{name}` cannot be pulled: {words}", container.image);
            return Some((0, Verdict::fails("ImagePullFailed", message)));
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            let message = format!("container `{name}` cannot be started: {words}");
            return Some((0, Verdict::fails("ContainerNotCreated", message)));
        }
        _ => {}
    }
    let ended = container
        .state
        .as_ref()
        .and_then(|state| state.terminated.as_ref())
        .or_else(|| container.last_state.as_ref().and_then(|state| state.terminated.as_ref()))?;
    if container.ready || (waits_for != "CrashLoopBackOff" && ended.exit_code == 0) {
        return None;
    }
    let words = match ended.message.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
        Some(words) => format!(": {words:?}"),
        None => {
            let reason = ended.reason.as_deref().filter(|reason| *reason != "Error");
            reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
        }
    };
    let code = ended.exit_code;
    // A container that is up again has ended as often as it was started again, another once more.
    let is_up = container.state.as_ref().is_some_and(|state| state.running.is_some());
    let ends = container.restart_count + i32::from(!is_up);
    if ends < 2 {
        return Some((3, Verdict::fails("Restarting", format!("{name} exited {code}, restarting{words}"))));
    }
    let restarts = match container.restart_count {
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    };
    Some((1, Verdict::fails("CrashLooping", format!("{name} exited {code}, {restarts}{words}"))))
}
