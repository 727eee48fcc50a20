//! Why a version does not come up, in its pods' own words.

use super::conditions::Verdict;
use crate::inventory::object::{ContainerTrouble, Ended, PodFacts};

/// The worst that the pods tell of, `None` where they tell of nothing wrong.
pub(super) fn trouble(pods: &[&PodFacts]) -> Option<Verdict> {
    pods.iter().filter_map(|pod| trouble_of(pod)).min_by_key(|(rank, _)| *rank).map(|(_, verdict)| verdict)
}

/// A pod's trouble with its rank: what no waiting mends comes first.
fn trouble_of(pod: &PodFacts) -> Option<(u8, Verdict)> {
    let worst = pod.troubles.iter().filter_map(container_trouble).min_by_key(|(rank, _)| *rank);
    worst.or_else(|| {
        let words = pod.unscheduled.as_deref()?;
        Some((2, Verdict::fails("Unschedulable", format!("no node takes the pod: {words}"))))
    })
}

fn container_trouble(container: &ContainerTrouble) -> Option<(u8, Verdict)> {
    let ContainerTrouble { name, image, restarts, is_up, waits_for: (waits_for, words), ended } = container;
    match waits_for.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" => {
            let message = format!("the image `{image}` of container `{name}` cannot be pulled: {words}");
            return Some((0, Verdict::fails("ImagePullFailed", message)));
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            let message = format!("container `{name}` cannot be started: {words}");
            return Some((0, Verdict::fails("ContainerNotCreated", message)));
        }
        _ => {}
    }
    let Ended { code, reason, message } = ended.as_ref()?;
    if waits_for != "CrashLoopBackOff" && *code == 0 {
        return None;
    }
    let words = match message.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
        Some(words) => format!(": {words:?}"),
        None => {
            let reason = reason.as_deref().filter(|reason| *reason != "Error");
            reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
        }
    };
    // A container that is up again has ended as often as it was started again, another once more.
    if restarts + i32::from(!is_up) < 2 {
        return Some((3, Verdict::fails("Restarting", format!("{name} exited {code}, restarting{words}"))));
    }
    let restarts = match restarts {
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    };
    Some((1, Verdict::fails("CrashLooping", format!("{name} exited {code}, {restarts}{words}"))))
}
