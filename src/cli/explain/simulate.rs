//! The table that some manifests would come to, were every version up that is not suspended. Pure.

use serde_json::{Value, json};

use crate::admin;
use crate::api::names;
use crate::cli::intake::{Intake, Remarks, Statuses};
use crate::inventory::object::ServiceFacts;
use crate::inventory::{Changes, Edit, Inventory, Object, Settings};
use crate::local::defaults;
use crate::local::manifests::Reading;
use crate::plan::plan;
use crate::routes::explain::Explanation;
use crate::routes::{Compiled, Described, compile};

/// What manifests come to.
pub(super) struct Simulated {
    /// What could not be read, or is not served, in sentences.
    pub remarks: Remarks,
    compiled: Compiled,
}

/// Plays controller and kubelet over some manifests, without running anything.
pub(super) fn simulate(reading: Reading) -> Simulated {
    let settings = Settings::default();
    let mut intake = Intake::of(reading, Statuses::Dropped);
    // As `local` does it, so that both say the same of the same manifests.
    let added = defaults::defaults(&intake.inventory, |_, _| false, &intake.bases_of_refused);
    put(&mut intake.inventory, added);
    let planned = plan(&intake.inventory, &settings);
    let refused = planned.reports.values().flat_map(|report| &report.findings);
    refused.filter(|finding| finding.is_rejection()).for_each(|finding| intake.say(finding));
    put(&mut intake.inventory, planned.objects.iter().map(|desired| desired.object.value()).collect());
    let slices = slices(&intake.inventory);
    put(&mut intake.inventory, slices);
    let compiled = compile(&intake.inventory, &settings, None, &Changes::default());
    compiled.reports.values().flat_map(|report| &report.findings).for_each(|finding| intake.say(finding));
    Simulated { remarks: intake.remarks, compiled }
}

impl Simulated {
    /// Which version a request gets, and why.
    pub(super) fn explain(&self, described: &Described) -> Explanation {
        let mut explanation = admin::explain(&self.compiled.table, described);
        // They are made up.
        explanation.outcome.endpoints.clear();
        explanation
    }
}

fn put(inventory: &mut Inventory, objects: Vec<Value>) {
    // Each was made by this program, from objects that could be read.
    let read = objects.into_iter().filter_map(|value| Object::read(value).ok().flatten());
    inventory.update(read.map(|object| Edit::Apply(Box::new(object))).collect::<Vec<_>>());
}

/// An EndpointSlice with one ready pod for each version that is not suspended, through each Router.
fn slices(inventory: &Inventory) -> Vec<Value> {
    let mut slices = Vec::new();
    for router in inventory.routers.iter() {
        let Ok(base_service) = inventory.service_of_router(router) else { continue };
        let versions =
            inventory.versions_of(&router.base()).into_iter().flat_map(|versions| versions.values());
        for version in versions {
            let dpv = version.dpv.as_ref().and_then(|key| inventory.dpvs.get(key));
            if dpv.is_none_or(|dpv| !dpv.spec.suspend) {
                let own = inventory.version_service(&router.base(), &base_service, &version.id);
                slices.extend(own.and_then(slice));
            }
        }
    }
    slices
}

fn slice(of: &ServiceFacts) -> Option<Value> {
    let service = &of.meta.key;
    let ports: Vec<Value> =
        of.ports.iter().map(|port| json!({"name": port.name, "port": port.port})).collect();
    let mut slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{}-simulated", service.name), "namespace": &*service.namespace},
        // RFC 5737: an address for examples.
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "uid": "simulated"}}],
        "ports": ports,
    });
    let metadata = slice.get_mut("metadata")?.as_object_mut()?;
    metadata.insert("labels".to_owned(), json!({ names::LABEL_SERVICE_NAME: &*service.name }));
    Some(slice)
}
