//! The herd as a cluster would show it: Pods, EndpointSlices and Deployment statuses, and why pods do not serve.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{Herd, Record, context, replicas, template_hash};
use crate::inventory::object::DeploymentFacts;
use crate::inventory::{Edit, Inventory, Key, Kind};
use crate::local::pods::life::{Exit, Phase};
use crate::local::pods::objects::{self, Counts, Shown, State};
use crate::local::world::{Origin, Put, World, identify};

impl Herd {
    /// Why pods do not serve, or would not any more, by Deployment: of those that do not, what the youngest says.
    #[must_use]
    pub fn troubles(&self) -> BTreeMap<Key, String> {
        let living = self.pods.values().filter(|record| !record.ending);
        let of_pods = living.filter_map(|record| Some((record.deployment.clone(), record.trouble()?)));
        self.unrepeatable.clone().into_iter().chain(of_pods).collect()
    }

    /// Puts what differs since the last time into the world: pods, where they are, and how many.
    pub fn show(&mut self, inventory: &Inventory, world: &mut World, now: Timestamp) -> Vec<Edit> {
        let remains = std::mem::take(&mut self.remains);
        let mut edits: Vec<Edit> =
            remains.iter().filter_map(|(kind, key)| world.remove(*kind, key)).collect();
        for deployment in std::mem::take(&mut self.unshown) {
            for id in self.of_deployment.get(&deployment).into_iter().flatten() {
                if let Some(record) = self.pods.get_mut(id) {
                    show_pod(record, inventory, world, now, &mut edits);
                }
            }
            let deployment = inventory.deployments.get(&deployment);
            edits.extend(deployment.and_then(|it| self.show_counts(it, inventory, world)));
        }
        edits
    }

    fn show_counts(
        &self,
        deployment: &DeploymentFacts,
        inventory: &Inventory,
        world: &mut World,
    ) -> Option<Edit> {
        let key = &deployment.meta.key;
        let ids = self.of_deployment.get(key).into_iter().flatten();
        let records: Vec<&Record> =
            ids.filter_map(|id| self.pods.get(id)).filter(|record| !record.ending).collect();
        let template = template_hash(deployment, context(inventory, deployment));
        let recipe = records.iter().find_map(|record| record.recipe.as_deref());
        let counts = Counts {
            all: records.len(),
            updated: records.iter().filter(|record| record.template == template).count(),
            ready: records.iter().filter(|record| record.state.address().is_some()).count(),
        };
        let wanted = replicas(deployment, recipe);
        let status = objects::deployment_status(deployment.meta.generation, wanted, counts);
        world.put_status(Kind::Deployment, key, status)
    }
}

fn show_pod(
    record: &mut Record,
    inventory: &Inventory,
    world: &mut World,
    now: Timestamp,
    edits: &mut Vec<Edit>,
) {
    let shown = record.shown();
    let services = inventory.services.of_namespace(&record.key.namespace);
    let slices = services.filter_map(|service| objects::slice(&shown, service));
    let there: BTreeSet<(Kind, Key)> = std::iter::once(objects::pod(&shown))
        .chain(slices)
        .filter_map(|object| put(object, world, now, edits))
        .collect();
    let gone = record.objects.difference(&there);
    edits.extend(gone.filter_map(|(kind, key)| world.remove(*kind, key)));
    record.objects = there;
}

/// Puts an object and its status in.
fn put(mut object: Value, world: &mut World, now: Timestamp, edits: &mut Vec<Edit>) -> Option<(Kind, Key)> {
    let status = object.get("status").cloned();
    let id = identify(&mut object)?;
    match world.put(object, Origin::Pod, now) {
        Ok(Put::Changed(edit)) => edits.push(edit),
        Ok(Put::Same) => {}
        // Somebody's manifest has an object of that name.
        Ok(Put::Taken(_) | Put::Foreign) | Err(_) => return None,
    }
    edits.extend(status.and_then(|status| world.put_status(id.0, &id.1, status)));
    Some(id)
}

impl Record {
    fn trouble(&self) -> Option<String> {
        let ended = |exit: &Exit| {
            // Once is no loop.
            let is_up = !matches!(self.state, State::Living(Phase::Down(_)));
            let restarts = match self.restarts + u32::from(!is_up) {
                0 | 1 => "restarting".to_owned(),
                _ if self.restarts == 1 => "1 restart".to_owned(),
                _ => format!("{} restarts", self.restarts),
            };
            let words = if exit.message.is_empty() { String::new() } else { format!(": {:?}", exit.message) };
            format!("exited {}, {restarts}{words}", exit.code)
        };
        match (&self.state, &self.last) {
            (State::Blocked(message), _) => Some(message.clone()),
            (State::Living(Phase::Down(exit)), _) => Some(ended(exit)),
            (State::Living(Phase::Starting | Phase::Unready(_)), Some(exit)) => Some(ended(exit)),
            (State::Living(Phase::Unready(reason)), None) => Some(reason.clone()),
            (State::Living(Phase::Starting | Phase::Ready(_) | Phase::Gone), _) => None,
        }
    }

    fn shown(&self) -> Shown<'_> {
        Shown {
            key: &self.key,
            uid: &self.uid,
            deployment: &self.deployment.name,
            labels: &self.labels,
            container: self.recipe.as_ref().map(|recipe| &recipe.container),
            ports: &self.ports,
            state: &self.state,
            restarts: self.restarts,
            last: self.last.as_ref(),
            address: self.address,
            ending: self.ending,
            created: &self.created,
        }
    }
}
