//! One version: its base, its overlay, and the objects they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::confine::Confinement;
use super::follow::{Stages, follow};
use super::labels::Catcher;
use super::merge::{Fault, Folded, Overlay, RemovePath, Root, fold, remove};
use super::{json as steps, pods, rights, selection, service, strip};
use crate::api::names as api_names;
use crate::inventory::object::{DeploymentFacts, ServiceFacts, VersionFacts};
use crate::inventory::selector::Labels;
use crate::inventory::settings::OverlayRight;
use crate::inventory::versions::Resolved;
use crate::inventory::{Document, Finding, Inventory, Key, Kind, ObjectReference, Settings, names};

/// What a version comes to.
pub(super) struct Clone {
    /// In the order of creation.
    pub objects: Vec<(ObjectReference, Value)>,
    /// Warnings.
    pub findings: Vec<Finding>,
    /// The labels that base and overlay ask for, without Synkronic's own.
    pub asked: Labels,
    /// What became of them, and what was given up on the way.
    pub changed: Box<[Relabelled]>,
}

/// Labels that differ from what was asked for; `None` where one goes.
pub(super) type Relabelled = Box<[(String, Option<String>)]>;

/// What the versions of one update are made with.
pub(super) struct Around<'i> {
    pub inventory: &'i Inventory,
    pub settings: &'i Settings,
    /// What all versions of a base are made from, looked up once: a namespace holds many more clones than bases.
    grounds: BTreeMap<Key, Arc<Ground>>,
}

/// What all versions of a base are made from.
struct Ground {
    /// The base's spec as it is.
    base: Value,
    /// The same before any overlay.
    spec: Value,
    /// What its lists had twice.
    folded: Folded,
    /// What confines its pods, or admits them.
    confinement: Confinement,
    /// The Services that select its pods.
    services: Vec<Arc<ServiceFacts>>,
}

impl<'i> Around<'i> {
    pub fn new(inventory: &'i Inventory, settings: &'i Settings) -> Self {
        Self { inventory, settings, grounds: BTreeMap::new() }
    }

    fn ground(&mut self, base: &DeploymentFacts) -> Arc<Ground> {
        let inventory = self.inventory;
        let find = || {
            let services = inventory.services_of(base);
            let services = services.filter_map(|service| inventory.services.shared(&service.meta.key));
            let base_spec = base.spec();
            let mut spec = strip::deployment_spec(base_spec.clone());
            let folded = fold(Root::Deployment, &mut spec);
            Arc::new(Ground {
                base: base_spec,
                spec,
                folded,
                confinement: Confinement::of(inventory, base),
                services: services.collect(),
            })
        };
        self.grounds.entry(base.meta.key.clone()).or_insert_with(find).clone()
    }
}

/// A version while it is made.
pub(super) struct Subject<'i> {
    pub dpv: &'i VersionFacts,
    pub base: &'i DeploymentFacts,
    /// The base's spec.
    pub spec: &'i Value,
    pub resolved: &'i Resolved,
    /// The value of `kyaninus.com/dpv`.
    pub hash: String,
}

impl Subject<'_> {
    pub fn rejected(
        &self,
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Finding {
        Finding::rejected(self.dpv.reference(), reason, field, message)
    }

    pub fn warning(
        &self,
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Finding {
        Finding::warning(self.dpv.reference(), reason, field, message)
    }

    /// Faults of an overlay as findings on the field that holds it.
    pub fn faults(&self, field: &str, faults: Vec<Fault>) -> Vec<Finding> {
        let refused =
            |fault: Fault| self.rejected("InvalidOverlay", below(field, &fault.path), fault.message);
        faults.into_iter().map(refused).collect()
    }

    /// Notes on an overlay as warnings on the field that holds it.
    pub fn notes(&self, field: &str, notes: Vec<Fault>) -> Vec<Finding> {
        let warned = |note: Fault| self.warning("OverlayDoubtful", below(field, &note.path), note.message);
        notes.into_iter().map(warned).collect()
    }
}

fn below(field: &str, path: &str) -> String {
    let joint = if path.is_empty() || path.starts_with('[') { "" } else { "." };
    format!("{field}{joint}{path}")
}

/// What one version is made with, besides its base.
pub(super) struct Given<'g> {
    pub dpv: &'g VersionFacts,
    pub resolved: &'g Resolved,
    /// Everything in the namespace that selects pods.
    pub catchers: &'g [Catcher],
    /// What of it catches the pods that run now.
    pub caught: &'g [ObjectReference],
    /// The version's first address.
    pub url: Option<&'g str>,
}

/// Works out one version.
///
/// # Errors
/// Why nothing is wanted for it.
pub(super) fn clone(around: &mut Around<'_>, given: &Given<'_>) -> Result<Clone, Vec<Finding>> {
    let Given { dpv, resolved, catchers, caught, url } = *given;
    let inventory = around.inventory;
    let Some(base) = inventory.deployments.get(&resolved.base).filter(|_| resolved.base_present) else {
        let message = format!(
            "the base Deployment `{}` is gone; what runs of this version stays as it is until the base is back",
            resolved.base.name
        );
        return Err(vec![Finding::rejected(dpv.reference(), "BaseNotFound", "spec.name", message)]);
    };
    let ground = around.ground(base);
    let hash = names::dpv_label(&dpv.meta.key.name);
    let subject = Subject { dpv, base, spec: &ground.base, resolved, hash };
    let mut warnings: Vec<Finding> = ground.folded.notes.iter().map(|note| twice(&subject, note)).collect();
    let overlays = Overlays::read(&subject)?;
    let mut spec = overlays.deployment(&subject, ground.spec.clone(), &mut warnings)?;
    check_rights(&subject, around.settings, &spec)?;
    let chosen = selection::choose(&subject, &overlays, &spec, catchers, &mut warnings)?;
    let asked = pod_labels(&spec);
    follow(
        &mut spec,
        &dpv.meta.key.namespace,
        &Stages { base: &base.pod_labels, asked: &asked, chosen: &chosen.labels },
    );
    pods::label(&mut spec, &chosen.labels, &subject.hash);
    if let Some(build) = dpv.meta.annotations.get(api_names::ANNOTATION_BUILD) {
        pods::annotate(&mut spec, api_names::ANNOTATION_BUILD, build);
    }
    pods::renew_pull_policy(&mut spec, subject.spec, overlays.deployment.as_ref());
    pods::equip(&mut spec, resolved.version.as_str(), url, overlays.deployment.as_ref());
    let replicas = spec.get("replicas").and_then(Value::as_i64).unwrap_or(1);
    set_replicas(&mut spec, dpv.spec.suspend);
    warnings.extend(selection::watch_the_old(&subject, caught));

    let mut services = Vec::new();
    for found in service::wanted(inventory, &subject, &ground.services)? {
        let name = names::service(&found.meta.key.name, &resolved.version);
        let overlay = overlays.service.as_ref();
        let ports = service::Ports { of_version: service::port_names(&spec), lost: &ground.folded.ports };
        let object = service::clone(&subject, &found, &name, overlay, &ports, &mut warnings)?;
        check_exposure(&subject, around.settings, &found, &object)?;
        warnings.extend(service::lost_ports(&subject, &object, &spec));
        services.push((Kind::Service, name, object));
    }
    if services.is_empty() {
        warnings.push(no_service(&subject));
    }
    services.sort_by(|a, b| a.1.cmp(&b.1));
    // No pod runs before what confines it is there.
    let mut objects = ground.confinement.of_version(&subject, &chosen.labels, replicas);
    objects.extend(services);
    objects.push((Kind::Deployment, resolved.deployment.to_string(), deployment(&subject, spec)));
    let named = |(kind, name, object): (Kind, String, Value)| {
        (ObjectReference { kind, key: dpv.meta.key.sibling(name) }, object)
    };
    warnings.sort();
    warnings.dedup();
    let relabelled = |changed: &BTreeSet<String>, labels: &Labels| {
        changed.iter().map(|key| (key.clone(), labels.get(key).map(str::to_owned))).collect::<Relabelled>()
    };
    let given_up = chosen.given_up.iter().map(|(changed, labels)| relabelled(changed, labels));
    let changed = given_up.chain([relabelled(&chosen.changed, &chosen.labels)]).collect();
    Ok(Clone { objects: objects.into_iter().map(named).collect(), findings: warnings, changed, asked })
}

/// What the base's list has twice, as no apply may.
fn twice(subject: &Subject<'_>, note: &Fault) -> Finding {
    let message = format!("in the base `{}`, {note}; have it there once", subject.base.meta.key.name);
    subject.warning("DuplicateInBase", "spec.name", message)
}

fn no_service(subject: &Subject<'_>) -> Finding {
    let name = &subject.base.meta.key.name;
    let (field, message) = match &subject.dpv.spec.services {
        Some(_) => ("spec.services", "it clones no Service, so no route can lead to it".to_owned()),
        None => (
            "spec.services",
            format!(
                "no Service selects the pods of the base `{name}`, so no route can lead to this version; create one"
            ),
        ),
    };
    subject.warning("NoService", field, message)
}

/// The parts of a DeploymentVersion that change its base, read.
pub(super) struct Overlays {
    pub deployment: Option<Overlay>,
    pub service: Option<Overlay>,
    remove: Vec<RemovePath>,
}

impl Overlays {
    /// Reads them all, so that every fault is told at once.
    fn read(subject: &Subject<'_>) -> Result<Self, Vec<Finding>> {
        let spec = &subject.dpv.spec;
        let mut findings = Vec::new();
        let mut overlay = |root, field, written: &Option<Document>| {
            let Value::Object(map) = written.as_ref()?.value() else { return None };
            Overlay::parse(root, &map).map_err(|faults| findings.extend(subject.faults(field, faults))).ok()
        };
        let deployment = overlay(Root::Deployment, "spec.deploymentSpec", &subject.dpv.deployment_overlay);
        let service = overlay(Root::Service, "spec.serviceSpec", &subject.dpv.service_overlay);
        let mut paths = Vec::new();
        for (index, text) in spec.remove.iter().enumerate() {
            match RemovePath::parse(Root::Deployment, text) {
                Ok(path) => paths.push(path),
                Err(fault) => findings.push(subject.rejected(
                    "InvalidOverlay",
                    format!("spec.remove[{index}]"),
                    fault.to_string(),
                )),
            }
        }
        if findings.is_empty() { Ok(Self { deployment, service, remove: paths }) } else { Err(findings) }
    }

    /// The base's spec with the overlay on it and the removed paths out of it.
    fn deployment(
        &self,
        subject: &Subject<'_>,
        mut spec: Value,
        warnings: &mut Vec<Finding>,
    ) -> Result<Value, Vec<Finding>> {
        if steps::list(&spec, "/template/spec/containers").next().is_none() {
            let name = &subject.base.meta.key.name;
            let message = format!("the base Deployment `{name}` has no containers; correct it");
            return Err(vec![subject.rejected("BaseInvalid", "spec.name", message)]);
        }
        if let Some(overlay) = &self.deployment {
            let applied =
                overlay.apply(spec).map_err(|faults| subject.faults("spec.deploymentSpec", faults))?;
            warnings.extend(subject.notes("spec.deploymentSpec", applied.notes));
            spec = applied.spec;
            self.keep_one_account_name(&mut spec);
        }
        for (index, path) in self.remove.iter().enumerate() {
            let field = format!("spec.remove[{index}]");
            match remove(&mut spec, std::slice::from_ref(path)) {
                Ok(notes) => {
                    let warned =
                        |note: Fault| subject.warning("NothingToRemove", field.clone(), note.to_string());
                    warnings.extend(notes.into_iter().map(warned));
                }
                Err(faults) => {
                    let refused =
                        |fault: Fault| subject.rejected("InvalidOverlay", field.clone(), fault.to_string());
                    return Err(faults.into_iter().map(refused).collect());
                }
            }
        }
        if let Some(Value::Object(metadata)) = spec.pointer_mut("/template/metadata") {
            // The API server keeps no empty map, and a comparison with what it keeps must not differ.
            metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
        }
        if steps::list(&spec, "/template/spec/containers").next().is_none() {
            let message = "the overlay leaves no container; keep at least one";
            return Err(vec![subject.rejected("InvalidOverlay", "spec.deploymentSpec", message)]);
        }
        Ok(spec)
    }

    /// `serviceAccount` is the old name of `serviceAccountName`: a live base has both, an overlay only one.
    fn keep_one_account_name(&self, spec: &mut Value) {
        let fields = ["serviceAccountName", "serviceAccount"];
        let is_set = |field: &&str| {
            let overlay = self.deployment.as_ref();
            overlay.is_some_and(|overlay| overlay.sets(&["template", "spec", field]))
        };
        let set: Vec<&str> = fields.into_iter().filter(is_set).collect();
        if let ([_], Some(Value::Object(pod))) = (set.as_slice(), spec.pointer_mut("/template/spec")) {
            for field in fields.into_iter().filter(|field| !set.contains(field)) {
                pod.remove(field);
            }
        }
    }

    /// The keys of pod labels that the overlay sets.
    pub fn label_keys(&self, asked: &Labels) -> BTreeSet<String> {
        let sets = |key: &&str| {
            let overlay = self.deployment.as_ref();
            overlay.is_some_and(|overlay| overlay.sets(&["template", "metadata", "labels", key]))
        };
        asked.keys().filter(sets).map(str::to_owned).collect()
    }
}

/// Refuses rights that the base doesn't have, and volumes that the base writes.
fn check_rights(subject: &Subject<'_>, settings: &Settings, spec: &Value) -> Result<(), Vec<Finding>> {
    let base = subject.spec;
    let mut findings: Vec<Finding> = rights::gains(base, spec, &settings.allowed_overlays)
        .into_iter()
        .map(|gain| {
            let field = format!("spec.deploymentSpec.{}", gain.path);
            not_allowed(subject, gain.right, field, &gain.what)
        })
        .collect();
    let shares = subject.dpv.meta.annotations.get(api_names::ANNOTATION_SHARE_VOLUMES);
    if shares.is_none_or(|value| value != "true") {
        findings.extend(rights::shared_claims(base, spec).into_iter().map(|(volume, claim)| {
            let message = format!(
                "the volume `{volume}` claims `{claim}`, which the base writes too, and two versions writing one \
                 volume is how data is lost; give the version another volume in the overlay (as `emptyDir: {{}}`), \
                 or annotate it `{}: \"true\"`",
                api_names::ANNOTATION_SHARE_VOLUMES
            );
            let field = format!("spec.deploymentSpec.template.spec.volumes[{volume}]");
            subject.rejected("SharedVolume", field, message)
        }));
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// Refuses addresses outside of the cluster that the base's Service doesn't have.
fn check_exposure(
    subject: &Subject<'_>,
    settings: &Settings,
    service: &ServiceFacts,
    clone: &Value,
) -> Result<(), Vec<Finding>> {
    let right = OverlayRight::ExternalService;
    if settings.allowed_overlays.contains(&right) {
        return Ok(());
    }
    let spec = clone.get("spec").unwrap_or(&Value::Null);
    let refused = |found: service::Exposure| {
        let field = format!("spec.serviceSpec.{}", found.path);
        if found.is_inherited {
            return not_allowed(subject, right, field, &found.what);
        }
        let message = format!(
            "the overlay asks for {}, which no version has from its base, as what keeps the base's from the world \
             is not cloned; leave it out, or have an administrator allow it with `--allow-overlay {}`",
            found.what,
            right.as_str()
        );
        subject.rejected("OverlayNotAllowed", field, message)
    };
    let findings: Vec<Finding> = service::exposure(service, spec).into_iter().map(refused).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

fn not_allowed(subject: &Subject<'_>, right: OverlayRight, field: String, what: &str) -> Finding {
    let message = format!(
        "the overlay asks for {what}, which the base `{}` doesn't have; give it to the base, or have an \
         administrator allow it with `--allow-overlay {}`",
        subject.base.meta.key.name,
        right.as_str()
    );
    subject.rejected("OverlayNotAllowed", field, message)
}

pub(super) fn pod_labels(spec: &Value) -> Labels {
    let labels = spec.pointer("/template/metadata/labels").and_then(Value::as_object);
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    labels.into_iter().flatten().filter_map(text).collect()
}

/// The overlay's replicas, else one; none while the version is suspended.
fn set_replicas(spec: &mut Value, suspended: bool) {
    let spec = steps::map_at(spec, &[]);
    if suspended {
        spec.insert("replicas".to_owned(), 0.into());
    } else {
        spec.entry("replicas").or_insert_with(|| 1.into());
    }
}

/// The labels by which everything of a version, pods too, is found.
pub(super) fn own_labels(subject: &Subject<'_>) -> Labels {
    Labels::from([
        (api_names::LABEL_BASE.to_owned(), names::fitted(&subject.base.meta.key.name)),
        (api_names::LABEL_VERSION.to_owned(), subject.resolved.version.to_string()),
        (api_names::LABEL_DPV.to_owned(), subject.hash.clone()),
    ])
}

fn deployment(subject: &Subject<'_>, spec: Value) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec});
    let meta = &subject.base.meta;
    let labels = strip::labels(&meta.labels);
    add_metadata(
        &mut object,
        subject,
        &subject.resolved.deployment,
        labels,
        strip::annotations(&meta.annotations),
    );
    object
}

/// Gives an object its name, its labels and its owner.
pub(super) fn add_metadata(
    object: &mut Value,
    subject: &Subject<'_>,
    name: &str,
    mut labels: Labels,
    annotations: Labels,
) {
    labels.extend(own_labels(subject));
    labels.insert(api_names::LABEL_MANAGED_BY.to_owned(), api_names::MANAGER.to_owned());
    let dpv = &subject.dpv.meta;
    let mut owner = json!({
        "apiVersion": api_names::API_VERSION,
        "kind": "DeploymentVersion",
        "name": &*dpv.key.name,
        "controller": true,
        "blockOwnerDeletion": true,
    });
    let mut metadata = json!({
        "name": name,
        "namespace": &*dpv.key.namespace,
        "labels": labels,
    });
    if let (Some(uid), Some(owner)) = (&dpv.uid, owner.as_object_mut()) {
        owner.insert("uid".to_owned(), uid.as_str().into());
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("ownerReferences".to_owned(), Value::Array(vec![owner]));
        if !annotations.is_empty() {
            metadata.insert("annotations".to_owned(), json!(annotations));
        }
    }
    steps::map_at(object, &[]).insert("metadata".to_owned(), metadata);
}
