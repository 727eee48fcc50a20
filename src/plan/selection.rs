//! Which labels a version's pods get, and what to tell about that: labels that are not what the overlay asked
//! for, selectors that catch.

use serde_json::Value;

use super::clone::{Overlays, Subject, own_labels, pod_labels};
use super::labels::{self, Catcher, Chosen};
use crate::api::names as api_names;
use crate::inventory::selector::Labels;
use crate::inventory::{Finding, Kind, ObjectReference};

/// Chooses the pods' labels, and says where they are not what the overlay asks for.
pub(super) fn choose(
    subject: &Subject<'_>,
    overlays: &Overlays,
    spec: &Value,
    catchers: &[Catcher],
    warnings: &mut Vec<Finding>,
) -> Result<Chosen, Vec<Finding>> {
    let mut asked = pod_labels(spec);
    let of_overlay = overlays.label_keys(&asked);
    asked.extend(own_labels(subject));
    let dpv = &subject.dpv.meta.key;
    let chosen = labels::choose(catchers, &asked, &of_overlay, &subject.resolved.version, &dpv.to_string())
        .map_err(|caught| {
        caught.into_iter().map(|catcher| unsafe_selector(subject, catcher, &asked)).collect::<Vec<_>>()
    })?;
    let field = |key: &str| format!("spec.deploymentSpec.template.metadata.labels[{key:?}]");
    for key in chosen.changed.intersection(&of_overlay) {
        let message = match chosen.labels.get(key) {
            Some(value) => {
                format!("a selector would catch the version's pods by it, so it becomes `{value}`")
            }
            None => "a selector would catch the version's pods by it, so it is left out".to_owned(),
        };
        warnings.push(subject.warning("OverlayLabelReplaced", field(key), message));
    }
    // The base's own selector written out again asks for nothing.
    let written = subject.dpv.deployment_overlay.as_ref().map(|overlay| overlay.field("selector"));
    let restates =
        written.is_some_and(|written| !written.is_null() && subject.spec.get("selector") == Some(&written));
    for (overlay, root) in
        [(&overlays.deployment, "spec.deploymentSpec"), (&overlays.service, "spec.serviceSpec")]
    {
        if overlay.as_ref().is_some_and(|overlay| overlay.sets(&["selector"])) && !restates {
            let message = format!(
                "the overlay's selector gives way: what is made for a version selects its pods by `{}`",
                api_names::LABEL_DPV
            );
            warnings.push(subject.warning("SelectorReplaced", format!("{root}.selector"), message));
        }
    }
    for catcher in catchers {
        warnings.extend(catches_all(subject, catcher));
    }
    Ok(chosen)
}

fn unsafe_selector(subject: &Subject<'_>, catcher: &Catcher, asked: &Labels) -> Finding {
    let shown: Vec<String> = asked
        .iter()
        .filter(|(key, _)| !key.starts_with("kyaninus.com/"))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let message = format!(
        "the selector of {} would catch the version's pods ({}) whatever Synkronic changed in their labels; make \
         it ask for a label that the base's pods have, or give the pods another label in \
         `spec.deploymentSpec.template.metadata.labels`",
        catcher.who,
        shown.join(", ")
    );
    subject.rejected("UnsafeSelector", "", message)
}

/// What a version's pods share with the base's, and nobody may have thought of.
fn catches_all(subject: &Subject<'_>, catcher: &Catcher) -> Option<Finding> {
    match catcher.who.kind {
        Kind::PodDisruptionBudget if catcher.selector.is_empty() => Some(subject.warning(
            "BudgetCatchesAll",
            "",
            format!(
                "{} selects every pod of the namespace, the version's too; give it a selector if it was meant \
                 for the base",
                catcher.who
            ),
        )),
        _ => None,
    }
}

/// Says so while pods that run already are caught by a selector that came later.
pub(super) fn watch_the_old(
    subject: &Subject<'_>,
    caught: &[ObjectReference],
) -> impl Iterator<Item = Finding> {
    caught.iter().map(|catcher| {
        let message = format!(
            "{catcher} catches the pods that run now; their labels change, and until that roll-out is done it \
             selects them"
        );
        subject.warning("PodsCaught", "", message)
    })
}
